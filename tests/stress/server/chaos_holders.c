/* tests/stress/server/chaos_holders.c — threads of the program that hold what handlers left: they
 * write, read, finish and close at their own pace, and go on when the server has gone. */
#include "chaos.h"

#include <stdlib.h>

void leave(struct round *round, enum leaving_kind kind, void *handle, int writes, bool has_body)
{
    struct leaving *leaving = malloc(sizeof *leaving);
    EXPECT(leaving);
    *leaving =
        (struct leaving){.kind = kind, .handle = handle, .writes = writes, .has_body = has_body};
    pthread_mutex_lock(&round->lock);
    leaving->next = round->leavings;
    round->leavings = leaving;
    pthread_mutex_unlock(&round->lock);
}

/* Any of the first few; NULL: there is none. */
static struct leaving *take(struct round *round)
{
    pthread_mutex_lock(&round->lock);
    struct leaving **link = &round->leavings;
    for (unsigned i = chance(4); i > 0 && *link && (*link)->next; i--) {
        link = &(*link)->next;
    }
    struct leaving *leaving = *link;
    if (leaving) {
        *link = leaving->next;
    }
    pthread_mutex_unlock(&round->lock);
    return leaving;
}

static void put_back(struct round *round, struct leaving *leaving)
{
    pthread_mutex_lock(&round->lock);
    leaving->next = round->leavings;
    round->leavings = leaving;
    pthread_mutex_unlock(&round->lock);
}

/* ---- deferrals ---- */

static void read_all(galley_request *rq)
{
    char piece[3000];
    while (galley_req_read(rq, piece, sizeof piece) > 0 && chance(100) != 0) {
    }
}

static int answer(struct round *round, galley_response *rs)
{
    static const char bytes[30000];
    switch (chance(6)) {
    case 0:
        return galley_res_text(rs, 200, "at last");
    case 1:
        leave_stream(round, rs);
        return 0;
    case 2:
        leave_source(round, rs);
        return 0;
    case 3:
        if (galley_res_begin(rs, 200, NULL, -1) == 0) {
            (void)galley_res_write(rs, bytes, chance(sizeof bytes));
            nap(3);
            (void)galley_res_write(rs, bytes, chance(sizeof bytes));
        }
        return 0;
    case 4:
        return galley_res_file(rs, 200, round->file);
    default:
        return chance(2) ? 404 : GALLEY_ENOMEM;
    }
}

static void finish(struct round *round, struct leaving *leaving)
{
    galley_deferred *deferred = leaving->handle;
    galley_request *rq = galley_deferred_request(deferred);
    galley_response *rs = galley_deferred_response(deferred);
    EXPECT(rq && rs);
    (void)galley_deferred_is_wanted(deferred);
    (void)galley_req_header(rq, "Host");
    EXPECT(galley_res_defer(rs) == NULL);
    if (leaving->has_body && chance(2)) {
        read_all(rq);
    }
    int result = answer(round, rs);
    nap(chance(4) ? 0 : 20);
    int rc = galley_deferred_finish(deferred, result);
    EXPECT(rc == 0 || rc == GALLEY_ECLOSED);
    EXPECT_INT(galley_deferred_finish(deferred, 0), GALLEY_ESTATE);
    EXPECT(!galley_deferred_is_wanted(deferred));
}

/* ---- streams and sockets: true when it was given up ---- */

static bool write_stream(struct leaving *leaving)
{
    static const char bytes[6000];
    galley_stream *st = leaving->handle;
    int rc = chance(2) ? galley_stream_event(st, NULL, NULL, "tick")
                       : galley_stream_write(st, bytes, chance(sizeof bytes));
    (void)galley_stream_waiting(st);
    if (chance(100) == 0) {
        galley_stream_close(st);
    }
    if (--leaving->writes <= 0 || rc == GALLEY_ECLOSED) {
        galley_stream_unref(st);
        return true;
    }
    return false;
}

static bool write_socket(struct leaving *leaving)
{
    static const char bytes[6000];
    galley_ws *ws = leaving->handle;
    int rc = galley_ws_send(ws, GALLEY_WS_BINARY, bytes, chance(sizeof bytes));
    (void)galley_ws_waiting(ws);
    (void)galley_ws_protocol(ws);
    if (chance(10) == 0 && galley_ws_ref(ws)) {
        galley_ws_unref(ws);
    }
    if (chance(50) == 0) {
        (void)galley_ws_close(ws, GALLEY_WS_GOING_AWAY, NULL);
    }
    if (--leaving->writes <= 0 || rc == GALLEY_ESTATE) {
        galley_ws_unref(ws);
        return true;
    }
    return false;
}

static bool work_at(struct round *round, struct leaving *leaving)
{
    switch (leaving->kind) {
    case LEAVING_DEFERRAL:
        finish(round, leaving);
        return true;
    case LEAVING_STREAM:
        return write_stream(leaving);
    default:
        return write_socket(leaving);
    }
}

/* ---- what else programs ask of a server ---- */

static void note_posted(void *arg)
{
    struct round *round = arg;
    atomic_fetch_add(&round->posted, 1);
}

static void ask_server(struct round *round)
{
    galley_server_stats stats = {.size = sizeof stats};
    pthread_mutex_lock(&round->lock);
    if (round->srv) {
        EXPECT_INT(galley_server_get_stats(round->srv, &stats), 0);
        int rc = galley_server_after(round->srv, chance(3) * 2, note_posted, round);
        EXPECT(rc == 0 || rc == GALLEY_ECLOSED);
        atomic_fetch_add(&round->posts, rc == 0);
    }
    pthread_mutex_unlock(&round->lock);
}

void *hold(void *arg)
{
    struct hand *hand = arg;
    struct round *round = hand->round;
    chance_seed(hand->seed);
    for (;;) {
        bool is_closing = atomic_load(&round->is_closing);
        struct leaving *leaving = take(round);
        if (!leaving && is_closing) {
            return NULL;
        }
        if (leaving && is_closing) {
            leaving->writes = leaving->writes < 3 ? leaving->writes : 3;
        }
        if (leaving && work_at(round, leaving)) {
            free(leaving);
        } else if (leaving) {
            put_back(round, leaving);
        }
        if (chance(8) == 0) {
            ask_server(round);
        }
        nap(is_closing ? 0 : 2);
    }
}
