/* tests/guide/04-bodies.c — docs/guide/04-bodies.md: a body in memory, in a file, read, taken on
 * the loop; limits; answers before the end. */
#include "support_guide.h"

static void whole(galley_test *t)
{
    WANT(ask_with(t, "POST /notes", "fish") == 201 && said("4 bytes noted\n"));
    WANT(ask(t, "POST /notes") == 400);
    WANT(ask_with(t, "POST /notes\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n") == 201);
    WANT(said("3 bytes noted\n"));
    WANT(ask_with(t, "POST /measure", "spooled") == 200 && said("7 bytes\n"));
    WANT(ask_with(t, "PUT /count", "0123456789") == 200 && said("10 bytes\n"));
    WANT(ask_with(t, "POST /sum", "\1\2\3") == 200 && said("6\n"));
}

static bool answers(galley_test_conn *c, const char *text)
{
    return strstr(galley_test_received(c).ptr, text);
}

static galley_test_conn *begin(galley_test *t, const char *head)
{
    galley_test_conn *c = galley_test_connect(t);
    WANT(galley_test_send(c, head, strlen(head)) == 0);
    return c;
}

static void too_long_too_slow_cut_off(galley_test *t)
{
    WANT(answers(begin(t, "POST /notes HTTP/1.1\r\nHost: t\r\nContent-Length: 4097\r\n\r\n"),
                 " 413 "));
    galley_test_conn *slow =
        begin(t, "PUT /count HTTP/1.1\r\nHost: t\r\nContent-Length: 9999\r\n\r\nx");
    galley_test_advance(t, 4000);
    WANT(galley_test_received(slow).len == 0);
    galley_test_advance(t, 2000);
    WANT(answers(slow, " 408 "));
    galley_test_conn *cut =
        begin(t, "PUT /count HTTP/1.1\r\nHost: t\r\nContent-Length: 9999\r\n\r\nx");
    galley_test_shutdown(cut);
    WANT(answers(cut, " 400 "));
}

static void early(galley_test *t)
{
    galley_test_conn *c = begin(t, "PUT /store HTTP/1.1\r\nHost: t\r\nContent-Length: 99\r\n"
                                   "Expect: 100-continue\r\n\r\n");
    WANT(answers(c, " 401 ") && !answers(c, "100 Continue"));
    c = begin(t, "PUT /store HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nAuthorization: x\r\n"
                 "Expect: 100-continue\r\n\r\n");
    WANT(answers(c, "100 Continue"));
    galley_test_send(c, "ab", 2);
    WANT(answers(c, "2 bytes"));
}

int main(void)
{
    galley_server *srv = make_server();
    galley_route_options streamed = GALLEY_ROUTE_OPTIONS_INIT;
    streamed.body = GALLEY_BODY_STREAM;
    block_1(srv, NULL, NULL);
    block_2(srv, NULL, NULL);
    block_3(srv, NULL, NULL);
    block_4(srv, NULL, NULL);
    galley_server_route(srv, "PUT /store", store, NULL, &streamed);
    galley_test *t = drive(srv);
    whole(t);
    too_long_too_slow_cut_off(t);
    early(t);
    galley_test_free(t);
    galley_server_free(srv);
}
