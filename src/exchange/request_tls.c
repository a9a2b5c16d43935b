/* exchange/request_tls.c — see request_tls.h. Of a request that has left its loop `tls_facts` is
 * there, or it came without TLS: so other threads find it and never ask the transport. */
#include "exchange/request_tls.h"

#include "net/tls_facts.h"
#include "net/transport.h"

int request_keep_tls(struct request *request)
{
    if (!request->tls || request->tls_facts) {
        return GALLEY_OK;
    }
    request->tls_facts = request->tls_is_gone ? NULL : tls_facts_ref(transport_facts(request->tls));
    return request->tls_facts ? GALLEY_OK : GALLEY_ENOMEM;
}

/* Without memory it stays unknown. */
void request_tls_goes(struct request *request)
{
    if (request_keep_tls(request) != GALLEY_OK) {
        request->tls_is_gone = true;
    }
}

const struct tls_facts *request_tls_facts(const struct request *request)
{
    bool can_ask = request->tls && !request->tls_is_gone;
    return request->tls_facts || !can_ask ? request->tls_facts : transport_facts(request->tls);
}

void request_release_tls(struct request *request)
{
    tls_facts_unref(request->tls_facts);
    request->tls_facts = NULL;
}
