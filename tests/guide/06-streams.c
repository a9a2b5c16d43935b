/* tests/guide/06-streams.c — docs/guide/06-streams.md: pieces, a source, server-sent events with
 * their heartbeat and slow readers, a WebSocket with its pings and its end. */
#include "support_guide.h"

static galley_test_conn *begin(galley_test *t, const char *head)
{
    galley_test_conn *c = galley_test_connect(t);
    WANT(galley_test_send(c, head, strlen(head)) == 0);
    return c;
}

static bool has_got(galley_test_conn *c, const char *bytes, size_t len)
{
    galley_str got = galley_test_received(c);
    return memmem(got.ptr, got.len, bytes, len);
}

static void pieces_and_sources(galley_test *t)
{
    WANT(ask(t, "GET /rows") == 200);
    WANT(strncmp(last.body.ptr, "0,0\n1,2\n", 8) == 0 && strstr(last.body.ptr, "\n99999,199998\n"));
    WANT(ask(t, "GET /stars") == 200 && last.body.len == 1000000 && last.body.ptr[999999] == '*');
    WANT(strcmp(galley_test_header(t, &last, "content-length").ptr, "1000000") == 0);
}

static void events(galley_test *t)
{
    galley_test_conn *c = begin(t, "GET /events HTTP/1.1\r\nHost: t\r\n\r\n");
    WANT(strstr(galley_test_received(c).ptr, "Content-Type: text/event-stream"));
    WANT(listener_count == 1);
    announce("land ahead\nat last");
    galley_test_advance(t, 0);
    WANT(strstr(galley_test_received(c).ptr, "event: news\ndata: land ahead\ndata: at last\n\n"));
    size_t before = galley_test_received(c).len;
    galley_test_advance(t, 14000);
    WANT(galley_test_received(c).len == before);
    galley_test_advance(t, 2000);
    WANT(galley_test_received(c).len > before); /* the heartbeat */
    galley_test_hangup(c);
    WANT(listener_count == 0);
}

static void a_slow_reader_is_closed(galley_test *t)
{
    static char much[1000];
    memset(much, 'x', sizeof much - 1);
    galley_test_conn *c = begin(t, "GET /events HTTP/1.1\r\nHost: t\r\n\r\n");
    galley_test_window(c, 100);
    for (int i = 0; i < 1000 && listener_count; i++) {
        announce(much);
        galley_test_advance(t, 0);
    }
    galley_test_hangup(c);
    WANT(listener_count == 0);
}

#define HANDSHAKE                                                                                  \
    "GET /echo HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"               \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void socket_that_echoes(galley_test *t)
{
    WANT(ask(t, "GET /echo") == 426);
    galley_test_conn *other = begin(t, HANDSHAKE "Origin: http://evil.example\r\n\r\n");
    WANT(strstr(galley_test_received(other).ptr, " 403 "));
    galley_test_conn *c = begin(t, HANDSHAKE "\r\n");
    WANT(strstr(galley_test_received(c).ptr, " 101 "));
    WANT(galley_test_send(c, "\x81\x82\0\0\0\0hi", 8) == 0);
    WANT(has_got(c, "\x81\x02hi", 4));
    galley_test_advance(t, 31000);
    WANT(has_got(c, "\x89", 1) && !galley_test_is_closed(c)); /* a ping */
    galley_test_advance(t, 31000);
    WANT(galley_test_is_closed(c));
}

static void the_end(galley_test *t, galley_server *srv)
{
    galley_test_conn *stream = begin(t, "GET /events HTTP/1.1\r\nHost: t\r\n\r\n");
    galley_test_conn *socket = begin(t, HANDSHAKE "\r\n");
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    galley_test_advance(t, 0);
    WANT(has_got(stream, "\r\n0\r\n\r\n", 7));
    WANT(has_got(socket, "\x03\xe9the server stops", 18)); /* 1001, and why */
}

int main(void)
{
    galley_server *srv = make_server();
    block_1(srv, NULL, NULL);
    block_2(srv, NULL, NULL);
    galley_server_route(srv, "GET /rows", export_rows, NULL, NULL);
    galley_server_route(srv, "GET /stars", stars, NULL, NULL);
    galley_test *t = drive(srv);
    pieces_and_sources(t);
    events(t);
    a_slow_reader_is_closed(t);
    socket_that_echoes(t);
    the_end(t, srv);
    galley_test_free(t);
    galley_server_free(srv);
}
