/* server/test_conn.c — the byte interface of galley/test.h: clients in the simulated world. On the
 * thread that calls. */
#include "base/alloc.h"

#include "server/test_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { CLIENT_PORT = 49152 }; /* the first of those that clients have */

/* ---- connecting ---- */

/* 0: no address. */
static socklen_t parse_address(struct sockaddr_storage *ret, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(CLIENT_PORT)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(CLIENT_PORT)};
    *ret = (struct sockaddr_storage){0};
    if (strcmp(text, "unix") == 0) {
        ret->ss_family = AF_UNIX;
        return sizeof ret->ss_family;
    }
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(ret, &in, sizeof in);
        return sizeof in;
    }
    if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
        memcpy(ret, &in6, sizeof in6);
        return sizeof in6;
    }
    return 0;
}

int test_open_peer(galley_test *t, const char *address, struct sim_peer **ret_peer)
{
    struct sockaddr_storage from;
    socklen_t len = parse_address(&from, address);
    if (len == 0) {
        return GALLEY_EINVAL;
    }
    if (t->server->loops[0].open_acceptors == 0) {
        return GALLEY_ECLOSED;
    }
    struct sim_peer *peer = sim_connect(test_loop(t), t->listener.fd);
    if (!peer) {
        return GALLEY_ENOMEM;
    }
    sim_set_address(peer, (const struct sockaddr *)&from, len);
    sim_set_window(peer, TEST_WINDOW_BYTES);
    *ret_peer = peer;
    return GALLEY_OK;
}

static galley_test_conn *connect_from(galley_test *t, const char *address)
{
    galley_test_conn *c = mem_alloc_zero(1, sizeof *c);
    if (!c || test_open_peer(t, address, &c->peer) != GALLEY_OK) {
        mem_free(c);
        return NULL;
    }
    c->test = t;
    list_push_back(&t->conns, &c->link);
    (void)test_settle(t, sim_errands(test_loop(t)), NULL, NULL);
    return c;
}

galley_test_conn *galley_test_connect_from(galley_test *t, const char *address)
{
    if (!address || test_enter(t) != GALLEY_OK) {
        return NULL;
    }
    galley_test_conn *c = connect_from(t, address);
    (void)test_leave(t, GALLEY_OK);
    return c;
}

galley_test_conn *galley_test_connect(galley_test *t)
{
    return galley_test_connect_from(t, "127.0.0.1");
}

void test_conns_hang_up(galley_test *t)
{
    for (struct list *at = t->conns.next; at != &t->conns; at = at->next) {
        galley_test_conn *c = CONTAINER_OF(at, galley_test_conn, link);
        sim_peer_free(c->peer);
        c->peer = NULL;
    }
}

void test_conns_free(galley_test *t)
{
    test_conns_hang_up(t);
    struct list *link;
    while ((link = list_pop_front(&t->conns))) {
        mem_free(CONTAINER_OF(link, galley_test_conn, link));
    }
}

/* ---- use ---- */

/* As test_enter(); the client must not have hung up. */
static int enter(galley_test_conn *c)
{
    int rc = test_enter(c ? c->test : NULL);
    return rc == GALLEY_OK && !c->peer ? test_leave(c->test, GALLEY_ECLOSED) : rc;
}

static int settle_and_leave(galley_test_conn *c)
{
    return test_leave(c->test, test_settle(c->test, 0, NULL, NULL));
}

int galley_test_send(galley_test_conn *c, const void *data, size_t len)
{
    int rc = data || len == 0 ? enter(c) : GALLEY_EINVAL;
    if (rc != GALLEY_OK) {
        return rc;
    }
    rc = sim_is_closed(c->peer) ? GALLEY_ECLOSED : sim_send(c->peer, data, len);
    return rc == GALLEY_OK ? settle_and_leave(c) : test_leave(c->test, rc);
}

int galley_test_window(galley_test_conn *c, size_t bytes)
{
    int rc = enter(c);
    if (rc != GALLEY_OK) {
        return rc;
    }
    sim_set_window(c->peer, bytes);
    return settle_and_leave(c);
}

int galley_test_shutdown(galley_test_conn *c)
{
    int rc = enter(c);
    if (rc != GALLEY_OK) {
        return rc;
    }
    sim_shutdown(c->peer);
    return settle_and_leave(c);
}

int galley_test_hangup(galley_test_conn *c)
{
    int rc = enter(c);
    if (rc != GALLEY_OK) {
        return rc;
    }
    sim_reset(c->peer); /* FIN alone would say that it still reads: RFC 9293 §3.6 */
    sim_peer_free(c->peer);
    c->peer = NULL;
    return settle_and_leave(c);
}

galley_str galley_test_received(galley_test_conn *c)
{
    if (!c) {
        return (galley_str){NULL, 0};
    }
    if (!c->peer) {
        return (galley_str){"", 0};
    }
    struct span received = sim_received_text(c->peer);
    return (galley_str){received.ptr, received.len};
}

bool galley_test_is_closed(galley_test_conn *c)
{
    return c && (!c->peer || sim_is_closed(c->peer));
}
