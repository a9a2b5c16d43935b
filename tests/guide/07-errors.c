/* tests/guide/07-errors.c — docs/guide/07-errors.md: what results become, what mistakes come to. */
#include "support_guide.h"

int find_price(const char *item)
{
    return (int)strtol(item, NULL, 10); /* the item is its price here, or its code */
}

static int two_bodies(galley_request *rq, galley_response *rs, void *arg)
{
    int rc = galley_res_text(rs, 200, "one");
    return rc ? rc : galley_res_text(rs, 200, "two") == GALLEY_ESTATE ? 0 : 200;
}

static int bad_header(galley_request *rq, galley_response *rs, void *arg)
{
    WANT(galley_res_header(rs, "X-Said", "a\r\nb") == GALLEY_EINVAL);
    return galley_res_text(rs, 200, "");
}

static int number(galley_request *rq, galley_response *rs, void *arg)
{
    galley_res_header(rs, "X-Kept", "1");
    return (int)strtol(galley_req_param(rq, "n").ptr, NULL, 10);
}

static int status_of(galley_test *t, const char *form, int value)
{
    char request[64];
    snprintf(request, sizeof request, form, value);
    return ask(t, request);
}

static void results(galley_test *t)
{
    static const struct {
        int code, status;
    } rows[] = {{GALLEY_ENOTFOUND, 404},
                {GALLEY_EACCESS, 403},
                {GALLEY_ETOOBIG, 413},
                {GALLEY_EPROTO, 400},
                {GALLEY_EFULL, 503},
                {GALLEY_ETIMEDOUT, 503},
                {GALLEY_ENOMEM, 503},
                {GALLEY_ESYS, 500},
                {0, 410},
                {12, 200}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        WANT(status_of(t, "GET /price/%d", rows[i].code) == rows[i].status);
    }
    WANT(ask(t, "GET /order") == 422 && said("{\"status\":422,\"detail\":\"Which item?\"}\n"));
    WANT(status_of(t, "GET /number/%d", 404) == 404 && galley_test_header(t, &last, "x-kept").ptr);
    WANT(last.body.len > 0); /* the server's short page */
    WANT(status_of(t, "GET /number/%d", -11) == 404 && !galley_test_header(t, &last, "x-kept").ptr);
}

static void mistakes(galley_test *t, galley_server *srv)
{
    WANT(!has_mistakes(srv));
    WANT(ask(t, "GET /header") == 200 && !galley_test_header(t, &last, "x-said").ptr);
    WANT(!has_mistakes(srv));
    WANT(status_of(t, "GET /number/%d", 99) == 500 && status_of(t, "GET /number/%d", 100) == 500);
    WANT(has_mistakes(srv));
    WANT(ask(t, "GET /two") == 500);
    WANT(galley_server_route(srv, "GET /late", order, NULL, NULL) == GALLEY_ESTATE);
    WANT(galley_server_route(NULL, "GET /late", order, NULL, NULL) == GALLEY_EINVAL);
}

int main(void)
{
    galley_server *srv = make_server();
    galley_server_route(srv, "GET /price/{item}", price, NULL, NULL);
    galley_server_route(srv, "GET /order", order, NULL, NULL);
    galley_server_route(srv, "GET /number/{n}", number, NULL, NULL);
    galley_server_route(srv, "GET /two", two_bodies, NULL, NULL);
    galley_server_route(srv, "GET /header", bad_header, NULL, NULL);
    galley_test *t = drive(srv);
    results(t);
    mistakes(t, srv);
    galley_test_free(t);
    galley_server_free(srv);
    WANT(!open_server("192.0.2.1:1")); /* and says why on standard error */
}
