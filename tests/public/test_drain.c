/* Draining, cutting, overload: what a server does with requests that it cannot or will not
 * finish. */
#include "support_server.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/* ---- drain ---- */

struct gate {
    atomic_int entered, open, saw_stop;
};

static int wait_at_gate(galley_request *rq, galley_response *rs, void *arg)
{
    struct gate *gate = arg;
    (void)rq;
    atomic_fetch_add(&gate->entered, 1);
    while (!atomic_load(&gate->open)) {
        if (galley_should_stop()) {
            atomic_store(&gate->saw_stop, 1);
        }
        client_sleep_ms(1);
    }
    return galley_res_text(rs, 200, "passed");
}

static int until_told(galley_request *rq, galley_response *rs, void *arg)
{
    struct gate *gate = arg;
    (void)rq;
    atomic_fetch_add(&gate->entered, 1);
    while (!galley_should_stop()) {
        client_sleep_ms(1);
    }
    return galley_res_text(rs, 200, "told");
}

TEST(test_drain_lets_a_running_handler_finish_and_refuses_new_connections)
{
    struct gate gate = {0};
    galley_server *srv = make(NULL);
    galley_server_route(srv, "GET /gate", wait_at_gate, &gate, NULL);
    int port = start(srv);
    int busy = client_connect(port), idle = client_connect(port), silent = client_connect(port);
    struct reply reply;
    client_send(idle, GET("/"));
    client_read(idle, "GET", &reply);
    EXPECT_INT(reply.status, 200);
    client_send(busy, GET("/gate"));
    WAIT_UNTIL(atomic_load(&gate.entered) == 1);
    EXPECT_INT(client_count_listening(), 1);
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    client_expect_end(idle);   /* between requests */
    client_expect_end(silent); /* complaint 19: never sent a byte */
    WAIT_UNTIL(atomic_load(&gate.saw_stop));
    WAIT_UNTIL(client_count_listening() == 0); /* new connections are refused */
    EXPECT_INT(galley_server_join(srv, 20, NULL), GALLEY_ETIMEDOUT);
    atomic_store(&gate.open, 1);
    client_read(busy, "GET", &reply);
    EXPECT_TEXT(reply.body, "passed");
    EXPECT_TEXT(reply_field(&reply, "Connection"), "close");
    client_expect_end(busy);
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
    galley_server_free(srv);
    close(busy);
    close(idle);
    close(silent);
}

TEST(test_the_drain_deadline_cuts_and_says_how_many)
{
    struct gate gate = {0};
    galley_server_options opt = options();
    opt.drain_ms = 50;
    galley_server *srv = make(&opt);
    galley_server_route(srv, "GET /gate", wait_at_gate, &gate, NULL);
    int port = start(srv);
    int fd = client_connect(port);
    client_send(fd, GET("/gate"));
    WAIT_UNTIL(atomic_load(&gate.entered) == 1);
    galley_error err = {0};
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    client_expect_end(fd);
    atomic_store(&gate.open, 1); /* now, or while it is being let go of */
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, &err), GALLEY_ETIMEDOUT);
    EXPECT_TEXT(err.message, "drain deadline passed: 1 request was cut");
    galley_server_free(srv);
    close(fd);
}

static unsigned count_threads(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks && readdir(tasks)) {
        count++;
    }
    closedir(tasks);
    return count;
}

TEST(test_a_second_stop_ends_at_once)
{
    struct gate gate = {0};
    unsigned before = count_threads();
    galley_server *srv = make(NULL); /* 30 s to drain */
    galley_server_route(srv, "GET /told", until_told, &gate, NULL);
    galley_server_route(srv, "GET /gate", wait_at_gate, &gate, NULL);
    int port = start(srv);
    int fd = client_connect(port);
    client_send(fd, GET("/gate"));
    WAIT_UNTIL(atomic_load(&gate.entered) == 1);
    galley_error err = {0};
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    EXPECT_INT(galley_server_join(srv, 50, NULL), GALLEY_ETIMEDOUT);
    galley_server_stop(srv, GALLEY_STOP_NOW);
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, &err), GALLEY_ECANCELED);
    EXPECT_TEXT(err.message,
                "stopped at once: 1 request was cut, 1 handler is left behind (GET /gate)");
    galley_server_free(srv);
    /* The handler never returned; it does now, and frees what it kept. The harness looks for
     * memory. */
    atomic_store(&gate.open, 1);
    WAIT_UNTIL(count_threads() == before);
    close(fd);
}

TEST(test_a_handler_stuck_in_the_programs_pool_does_not_stop_the_end)
{
    struct gate gate = {0};
    galley_error err = {0};
    galley_pool *pool = galley_pool_new(1, &err);
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.pool = pool;
    galley_server *srv = make(&opt);
    galley_server_route(srv, "GET /gate", wait_at_gate, &gate, NULL);
    int port = start(srv);
    int stuck = client_connect(port), queued = client_connect(port);
    client_send(stuck, GET("/gate"));
    WAIT_UNTIL(atomic_load(&gate.entered) == 1);
    client_send(queued, GET("/gate"));
    galley_server_stats stats = {.size = sizeof stats};
    WAIT_UNTIL(galley_server_get_stats(srv, &stats) == 0 && stats.active == 2);
    galley_server_stop(srv, GALLEY_STOP_NOW);
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, &err), GALLEY_ECANCELED);
    EXPECT_TEXT(err.message,
                "stopped at once: 2 requests were cut, 2 handlers are left behind (GET /gate (2))");
    EXPECT_INT(galley_server_get_stats(srv, &stats), 0);
    EXPECT_INT(stats.active, 0);
    EXPECT_INT(stats.connections, 0);
    galley_server_free(srv);
    atomic_store(&gate.open, 1);
    galley_pool_free(pool);
    EXPECT_INT(atomic_load(&gate.entered), 1); /* nobody waits: the queued one was not begun */
    close(stuck);
    close(queued);
}

TEST(test_should_stop_tells_a_handler_that_its_client_has_left)
{
    struct gate gate = {0};
    galley_server *srv = make(NULL);
    galley_server_route(srv, "GET /told", until_told, &gate, NULL);
    int port = start(srv);
    int fd = client_connect(port);
    struct linger hard = {.l_onoff = 1};
    client_send(fd, GET("/told"));
    WAIT_UNTIL(atomic_load(&gate.entered) == 1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd); /* RST */
    galley_server_stats stats = {.size = sizeof stats};
    WAIT_UNTIL(galley_server_get_stats(srv, &stats) == 0 && stats.active == 0);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

/* ---- overload ---- */

TEST(test_a_full_queue_is_503_with_retry_after)
{
    struct gate gate = {0};
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    pool.threads = 1;
    pool.queue_capacity = 1;
    opt.pool_options = &pool;
    galley_server *srv = make(&opt);
    galley_server_route(srv, "/gate", wait_at_gate, &gate, NULL);
    int port = start(srv), fds[8];
    struct reply reply;
    for (unsigned i = 0; i < 8; i++) {
        fds[i] = client_connect(port);
        client_send(fds[i], GET("/gate"));
        WAIT_UNTIL(atomic_load(&gate.entered) == 1); /* the worker is taken */
    }
    galley_server_stats stats = {.size = sizeof stats};
    WAIT_UNTIL(galley_server_get_stats(srv, &stats) == 0 && stats.requests == 8);
    client_read(fds[7], "GET", &reply);
    EXPECT_INT(reply.status, 503);
    EXPECT_TEXT(reply_field(&reply, "Retry-After"), "1");
    EXPECT(galley_server_get_stats(srv, &stats) == 0 && stats.shed_full >= 1);
    /* With a body: the answer comes before the body is read, and no 100 Continue is said. */
    int fd = client_connect(port);
    client_send(fd, "POST /gate HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n"
                    "Expect: 100-continue\r\n\r\n");
    client_read(fd, "POST", &reply);
    EXPECT_INT(reply.status, 503);
    close(fd);
    atomic_store(&gate.open, 1);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
    for (unsigned i = 0; i < 8; i++) {
        close(fds[i]);
    }
}

static void hold_worker(void *arg)
{
    struct gate *gate = arg;
    atomic_fetch_add(&gate->entered, 1);
    while (!atomic_load(&gate->open)) {
        client_sleep_ms(1);
    }
}

/* The worker is held by a job, not by a request, which might itself wait too long for it. */
TEST(test_waiting_too_long_for_a_worker_is_503)
{
    struct gate gate = {0};
    galley_pool *pool = galley_pool_new(1, NULL);
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.pool = pool;
    opt.queue_timeout_ms = 20;
    galley_server *srv = make(&opt);
    galley_server_route(srv, "GET /gate", wait_at_gate, &gate, NULL);
    int client = client_connect(start(srv));
    struct reply reply;
    EXPECT_INT(galley_pool_execute(pool, hold_worker, &gate), 0);
    WAIT_UNTIL(atomic_load(&gate.entered) == 1);
    client_send(client, GET("/gate"));
    galley_server_stats stats = {.size = sizeof stats};
    WAIT_UNTIL(galley_server_get_stats(srv, &stats) == 0 && stats.requests == 1);
    client_sleep_ms(200);
    atomic_store(&gate.open, 1);
    client_read(client, "GET", &reply);
    EXPECT_INT(reply.status, 503);
    EXPECT_INT(atomic_load(&gate.entered), 1); /* T3: never run */
    EXPECT(galley_server_get_stats(srv, &stats) == 0 && stats.shed_late == 1);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
    galley_pool_free(pool);
    close(client);
}

TEST(test_max_requests_serves_so_many_and_drains)
{
    galley_server_options opt = options();
    opt.max_requests = 2;
    galley_server *srv = make(&opt);
    int port = start(srv);
    struct reply reply;
    int fd = client_connect(port);
    client_send(fd, GET("/"));
    client_read(fd, "GET", &reply);
    EXPECT_INT(reply.status, 200);
    client_send(fd, GET("/") GET("/"));
    client_read(fd, "GET", &reply);
    EXPECT_INT(reply.status, 200);
    EXPECT_TEXT(reply_field(&reply, "Connection"), "close");
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
    EXPECT_INT(client_count_listening(), 0); /* the third is refused */
    galley_server_stats stats = {.size = sizeof stats};
    EXPECT_INT(galley_server_get_stats(srv, &stats), 0); /* also after the end */
    EXPECT_INT(stats.responses[2], 2);
    galley_server_free(srv);
    close(fd);
}

TEST(test_at_the_connection_limit_the_oldest_idle_one_makes_room)
{
    galley_server_options opt = options();
    opt.max_connections = 2;
    galley_server *srv = make(&opt);
    int port = start(srv);
    struct reply reply;
    int first = client_connect(port), second = client_connect(port);
    client_send(first, GET("/"));
    client_read(first, "GET", &reply);
    client_send(second, GET("/"));
    client_read(second, "GET", &reply);
    EXPECT_INT(reply.status, 200);
    client_ask(port, GET("/"), &reply);
    EXPECT_INT(reply.status, 200);
    client_expect_end(first);
    client_send(second, GET("/"));
    client_read(second, "GET", &reply);
    EXPECT_INT(reply.status, 200);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
    close(first);
    close(second);
}

TEST(test_at_the_limit_without_an_idle_one_clients_wait)
{
    struct gate gate = {0};
    galley_server_options opt = options();
    opt.max_connections = 1;
    galley_server *srv = make(&opt);
    galley_server_route(srv, "GET /gate", wait_at_gate, &gate, NULL);
    int port = start(srv);
    struct reply reply;
    int busy = client_connect(port);
    client_send(busy, GET("/gate"));
    WAIT_UNTIL(atomic_load(&gate.entered) == 1);
    int waiting = client_connect(port);
    client_send(waiting, GET("/"));
    client_sleep_ms(30);
    galley_server_stats stats = {.size = sizeof stats};
    EXPECT(galley_server_get_stats(srv, &stats) == 0 && stats.accepted == 1);
    atomic_store(&gate.open, 1);
    client_read(busy, "GET", &reply);
    EXPECT_TEXT(reply.body, "passed");
    client_read(waiting, "GET", &reply);
    EXPECT_TEXT(reply.body, "hello");
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
    close(busy);
    close(waiting);
}

/* ---- by signals ---- */

struct term {
    struct gate *gate;
    int port;
    int client;
};

/* A request that does not end, then TERM twice. */
static void *send_term_twice(void *arg)
{
    struct term *term = arg;
    term->client = client_connect(term->port);
    client_send(term->client, GET("/gate"));
    WAIT_UNTIL(atomic_load(&term->gate->entered) == 1);
    kill(getpid(), SIGTERM);
    WAIT_UNTIL(atomic_load(&term->gate->saw_stop));
    kill(getpid(), SIGTERM);
    return NULL;
}

TEST(test_a_second_term_ends_at_once)
{
    struct gate gate = {0};
    unsigned before = count_threads();
    galley_server *srv = make(NULL);
    galley_server_route(srv, "GET /gate", wait_at_gate, &gate, NULL);
    struct term term = {.gate = &gate, .port = galley_server_port(srv, 0)};
    pthread_t thread;
    galley_error err = {0};
    EXPECT_INT(pthread_create(&thread, NULL, send_term_twice, &term), 0);
    EXPECT_INT(galley_server_run(srv, GALLEY_UNTIL_SIGNAL, &err), GALLEY_ECANCELED);
    pthread_join(thread, NULL);
    galley_server_free(srv);
    close(term.client);
    atomic_store(&gate.open, 1);
    WAIT_UNTIL(count_threads() == before);
}

static void *stop_often(void *srv)
{
    for (unsigned i = 0; i < 100; i++) {
        galley_server_stop(srv, i % 2);
    }
    return NULL;
}

TEST(test_many_threads_may_stop_a_server_at_once)
{
    galley_server *srv = make(NULL);
    pthread_t threads[4];
    start(srv);
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, stop_often, srv), 0);
    }
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL); /* some of them call it after the end */
    }
    galley_server_free(srv);
}
