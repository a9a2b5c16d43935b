/* server/test_call.c — one request, one answer, in one call; see galley/test.h. On the thread that
 * calls. */
#include "base/alloc.h"
#include "exchange/public_str.h"

#include "server/test_client.h"

/* What is waited for: an answer on a connection. */
struct waiting {
    galley_test *test;
    struct sim_peer *peer;
    struct test_reply reply;
    size_t seen_bytes; /* of which `got` speaks */
    int got;           /* as test_reply_read() */
    bool is_head;
    bool was_closed;
};

static bool look(void *ctx)
{
    struct waiting *waiting = ctx;
    struct span in = sim_received(waiting->peer);
    bool is_closed = sim_is_closed(waiting->peer);
    if (waiting->got == 0 && (in.len != waiting->seen_bytes || is_closed != waiting->was_closed)) {
        waiting->got = test_reply_read(&waiting->reply, &waiting->test->body, in, waiting->is_head,
                                       is_closed, sim_is_reset(waiting->peer));
        waiting->seen_bytes = in.len;
        waiting->was_closed = is_closed;
    }
    if (waiting->got == 0 && in.len >= TEST_WINDOW_BYTES) {
        waiting->got = GALLEY_ETOOBIG;
    }
    return waiting->got != 0;
}

static int hand_out(struct waiting *waiting, galley_test_reply *reply)
{
    galley_test *t = waiting->test;
    struct span head = waiting->reply.head;
    head = arena_copy(&t->memory, span_make(head.ptr, head.len - 2)); /* without the empty line */
    char *end = buf_reserve(&t->body, 1);
    if (!head.ptr || !end) {
        return GALLEY_ENOMEM;
    }
    *end = '\0';
    t->head = head.ptr;
    reply->status = waiting->reply.status;
    reply->head = str_of(head);
    reply->body = (galley_str){t->body.data, t->body.len};
    reply->closed = sim_is_closed(waiting->peer);
    return GALLEY_OK;
}

/* What a stuck handler of another connection does is not this request's business. */
static int exchange_bytes(struct waiting *waiting, const struct buf *bytes)
{
    galley_test *t = waiting->test;
    unsigned stuck = sim_errands(test_loop(t));
    int rc = sim_send(waiting->peer, bytes->data, bytes->len);
    if (rc == GALLEY_OK) {
        rc = test_settle(t, stuck, look, waiting);
    }
    return rc == GALLEY_OK && waiting->got < 0 ? waiting->got : rc;
}

static int call(galley_test *t, const struct buf *bytes, galley_test_reply *reply)
{
    struct span sent = buf_span(bytes);
    struct waiting waiting = {.test = t, .is_head = span_starts_with(sent, SPAN("HEAD "))};
    int rc = test_open_peer(t, "127.0.0.1", &waiting.peer);
    if (rc != GALLEY_OK) {
        return rc;
    }
    rc = exchange_bytes(&waiting, bytes);
    rc = rc == GALLEY_OK ? hand_out(&waiting, reply) : rc;
    sim_peer_free(waiting.peer);
    unsigned stuck = sim_errands(test_loop(t));
    (void)test_settle(t, stuck, NULL, NULL); /* the server sees that the client has gone */
    return rc;
}

static void forget_reply(galley_test *t)
{
    t->head = NULL;
    buf_clear(&t->body);
    arena_reset(&t->memory);
}

int galley_test_call(galley_test *t, const char *request, const void *body, size_t len,
                     galley_test_reply *reply)
{
    if (!request || !reply || (!body && len > 0)) {
        return GALLEY_EINVAL;
    }
    int rc = test_enter(t);
    if (rc != GALLEY_OK) {
        return rc;
    }
    struct buf bytes;
    buf_init(&bytes, 0);
    forget_reply(t);
    rc = test_request_write(&bytes, request, body, len);
    rc = rc == GALLEY_OK ? call(t, &bytes, reply) : rc;
    buf_finish(&bytes);
    return test_leave(t, rc);
}

int galley_test_get(galley_test *t, const char *path, galley_test_reply *reply)
{
    if (!t || !path || !reply || strchr(path, '\n')) {
        return GALLEY_EINVAL;
    }
    struct buf request;
    buf_init(&request, 0);
    buf_printf(&request, "GET %s", path);
    buf_append_char(&request, '\0');
    int rc = request.failed ? GALLEY_ENOMEM : galley_test_call(t, request.data, NULL, 0, reply);
    buf_finish(&request);
    return rc;
}

static struct span join(struct arena *arena, struct span lines, struct span name)
{
    struct span all = SPAN_NONE;
    struct span value;
    while ((value = test_reply_field(&lines, name)).ptr) {
        all = all.ptr ? arena_printf(arena, "%.*s, %.*s", SPAN_ARGS(all), SPAN_ARGS(value))
                      : arena_copy(arena, value);
        if (!all.ptr) {
            break;
        }
    }
    return all;
}

galley_str galley_test_header(galley_test *t, const galley_test_reply *reply, const char *name)
{
    galley_str none = {NULL, 0};
    if (!reply || !name || test_enter(t) != GALLEY_OK) {
        return none;
    }
    if (!t->head || reply->head.ptr != t->head) {
        (void)test_leave(t, GALLEY_OK);
        return none;
    }
    struct span status_line;
    struct span lines = span_cut(span_make(t->head, reply->head.len), '\n', &status_line);
    struct span value = join(&t->memory, lines, span_of(name));
    (void)test_leave(t, GALLEY_OK);
    return str_of(value);
}
