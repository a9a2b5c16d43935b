/* tests/public/support_test_client.h — for the tests of and with galley/test.h: a server, its test
 * client, and their end. */
#ifndef TESTS_PUBLIC_SUPPORT_TEST_CLIENT_H
#define TESTS_PUBLIC_SUPPORT_TEST_CLIENT_H

#include "test.h"

#include <galley/test.h>

static inline int give_text(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_text(rs, 200, arg);
}

static inline galley_server *make_with(const galley_server_options *opt)
{
    galley_error err = {0};
    galley_server *srv = galley_server_new(opt, &err);
    if (!srv) {
        test_fail(__FILE__, __LINE__, "server: %s", err.message);
    }
    return srv;
}

static inline galley_server *make(void)
{
    return make_with(NULL);
}

static inline galley_test *drive(galley_server *srv)
{
    galley_error err = {0};
    galley_test *t = galley_test_new(srv, &err);
    if (!t) {
        test_fail(__FILE__, __LINE__, "test client: %s", err.message);
    }
    return t;
}

static inline void end(galley_test *t, galley_server *srv)
{
    galley_test_free(t);
    galley_server_free(srv);
}

static inline galley_route_options on_loop(void)
{
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    opt.run = GALLEY_ON_LOOP;
    return opt;
}

static inline galley_route_options streamed(void)
{
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    opt.body = GALLEY_BODY_STREAM;
    return opt;
}

static inline bool has(galley_test_conn *c, const char *text)
{
    return strstr(galley_test_received(c).ptr, text) != NULL;
}

#define SEND(c, text) galley_test_send(c, text, strlen(text))
#define GET(target)   "GET " target " HTTP/1.1\r\nHost: t\r\n\r\n"

#endif
