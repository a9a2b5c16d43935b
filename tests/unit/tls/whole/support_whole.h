/* tests/unit/tls/whole/support_whole.h — the h1 tests' world (support_h1.h) with connections that
 * come over TLS, and the client of the transport's tests (support_transport.h). */
#ifndef TESTS_UNIT_TLS_WHOLE_SUPPORT_WHOLE_H
#define TESTS_UNIT_TLS_WHOLE_SUPPORT_WHOLE_H

#include "support_h1.h"
#include "support_transport.h"

struct whole {
    struct world world;
    struct tls_world tls;
    struct tls_opener opener;
    struct protocol other; /* "h2", which must not be opened by who agreed on http/1.1 */
    const struct protocol *protocols[2];
    struct conn_entry entry;
    struct log_sink log;
    char logged[512]; /* the last line */
};

void whole_open(struct whole *whole, int version);
void whole_close(struct whole *whole);
/** A client that offers http/1.1 only; its handshake has not begun. NULL: refused. */
struct conn *whole_connect(struct whole *whole, struct tls_end *end);
/** With the handshake. */
struct conn *whole_client(struct whole *whole, struct tls_end *end);
/** Its connection must have gone, or goes now. */
void whole_client_close(struct whole *whole, struct tls_end *end);
void whole_say(struct tls_end *end, const char *text);
/** The next answer that the client has received (end->sent is where they are read). */
struct answer whole_answer(struct tls_end *end);
/** How often connections were closed for this reason. */
uint64_t whole_closed(const struct whole *whole, enum close_reason reason);

#endif
