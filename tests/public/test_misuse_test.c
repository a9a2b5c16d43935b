/* What bad use of the test client gets, and of what is beside requests: access log, sites, the end
 * of a run. */
#include "support_test_client.h"

#include <galley/access_log.h>
#include <galley/static.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- a test client, from inside a handler ---- */

struct inside {
    galley_test *test;
    galley_test_conn *conn;
};

static int use_test_inside(galley_request *rq, galley_response *rs, void *arg)
{
    struct inside *inside = arg;
    galley_test_reply r = {.status = 7};
    (void)rq;
    EXPECT_INT(galley_test_call(inside->test, "GET /", NULL, 0, &r), GALLEY_ESTATE);
    EXPECT_INT(galley_test_get(inside->test, "/", &r), GALLEY_ESTATE);
    EXPECT_INT(galley_test_set_patience(inside->test, 1), GALLEY_ESTATE);
    EXPECT_INT(galley_test_send(inside->conn, "x", 1), GALLEY_ESTATE);
    EXPECT_INT(galley_test_window(inside->conn, 1), GALLEY_ESTATE);
    EXPECT_INT(galley_test_shutdown(inside->conn), GALLEY_ESTATE);
    EXPECT_INT(galley_test_hangup(inside->conn), GALLEY_ESTATE);
    EXPECT_INT(galley_test_advance(inside->test, 1), GALLEY_ESTATE);
    EXPECT(!galley_test_connect(inside->test) && !galley_test_connect_from(inside->test, "unix"));
    EXPECT(!galley_test_header(inside->test, &r, "Date").ptr);
    EXPECT_INT(r.status, 7);
    galley_test_free(inside->test); /* nothing happens */
    return galley_res_text(rs, 200, "fine");
}

TEST(test_a_handler_may_not_drive_its_own_test)
{
    galley_server *srv = make();
    struct inside inside = {NULL, NULL};
    galley_route_options loop = on_loop();
    galley_server_route(srv, "/pool", use_test_inside, &inside, NULL);
    galley_server_route(srv, "/loop", use_test_inside, &inside, &loop);
    inside.test = drive(srv);
    inside.conn = galley_test_connect(inside.test);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(inside.test, "/pool", &r), 0);
    EXPECT_TEXT(r.body.ptr, "fine");
    EXPECT_INT(galley_test_get(inside.test, "/loop", &r), 0);
    EXPECT_TEXT(r.body.ptr, "fine");
    EXPECT_INT(SEND(inside.conn, GET("/pool")), 0);
    EXPECT(has(inside.conn, "fine"));
    end(inside.test, srv);
}

TEST(test_null_and_nonsense_for_a_test)
{
    galley_error err = {0};
    EXPECT(!galley_test_new(NULL, &err));
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT(!galley_test_new(NULL, NULL));
    galley_test_free(NULL);
    galley_server *srv = make();
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_call(NULL, "GET /", NULL, 0, &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_call(t, NULL, NULL, 0, &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_call(t, "GET /", NULL, 1, &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_call(t, "GET /", NULL, 0, NULL), GALLEY_EINVAL);
    static const char *const requests[] = {"",         "GET",           "GET ",         " /",
                                           "GET /\nX", "GET /\r\nX: y", "GET /\nX: y\r"};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        EXPECT_INT(galley_test_call(t, requests[i], NULL, 0, &r), GALLEY_EINVAL);
    }
    EXPECT_INT(galley_test_get(NULL, "/", &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_get(t, NULL, &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_get(t, "/", NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_test_get(t, "/\nX: y", &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_set_patience(NULL, 1), GALLEY_EINVAL);
    EXPECT(!galley_test_connect(NULL) && !galley_test_connect_from(NULL, "unix"));
    EXPECT(!galley_test_connect_from(t, NULL) && !galley_test_connect_from(t, "nowhere"));
    EXPECT_INT(galley_test_send(NULL, "x", 1), GALLEY_EINVAL);
    EXPECT_INT(galley_test_send(galley_test_connect(t), NULL, 1), GALLEY_EINVAL);
    EXPECT_INT(galley_test_window(NULL, 1), GALLEY_EINVAL);
    EXPECT_INT(galley_test_shutdown(NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_test_hangup(NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_test_advance(NULL, 1), GALLEY_EINVAL);
    EXPECT(!galley_test_received(NULL).ptr && !galley_test_is_closed(NULL));
    EXPECT(!galley_test_header(NULL, &r, "Date").ptr && !galley_test_header(t, NULL, "Date").ptr);
    EXPECT(!galley_test_header(t, &r, NULL).ptr);
    end(t, srv);
}

/* ---- what does not come ---- */

static atomic_int gate;
static atomic_int inside;

static void nap(void)
{
    struct timespec moment = {0, 1000000};
    nanosleep(&moment, NULL);
}

static int wait_at_gate(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    atomic_fetch_add(&inside, 1);
    while (!atomic_load(&gate)) {
        nap();
    }
    atomic_fetch_sub(&inside, 1);
    return galley_res_text(rs, 200, "fine");
}

static int write_for_ever(galley_request *rq, galley_response *rs, void *arg)
{
    static char block[65536];
    (void)rq;
    (void)arg;
    int rc = galley_res_begin(rs, 200, NULL, -1);
    while (rc == 0) {
        rc = galley_res_write(rs, block, sizeof block);
    }
    return rc;
}

TEST(test_calls_with_a_handler_that_does_not_return)
{
    galley_server *srv = make();
    galley_server_route(srv, "/", wait_at_gate, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t), *other = galley_test_connect(t);
    galley_test_reply r;
    EXPECT_INT(galley_test_set_patience(t, 5), 0);
    EXPECT_INT(SEND(c, GET("/")), GALLEY_ETIMEDOUT);
    EXPECT_INT(galley_test_call(t, "GET /", NULL, 0, &r), GALLEY_ETIMEDOUT);
    EXPECT_INT(galley_test_window(other, 100000), GALLEY_ETIMEDOUT);
    EXPECT_INT(galley_test_advance(t, 1), GALLEY_ETIMEDOUT);
    EXPECT_INT(galley_test_shutdown(c), GALLEY_ETIMEDOUT);
    EXPECT_INT(galley_test_hangup(c), GALLEY_ETIMEDOUT);
    EXPECT_INT(galley_test_hangup(c), GALLEY_ECLOSED); /* it was done all the same */
    atomic_store(&gate, 1);
    EXPECT_INT(galley_test_set_patience(t, GALLEY_NO_LIMIT), 0);
    EXPECT_INT(galley_test_advance(t, 0), 0);
    EXPECT_INT(atomic_load(&inside), 0);
    end(t, srv);
}

TEST(test_calls_whose_answer_does_not_end)
{
    galley_server *srv = make();
    galley_server_route(srv, "/", write_for_ever, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_set_patience(t, GALLEY_NO_LIMIT), 0);
    EXPECT_INT(galley_test_call(t, "GET /", NULL, 0, &r), GALLEY_ETOOBIG);
    galley_server_stop(srv, GALLEY_STOP_NOW);
    EXPECT_INT(galley_test_advance(t, 0), 0);
    EXPECT_INT(galley_test_call(t, "GET /", NULL, 0, &r), GALLEY_ECLOSED);
    end(t, srv);
}

/* ---- access log ---- */

TEST(test_bad_use_of_an_access_log)
{
    galley_access_log_options opt = GALLEY_ACCESS_LOG_OPTIONS_INIT;
    galley_access_log_stats stats = {.size = sizeof stats};
    galley_error err = {0};
    EXPECT_INT(galley_server_access_log(NULL, &opt), GALLEY_EINVAL);
    EXPECT_INT(galley_server_reopen_logs(NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_access_log_stats(NULL, &stats), GALLEY_EINVAL);
    galley_server *srv = make();
    EXPECT_INT(galley_server_reopen_logs(srv), GALLEY_ESTATE); /* there is none */
    EXPECT_INT(galley_server_access_log_stats(srv, &stats), GALLEY_ESTATE);
    EXPECT_INT(galley_server_access_log_stats(srv, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_access_log(srv, NULL), 0);
    stats.size = 1;
    EXPECT_INT(galley_server_access_log_stats(srv, &stats), GALLEY_EINVAL);
    opt.path = "/nowhere/at/all";
    EXPECT_INT(galley_server_access_log(srv, &opt), GALLEY_ESYS);
    EXPECT(!galley_test_new(srv, &err)); /* remembered */
    EXPECT_INT(err.code, GALLEY_ESYS);
    EXPECT(strstr(err.message, "/nowhere/at/all"));
    galley_server_free(srv);

    srv = make();
    galley_test *t = drive(srv);
    EXPECT_INT(galley_server_access_log(srv, NULL), GALLEY_ESTATE);
    end(t, srv);
}

TEST(test_options_of_an_access_log_that_make_no_sense)
{
    static const struct {
        size_t size;
        int format, colour;
        size_t ring_records;
    } rows[] = {{1, 0, 0, 0},
                {sizeof(galley_access_log_options), 3, 0, 0},
                {sizeof(galley_access_log_options), -1, 0, 0},
                {sizeof(galley_access_log_options), 0, 3, 0},
                {sizeof(galley_access_log_options), 0, 0, (1 << 20) + 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        galley_access_log_options opt = GALLEY_ACCESS_LOG_OPTIONS_INIT;
        galley_server *srv = make();
        opt.size = rows[i].size;
        opt.format = rows[i].format;
        opt.colour = rows[i].colour;
        opt.ring_records = rows[i].ring_records;
        EXPECT_INT(galley_server_access_log(srv, &opt), GALLEY_EINVAL);
        galley_server_free(srv);
    }
}

/* ---- sites ---- */

static int serve_directly(galley_request *rq, galley_response *rs, void *arg)
{
    EXPECT_INT(galley_static_serve(NULL, rs, arg), GALLEY_EINVAL);
    EXPECT_INT(galley_static_serve(rq, NULL, arg), GALLEY_EINVAL);
    EXPECT_INT(galley_static_serve(rq, rs, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_static_serve(rq, rs, arg), GALLEY_ESTATE);
    return galley_res_text(rs, 200, "fine");
}

TEST(test_a_site_that_no_route_has)
{
    galley_static *site = galley_static_new(GALLEY_SOURCE_DIR "/include", NULL, NULL);
    EXPECT(site);
    galley_server *srv = make();
    galley_route_options loop = on_loop();
    galley_server_route(srv, "/pool", serve_directly, site, NULL);
    galley_server_route(srv, "/loop", serve_directly, site, &loop);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/pool", &r), 0);
    EXPECT_TEXT(r.body.ptr, "fine");
    EXPECT_INT(galley_test_get(t, "/loop", &r), 0);
    EXPECT_TEXT(r.body.ptr, "fine");
    end(t, srv);
    galley_static_free(site);
    galley_static_free(NULL);
}

static void found_nothing(void *ctx, const galley_static_finding *finding)
{
    (void)ctx;
    (void)finding;
}

TEST(test_null_and_nonsense_for_a_site)
{
    galley_error err = {0};
    galley_static_options opt = GALLEY_STATIC_OPTIONS_INIT;
    EXPECT(!galley_static_new(NULL, NULL, &err));
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT(!galley_static_new(NULL, NULL, NULL));
    opt.size = 1;
    EXPECT(!galley_static_new("/", &opt, &err));
    EXPECT_INT(err.code, GALLEY_EINVAL);
    galley_static *site = galley_static_new(GALLEY_SOURCE_DIR "/include", NULL, NULL);
    EXPECT_INT(galley_static_audit(NULL, found_nothing, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_static_audit(site, NULL, NULL), GALLEY_EINVAL);
    galley_static_free(site);
    galley_server *srv = make();
    EXPECT_INT(galley_server_route(srv, "/{path...}", galley_static_serve, NULL, NULL),
               GALLEY_EINVAL);
    galley_server_free(srv);
}

/* ---- servers ---- */

TEST(test_null_and_nonsense_for_a_server)
{
    galley_error err = {0};
    galley_server_stats stats = {.size = sizeof stats};
    size_t it = 0;
    const char *name = NULL;
    uint64_t value = 0;
    EXPECT_INT(galley_server_listen(NULL, ":0"), GALLEY_EINVAL);
    EXPECT_INT(galley_server_port(NULL, 0), GALLEY_EINVAL);
    EXPECT(!galley_server_address(NULL, 0).ptr);
    EXPECT_INT(galley_server_route(NULL, "/", give_text, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_fallback(NULL, give_text, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_use(NULL, "/", NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_run(NULL, GALLEY_UNTIL_STOPPED, &err), GALLEY_EINVAL);
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT_INT(galley_server_start(NULL, &err), GALLEY_EINVAL);
    EXPECT_INT(galley_server_join(NULL, 0, &err), GALLEY_EINVAL);
    EXPECT_INT(galley_server_post(NULL, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_after(NULL, 1, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_get_stats(NULL, &stats), GALLEY_EINVAL);
    EXPECT(!galley_server_next_counter(NULL, &it, &name, &value));
    EXPECT(!galley_server_pool(NULL));
    galley_server_stop(NULL, GALLEY_STOP_NOW);
    galley_server_free(NULL);
    galley_server *srv = make();
    EXPECT_INT(galley_server_port(srv, 0), GALLEY_EINVAL);
    EXPECT_INT(galley_server_post(srv, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_get_stats(srv, NULL), GALLEY_EINVAL);
    EXPECT(!galley_server_next_counter(srv, NULL, &name, &value));
    EXPECT(!galley_server_next_counter(srv, &it, NULL, &value));
    EXPECT(!galley_server_next_counter(srv, &it, &name, NULL));
    EXPECT_INT(galley_server_run(srv, 7, &err), GALLEY_EINVAL);
    EXPECT_INT(galley_server_run(srv, GALLEY_UNTIL_STOPPED, NULL), GALLEY_EINVAL); /* no listener */
    EXPECT_INT(galley_server_join(srv, 0, NULL), GALLEY_ESTATE);
    galley_server_stop(srv, 7);
    galley_server_stop(srv, -1);
    galley_server_free(srv);
    galley_server_options opt = {.size = 1};
    EXPECT(!galley_server_new(&opt, &err));
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT(!galley_server_new(&opt, NULL));
}

static const char *const bad_patterns[] = {
    "",         " ",     "GET",     "GET ",       "get /",          "/{",
    "/}",       "/{}",   "/{a}{b}", "/{a...}/b",  "/{a}/{a}",       "/a{b",
    "nonsense", "G@T /", "/{a b}",  "*example/x", "*.*.example.x/", "host:80/x",
    "/{...}",   "/a\nb", "GET\n/x", "GET /\x7f"};

TEST(test_patterns_that_make_no_sense)
{
    for (size_t i = 0; i < sizeof bad_patterns / sizeof *bad_patterns; i++) {
        galley_server *srv = make();
        int rc = galley_server_route(srv, bad_patterns[i], give_text, NULL, NULL);
        if (rc != GALLEY_EINVAL) {
            test_fail(__FILE__, __LINE__, "pattern \"%s\": %d", bad_patterns[i], rc);
        }
        galley_server_free(srv);
    }
}

/* ---- a run that cannot end in time ---- */

static void *ask_and_stop(void *arg)
{
    galley_server *srv = arg;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)galley_server_port(srv, 0));
    EXPECT_INT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    EXPECT_INT(send(fd, GET("/"), strlen(GET("/")), MSG_NOSIGNAL), strlen(GET("/")));
    while (atomic_load(&inside) == 0) {
        nap();
    }
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    char byte;
    EXPECT(recv(fd, &byte, 1, 0) <= 0); /* cut */
    close(fd);
    atomic_store(&gate, 1);
    return NULL;
}

TEST(test_a_run_whose_drain_ran_out_is_etimedout)
{
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_error err = {0};
    pthread_t thread;
    opt.drain_ms = 1;
    galley_server *srv = make_with(&opt);
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    EXPECT_INT(galley_server_route(srv, "/", wait_at_gate, NULL, NULL), 0);
    EXPECT_INT(pthread_create(&thread, NULL, ask_and_stop, srv), 0);
    EXPECT_INT(galley_server_run(srv, GALLEY_UNTIL_STOPPED, &err), GALLEY_ETIMEDOUT);
    EXPECT(err.code == GALLEY_ETIMEDOUT && err.message[0]);
    pthread_join(thread, NULL);
    galley_server_free(srv);
    while (atomic_load(&inside) != 0) {
        nap();
    }
}
