/* tls/tls_memory.c — what a TLS connection takes of the heap, for the sums that a server makes of its
 * memory before it starts. OpenSSL does not tell what it takes for itself: its figures have been
 * measured (OpenSSL 3.0), and tests/unit/tls/test_memory.c counts that they hold. Any thread. */
#include "base/alloc.h"
#include "tls/tls_link.h"

enum {
    /* An SSL takes 7.6 KB, its session, keys and copy of the certificates' list 6.5 KB. */
    OPENSSL_IDLE_BYTES = 16 * 1024,
    /* Beside that a handshake has a buffer for messages and one of a record each way; who sends or
     * receives has one of these for the time of the call. */
    OPENSSL_WORK_BYTES = 60 * 1024,
    /* A record each way. */
    OPENSSL_BUFFERS_BYTES = 36 * 1024
};

uint64_t tls_transport_idle_bytes(void)
{
    return mem_cost(sizeof(struct tls_link));
}

uint64_t tls_transport_output_bytes(void)
{
    return mem_cost(sizeof(struct tls_out) + TLS_OUT_BYTES) + tls_away_bytes();
}

uint64_t tls_openssl_idle_bytes(void)
{
    return OPENSSL_IDLE_BYTES;
}

uint64_t tls_openssl_work_bytes(void)
{
    return OPENSSL_WORK_BYTES;
}

uint64_t tls_warm_bytes(void)
{
    return TLS_WARM_LINKS * (uint64_t)OPENSSL_BUFFERS_BYTES;
}

uint64_t tls_shared_bytes(void)
{
    uint64_t small = mem_cost(sizeof(struct tls_out) + TLS_OUT_SMALL_BYTES);
    return mem_cost(sizeof(struct tls_shared)) + tls_warm_bytes() +
           TLS_SPARE_OUTS * (tls_transport_output_bytes() + small);
}
