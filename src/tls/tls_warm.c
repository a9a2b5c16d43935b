/* tls/tls_warm.c — connections that are warm: OpenSSL keeps a buffer of a record each way for them.
 * All others give theirs back behind each record (SSL_MODE_RELEASE_BUFFERS), so that an idle
 * connection holds none; for a request that is 1,300 instructions of malloc and free. Called by
 * tls_recv.c and tls_transport.c. On the loop's thread.
 *
 * A loop has so many places. One is taken by the second read of a connection, since many have no
 * more than one; who finds none free does without. Once a second all give theirs back that have
 * read nothing since the last time, unless a record is half there: so who is idle is cold after two
 * seconds at most, and busy connections do not push each other out. */
#include "tls/tls_link.h"

#include "base/check.h"

static void leave(struct tls_warm *warm, struct tls_link *link)
{
    struct tls_link *last = warm->links[--warm->count];
    warm->links[link->recv.warm_place - 1] = last;
    last->recv.warm_place = link->recv.warm_place;
    link->recv.warm_place = 0;
}

/* Is a part of a record in its buffer? Before 3.0.14 SSL_free_buffers() did not look at all of them
 * (CVE-2024-4741). */
static bool is_inside_record(const SSL *ssl)
{
    return SSL_has_pending(ssl) || strcmp(SSL_rstate_string(ssl), "RH") != 0;
}

/* Who has a part of a record there keeps it, and the place for it. */
static void cool(struct tls_warm *warm, struct tls_link *link)
{
    DEBUG_CHECK(!link->away);
    if (!is_inside_record(link->ssl) && SSL_free_buffers(link->ssl) == 1) {
        SSL_set_mode(link->ssl, SSL_MODE_RELEASE_BUFFERS);
        leave(warm, link);
    }
}

static void on_sweep(struct timer *timer);

static void sweep_later(struct tls_shared *shared)
{
    loop_timer_start(shared->loop, &shared->warm.sweep,
                     loop_now_ms(shared->loop) + TLS_WARM_SWEEP_MS, on_sweep);
}

static void on_sweep(struct timer *timer)
{
    struct tls_warm *warm = CONTAINER_OF(timer, struct tls_warm, sweep);
    for (unsigned i = warm->count; i > 0; i--) {
        struct tls_link *link = warm->links[i - 1];
        if (!link->recv.has_read_since) {
            cool(warm, link); /* its place gets one that was looked at, or nobody */
        }
        link->recv.has_read_since = false;
    }
    if (warm->count > 0) {
        sweep_later(CONTAINER_OF(warm, struct tls_shared, warm));
    }
}

static void enter(struct tls_link *link)
{
    struct tls_warm *warm = &link->shared->warm;
    if (warm->count == TLS_WARM_LINKS) {
        return;
    }
    warm->links[warm->count++] = link;
    link->recv.warm_place = (uint8_t)warm->count;
    SSL_clear_mode(link->ssl, SSL_MODE_RELEASE_BUFFERS);
    if (warm->count == 1 && !timer_is_armed(&warm->sweep)) {
        sweep_later(link->shared);
    }
}

void tls_warm_read(struct tls_link *link)
{
    if (!link->recv.warm_place && link->recv.has_read) {
        enter(link);
    }
    link->recv.has_read = true;
    link->recv.has_read_since = true;
}

void tls_warm_leave(struct tls_link *link)
{
    struct tls_warm *warm = &link->shared->warm;
    if (link->recv.warm_place) {
        leave(warm, link);
    }
}

void tls_warm_finish(struct tls_shared *shared)
{
    CHECK(shared->warm.count == 0);
    loop_timer_stop(shared->loop, &shared->warm.sweep);
}
