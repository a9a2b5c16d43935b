/* tests/unit/conn/test_proxy.c — connections of proxies: the header is read before all else, and
 * nobody but a proxy sends one. Over the sim loop; the header's own rules are tested in net/. */
#include "support_conn.h"

#include "base/alloc.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define HEADER "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"

struct proxied {
    struct conn_world world;
    struct networks proxies;
    const struct protocol *spoken[1];
    struct conn_entry entry;
    struct sim_peer *peer;
    struct conn *conn;
};

/* A client from 10.0.0.1, where the proxies are in `network`. */
static void open_proxied(struct proxied *p, const char *network)
{
    conn_world_open(&p->world);
    p->proxies = (struct networks){0};
    EXPECT_INT(networks_add(&p->proxies, span_of(network), NULL), 0);
    p->spoken[0] = &p->world.protocol;
    p->entry =
        (struct conn_entry){.proxies = &p->proxies, .protocols = p->spoken, .protocol_count = 1};
}

static void connect_proxied(struct proxied *p)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(4000)};
    EXPECT_INT(inet_pton(AF_INET, "10.0.0.1", &from.sin_addr), 1);
    int fd = -1;
    p->peer = sim_pair(p->world.loop, &fd);
    sim_set_address(p->peer, (struct sockaddr *)&from, sizeof from);
    p->conn = conn_create_by(&p->world.set, fd, &p->entry);
    sim_run(p->world.loop);
}

static void close_proxied(struct proxied *p)
{
    conn_world_close(&p->world);
    sim_peer_free(p->peer);
    networks_finish(&p->proxies);
}

static void send_text(struct proxied *p, const char *text)
{
    EXPECT_INT(sim_send(p->peer, text, strlen(text)), 0);
    sim_run(p->world.loop);
}

static void expect_peer(const struct conn *conn, const char *host, unsigned port)
{
    char text[ADDRESS_TEXT_MAX];
    peer_address_format(text, &conn->peer);
    EXPECT_TEXT(text, host);
    EXPECT_INT(conn->peer.port, port);
}

TEST(the_client_is_whom_the_proxy_names)
{
    struct proxied p;
    open_proxied(&p, "10.0.0.0/8");
    connect_proxied(&p);
    EXPECT_INT(p.conn->state, CONN_HANDSHAKE);
    expect_peer(p.conn, "10.0.0.1", 4000);
    send_text(&p, HEADER "hello");
    EXPECT_INT(p.conn->state, CONN_FIRST);
    expect_peer(p.conn, "192.0.2.7", 56324);
    EXPECT_INT(p.world.told.opened, 1);
    EXPECT_INT(p.world.told.bytes, 5);
    send_text(&p, " again");
    EXPECT_INT(p.world.told.bytes, 11);
    close_proxied(&p);
    EXPECT_INT(p.world.told.closed, 1);
}

TEST(a_header_may_come_byte_by_byte)
{
    struct proxied p;
    open_proxied(&p, "10.0.0.1");
    connect_proxied(&p);
    sim_set_max_read(p.peer, 1);
    send_text(&p, HEADER "hello");
    expect_peer(p.conn, "192.0.2.7", 56324);
    EXPECT_INT(p.world.told.bytes, 5);
    close_proxied(&p);
}

/* More than a header may be long comes in one piece: nothing of it is lost. */
TEST(what_stands_behind_a_header_is_the_clients)
{
    struct proxied p;
    char bytes[sizeof HEADER + 20000];
    memcpy(bytes, HEADER, sizeof HEADER - 1);
    memset(bytes + sizeof HEADER - 1, 'x', 20000);
    open_proxied(&p, "10.0.0.1");
    p.world.limits.max_pending_in = 65536;
    connect_proxied(&p);
    EXPECT_INT(sim_send(p.peer, bytes, sizeof HEADER - 1 + 20000), 0);
    sim_run(p.world.loop);
    EXPECT_INT(p.world.told.bytes, 20000);
    close_proxied(&p);
}

TEST(a_header_that_tells_nobody_leaves_the_peer)
{
    struct proxied p;
    open_proxied(&p, "10.0.0.1");
    connect_proxied(&p);
    send_text(&p, "PROXY UNKNOWN\r\n");
    EXPECT_INT(p.conn->state, CONN_FIRST);
    expect_peer(p.conn, "10.0.0.1", 4000);
    EXPECT_INT(p.world.told.received, 0);
    close_proxied(&p);
}

TEST(who_is_no_proxy_is_not_asked_for_a_header)
{
    struct proxied p;
    open_proxied(&p, "10.0.0.2");
    connect_proxied(&p);
    EXPECT_INT(p.conn->state, CONN_FIRST);
    send_text(&p, HEADER);
    expect_peer(p.conn, "10.0.0.1", 4000);
    EXPECT_INT(p.world.told.bytes, sizeof HEADER - 1);
    close_proxied(&p);
}

TEST(a_proxy_without_a_header_is_closed)
{
    struct proxied p;
    open_proxied(&p, "10.0.0.1");
    connect_proxied(&p);
    send_text(&p, "GET / HTTP/1.1\r\n\r\n");
    EXPECT(sim_is_closed(p.peer));
    EXPECT_INT(sim_received(p.peer).len, 0);
    EXPECT_INT(counter_read(&p.world.set.counters.closed[CLOSE_BAD_PROXY_HEADER]), 1);
    EXPECT_INT(p.world.told.opened, 0);
    close_proxied(&p);
}

TEST(a_proxy_that_goes_or_waits_is_closed)
{
    struct proxied p;
    open_proxied(&p, "10.0.0.1");
    connect_proxied(&p);
    send_text(&p, "PROXY ");
    sim_shutdown(p.peer);
    sim_run(p.world.loop);
    EXPECT(sim_is_closed(p.peer));
    close_proxied(&p);
    open_proxied(&p, "10.0.0.1");
    connect_proxied(&p);
    send_text(&p, "PROXY ");
    sim_advance(p.world.loop, p.world.limits.handshake_ms + 1);
    EXPECT(sim_is_closed(p.peer));
    EXPECT_INT(counter_read(&p.world.set.counters.closed[CLOSE_HANDSHAKE_TIMEOUT]), 1);
    close_proxied(&p);
    open_proxied(&p, "10.0.0.1");
    connect_proxied(&p);
    conn_set_drain(&p.world.set);
    sim_run(p.world.loop);
    EXPECT(sim_is_closed(p.peer));
    close_proxied(&p);
}

TEST(without_memory_a_proxy_is_closed_and_nothing_is_left)
{
    bool did_fail = true;
    for (uint64_t n = 1; did_fail; n++) {
        struct proxied p;
        open_proxied(&p, "10.0.0.1");
        struct sockaddr_in from = {.sin_family = AF_INET};
        EXPECT_INT(inet_pton(AF_INET, "10.0.0.1", &from.sin_addr), 1);
        int fd = -1;
        p.peer = sim_pair(p.world.loop, &fd);
        sim_set_address(p.peer, (struct sockaddr *)&from, sizeof from);
        mem_fail_nth(n);
        p.conn = conn_create_by(&p.world.set, fd, &p.entry);
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT((p.conn == NULL) == did_fail);
        sim_run(p.world.loop);
        close_proxied(&p);
    }
}
