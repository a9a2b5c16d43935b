/* tests/fault/test_net_syscalls.c — the system calls of loop/ and net/: how many there are, and
 * what happens when one fails. Over the epoll backend, with real sockets. */
#include "base/list.h"
#include "net/listener.h"
#include "net/transport.h"
#include "support_wrap.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- a server of one connection ---- */

struct conn {
    struct transport transport;
    struct loop_op reading, writing;
    struct iovec iov[2];
    bool is_open, is_closing;
    ssize_t received, sent;
    unsigned recvs, sends, closed;
};

struct site {
    struct loop *loop;
    struct listener listener;
    struct acceptor *acceptor;
    struct acceptor_counters counters;
    struct conn conn;
    unsigned acceptor_closed;
    int client;
    void (*serve)(int fd); /* called for an accepted connection; NULL: the test does it */
};

static struct site site;

static void conn_closed(struct transport *transport)
{
    CONTAINER_OF(transport, struct conn, transport)->closed++;
}

static void on_accepted(void *ctx, struct acceptor *acceptor, int fd)
{
    (void)ctx;
    (void)acceptor;
    if (site.conn.is_open ||
        transport_plain_open(&site.conn.transport, site.loop, fd, conn_closed) < 0) {
        loop_close_fd(site.loop, fd);
        return;
    }
    site.conn.is_open = true;
    if (site.serve) {
        site.serve(fd);
    }
}

static void on_acceptor_closed(void *ctx, struct acceptor *acceptor)
{
    (void)ctx;
    (void)acceptor;
    site.acceptor_closed++;
}

static const struct acceptor_owner owner = {.accepted = on_accepted, .closed = on_acceptor_closed};

static int open_site(void)
{
    struct address address;
    galley_error err = {0};
    site = (struct site){.listener.fd = -1, .client = -1};
    signal(SIGPIPE, SIG_IGN);
    EXPECT_INT(address_parse(&address, SPAN("127.0.0.1:0"), NULL), 0);
    site.loop = loop_create(NULL, &err);
    if (site.loop && listener_open(&site.listener, &address, &err) == 0) {
        site.acceptor =
            acceptor_create(site.loop, &site.listener, &owner, &site.counters, NULL, &err);
    }
    EXPECT((site.acceptor != NULL) == (err.code == 0));
    EXPECT(err.code == 0 || err.message[0] != '\0');
    return err.code;
}

static int patience = 300; /* turns of at most 10 ms */

static bool turn_until(const bool *flag, const unsigned *count)
{
    for (int i = 0; i < patience && !(flag && *flag) && !(count && *count); i++) {
        loop_turn(site.loop, 10);
    }
    return (flag && *flag) || (count && *count);
}

static bool connect_client(void)
{
    const struct address *address = &site.listener.address;
    site.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return site.client >= 0 &&
           connect(site.client, (const struct sockaddr *)&address->storage, address->len) == 0 &&
           turn_until(&site.conn.is_open, NULL);
}

static void close_site(void)
{
    wrap_reset();
    patience = 300;
    if (site.conn.is_open) {
        transport_close(&site.conn.transport, false);
        EXPECT(turn_until(NULL, &site.conn.closed));
    }
    if (site.acceptor) {
        acceptor_close(site.acceptor);
        EXPECT(turn_until(NULL, &site.acceptor_closed));
    }
    loop_destroy(site.loop);
    listener_close(&site.listener);
    if (site.client >= 0) {
        close(site.client);
    }
}

static void open_connected_site(void)
{
    EXPECT_INT(open_site(), 0);
    EXPECT(connect_client());
    loop_turn(site.loop, 0); /* the first, writable event */
    wrap_reset();
}

static void client_says(const char *text)
{
    EXPECT_INT(sendto(site.client, text, strlen(text), MSG_NOSIGNAL, NULL, 0), strlen(text));
}

static void received(struct loop_op *op)
{
    site.conn.received = op->result;
    site.conn.recvs++;
}

static void sent(struct loop_op *op)
{
    site.conn.sent = op->result;
    site.conn.sends++;
}

static void start_recv(void)
{
    site.conn.recvs = 0;
    transport_recv(&site.conn.transport, &site.conn.reading, 100, received);
}

static void start_send(int pieces)
{
    static char bytes[] = "answer";
    site.conn.sends = 0;
    site.conn.iov[0] = site.conn.iov[1] = (struct iovec){bytes, 6};
    transport_send(&site.conn.transport, &site.conn.writing, site.conn.iov, pieces, sent);
}

/* ---- how many ---- */

static void answer(struct loop_op *op)
{
    if (op->result > 0) {
        site.conn.recvs++;
        start_send(1);
        transport_recv(&site.conn.transport, op, 100, answer);
    }
}

/* performance.md: no system call but recv and send. */
TEST(a_keep_alive_exchange_costs_one_recv_one_send_and_one_wait)
{
    open_connected_site();
    transport_recv(&site.conn.transport, &site.conn.reading, 100, answer);
    loop_turn(site.loop, 0);
    wrap_reset();
    enum { EXCHANGES = 20 };
    for (int i = 0; i < EXCHANGES; i++) {
        client_says("request");
        struct pollfd answered = {.fd = site.client, .events = POLLIN};
        loop_turn(site.loop, 1000);
        EXPECT_INT(poll(&answered, 1, 1000), 1);
        char bytes[8];
        EXPECT_INT(read(site.client, bytes, 6), 6);
    }
    EXPECT_INT(site.conn.recvs, EXCHANGES);
    EXPECT_INT(wrap_calls(WRAP_RECV), EXCHANGES);
    EXPECT_INT(wrap_calls(WRAP_SEND), EXCHANGES);
    EXPECT_INT(wrap_calls(WRAP_EPOLL_WAIT), EXCHANGES);
    EXPECT_INT(wrap_calls(WRAP_EPOLL_CTL) + wrap_calls(WRAP_SENDMSG) + wrap_calls(WRAP_WRITE) +
                   wrap_calls(WRAP_SETSOCKOPT) + wrap_calls(WRAP_ACCEPT4),
               0);
    close_site();
}

static void close_conn(struct loop_op *op)
{
    EXPECT_INT(op->result, 6);
    transport_close(&site.conn.transport, false);
    site.conn.is_open = false;
}

static void answer_last(struct loop_op *op)
{
    EXPECT_INT(op->result, 7);
    start_send(1);
    site.conn.writing.done = close_conn;
}

static void serve_once(int fd)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);
    EXPECT_INT(loop_peer_name(site.loop, fd, (struct sockaddr *)&peer, &len), 0);
    EXPECT_INT(len, sizeof(peer));
    EXPECT_INT(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK);
    EXPECT(peer.sin_port != 0);
    transport_recv(&site.conn.transport, &site.conn.reading, 100, answer_last);
}

/* docs/decisions: a client that is answered in the turn that accepts it is never made known to
 * epoll, its address comes with it, and nobody looks in vain for another one. */
TEST(a_connection_of_one_request_costs_accept_recv_send_close_and_a_wait)
{
    EXPECT_INT(open_site(), 0);
    site.serve = serve_once;
    site.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct address *address = &site.listener.address;
    EXPECT_INT(connect(site.client, (const struct sockaddr *)&address->storage, address->len), 0);
    client_says("request");
    wrap_reset();
    EXPECT(turn_until(NULL, &site.conn.closed));
    EXPECT_INT(wrap_calls(WRAP_ACCEPT4), 1);
    EXPECT_INT(wrap_calls(WRAP_RECV), 1);
    EXPECT_INT(wrap_calls(WRAP_SEND), 1);
    EXPECT_INT(wrap_calls(WRAP_EPOLL_WAIT), 1);
    EXPECT_INT(
        wrap_calls(WRAP_EPOLL_CTL) + wrap_calls(WRAP_GETPEERNAME) + wrap_calls(WRAP_SETSOCKOPT), 0);
    char bytes[8];
    EXPECT_INT(read(site.client, bytes, 8), 6);
    EXPECT_INT(read(site.client, bytes, 8), 0);
    close_site();
}

static void count_post(struct loop_post *post)
{
    (void)post;
    site.conn.recvs++;
}

TEST(posts_to_a_busy_loop_cost_no_system_call)
{
    EXPECT_INT(open_site(), 0);
    wrap_reset();
    struct loop_post posts[5];
    for (int i = 0; i < 5; i++) {
        posts[i].run = count_post;
        loop_post(site.loop, &posts[i]);
    }
    loop_turn(site.loop, GALLEY_FOREVER);
    EXPECT_INT(site.conn.recvs, 5);
    EXPECT_INT(wrap_calls(WRAP_WRITE), 0);
    close_site();
}

/* ---- EINTR ---- */

TEST(interrupted_calls_are_made_again)
{
    open_connected_site();
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    wrap_fail(WRAP_RECV, 0, 3, EINTR);
    wrap_fail(WRAP_SEND, 0, 3, EINTR);
    wrap_fail(WRAP_SENDMSG, 0, 3, EINTR);
    wrap_fail(WRAP_SENDFILE, 0, 3, EINTR);
    wrap_fail(WRAP_EPOLL_WAIT, 0, 3, EINTR);
    client_says("hello");
    start_recv();
    EXPECT(turn_until(NULL, &site.conn.recvs));
    EXPECT_INT(site.conn.received, 5);
    start_send(1);
    EXPECT(turn_until(NULL, &site.conn.sends));
    EXPECT_INT(site.conn.sent, 6);
    start_send(2);
    EXPECT(turn_until(NULL, &site.conn.sends));
    EXPECT_INT(site.conn.sent, 12);
    site.conn.sends = 0;
    transport_send_file(&site.conn.transport, &site.conn.writing, fd, 1, 3, sent);
    EXPECT(turn_until(NULL, &site.conn.sends));
    EXPECT_INT(site.conn.sent, 3);
    close(fd);
    close_site();
}

TEST(a_wake_up_that_is_interrupted_is_made_again)
{
    EXPECT_INT(open_site(), 0);
    wrap_reset();
    wrap_fail(WRAP_WRITE, 0, 2, EINTR);
    errno = ENOTTY;
    loop_wake(site.loop);
    EXPECT_INT(errno, ENOTTY); /* signal handlers depend on it */
    EXPECT_INT(wrap_calls(WRAP_WRITE), 3);
    loop_turn(site.loop, GALLEY_FOREVER); /* returns */
    close_site();
}

/* ---- errors that reach the caller ---- */

TEST(errors_of_io_are_the_result)
{
    open_connected_site();
    client_says("x");
    wrap_fail(WRAP_RECV, 0, 1, ETIMEDOUT);
    start_recv();
    EXPECT(turn_until(NULL, &site.conn.recvs));
    EXPECT_INT(site.conn.received, -ETIMEDOUT);
    wrap_fail(WRAP_SEND, 0, 1, ENOBUFS);
    start_send(1);
    EXPECT(turn_until(NULL, &site.conn.sends));
    EXPECT_INT(site.conn.sent, -ENOBUFS);
    wrap_fail(WRAP_SENDFILE, 0, 1, EIO); /* the disk */
    site.conn.sends = 0;
    transport_send_file(&site.conn.transport, &site.conn.writing, 0, 0, 1, sent);
    EXPECT(turn_until(NULL, &site.conn.sends));
    EXPECT_INT(site.conn.sent, -EIO);
    close_site();
}

TEST(a_full_socket_is_tried_again_at_the_next_event)
{
    open_connected_site();
    wrap_fail(WRAP_SEND, 0, 1, EAGAIN);
    start_send(1);
    loop_turn(site.loop, 0);
    loop_turn(site.loop, 0);
    EXPECT_INT(site.conn.sends, 0);
    EXPECT_INT(wrap_calls(WRAP_SEND), 1); /* and not before */
    client_says("x");                     /* an event tells of both directions */
    EXPECT(turn_until(NULL, &site.conn.sends));
    EXPECT_INT(site.conn.sent, 6);
    close_site();
}

/* ---- accepting ---- */

TEST(errors_of_the_network_and_of_gone_clients_are_skipped_by_accept)
{
    const int skipped[] = {EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTUNREACH, EPERM};
    for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
        EXPECT_INT(open_site(), 0);
        wrap_reset();
        wrap_fail(WRAP_ACCEPT4, 0, 3, skipped[i]);
        EXPECT(connect_client());
        EXPECT_INT(counter_read(&site.counters.accepted), 1);
        EXPECT_INT(counter_read(&site.counters.out_of_fds), 0);
        close_site();
    }
}

TEST(an_accept_that_fails_for_ever_does_not_spin_inside_a_turn)
{
    EXPECT_INT(open_site(), 0);
    wrap_reset();
    wrap_fail(WRAP_ACCEPT4, 0, 40, ECONNABORTED);
    EXPECT(connect_client()); /* after some turns */
    EXPECT(wrap_calls(WRAP_EPOLL_WAIT) >= 3);
    close_site();
}

TEST(out_of_descriptors_or_memory_accepting_rests_and_goes_on)
{
    const int shortages[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};
    for (size_t i = 0; i < sizeof(shortages) / sizeof(shortages[0]); i++) {
        EXPECT_INT(open_site(), 0);
        wrap_reset();
        wrap_fail(WRAP_ACCEPT4, 0, 2, shortages[i]); /* the refusal's accept, too: it waits */
        EXPECT(connect_client());
        EXPECT_INT(counter_read(&site.counters.out_of_fds), 1);
        EXPECT_INT(counter_read(&site.counters.refused), 0);
        close_site();
    }
}

TEST(a_listener_that_epoll_does_not_take_is_tried_again_after_a_pause)
{
    wrap_reset();
    wrap_fail(WRAP_EPOLL_CTL, 1, 1, ENOSPC); /* the first is the loop's own */
    EXPECT_INT(open_site(), 0);
    EXPECT(connect_client());
    close_site();
}

/* It is taken at the first wait, when it has an owner who waits for something. */
TEST(a_connection_that_epoll_does_not_take_fails_what_waits_on_it)
{
    EXPECT_INT(open_site(), 0);
    wrap_reset();
    EXPECT(connect_client());
    wrap_fail(WRAP_EPOLL_CTL, 0, 1, ENOMEM);
    start_recv();
    EXPECT(turn_until(NULL, &site.conn.recvs));
    EXPECT_INT(site.conn.received, -ENOMEM);
    start_recv(); /* an owner who tries again is not forgotten */
    loop_turn(site.loop, 0);
    client_says("hello");
    EXPECT(turn_until(NULL, &site.conn.recvs));
    EXPECT_INT(site.conn.received, 5);
    close_site();
}

TEST(a_connection_that_is_closed_before_epoll_knows_it_leaves_nothing_there)
{
    EXPECT_INT(open_site(), 0);
    EXPECT(connect_client());
    wrap_reset();
    transport_close(&site.conn.transport, false);
    EXPECT(turn_until(NULL, &site.conn.closed));
    loop_turn(site.loop, 0);
    EXPECT_INT(wrap_calls(WRAP_EPOLL_CTL), 0);
    site.conn.is_open = false;
    close_site();
}

/* A quiet turn does not look for a second client; the listener tells of it again. */
TEST(clients_that_came_together_are_all_accepted_without_a_try_in_vain)
{
    EXPECT_INT(open_site(), 0);
    enum { CLIENTS = 5 };
    int clients[CLIENTS];
    const struct address *address = &site.listener.address;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_INT(connect(clients[i], (const struct sockaddr *)&address->storage, address->len),
                   0);
    }
    wrap_reset();
    for (int i = 0; i < patience && counter_read(&site.counters.accepted) < CLIENTS; i++) {
        loop_turn(site.loop, 10);
    }
    EXPECT_INT(counter_read(&site.counters.accepted), CLIENTS);
    EXPECT_INT(wrap_calls(WRAP_ACCEPT4), CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        close(clients[i]);
    }
    close_site();
}

static void poll_done(struct loop_op *op);
static void nothing_closed(struct loop_socket *socket);

/* With much else to do it does, so that newcomers are not starved by those who are served. */
TEST(a_turn_with_much_to_do_accepts_several_clients)
{
    EXPECT_INT(open_site(), 0);
    enum { READY = 16, CLIENTS = 5, EXPECTED = 1 + READY / 8 };
    struct loop_socket ready[READY];
    struct loop_op polls[READY] = {0};
    int clients[CLIENTS];
    for (int i = 0; i < READY; i++) {
        int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        EXPECT_INT(loop_socket_open(site.loop, &ready[i], fd, LOOP_SOCKET_FOREIGN, nothing_closed),
                   0);
        loop_poll(site.loop, &ready[i], &polls[i], poll_done);
    }
    const struct address *address = &site.listener.address;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_INT(connect(clients[i], (const struct sockaddr *)&address->storage, address->len),
                   0);
    }
    loop_turn(site.loop, 10);
    EXPECT_INT(site.conn.recvs, READY);
    EXPECT_INT(counter_read(&site.counters.accepted), EXPECTED);
    for (int i = 0; i < READY; i++) {
        loop_socket_close(site.loop, &ready[i], false);
    }
    site.conn.closed = 0;
    EXPECT(turn_until(NULL, &site.conn.closed));
    for (int i = 0; i < CLIENTS; i++) {
        close(clients[i]);
    }
    site.conn.closed = 0;
    close_site();
}

static void poll_done(struct loop_op *op)
{
    site.conn.received = op->result;
    site.conn.recvs++;
}

static void nothing_closed(struct loop_socket *socket)
{
    (void)socket;
    site.conn.closed++;
}

TEST(a_poll_that_cannot_be_armed_ends_with_the_error)
{
    EXPECT_INT(open_site(), 0);
    struct loop_socket foreign;
    struct loop_op op = {0};
    int fds[2];
    EXPECT_INT(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    EXPECT_INT(loop_socket_open(site.loop, &foreign, fds[0], LOOP_SOCKET_FOREIGN, nothing_closed),
               0);
    wrap_reset();
    wrap_fail(WRAP_EPOLL_CTL, 0, 1, ENOMEM);
    loop_poll(site.loop, &foreign, &op, poll_done);
    EXPECT_INT(site.conn.recvs, 0);
    EXPECT(turn_until(NULL, &site.conn.recvs));
    EXPECT_INT(site.conn.received, -ENOMEM);
    loop_socket_close(site.loop, &foreign, false);
    EXPECT(turn_until(NULL, &site.conn.closed));
    close(fds[1]);
    close_site();
}

/* ---- every call once ---- */

static void exchange(void)
{
    if (!connect_client()) {
        return;
    }
    client_says("hello");
    start_recv();
    turn_until(NULL, &site.conn.recvs);
    for (int pieces = 1; pieces <= 2; pieces++) {
        start_send(pieces);
        turn_until(NULL, &site.conn.sends);
        loop_cancel(site.loop, &site.conn.writing);
        loop_turn(site.loop, 0);
    }
    loop_cancel(site.loop, &site.conn.reading);
    loop_turn(site.loop, 0);
    loop_wake(site.loop);
}

/* Returns whether a call was left to fail. Runs in a child of the runner: what leaks, it sees. */
static bool exchange_with_failure(unsigned n, int sys_errno)
{
    wrap_reset();
    wrap_fail_nth(n, sys_errno);
    patience = 30; /* much never comes here */
    if (open_site() == 0) {
        exchange();
    }
    bool has_failed = wrap_has_failed();
    close_site();
    return has_failed;
}

TEST(whichever_call_is_interrupted_the_exchange_ends_well)
{
    unsigned n = 1;
    for (;; n++) {
        wrap_reset();
        wrap_fail_nth(n, EINTR);
        if (open_site() != 0) {
            close_site(); /* a call of the set-up, which nothing interrupts in practice */
            continue;
        }
        exchange();
        bool has_failed = wrap_has_failed();
        if (site.conn.is_open) {
            EXPECT(site.conn.received == 5 && site.conn.sent == 12);
        }
        close_site();
        if (!has_failed) {
            break;
        }
    }
    EXPECT(n > 15);
}

TEST(whichever_call_fails_nothing_is_left_behind)
{
    unsigned n = 1;
    while (exchange_with_failure(n, ENOMEM)) {
        n++;
    }
    EXPECT(n > 15);
}
