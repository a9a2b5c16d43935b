/* tests/public/support_server.h — servers for the tests of this folder: one route, two workers, a
 * free port. */
#ifndef TESTS_PUBLIC_SUPPORT_SERVER_H
#define TESTS_PUBLIC_SUPPORT_SERVER_H

#include "client.h"
#include "support_counters.h"
#include "wanted_io.h"

static inline int give_text(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_text(rs, 200, arg);
}

static inline galley_server_options options(void)
{
    static galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    pool.threads = 2;
    opt.pool_options = &pool;
    opt.io = wanted_io();
    return opt;
}

static inline galley_server *make(const galley_server_options *opt)
{
    galley_error err;
    galley_server *srv = galley_server_new(opt, &err);
    EXPECT(srv);
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    EXPECT_INT(galley_server_route(srv, "GET /", give_text, "hello", NULL), 0);
    return srv;
}

static inline int start(galley_server *srv)
{
    galley_error err = {0};
    if (galley_server_start(srv, &err) != 0) {
        test_fail(__FILE__, __LINE__, "start: %s", err.message);
    }
    return galley_server_port(srv, 0);
}

static inline int stop(galley_server *srv, int how, galley_error *err)
{
    galley_server_stop(srv, how);
    int rc = galley_server_join(srv, GALLEY_FOREVER, err);
    galley_server_free(srv);
    return rc;
}

#endif
