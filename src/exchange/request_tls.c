/* exchange/request_tls.c — see request_tls.h. Of a request that has left its loop `facts` is there, or
 * it came without TLS: so other threads find it and never ask the transport. */
#include "exchange/request_tls.h"

#include "net/transport.h"

int request_keep_tls(struct request_tls *tls)
{
    if (!tls->transport || tls->facts) {
        return GALLEY_OK;
    }
    tls->facts = tls->is_gone ? NULL : tls_facts_ref(transport_facts(tls->transport));
    return tls->facts ? GALLEY_OK : GALLEY_ENOMEM;
}

/* Without memory it stays unknown. */
void request_tls_goes(struct request_tls *tls)
{
    if (request_keep_tls(tls) != GALLEY_OK) {
        tls->is_gone = true;
    }
}

const struct tls_facts *request_tls_facts(const struct request_tls *tls)
{
    bool can_ask = tls->transport && !tls->is_gone;
    return tls->facts || !can_ask ? tls->facts : transport_facts(tls->transport);
}

void request_release_tls(struct request_tls *tls)
{
    tls_facts_unref(tls->facts);
    tls->facts = NULL;
}
