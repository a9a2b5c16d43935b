/* tests/unit/h1/support_lab.c — see support_lab.h. */
#include "support_lab.h"

#include <time.h>

static struct lab *the_lab;

static int answer_plain(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_text(rs, 200, "plain");
}

static void dispatch(void *ctx, struct exchange *exchange)
{
    (void)ctx;
    bool is_plain = exchange->request.method == METHOD_GET &&
                    span_equal(exchange->request.target.path, SPAN("/"));
    exchange->route = is_plain ? &the_lab->plain : &the_lab->route;
    exchange_want_body(exchange);
}

void lab_open(struct lab *lab, galley_handler *handler, uint8_t mode, bool on_loop)
{
    memset(lab, 0, sizeof *lab);
    the_lab = lab;
    world_open(&lab->world);
    lab->world.services.dispatch = dispatch;
    lab->route = (struct route_target){.handler = handler,
                                       .arg = lab,
                                       .on_loop = on_loop,
                                       .body_mode = mode,
                                       .max_body_bytes = 8 * 1024 * 1024,
                                       .label = "the route"};
    lab->plain = (struct route_target){.handler = answer_plain,
                                       .on_loop = true,
                                       .body_mode = EXCHANGE_BODY_DISCARD,
                                       .max_body_bytes = 1024,
                                       .label = "plain"};
    if (!on_loop) {
        lab->pool = galley_pool_new(1, NULL);
        EXPECT(lab->pool);
        lab->world.services.pool = lab->pool;
    }
    lab_connect(lab);
}

static void end_pool(galley_pool *pool)
{
    if (pool) {
        EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
        galley_pool_free(pool);
    }
}

void lab_close(struct lab *lab)
{
    atomic_store(&lab->gate, 1);
    lab_disconnect(lab);
    lab_turn_until_empty(lab);
    end_pool(lab->pool);
    end_pool(lab->file_pool);
    buf_finish(&lab->received);
    world_close(&lab->world);
}

void lab_connect(struct lab *lab)
{
    atomic_store(&lab->entered, 0);
    atomic_store(&lab->code, 1);
    atomic_store(&lab->got, 0);
    atomic_store(&lab->was_told, 0);
    lab->calls = 0;
    lab->peer = world_connect(&lab->world);
    EXPECT(lab->peer);
}

void lab_disconnect(struct lab *lab)
{
    if (lab->peer) {
        sim_peer_free(lab->peer);
        lab->peer = NULL;
        sim_run(lab->world.loop);
    }
}

void lab_send(struct lab *lab, const char *text)
{
    world_send(&lab->world, lab->peer, text);
}

static void turn(struct lab *lab)
{
    sim_run(lab->world.loop);
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    sim_run(lab->world.loop);
}

void lab_turn_until(struct lab *lab, atomic_int *number, int least)
{
    while (atomic_load(number) < least) {
        turn(lab);
    }
}

struct answer lab_answer(struct lab *lab, unsigned count)
{
    for (;;) {
        /* a copy, for a chunked body is decoded in place */
        buf_clear(&lab->received);
        buf_append_span(&lab->received, sim_received(lab->peer));
        struct span rest = buf_span(&lab->received);
        struct answer answer = {0};
        unsigned taken = 0;
        while (taken < count && rest.len > 0) {
            answer = answer_take(&rest, false, sim_is_closed(lab->peer));
            if (!answer.is_whole) {
                break;
            }
            taken++;
        }
        if (taken == count) {
            return answer;
        }
        EXPECT(!sim_is_reset(lab->peer));
        turn(lab);
    }
}

void lab_turn_until_closed(struct lab *lab)
{
    while (!sim_is_closed(lab->peer)) {
        turn(lab);
    }
}

void lab_turn_until_empty(struct lab *lab)
{
    while (lab->world.exchanges.live > 0) {
        turn(lab);
    }
}

void lab_wait(struct lab *lab)
{
    atomic_fetch_add(&lab->entered, 1);
    while (!atomic_load(&lab->gate)) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

void lab_note(struct lab *lab, const void *data, size_t len)
{
    size_t at = atomic_fetch_add(&lab->got, (unsigned)len);
    size_t room = at < sizeof lab->body ? sizeof lab->body - at : 0;
    if (room > 0) {
        memcpy(lab->body + at, data, len < room ? len : room);
    }
}

int lab_read_all(galley_request *rq, galley_response *rs, void *arg)
{
    struct lab *lab = arg;
    char bite[1000];
    lab_wait(lab);
    ssize_t n = 0;
    while ((n = galley_req_read(rq, bite, sizeof bite)) > 0) {
        lab_note(lab, bite, (size_t)n);
    }
    EXPECT_INT(galley_req_read(rq, bite, 1), n); /* the same from then on */
    atomic_store(&lab->was_told, galley_should_stop());
    atomic_store(&lab->code, (int)n);
    return n < 0 ? (int)n : galley_res_printf(rs, 200, NULL, "%u", atomic_load(&lab->got));
}
