/* tests/stress/server/stress_server.c — rounds of chaos (chaos.h): a fresh server, stopped
 * at a random moment in a random way, freed, and its handles used on. Afterwards everything that
 * began has ended once: hooks, streams, sources, sockets; nothing is counted any more, no
 * handler or job runs, no descriptor, thread or memory is left (the harness looks). Most telling
 * under the sanitizers. A few rounds by default, for a minute with GALLEY_TEST_FULL=1. */
#include "chaos.h"
#include "wanted_io.h"

#include <fcntl.h>
#include <stdlib.h>

enum { FILE_BYTES = 100000, FEW_ROUNDS = 5, FULL_SECONDS = 60 };

static _Thread_local unsigned state;

void chance_seed(unsigned seed)
{
    state = seed ? seed : 1;
}

unsigned chance(unsigned below)
{
    if (state == 0) { /* a thread of the server's */
        static atomic_uint threads;
        chance_seed((atomic_fetch_add(&threads, 1) + 1) * 2654435761U);
    }
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}

void nap(unsigned most_ms)
{
    if (most_ms > 0) {
        client_sleep_ms(chance(most_ms + 1));
    }
}

struct fate *fate_new(struct round *round, const char *what)
{
    struct fate *fate = calloc(1, sizeof *fate);
    EXPECT(fate);
    fate->what = what;
    pthread_mutex_lock(&round->lock);
    fate->next = round->fates;
    round->fates = fate;
    pthread_mutex_unlock(&round->lock);
    return fate;
}

void fate_end(void *arg)
{
    struct fate *fate = arg;
    if (atomic_fetch_add(&fate->ends, 1) != 0) {
        test_fail(__FILE__, __LINE__, "a %s has ended twice", fate->what);
    }
}

/* ---- a round --------------------------------------------------------------------------------- */

static void make_file(struct round *round)
{
    static const char bytes[FILE_BYTES];
    snprintf(round->file, sizeof round->file, "/tmp/galley-chaos-%d", (int)getpid());
    int fd = open(round->file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    EXPECT_INT(write(fd, bytes, sizeof bytes), sizeof bytes);
    close(fd);
}

static galley_server_options options_by_chance(struct round *round, galley_pool_options *pool)
{
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    pool->threads = 2 + chance(3);
    pool->queue_capacity = 2 + chance(10);
    opt.loops = 1 + chance(3);
    opt.io = wanted_io();
    opt.pool_options = pool;
    opt.drain_ms = 1 + chance(100);
    opt.queue_timeout_ms = 20 + chance(200);
    opt.body_grace_ms = 20 + chance(100);
    opt.send_grace_ms = 20 + chance(100);
    opt.head_timeout_ms = 20 + chance(100);
    opt.linger_ms = 1 + chance(30);
    if (chance(2) == 0) {
        round->pool = galley_pool_open(pool, NULL);
        EXPECT(round->pool);
        opt.pool = round->pool;
        opt.pool_options = NULL;
    }
    return opt;
}

static void begin(struct round *round)
{
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_error err = {0};
    *round = (struct round){.may_stick = chance(3) == 0};
    pthread_mutex_init(&round->lock, NULL);
    make_file(round);
    galley_server_options opt = options_by_chance(round, &pool);
    round->srv = galley_server_new(&opt, &err);
    EXPECT(round->srv);
    EXPECT_INT(galley_server_listen(round->srv, "127.0.0.1:0"), 0);
    add_routes(round);
    EXPECT_INT(galley_server_start(round->srv, &err), 0);
    round->port = galley_server_port(round->srv, 0);
}

static void start_hands(struct round *round, struct hand *hands, unsigned count,
                        void *(*fn)(void *))
{
    for (unsigned i = 0; i < count; i++) {
        hands[i] = (struct hand){.round = round, .seed = (unsigned)test_random()};
        EXPECT_INT(pthread_create(&hands[i].thread, NULL, fn, &hands[i]), 0);
    }
}

static void join_hands(const struct hand *hands, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        EXPECT_INT(pthread_join(hands[i].thread, NULL), 0);
    }
}

/* Active is begun less ended. That nobody is left at a gate is checked when the routes are freed. */
static void check_books(galley_server *srv)
{
    galley_server_stats stats = {.size = sizeof stats};
    EXPECT_INT(galley_server_get_stats(srv, &stats), 0);
    EXPECT_INT(stats.active, 0);
    EXPECT_INT(stats.deferred, 0);
    EXPECT_INT(stats.streams, 0);
    EXPECT_INT(stats.connections, 0);
}

static void stop(struct round *round)
{
    galley_server *srv = round->srv;
    galley_server_stop(srv, chance(2) ? GALLEY_STOP_DRAIN : GALLEY_STOP_NOW);
    if (chance(3) == 0) {
        nap(20);
        galley_server_stop(srv, GALLEY_STOP_NOW);
    }
    if (chance(4) != 0) {
        int rc = galley_server_join(srv, GALLEY_FOREVER, NULL);
        EXPECT(rc == 0 || rc == GALLEY_ETIMEDOUT || rc == GALLEY_ECANCELED);
        check_books(srv);
    }
    pthread_mutex_lock(&round->lock);
    round->srv = NULL;
    pthread_mutex_unlock(&round->lock);
    galley_server_free(srv);
    atomic_store(&round->is_gone, true);
}

static bool all_have_ended(struct round *round)
{
    bool all = atomic_load(&round->inside) == 0;
    pthread_mutex_lock(&round->lock);
    for (struct fate *fate = round->fates; fate; fate = fate->next) {
        all &= atomic_load(&fate->ends) == 1;
    }
    pthread_mutex_unlock(&round->lock);
    return all;
}

static void tell_what_has_not_ended(struct round *round)
{
    for (unsigned waited = 0; !all_have_ended(round); waited++) {
        if (waited > 10000) {
            for (struct fate *fate = round->fates; fate; fate = fate->next) {
                if (atomic_load(&fate->ends) != 1) {
                    test_fail(__FILE__, __LINE__, "a %s has not ended", fate->what);
                }
            }
            test_fail(__FILE__, __LINE__, "a handler has not returned");
        }
        client_sleep_ms(2);
    }
}

static void end(struct round *round)
{
    tell_what_has_not_ended(round);
    if (round->pool) {
        EXPECT_INT(galley_pool_shutdown(round->pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
        galley_pool_free(round->pool);
    }
    EXPECT(atomic_load(&round->posted) <= atomic_load(&round->posts));
    EXPECT(!round->leavings);
    while (round->fates) {
        struct fate *next = round->fates->next;
        free(round->fates);
        round->fates = next;
    }
    unlink(round->file);
    pthread_mutex_destroy(&round->lock);
}

static void do_a_round(void)
{
    struct round round;
    struct hand holders[HOLDERS], clients[CLIENTS];
    begin(&round);
    start_hands(&round, holders, HOLDERS, hold);
    start_hands(&round, clients, CLIENTS, be_a_client);
    nap(200);
    stop(&round);
    atomic_store(&round.is_over, true);
    join_hands(clients, CLIENTS);
    atomic_store(&round.is_closing, true);
    join_hands(holders, HOLDERS);
    end(&round);
}

TEST_TIMEOUT(test_chaos_ends_in_good_order, 180)
{
    bool is_full = getenv("GALLEY_TEST_FULL") != NULL;
    time_t end_s = time(NULL) + FULL_SECONDS;
    unsigned rounds = test_rounds(FEW_ROUNDS);
    chance_seed((unsigned)test_random());
    for (unsigned i = 0; i < rounds || (is_full && time(NULL) < end_s); i++) {
        do_a_round();
    }
}
