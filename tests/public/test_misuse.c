/* What bad use of a server and of a request gets: a code or a zero value, never a crash. */
#include "support_server.h"

static int pass(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rq;
    (void)rs;
    (void)arg;
    return galley_next(chain);
}

static void expect_sticky(galley_server *srv, const char *word)
{
    galley_error err = {0};
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_EINVAL);
    if (!strstr(err.message, word)) {
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.message, word);
    }
    galley_server_free(srv);
}

TEST(test_missing_arguments_are_sticky_sentences)
{
    galley_server_options opt = options();
    galley_server *srv = make(&opt);
    EXPECT_INT(galley_server_listen(srv, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_route(srv, NULL, give_text, NULL, NULL), GALLEY_EINVAL);
    expect_sticky(srv, "address"); /* the first failure counts */
    srv = make(&opt);
    EXPECT_INT(galley_server_route(srv, NULL, give_text, NULL, NULL), GALLEY_EINVAL);
    expect_sticky(srv, "pattern");
    srv = make(&opt);
    EXPECT_INT(galley_server_route(srv, "/x", NULL, NULL, NULL), GALLEY_EINVAL);
    expect_sticky(srv, "handler");
    srv = make(&opt);
    EXPECT_INT(galley_server_fallback(srv, NULL, NULL, NULL), GALLEY_EINVAL);
    expect_sticky(srv, "handler");
    srv = make(&opt);
    EXPECT_INT(galley_server_use(srv, NULL, pass, NULL), GALLEY_EINVAL);
    expect_sticky(srv, "prefix");
    srv = make(&opt);
    EXPECT_INT(galley_server_use(srv, "/", NULL, NULL), GALLEY_EINVAL);
    expect_sticky(srv, "function");
}

TEST(test_route_options_are_checked_by_name)
{
    galley_server_options opt = options();
    galley_route_options bad = GALLEY_ROUTE_OPTIONS_INIT;
    galley_server *srv = make(&opt);
    bad.max_waiting = 1;
    EXPECT_INT(galley_server_route(srv, "/x", give_text, NULL, &bad), GALLEY_EINVAL);
    expect_sticky(srv, "max_waiting");
    srv = make(&opt);
    bad = (galley_route_options)GALLEY_ROUTE_OPTIONS_INIT;
    bad.body = 4;
    EXPECT_INT(galley_server_fallback(srv, give_text, NULL, &bad), GALLEY_EINVAL);
    expect_sticky(srv, "body");
    opt.spool_dir = "/nowhere/at/all";
    galley_error err = {0};
    EXPECT(!galley_server_new(&opt, &err));
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT(strstr(err.message, "spool_dir"));
}

TEST(test_a_refused_route_leaves_no_gate_behind)
{
    galley_server_options opt = options();
    galley_route_options gated = GALLEY_ROUTE_OPTIONS_INIT;
    galley_server *srv = make(&opt);
    gated.max_running = 1;
    EXPECT_INT(galley_server_route(srv, "GET /", give_text, NULL, &gated), GALLEY_ECONFLICT);
    EXPECT_INT(galley_server_route(srv, "/{", give_text, NULL, &gated), GALLEY_EINVAL);
    EXPECT_INT(galley_server_route(srv, "/gate", give_text, NULL, &gated), 0);
    EXPECT_INT(galley_server_fallback(srv, give_text, NULL, &gated), 0);
    EXPECT_INT(galley_server_fallback(srv, give_text, NULL, &gated), GALLEY_ECONFLICT);
    galley_server_free(srv); /* the harness looks for what is left */
}

TEST(test_set_up_calls_after_the_start_are_estate)
{
    galley_server_options opt = options();
    galley_server *srv = make(&opt);
    start(srv);
    for (unsigned i = 0; i < 2; i++) { /* while it runs, and when it has ended */
        EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), GALLEY_ESTATE);
        EXPECT_INT(galley_server_route(srv, "/x", give_text, NULL, NULL), GALLEY_ESTATE);
        EXPECT_INT(galley_server_route(srv, NULL, NULL, NULL, NULL), GALLEY_ESTATE);
        EXPECT_INT(galley_server_fallback(srv, give_text, NULL, NULL), GALLEY_ESTATE);
        EXPECT_INT(galley_server_use(srv, "/", pass, NULL), GALLEY_ESTATE);
        galley_server_stop(srv, GALLEY_STOP_DRAIN);
        EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
    }
    galley_server_free(srv);
}

TEST(test_null_requests_give_zero_values)
{
    size_t it = 0;
    galley_str name = {"untouched", 9}, value = name;
    EXPECT_INT(galley_req_method(NULL), GALLEY_OTHER);
    EXPECT(!galley_req_method_name(NULL).ptr && !galley_req_path(NULL).ptr);
    EXPECT(!galley_req_target(NULL).ptr && !galley_req_query(NULL).ptr);
    EXPECT(!galley_req_query_param(NULL, "x").ptr && !galley_req_host(NULL).ptr);
    EXPECT(!galley_req_param(NULL, "x").ptr && !galley_req_header(NULL, "x").ptr);
    EXPECT(!galley_req_cookie(NULL, "x").ptr && !galley_req_peer(NULL).ptr);
    EXPECT(!galley_req_next_header(NULL, &it, &name, &value));
    EXPECT_TEXT(name.ptr, "untouched");
    EXPECT_INT(galley_req_version(NULL), 0);
    EXPECT(!galley_req_is_tls(NULL));
    EXPECT_INT(galley_req_peer_addr(NULL, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_req_content_length(NULL), 0);
    EXPECT(!galley_alloc(NULL, 1) && !galley_sprintf(NULL, "x"));
    EXPECT_INT(galley_on_end(NULL, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_req_set(NULL, &it, &it), GALLEY_EINVAL);
    EXPECT(!galley_req_get(NULL, &it));
    EXPECT_INT(galley_next(NULL), GALLEY_EINVAL);
}

static int ask_for_null(galley_request *rq, galley_response *rs, void *arg)
{
    size_t it = 0;
    galley_str view;
    (void)arg;
    EXPECT(!galley_req_query_param(rq, NULL).ptr && !galley_req_param(rq, NULL).ptr);
    EXPECT(!galley_req_header(rq, NULL).ptr && !galley_req_cookie(rq, NULL).ptr);
    EXPECT(!galley_req_next_header(rq, NULL, &view, &view));
    EXPECT(!galley_req_next_header(rq, &it, NULL, &view));
    EXPECT(!galley_req_next_header(rq, &it, &view, NULL));
    EXPECT_INT(galley_req_peer_addr(rq, NULL, NULL), GALLEY_EINVAL);
    EXPECT(!galley_sprintf(rq, NULL));
    EXPECT_INT(galley_on_end(rq, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_req_set(rq, NULL, rq), GALLEY_EINVAL);
    EXPECT(!galley_req_get(rq, NULL));
    EXPECT(!galley_alloc(rq, SIZE_MAX));
    EXPECT(!galley_alloc(rq, 1 << 30)); /* over max_memory */
    return galley_res_text(rs, 200, "fine");
}

TEST(test_null_arguments_in_a_handler_give_zero_values)
{
    galley_server_options opt = options();
    galley_server *srv = make(&opt);
    EXPECT_INT(galley_server_route(srv, "/ask", ask_for_null, NULL, NULL), 0);
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/ask"), &reply);
    EXPECT_TEXT(reply.body, "fine");
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}
