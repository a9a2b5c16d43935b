/* The life of a server, public headers only: set-up errors, start, stop, drain, cut, limits,
 * signals; and that nothing is left behind (the harness looks for descriptors, threads and
 * memory). */
#include "support_server.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* ---- set-up ---- */

static void expect_refused_options(const galley_server_options *opt, const char *word)
{
    galley_error err = {0};
    EXPECT(!galley_server_new(opt, &err));
    EXPECT_INT(err.code, GALLEY_EINVAL);
    if (!strstr(err.message, word)) {
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.message, word);
    }
}

TEST(test_bad_options_are_refused_with_a_sentence)
{
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.size = 0;
    expect_refused_options(&opt, "size");
    opt = options();
    opt.loops = 1000;
    expect_refused_options(&opt, "loops");
    opt = options();
    opt.server_name = "a\r\nb";
    expect_refused_options(&opt, "server_name");
    opt = options();
    opt.log_level = 9;
    expect_refused_options(&opt, "log_level");
    opt = options();
    opt.io = 3;
    expect_refused_options(&opt, "io is none of");
    opt = options();
    opt.compress = 3;
    expect_refused_options(&opt, "compress is none of");
    opt = options();
    opt.max_target_bytes = 20000;
    expect_refused_options(&opt, "max_target_bytes");
    galley_error err;
    galley_pool *pool = galley_pool_new(1, &err);
    opt = options();
    opt.pool = pool;
    expect_refused_options(&opt, "exclude each other");
    galley_pool_free(pool);
}

TEST(test_options_of_another_size_follow_the_size_rule)
{
    struct {
        galley_server_options known;
        char newer[16];
    } large = {.known = GALLEY_SERVER_OPTIONS_INIT};
    large.known.size = sizeof large;
    galley_error err = {0};
    galley_server *srv = galley_server_new(&large.known, &err);
    EXPECT(srv); /* newer fields that ask for nothing */
    galley_server_free(srv);
    large.newer[3] = 1;
    expect_refused_options(&large.known, "newer");
    galley_server_options older = GALLEY_SERVER_OPTIONS_INIT;
    older.size = offsetof(galley_server_options, max_connections);
    older.drain_ms = 1; /* beyond its size: not looked at */
    srv = galley_server_new(&older, &err);
    EXPECT(srv);
    galley_server_free(srv);
}

TEST(test_set_up_failures_are_sticky)
{
    galley_server *srv = make(NULL);
    galley_error err = {0};
    EXPECT_INT(galley_server_route(srv, "nonsense", give_text, "", NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_route(srv, "GET /", give_text, "", NULL), GALLEY_ECONFLICT);
    EXPECT_INT(galley_server_run(srv, GALLEY_UNTIL_STOPPED, &err), GALLEY_EINVAL);
    EXPECT(strstr(err.message, "\"nonsense\"")); /* the first failure */
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_EINVAL);
    galley_server_free(srv);
}

TEST(test_calls_on_null_are_einval)
{
    galley_error err = {0};
    galley_server_stats stats = {.size = sizeof stats};
    size_t it = 0;
    const char *name;
    uint64_t value;
    EXPECT_INT(galley_server_listen(NULL, ":0"), GALLEY_EINVAL);
    EXPECT_INT(galley_server_route(NULL, "/", give_text, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_fallback(NULL, give_text, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_run(NULL, GALLEY_UNTIL_STOPPED, &err), GALLEY_EINVAL);
    EXPECT_INT(galley_server_start(NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_join(NULL, 0, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_port(NULL, 0), GALLEY_EINVAL);
    EXPECT_INT(galley_server_get_stats(NULL, &stats), GALLEY_EINVAL);
    EXPECT(!galley_server_next_counter(NULL, &it, &name, &value));
    EXPECT(!galley_server_address(NULL, 0).ptr);
    EXPECT(!galley_server_pool(NULL));
    galley_server_stop(NULL, GALLEY_STOP_NOW);
    galley_server_free(NULL);
}

TEST(test_without_a_listener_it_does_not_start)
{
    galley_error err = {0};
    galley_server *srv = galley_server_new(NULL, &err);
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_EINVAL);
    EXPECT(strstr(err.message, "nothing to listen on"));
    galley_server_free(srv);
}

TEST(test_a_taken_port_is_one_clear_sentence)
{
    galley_error err = {0};
    galley_server *first = make(NULL), *second = galley_server_new(NULL, NULL);
    char sentence[128];
    const char *address = galley_server_address(first, 0).ptr;
    snprintf(sentence, sizeof sentence, "listen %s: Address already in use", address);
    EXPECT_INT(galley_server_listen(second, address), GALLEY_ESYS);
    EXPECT_INT(galley_server_run(second, GALLEY_UNTIL_STOPPED, &err), GALLEY_ESYS);
    EXPECT_TEXT(err.message, sentence);
    galley_server_free(second);
    galley_server_free(first);
}

TEST(test_addresses_tell_the_port_that_was_chosen)
{
    galley_server *srv = make(NULL);
    char expected[64];
    EXPECT_INT(galley_server_listen(srv, "unix:@galley-test-address"), 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%d", galley_server_port(srv, 0));
    EXPECT_TEXT(galley_server_address(srv, 0).ptr, expected);
    EXPECT(strncmp(galley_server_address(srv, 1).ptr, "unix:", 5) == 0);
    EXPECT_INT(galley_server_port(srv, 1), 0);
    EXPECT(!galley_server_address(srv, 2).ptr);
    EXPECT_INT(galley_server_port(srv, 2), GALLEY_EINVAL);
    galley_server_free(srv);
}

/* ---- start and stop ---- */

TEST(test_a_server_serves_and_stops)
{
    galley_server *srv = make(NULL);
    struct reply reply;
    int port = start(srv);
    client_ask(port, GET("/"), &reply);
    EXPECT_TEXT(reply.body, "hello");
    EXPECT_INT(galley_server_route(srv, "GET /late", give_text, "", NULL), GALLEY_ESTATE);
    EXPECT_INT(galley_server_listen(srv, ":0"), GALLEY_ESTATE);
    galley_error err = {0};
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_ESTATE);
    EXPECT_INT(galley_server_join(srv, 0, &err), GALLEY_ETIMEDOUT);
    EXPECT(strstr(err.message, "still running"));
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, &err), 0);
    EXPECT_INT(galley_server_join(srv, 0, &err), 0); /* any number of times */
    galley_server_stop(srv, GALLEY_STOP_NOW);        /* also after the end */
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_ESTATE);
    EXPECT_INT(client_count_listening(), 0);
    galley_server_free(srv);
}

TEST(test_stopping_before_the_run_ends_it_at_once)
{
    galley_server *srv = make(NULL);
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    EXPECT_INT(galley_server_run(srv, GALLEY_UNTIL_STOPPED, NULL), 0);
    galley_server_free(srv);
}

TEST(test_freeing_a_started_server_drains_it)
{
    galley_server *srv = make(NULL);
    struct reply reply;
    client_ask(start(srv), GET("/"), &reply);
    galley_server_free(srv);
}

TEST_TIMEOUT(test_start_and_stop_a_hundred_times_leaves_nothing, 120)
{
    for (unsigned i = 0; i < 100; i++) {
        galley_server_options opt = options();
        opt.loops = 1 + i % 3;
        galley_server *srv = make(&opt);
        int port = start(srv);
        if (i % 4 == 0) {
            struct reply reply;
            client_ask(port, GET("/"), &reply);
            EXPECT_INT(reply.status, 200);
        }
        EXPECT_INT(stop(srv, i % 2 ? GALLEY_STOP_NOW : GALLEY_STOP_DRAIN, NULL), 0);
    }
}

TEST(test_two_servers_in_one_process)
{
    galley_server *one = make(NULL), *two = make(NULL);
    struct reply reply;
    int port_one = start(one), port_two = start(two);
    client_ask(port_one, GET("/"), &reply);
    EXPECT_INT(reply.status, 200);
    EXPECT_INT(stop(one, GALLEY_STOP_DRAIN, NULL), 0);
    client_ask(port_two, GET("/"), &reply);
    EXPECT_INT(reply.status, 200);
    EXPECT_INT(stop(two, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_several_loops_and_a_pool_of_the_programs)
{
    galley_error err;
    galley_pool *pool = galley_pool_new(2, &err);
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.pool = pool;
    opt.loops = 3;
    galley_server *srv = make(&opt);
    int port = start(srv);
    EXPECT(galley_server_pool(srv) == pool);
    for (unsigned i = 0; i < 20; i++) {
        struct reply reply;
        client_ask(port, GET("/"), &reply);
        EXPECT_INT(reply.status, 200);
    }
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
    EXPECT_INT(galley_pool_wait(pool, 1000), 0); /* it is still the program's */
    galley_pool_free(pool);
}

static int stop_self(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    galley_server_stop(arg, GALLEY_STOP_DRAIN);
    EXPECT_INT(galley_server_join(arg, 0, NULL), GALLEY_EDEADLK);
    EXPECT(galley_should_stop() || 1);
    return galley_res_text(rs, 200, "bye");
}

TEST(test_a_handler_may_stop_its_server_and_still_answers)
{
    galley_server *srv = make(NULL);
    struct reply reply;
    galley_server_route(srv, "GET /stop", stop_self, srv, NULL);
    client_ask(start(srv), GET("/stop"), &reply);
    EXPECT_TEXT(reply.body, "bye");
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
    galley_server_free(srv);
}

/* ---- signals ---- */

static void *send_term(void *arg)
{
    client_sleep_ms(50);
    kill(getpid(), *(int *)arg);
    return NULL;
}

TEST(test_until_signal_ends_by_term_and_puts_the_disposition_back)
{
    struct sigaction before = {.sa_handler = SIG_IGN}, after;
    static int number = SIGTERM;
    pthread_t thread;
    sigaction(SIGTERM, &before, NULL);
    galley_server *srv = make(NULL);
    EXPECT_INT(pthread_create(&thread, NULL, send_term, &number), 0);
    EXPECT_INT(galley_server_run(srv, GALLEY_UNTIL_SIGNAL, NULL), 0);
    pthread_join(thread, NULL);
    sigaction(SIGTERM, NULL, &after);
    EXPECT(after.sa_handler == SIG_IGN);
    galley_server_free(srv);
}

TEST(test_until_stopped_touches_no_disposition)
{
    struct sigaction before, during;
    sigaction(SIGTERM, NULL, &before);
    galley_server *srv = make(NULL);
    start(srv);
    sigaction(SIGTERM, NULL, &during);
    EXPECT(before.sa_handler == during.sa_handler);
    sigaction(SIGPIPE, NULL, &during);
    EXPECT(during.sa_handler == SIG_DFL);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

/* ---- looking in ---- */

TEST(test_counters_can_be_walked_by_name)
{
    galley_server *srv = make(NULL);
    struct reply reply;
    int port = start(srv);
    client_ask(port, GET("/"), &reply);
    client_ask(port, "GET / HTTP/1.1\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 400);
    galley_server_stats stats = {.size = sizeof stats};
    WAIT_UNTIL(galley_server_get_stats(srv, &stats) == 0 && stats.connections == 0);
    EXPECT_INT(stats.accepted, 2);
    EXPECT_INT(stats.responses[2], 1);
    EXPECT_INT(stats.responses[4], 1);
    EXPECT(stats.bytes_in > 0 && stats.bytes_out > 0);
    size_t it = 0;
    const char *name;
    uint64_t value, closed = 0, missing = 0;
    while (galley_server_next_counter(srv, &it, &name, &value)) {
        closed += strncmp(name, "closed_", 7) == 0 ? value : 0;
        missing += strcmp(name, "misframed_host_missing") == 0 ? value : 0;
    }
    EXPECT_INT(closed, 2);
    EXPECT_INT(missing, 1);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

static atomic_int stalls_logged;

static void count_stalls(void *ctx, int level, const char *line)
{
    (void)ctx;
    if (level == GALLEY_LOG_WARNING && strstr(line, "GET /stall held the event loop")) {
        atomic_fetch_add(&stalls_logged, 1);
    }
}

static int stall(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    client_sleep_ms(30);
    return galley_res_text(rs, 200, "late");
}

TEST(test_a_loop_handler_that_stalls_is_reported_with_its_route)
{
    galley_server_options opt = options();
    galley_route_options loop = GALLEY_ROUTE_OPTIONS_INIT;
    opt.stall_warn_ms = 10;
    opt.log = count_stalls;
    loop.run = GALLEY_ON_LOOP;
    galley_server *srv = make(&opt);
    galley_server_route(srv, "GET /stall", stall, NULL, &loop);
    struct reply reply;
    client_ask(start(srv), GET("/stall"), &reply);
    EXPECT_INT(atomic_load(&stalls_logged), 1);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_the_server_header_can_be_another_or_none)
{
    galley_server_options opt = options();
    struct reply reply;
    opt.server_name = "x/1";
    galley_server *srv = make(&opt);
    client_ask(start(srv), GET("/"), &reply);
    EXPECT_TEXT(reply_field(&reply, "Server"), "x/1");
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
    opt.server_name = "";
    srv = make(&opt);
    client_ask(start(srv), GET("/"), &reply);
    EXPECT(!reply_field(&reply, "Server"));
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}
