/* net/tls_facts.h — what a handshake told about a connection and its client: for handlers, which may
 * ask on other threads than the connection's and when it has gone, and for the log. Made once, by
 * tls/, on the connection's loop, and never changed; the connection and each request that may be
 * asked about it have a reference. Any thread. */
#ifndef NET_TLS_FACTS_H
#define NET_TLS_FACTS_H

#include "base/alloc.h"
#include "base/span.h"

#include <stdatomic.h>

/** Of a text, the most that is kept; each is followed by a NUL that is not counted. */
enum { TLS_FACT_MAX_BYTES = 4096 };

struct tls_facts {
    atomic_uint refs;        /* acq_rel: who frees it has read it last */
    bool is_resumed;         /* by a ticket */
    const char *protocol;    /* "TLSv1.3"; static */
    const char *cipher;      /* "TLS_AES_128_GCM_SHA256"; static */
    struct span server_name; /* that the client asked for, as it wrote it; missing: none */
    struct span alpn;        /* "h2"; missing: none */
    /* A certificate that the client showed and that one of the host's authorities signed. What
     * would be longer than a text may be is missing, never cut: a part can be somebody else. */
    bool has_client;
    struct span client_subject;     /* "CN=...", RFC 4514 */
    struct span client_names;       /* "DNS:a.example email:me@a.example", separated by spaces */
    struct span client_fingerprint; /* SHA-256, "AB:CD:..." */
};

static inline struct tls_facts *tls_facts_ref(struct tls_facts *facts)
{
    if (facts) {
        atomic_fetch_add_explicit(&facts->refs, 1, memory_order_relaxed);
    }
    return facts;
}

/** NULL is allowed. */
static inline void tls_facts_unref(struct tls_facts *facts)
{
    if (facts && atomic_fetch_sub_explicit(&facts->refs, 1, memory_order_acq_rel) == 1) {
        mem_free(facts);
    }
}

#endif
