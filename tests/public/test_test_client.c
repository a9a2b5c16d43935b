/* galley/test.h: calls, life and misuse. Public headers only. The harness looks for descriptors,
 * threads and memory that are left. */
#include "support_test_client.h"

#include <galley/access_log.h>
#include <galley/static.h>

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static int give_number(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)rs;
    return *(int *)arg;
}

static int echo(galley_request *rq, galley_response *rs, void *arg)
{
    galley_str body = galley_req_body(rq), type = galley_req_header(rq, "content-type");
    (void)arg;
    return galley_res_data(rs, 200, type.ptr, body.ptr, body.len, NULL, NULL);
}

/* ---- calls ---- */

TEST(test_a_call_is_one_request_and_its_answer)
{
    galley_server *srv = make();
    galley_route_options loop = on_loop();
    galley_server_route(srv, "GET /pool", give_text, "from a worker\n", NULL);
    galley_server_route(srv, "GET /loop", give_text, "from the loop\n", &loop);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/pool", &r), 0);
    EXPECT_INT(r.status, 200);
    EXPECT_TEXT(r.body.ptr, "from a worker\n");
    EXPECT_INT(r.body.len, 14);
    EXPECT(!r.closed);
    EXPECT(strncmp(r.head.ptr, "HTTP/1.1 200 OK\r\n", 17) == 0);
    EXPECT(strcmp(r.head.ptr + r.head.len - 2, "\r\n") == 0);
    EXPECT(!strstr(r.head.ptr, "\r\n\r\n"));
    EXPECT_INT(galley_test_call(t, "GET /loop", NULL, 0, &r), 0);
    EXPECT_TEXT(r.body.ptr, "from the loop\n");
    EXPECT_INT(galley_test_get(t, "/nothing?q=1", &r), 0);
    EXPECT_INT(r.status, 404);
    EXPECT_INT(galley_test_call(t, "DELETE /pool", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 405);
    EXPECT_TEXT(galley_test_header(t, &r, "allow").ptr, "GET, HEAD, OPTIONS");
    end(t, srv);
}

TEST(test_bodies_go_both_ways)
{
    galley_server *srv = make();
    galley_server_route(srv, "/echo", echo, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_call(t, "POST /echo\nContent-Type: a/b\n", "x\0y", 3, &r), 0);
    EXPECT_INT(r.body.len, 3);
    EXPECT(memcmp(r.body.ptr, "x\0y", 4) == 0); /* and a NUL behind it */
    EXPECT_TEXT(galley_test_header(t, &r, "CONTENT-TYPE").ptr, "a/b");
    EXPECT_INT(galley_test_call(t, "PUT /echo", NULL, 0, &r), 0);
    EXPECT_INT(r.body.len, 0);
    EXPECT(r.body.ptr);
    EXPECT_INT(galley_test_call(t, "POST /echo\nTransfer-Encoding: chunked", "2\r\nab\r\n0\r\n\r\n",
                                12, &r),
               0);
    EXPECT_TEXT(r.body.ptr, "ab");
    EXPECT_INT(galley_test_call(t, "HEAD /echo", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 200);
    EXPECT_INT(r.body.len, 0);
    size_t len = 900 * 1024;
    char *large = calloc(1, len);
    EXPECT_INT(galley_test_call(t, "POST /echo", large, len, &r), 0);
    EXPECT_INT(r.body.len, len);
    EXPECT(memcmp(r.body.ptr, large, len) == 0);
    free(large);
    end(t, srv);
}

static int three_pieces(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    EXPECT_INT(galley_res_begin(rs, 200, "text/plain", -1), 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_INT(galley_res_write(rs, "piece ", 6), 0);
    }
    return 0;
}

TEST(test_a_chunked_answer_is_decoded_and_interim_answers_are_passed_over)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", three_pieces, NULL, NULL);
    galley_server_route(srv, "POST /", echo, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    EXPECT_TEXT(r.body.ptr, "piece piece piece ");
    EXPECT_TEXT(galley_test_header(t, &r, "Transfer-Encoding").ptr, "chunked");
    EXPECT_INT(galley_test_call(t, "POST /\nExpect: 100-continue", "hi", 2, &r), 0);
    EXPECT_INT(r.status, 200); /* RFC 9110 §15.2: a client passes over 1xx that it did not expect */
    EXPECT_TEXT(r.body.ptr, "hi");
    end(t, srv);
}

TEST(test_closed_tells_that_the_server_ended_the_connection)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_call(t, "GET /\nConnection: close", NULL, 0, &r), 0);
    EXPECT(r.closed);
    EXPECT_INT(galley_test_call(t, "GET /\nConnection: keep-alive", NULL, 0, &r), 0);
    EXPECT(!r.closed);
    EXPECT_INT(galley_test_call(t, "GET /\nTransfer-Encoding: what", NULL, 0, &r), 0);
    EXPECT(r.status >= 400 && r.closed);
    end(t, srv);
}

static int two_cookies(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    galley_res_add_header(rs, "Set-Cookie", "a=1");
    galley_res_add_header(rs, "Set-Cookie", "b=2");
    return 204;
}

TEST(test_headers_are_joined_and_found_only_in_the_last_reply)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", two_cookies, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r, older;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    galley_str cookies = galley_test_header(t, &r, "set-cookie");
    galley_str server = galley_test_header(t, &r, "server");
    EXPECT_TEXT(cookies.ptr, "a=1, b=2");
    EXPECT_INT(cookies.len, 8);
    EXPECT_TEXT(server.ptr, "galley");
    EXPECT_TEXT(galley_test_header(t, &r, "Date").ptr, "Thu, 01 Jan 2026 00:00:00 GMT");
    EXPECT(!galley_test_header(t, &r, "x-none").ptr);
    EXPECT(!galley_test_header(t, &r, "HTTP/1.1 204 No Content").ptr);
    older = r;
    EXPECT_INT(galley_test_call(t, "bad", NULL, 0, &r), GALLEY_EINVAL);
    EXPECT(!galley_test_header(t, &older, "set-cookie").ptr);
    end(t, srv);
}

TEST(test_hosts_and_the_default_host)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, "any", NULL);
    galley_server_route(srv, "GET localhost/", give_text, "localhost", NULL);
    galley_server_route(srv, "GET api.example.com/", give_text, "api", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    EXPECT_TEXT(r.body.ptr, "localhost");
    EXPECT_INT(galley_test_call(t, "GET /\nHost: api.example.com:80", NULL, 0, &r), 0);
    EXPECT_TEXT(r.body.ptr, "api");
    end(t, srv);
}

TEST(test_a_request_text_that_is_none_is_einval)
{
    static const char *const bad[] = {
        "",
        "GET",
        "GET ",
        " /",
        "GET  /",
        "GET / x",
        "GET /\n\nA: b",
        "GET /\nA",
        "GET /\nA b: c",
        "GET /\n: c",
        "GET /\r\nA: b",
        "GET /\nA: b\r",
        "G(T /",
        "GET / HTTP/1.1",
        "GET /\n folded",
    };
    galley_server *srv = make();
    galley_server_route(srv, "/", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r = {.status = 7};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = galley_test_call(t, bad[i], NULL, 0, &r);
        if (rc != GALLEY_EINVAL) {
            test_fail(__FILE__, __LINE__, "\"%s\" is %d", bad[i], rc);
        }
    }
    EXPECT_INT(galley_test_get(t, "", &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_get(t, "/ /", &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_get(t, "/\nA: b", &r), GALLEY_EINVAL);
    EXPECT_INT(r.status, 7);                                   /* written only on success */
    EXPECT_INT(galley_test_call(t, "BREW /", NULL, 0, &r), 0); /* a method nobody knows */
    EXPECT_INT(r.status, 501);
    end(t, srv);
}

/* ---- life ---- */

TEST(test_null_is_einval_everywhere)
{
    galley_error err = {0};
    galley_test_reply r;
    galley_server *srv = make();
    galley_test *t = drive(srv);
    EXPECT(!galley_test_new(NULL, &err));
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT(!galley_test_new(NULL, NULL));
    EXPECT_INT(galley_test_call(NULL, "GET /", NULL, 0, &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_call(t, NULL, NULL, 0, &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_call(t, "GET /", NULL, 0, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_test_call(t, "GET /", NULL, 1, &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_get(NULL, "/", &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_get(t, NULL, &r), GALLEY_EINVAL);
    EXPECT_INT(galley_test_get(t, "/", NULL), GALLEY_EINVAL);
    EXPECT(!galley_test_header(NULL, &r, "a").ptr);
    EXPECT(!galley_test_header(t, NULL, "a").ptr);
    EXPECT(!galley_test_header(t, &r, NULL).ptr);
    EXPECT(!galley_test_connect(NULL));
    EXPECT(!galley_test_connect_from(t, NULL));
    EXPECT(!galley_test_connect_from(t, "not an address"));
    EXPECT_INT(galley_test_send(NULL, "x", 1), GALLEY_EINVAL);
    EXPECT_INT(galley_test_window(NULL, 1), GALLEY_EINVAL);
    EXPECT_INT(galley_test_shutdown(NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_test_hangup(NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_test_advance(NULL, 1), GALLEY_EINVAL);
    EXPECT_INT(galley_test_set_patience(NULL, 1), GALLEY_EINVAL);
    EXPECT(!galley_test_received(NULL).ptr);
    EXPECT(!galley_test_is_closed(NULL));
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(galley_test_send(c, NULL, 1), GALLEY_EINVAL);
    EXPECT_INT(galley_test_send(c, NULL, 0), 0);
    galley_test_free(NULL);
    end(t, srv);
}

TEST(test_set_up_failures_are_told_as_run_would)
{
    galley_server *srv = make();
    galley_error err = {0};
    galley_server_route(srv, "nonsense", give_text, "", NULL);
    EXPECT(!galley_test_new(srv, &err));
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT(strstr(err.message, "\"nonsense\""));
    EXPECT_INT(galley_server_run(srv, GALLEY_UNTIL_STOPPED, &err), GALLEY_EINVAL);
    galley_server_free(srv);
}

TEST(test_a_server_runs_once_for_real_or_under_test)
{
    galley_error err = {0};
    galley_server *srv = make();
    galley_test *t = drive(srv);
    EXPECT_INT(galley_server_run(srv, GALLEY_UNTIL_STOPPED, &err), GALLEY_ESTATE);
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_ESTATE);
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, &err), GALLEY_ESTATE);
    EXPECT_INT(galley_server_route(srv, "GET /late", give_text, "", NULL), GALLEY_ESTATE);
    EXPECT(!galley_test_new(srv, &err));
    EXPECT_INT(err.code, GALLEY_ESTATE);
    galley_test_free(t);
    EXPECT(!galley_test_new(srv, &err));
    EXPECT_INT(err.code, GALLEY_ESTATE);
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_ESTATE);
    galley_server_free(srv);

    srv = make();
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    EXPECT_INT(galley_server_start(srv, &err), 0);
    EXPECT(!galley_test_new(srv, &err));
    EXPECT_INT(err.code, GALLEY_ESTATE);
    galley_server_free(srv);
}

TEST(test_a_listener_may_be_there_and_is_not_used)
{
    galley_server *srv = make();
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    EXPECT_INT(galley_server_listen(srv, "unix:@galley-test-client"), 0);
    galley_server_route(srv, "GET /", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT(galley_server_port(srv, 0) > 0);
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    end(t, srv);
}

TEST(test_freeing_the_server_first_leaves_a_client_that_says_closed)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    galley_test_conn *c = galley_test_connect(t);
    galley_server_free(srv);
    EXPECT_INT(galley_test_get(t, "/", &r), GALLEY_ECLOSED);
    EXPECT_INT(SEND(c, "x"), GALLEY_ECLOSED);
    EXPECT_INT(galley_test_advance(t, 1), GALLEY_ECLOSED);
    EXPECT_INT(galley_test_set_patience(t, 1), GALLEY_ECLOSED);
    EXPECT(!galley_test_connect(t));
    EXPECT(galley_test_is_closed(c));
    EXPECT_INT(galley_test_received(c).len, 0);
    galley_test_free(t);
}

static int reach_back(galley_request *rq, galley_response *rs, void *arg)
{
    galley_test_reply r;
    galley_test *t = *(galley_test **)arg;
    (void)rq;
    EXPECT_INT(galley_test_get(t, "/", &r), GALLEY_ESTATE);
    EXPECT_INT(galley_test_advance(t, 1), GALLEY_ESTATE);
    EXPECT(!galley_test_connect(t));
    galley_test_free(t); /* nothing happens */
    return galley_res_text(rs, 200, "done");
}

TEST(test_a_handler_may_not_drive_its_own_server)
{
    galley_server *srv = make();
    galley_test *t = NULL;
    galley_route_options loop = on_loop();
    galley_server_route(srv, "GET /loop", reach_back, &t, &loop);
    galley_server_route(srv, "GET /pool", reach_back, &t, NULL);
    t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/loop", &r), 0);
    EXPECT_TEXT(r.body.ptr, "done");
    EXPECT_INT(galley_test_get(t, "/pool", &r), 0);
    EXPECT_TEXT(r.body.ptr, "done");
    end(t, srv);
}

static void *call_a_hundred_times(void *arg)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, arg, NULL);
    galley_test *t = drive(srv);
    for (int i = 0; i < 100; i++) {
        galley_test_reply r;
        EXPECT_INT(galley_test_get(t, "/", &r), 0);
        EXPECT_TEXT(r.body.ptr, arg);
    }
    end(t, srv);
    return NULL;
}

TEST(test_two_clients_drive_two_servers_at_once)
{
    pthread_t other;
    EXPECT_INT(pthread_create(&other, NULL, call_a_hundred_times, "one"), 0);
    call_a_hundred_times("two");
    pthread_join(other, NULL);
}

struct handed_over {
    galley_test *t;
    int rc;
};

static void *call_from_here(void *arg)
{
    struct handed_over *over = arg;
    galley_test_reply r;
    over->rc = galley_test_get(over->t, "/", &r);
    return NULL;
}

TEST(test_a_client_may_go_from_thread_to_thread)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, "x", NULL);
    struct handed_over over = {.t = drive(srv), .rc = -1};
    pthread_t other;
    EXPECT_INT(pthread_create(&other, NULL, call_from_here, &over), 0);
    pthread_join(other, NULL);
    EXPECT_INT(over.rc, 0);
    call_from_here(&over);
    EXPECT_INT(over.rc, 0);
    end(over.t, srv);
}

static unsigned count_sockets(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char path[300], target[64] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        count += readlink(path, target, sizeof target - 1) > 0 && strstr(target, "socket:");
    }
    closedir(dir);
    return count;
}

TEST(test_there_is_no_socket)
{
    unsigned before = count_sockets();
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/")), 0);
    EXPECT_INT(count_sockets(), before);
    end(t, srv);
}

TEST(test_stopping_the_server_ends_it_as_ever)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    galley_test_conn *idle = galley_test_connect(t), *half = galley_test_connect(t);
    EXPECT_INT(SEND(half, "GET / HTTP/1.1\r\n"), 0);
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    EXPECT_INT(galley_test_advance(t, 0), 0);
    EXPECT(galley_test_is_closed(idle));
    EXPECT(!galley_test_is_closed(half));
    EXPECT_INT(SEND(half, "Host: t\r\n\r\n"), 0);
    EXPECT(has(half, "Connection: close\r\n"));
    EXPECT(!galley_test_connect(t));
    EXPECT_INT(galley_test_get(t, "/", &r), GALLEY_ECLOSED);
    end(t, srv);
}

/* ---- what else a server has ---- */

static int take_line(void *ctx, const char *lines, size_t len)
{
    return fwrite(lines, 1, len, ctx) != len;
}

TEST(test_the_access_log_is_written_before_the_call_returns)
{
    char *lines = NULL;
    size_t len = 0;
    FILE *log = open_memstream(&lines, &len);
    galley_server *srv = make();
    galley_access_log_options opt = GALLEY_ACCESS_LOG_OPTIONS_INIT;
    opt.format = GALLEY_ACCESS_COMBINED;
    opt.write = take_line;
    opt.write_ctx = log;
    EXPECT_INT(galley_server_access_log(srv, &opt), 0);
    galley_server_route(srv, "GET /", give_text, "hello", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/?a", &r), 0);
    fflush(log);
    EXPECT(strstr(lines, "127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /?a HTTP/1.1\" 200 5"));
    EXPECT_INT(galley_server_reopen_logs(srv), 0);
    EXPECT_INT(galley_test_advance(t, 3600 * 1000), 0);
    EXPECT_INT(galley_test_get(t, "/later", &r), 0);
    fflush(log);
    EXPECT(strstr(lines, "[01/Jan/2026:01:00:00 +0000] \"GET /later HTTP/1.1\" 404"));
    end(t, srv);
    fclose(log);
    free(lines);
}

static int give_file(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_file(rs, 200, arg);
}

TEST(test_files_are_served)
{
    galley_server *srv = make();
    galley_error err = {0};
    char path[] = "/tmp/galley-test-client-XXXXXX";
    int fd = mkstemp(path);
    EXPECT_INT(write(fd, "content\n", 8), 8);
    galley_static *site = galley_static_new(GALLEY_SOURCE_DIR "/examples/site", NULL, &err);
    EXPECT(site);
    galley_server_route(srv, "/{path...}", galley_static_serve, site, NULL);
    galley_server_route(srv, "GET /one", give_file, path, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    for (int i = 0; i < 2; i++) { /* cold, then from the cache */
        EXPECT_INT(galley_test_get(t, "/index.html", &r), 0);
        EXPECT_INT(r.status, 200);
        EXPECT(strstr(r.body.ptr, "<html"));
        EXPECT_INT(galley_test_get(t, "/one", &r), 0);
        EXPECT_TEXT(r.body.ptr, "content\n");
    }
    EXPECT_INT(galley_test_get(t, "/no-such-file", &r), 0);
    EXPECT_INT(r.status, 404);
    end(t, srv);
    galley_static_free(site);
    unlink(path);
    close(fd);
}

TEST(test_pools_of_the_program_are_used_as_they_are)
{
    galley_error err;
    galley_pool *pool = galley_pool_new(2, &err), *own = galley_pool_new(1, &err);
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_route_options route = GALLEY_ROUTE_OPTIONS_INIT;
    opt.pool = pool;
    opt.loops = 3; /* one is what it gets */
    route.pool = own;
    galley_server *srv = make_with(&opt);
    galley_server_route(srv, "GET /pool", give_text, "x", NULL);
    galley_server_route(srv, "GET /own", give_text, "x", &route);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT(galley_server_pool(srv) == pool);
    EXPECT_INT(galley_test_get(t, "/pool", &r), 0);
    EXPECT_INT(galley_test_get(t, "/own", &r), 0);
    end(t, srv);
    /* The answer was given inside the job: its end is counted behind that. */
    EXPECT_INT(galley_pool_shutdown(own, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    galley_pool_stats stats = {.size = sizeof stats};
    EXPECT_INT(galley_pool_get_stats(own, &stats), 0);
    EXPECT_INT(stats.finished, 1);
    galley_pool_free(pool);
    galley_pool_free(own);
}

TEST(test_counters_count)
{
    int number = 404;
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_number, &number, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    galley_server_stats stats = {.size = sizeof stats};
    EXPECT_INT(galley_server_get_stats(srv, &stats), 0);
    EXPECT_INT(stats.accepted, 1);
    EXPECT_INT(stats.responses[4], 1);
    EXPECT_INT(stats.connections, 0); /* the call hung up, and the server knows */
    EXPECT_INT(stats.active, 0);
    end(t, srv);
}
