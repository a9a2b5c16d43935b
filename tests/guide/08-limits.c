/* tests/guide/08-limits.c — docs/guide/08-limits.md: the numbers in its tables. */
#include "support_guide.h"

static int allocate(galley_request *rq, galley_response *rs, void *arg)
{
    return galley_alloc(rq, strtoul(galley_req_query(rq).ptr, NULL, 10)) ? 200 : GALLEY_ENOMEM;
}

static int give_much(galley_request *rq, galley_response *rs, void *arg)
{
    static const char much[1024 * 1024];
    return galley_res_data(rs, 200, NULL, much, sizeof much, NULL, NULL);
}

static int status_of_long(galley_test *t, const char *before, size_t len)
{
    static char request[64 * 1024];
    int begin = snprintf(request, sizeof request, "%s", before);
    memset(request + begin, 'x', len);
    request[(size_t)begin + len] = '\0';
    return ask(t, request);
}

static int status_with_fields(galley_test *t, int count)
{
    char request[4000];
    int len = snprintf(request, sizeof request, "GET /much");
    for (int i = 0; i < count; i++) {
        len += snprintf(request + len, sizeof request - (size_t)len, "\nX: y");
    }
    return ask(t, request);
}

static void sizes(galley_test *t)
{
    static char body[1024 * 1024 + 1];
    WANT(status_of_long(t, "GET /much?", 8 * 1024 - 7) == 200);
    WANT(status_of_long(t, "GET /much?", 8 * 1024) == 414);
    WANT(status_of_long(t, "GET /much\nX: ", 15 * 1024) == 200);
    WANT(status_of_long(t, "GET /much\nX: ", 16 * 1024) == 431);
    WANT(status_with_fields(t, 99) == 200 && status_with_fields(t, 100) == 431); /* and Host */
    WANT(galley_test_call(t, "POST /body", body, sizeof body - 1, &last) == 0 &&
         last.status == 200);
    WANT(galley_test_call(t, "POST /body", body, sizeof body, &last) == 0 && last.status == 413);
    WANT(ask(t, "GET /alloc?1000000") == 200 && ask(t, "GET /alloc?1048577") == 503);
}

static galley_test_conn *begin(galley_test *t, const char *bytes)
{
    galley_test_conn *c = galley_test_connect(t);
    WANT(galley_test_send(c, bytes, strlen(bytes)) == 0);
    return c;
}

/* Silent for `ok_ms`, ended `more_ms` later; what came last holds `text`. */
static void ends_between(galley_test *t, galley_test_conn *c, uint32_t ok_ms, uint32_t more_ms,
                         const char *text)
{
    size_t before = galley_test_received(c).len;
    galley_test_advance(t, ok_ms);
    WANT(!galley_test_is_closed(c) && galley_test_received(c).len == before);
    galley_test_advance(t, more_ms);
    WANT(galley_test_is_closed(c) || galley_test_received(c).len > before);
    WANT(strstr(galley_test_received(c).ptr, text));
}

static void times(galley_test *t)
{
    ends_between(t, galley_test_connect(t), 9900, 200, "408");
    ends_between(t, begin(t, "GET /mu"), 9900, 200, "408");
    ends_between(t, begin(t, "POST /body HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n"), 4900,
                 200, "408");
    ends_between(t, begin(t, "GET /small HTTP/1.1\r\nHost: t\r\n\r\n"), 59900, 200, "");
    galley_test_conn *slow = galley_test_connect(t);
    galley_test_window(slow, 100);
    galley_test_send(slow, "GET /much HTTP/1.1\r\nHost: t\r\n\r\n", 32);
    ends_between(t, slow, 9900, 300, "HTTP/1.1 200");
}

int main(void)
{
    galley_server *srv = make_server();
    block_2(srv, NULL, NULL);
    galley_server_route(srv, "GET /metrics", metrics, srv, NULL);
    galley_server_route(srv, "GET /much", give_much, NULL, NULL);
    galley_server_route(srv, "GET /small", upload, NULL, NULL);
    galley_server_route(srv, "POST /body", upload, NULL, NULL);
    galley_server_route(srv, "GET /alloc", allocate, NULL, NULL);
    galley_test *t = drive(srv);
    sizes(t);
    times(t);
    WANT(ask(t, "GET /metrics") == 200 && strstr(last.body.ptr, "\nclosed_idle_timeout 1\n"));
    WANT(ask_with(t, "PUT /upload", "abc") == 200 && said("3 bytes\n"));
    galley_test_free(t);
    galley_server_free(srv);
}
