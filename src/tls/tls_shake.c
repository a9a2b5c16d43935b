/* tls/tls_shake.c — the handshake: a step of it when bytes of the peer have come. A step takes a
 * third of a millisecond, with a large RSA key some, so one turn of the loop makes only a few; who
 * comes later waits for the next turn, in order, and everybody else is served in between. What is
 * slow in it goes to another thread, if there is one (tls_away.c). Called by tls_run(). On the loop's
 * thread, but for the step itself. */
#include "tls/tls_link.h"

#include "base/clock.h"

#include <openssl/err.h>

enum { HANDSHAKE_RECORD = 0x16 }; /* RFC 8446 §5.1: the first byte of who speaks TLS */

/* ---- handshake ------------------------------------------------------------------------------- */

static void answer_plain_http(struct tls_link *link)
{
#define PLAIN_TEXT "This port speaks TLS. The address begins with https://\n"
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n"
                                 "Content-Type: text/plain; charset=utf-8\r\n"
                                 "Content-Length: 55\r\n"
                                 "Connection: close\r\n\r\n" PLAIN_TEXT;
    _Static_assert(sizeof PLAIN_TEXT - 1 == 55, "Content-Length");
#undef PLAIN_TEXT
    tls_out_add(link, answer, sizeof answer - 1);
}

/* RFC 8446 §6: a fatal alert, unexpected_message. */
static void answer_garbage(struct tls_link *link)
{
    static const unsigned char alert[] = {0x15, 3, 3, 0, 2, 2, 10};
    tls_out_add(link, alert, sizeof alert);
}

/* Who does not speak TLS is answered before OpenSSL sees it: 0 or why not. */
static int look_at_first_byte(struct tls_link *link)
{
    if (link->first_byte == HANDSHAKE_RECORD) {
        return 0;
    }
    if (link->first_byte >= 'A' && link->first_byte <= 'Z') {
        answer_plain_http(link);
        return TRANSPORT_PLAIN_HTTP;
    }
    answer_garbage(link);
    return TRANSPORT_GARBAGE;
}

struct tls_outcome tls_shake_step(SSL *ssl)
{
    tls_bio_prepare();
    int rc = SSL_do_handshake(ssl);
    if (rc == 1) {
        return (struct tls_outcome){0};
    }
    struct tls_outcome outcome = tls_bio_outcome(ssl, rc);
    if (outcome.result == 0) {
        outcome.result = TRANSPORT_REFUSED;
    }
    return outcome;
}

/* 0, -EAGAIN when it waits for the peer or is away, or why not. */
static int shake_hands(struct tls_link *link)
{
    if (link->send.error) {
        return (int)link->send.error;
    }
    if (link->recv.end != TLS_NOT_ENDED) {
        return (int)link->recv.end;
    }
    int result = look_at_first_byte(link);
    if (result < 0) {
        return result;
    }
    link->recv.wish = TLS_WISH_NONE;
    struct tls_outcome outcome = tls_shake_step(link->ssl);
    if (outcome.result == TLS_PAUSED) {
        if (tls_away_start(link)) {
            return -EAGAIN;
        }
        link->shakes_here = true;
        outcome = tls_shake_step(link->ssl);
    }
    link->shakes_here = false;
    return (int)tls_bio_take(link, &outcome, &link->recv.wish);
}

/* ---- whose turn it is ------------------------------------------------------------------------ */

static void call_waiting(struct loop_post *post);

static void call_later(struct tls_shaking *shaking, struct loop *loop)
{
    if (!shaking->is_later) {
        shaking->is_later = true;
        shaking->later.run = call_waiting;
        loop_later(loop, &shaking->later);
    }
}

/* One in each turn, and a few more if all the others have taken longer than the steps: so handshakes
 * get on while the loop is busy, and nobody else waits for more than half of the time. Steps of
 * earlier turns do not count. */
static bool has_step_left(struct tls_shaking *shaking, const struct loop *loop)
{
    uint32_t turn = loop_turn_number(loop);
    if (shaking->turn != turn) {
        shaking->turn = turn;
        shaking->steps = 0;
        shaking->spent_ns = 0;
        shaking->others_ns = 0;
    }
    return shaking->steps == 0 ||
           (shaking->steps < TLS_STEPS_PER_TURN && shaking->spent_ns < shaking->others_ns);
}

/* In the order of their coming: nobody overtakes those that wait already. */
static bool takes_step(struct tls_link *link)
{
    struct tls_shaking *shaking = &link->shared->shaking;
    struct loop *loop = link->shared->loop;
    bool is_first = link == shaking->called || list_is_empty(&shaking->waiting);
    if (is_first && has_step_left(shaking, loop)) {
        shaking->steps++;
        return true;
    }
    list_push_back(&shaking->waiting, &link->waiting);
    call_later(shaking, loop);
    return false;
}

static void call_next(struct tls_shaking *shaking)
{
    struct list *node = list_pop_front(&shaking->waiting);
    shaking->called = CONTAINER_OF(node, struct tls_link, waiting);
    tls_run(shaking->called);
    shaking->called = NULL;
}

/* At the end of a turn, and of the next one: what is ready there is served before. While somebody
 * waits the loop does not sleep, so what has passed since then is what the others took. */
static void call_waiting(struct loop_post *post)
{
    struct tls_shaking *shaking = CONTAINER_OF(post, struct tls_shaking, later);
    struct loop *loop = CONTAINER_OF(shaking, struct tls_shared, shaking)->loop;
    bool has_step = has_step_left(shaking, loop);
    shaking->is_later = false;
    shaking->others_ns = shaking->left_ns ? clock_mono_ns() - shaking->left_ns : 0;
    for (; has_step && !list_is_empty(&shaking->waiting); has_step = has_step_left(shaking, loop)) {
        call_next(shaking);
    }
    shaking->left_ns = 0;
    if (!list_is_empty(&shaking->waiting)) {
        shaking->left_ns = clock_mono_ns();
        call_later(shaking, loop);
    }
}

void tls_shake_init(struct tls_shaking *shaking)
{
    *shaking = (struct tls_shaking){0};
    list_init(&shaking->waiting);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Without any of these OpenSSL would only say again what it waits for. */
static bool has_something(const struct tls_link *link)
{
    return link->input.len > 0 || link->recv.wish == TLS_WISH_WRITE || link->send.error ||
           link->recv.end != TLS_NOT_ENDED || link->shakes_here;
}

static int make_step(struct tls_link *link)
{
    int64_t began_ns = clock_mono_ns();
    int result = shake_hands(link);
    link->shared->shaking.spent_ns += clock_mono_ns() - began_ns;
    return result;
}

static void settle(struct tls_link *link, int result)
{
    if (result == -EAGAIN) {
        return;
    }
    link->phase = result == 0 ? TLS_OPEN : TLS_RAW;
    link->recv.wish = TLS_WISH_NONE;
    if (result < 0) {
        ERR_clear_error();
    }
    link->ready(link->transport, result);
}

void tls_shake_back(struct tls_link *link, const struct tls_outcome *outcome)
{
    link->is_running = true; /* what the owner starts is found by tls_run() */
    settle(link, (int)tls_bio_take(link, outcome, &link->recv.wish));
    link->is_running = false;
    tls_run(link);
}

void tls_shake_run(struct tls_link *link)
{
    bool is_waiting = !list_is_empty(&link->waiting);
    if (link->phase != TLS_SHAKING || link->is_closing || is_waiting || !has_something(link)) {
        return;
    }
    if (!takes_step(link)) {
        return;
    }
    settle(link, make_step(link));
}
