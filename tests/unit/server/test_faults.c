/* Faults while a server is set up and started: each allocation fails once, descriptors run out.
 * Either the server works or one sentence says why it does not; nothing is left behind (the harness
 * looks). */
#include "test.h"

#include "base/alloc.h"

#include <galley/server.h>

#include <sys/resource.h>
#include <unistd.h>

static int handler(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_text(rs, 200, arg);
}

static galley_server *make(galley_error *err)
{
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    pool.threads = 1;
    opt.pool_options = &pool;
    opt.file_threads = 1;
    opt.loops = 2;
    galley_server *srv = galley_server_new(&opt, err);
    if (srv) {
        (void)galley_server_listen(srv, "127.0.0.1:0");
        (void)galley_server_listen(srv, "unix:@galley-test-faults");
        (void)galley_server_route(srv, "GET /", handler, NULL, NULL);
        (void)galley_server_route(srv, "GET /{a}/b", handler, NULL, NULL);
        (void)galley_server_fallback(srv, handler, NULL, NULL);
    }
    return srv;
}

static void start_and_stop(galley_server *srv, galley_error *err)
{
    if (galley_server_start(srv, err) == 0) {
        galley_server_stop(srv, GALLEY_STOP_DRAIN);
        EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, err), 0);
    }
}

TEST_TIMEOUT(test_every_failing_allocation_of_set_up_and_start_is_one_sentence, 120)
{
    bool did_fail = true;
    uint64_t n = 1;
    for (; did_fail; n++) {
        galley_error err = {0};
        mem_fail_nth(n);
        galley_server *srv = make(&err);
        if (srv) {
            start_and_stop(srv, &err);
        }
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(did_fail || err.code == 0);
        EXPECT((err.code == 0) == (err.message[0] == '\0'));
        if (err.code != 0 && err.code != GALLEY_ENOMEM) {
            test_fail(__FILE__, __LINE__, "allocation %d: %s", (int)n, err.message);
        }
        galley_server_free(srv);
    }
    EXPECT(n > 20);
}

TEST(test_running_out_of_descriptors_at_the_start_is_one_sentence)
{
    struct rlimit before, limit;
    unsigned failures = 0;
    getrlimit(RLIMIT_NOFILE, &before);
    for (rlim_t fds = 3; fds < 40; fds++) {
        galley_error err = {0};
        limit = before;
        limit.rlim_cur = fds;
        setrlimit(RLIMIT_NOFILE, &limit);
        galley_server *srv = make(&err);
        if (srv) {
            start_and_stop(srv, &err);
        }
        setrlimit(RLIMIT_NOFILE, &before);
        failures += err.code != 0;
        if (err.code != 0 && (err.code != GALLEY_ESYS || err.message[0] == '\0')) {
            test_fail(__FILE__, __LINE__, "%d descriptors: %d %s", (int)fds, err.code, err.message);
        }
        galley_server_free(srv);
    }
    EXPECT(failures > 3 && failures < 37);
}
