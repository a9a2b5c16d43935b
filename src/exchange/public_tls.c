/* exchange/public_tls.c — galley_req_tls(). On the handler's thread. */
#include <galley/tls.h>

#include "exchange/exchange.h"
#include "exchange/public_str.h"
#include "exchange/request_tls.h"

int galley_req_tls(const galley_request *rq, galley_tls_report *report)
{
    if (!rq || !report || report->size < sizeof *report) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_request(rq);
    if (!OWNER_OK(exchange)) {
        return GALLEY_ESTATE;
    }
    int rc = request_keep_tls(&exchange->request.tls); /* so the texts last as long as it does */
    const struct tls_facts *facts = exchange->request.tls.facts;
    if (rc != GALLEY_OK || !facts) {
        return rc != GALLEY_OK ? rc : GALLEY_ENOTFOUND;
    }
    *report = (galley_tls_report){
        .size = report->size,
        .is_resumed = facts->is_resumed,
        .has_client = facts->has_client,
        .protocol = str_of(span_of(facts->protocol)),
        .cipher = str_of(span_of(facts->cipher)),
        .server_name = str_of(facts->server_name),
        .alpn = str_of(facts->alpn),
        .client_subject = str_of(facts->client_subject),
        .client_names = str_of(facts->client_names),
        .client_fingerprint = str_of(facts->client_fingerprint),
    };
    return GALLEY_OK;
}
