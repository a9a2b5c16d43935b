/* tests/unit/net/test_acceptor.c — accepting, pausing and running out of descriptors; over sim, and
 * where the kernel matters over epoll. */
#include "base/alloc.h"
#include "loop/sim.h"
#include "net/listener.h"
#include "net/socket.h"
#include "net/transport.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_ACCEPTED = 64 };

struct host {
    struct loop *loop;
    struct listener listener;
    struct acceptor *acceptor;
    struct acceptor_counters counters;
    int fds[MAX_ACCEPTED];
    unsigned accepted, closed, lines;
    bool pause_after_each;
    struct span refusal;
};

static void on_accepted(void *ctx, struct acceptor *acceptor, int fd)
{
    struct host *host = ctx;
    EXPECT(host->accepted < MAX_ACCEPTED);
    host->fds[host->accepted++] = fd;
    if (host->pause_after_each) {
        acceptor_pause(acceptor);
    }
}

static void on_closed(void *ctx, struct acceptor *acceptor)
{
    struct host *host = ctx;
    EXPECT(acceptor == host->acceptor);
    host->closed++;
}

static void on_line(void *ctx, int level, const char *line)
{
    struct host *host = ctx;
    EXPECT(level <= LOG_WARNING && strstr(line, "accept on"));
    host->lines++;
}

static struct log_sink sink = {.write = on_line, .level = LOG_DEBUG};

static void start_acceptor(struct host *host)
{
    const struct acceptor_owner owner = {
        .accepted = on_accepted, .closed = on_closed, .ctx = host, .refusal = host->refusal};
    sink.ctx = host;
    host->acceptor =
        acceptor_create(host->loop, &host->listener, &owner, &host->counters, &sink, NULL);
    EXPECT(host->acceptor != NULL);
}

static void open_sim_host(struct host *host)
{
    const struct loop_options options = {.backend = LOOP_BACKEND_SIM};
    *host = (struct host){.loop = loop_create(&options, NULL)};
    host->listener.fd = sim_listener(host->loop);
    snprintf(host->listener.name, sizeof(host->listener.name), "sim");
    start_acceptor(host);
}

static void close_sim_host(struct host *host)
{
    acceptor_close(host->acceptor);
    sim_run(host->loop);
    EXPECT_INT(host->closed, 1);
    for (unsigned i = 0; i < host->accepted; i++) {
        loop_close_fd(host->loop, host->fds[i]);
    }
    EXPECT_INT(sim_open_count(host->loop), 0);
    loop_destroy(host->loop);
}

TEST(each_client_is_handed_over_once)
{
    struct host host;
    struct sim_peer *peers[40];
    open_sim_host(&host);
    for (int i = 0; i < 40; i++) { /* more than one turn takes */
        peers[i] = sim_connect(host.loop, host.listener.fd);
    }
    EXPECT_INT(host.accepted, 0);
    sim_run(host.loop);
    EXPECT_INT(host.accepted, 40);
    EXPECT_INT(counter_read(&host.counters.accepted), 40);
    close_sim_host(&host);
    for (int i = 0; i < 40; i++) {
        EXPECT(sim_is_closed(peers[i]));
        sim_peer_free(peers[i]);
    }
}

TEST(a_paused_acceptor_takes_nobody_until_it_resumes)
{
    struct host host;
    open_sim_host(&host);
    acceptor_pause(host.acceptor);
    struct sim_peer *peer = sim_connect(host.loop, host.listener.fd);
    sim_advance(host.loop, 10000);
    EXPECT_INT(host.accepted, 0);
    acceptor_resume(host.acceptor);
    acceptor_resume(host.acceptor); /* twice is allowed */
    sim_run(host.loop);
    EXPECT_INT(host.accepted, 1);
    acceptor_pause(host.acceptor); /* and back before the cancelled accept was called back */
    acceptor_resume(host.acceptor);
    struct sim_peer *second = sim_connect(host.loop, host.listener.fd);
    sim_run(host.loop);
    EXPECT_INT(host.accepted, 2);
    close_sim_host(&host);
    sim_peer_free(peer);
    sim_peer_free(second);
}

TEST(pausing_inside_accepted_takes_no_further_client)
{
    struct host host;
    open_sim_host(&host);
    host.pause_after_each = true;
    struct sim_peer *first = sim_connect(host.loop, host.listener.fd);
    struct sim_peer *second = sim_connect(host.loop, host.listener.fd);
    sim_run(host.loop);
    EXPECT_INT(host.accepted, 1);
    acceptor_resume(host.acceptor);
    sim_run(host.loop);
    EXPECT_INT(host.accepted, 2);
    close_sim_host(&host);
    sim_peer_free(first);
    sim_peer_free(second);
}

/* http.md, limits: out of fds: accept backs off; a reserved fd answers 503; never spins. */
TEST(out_of_descriptors_a_few_clients_get_503_and_the_rest_wait)
{
    struct host host;
    struct sim_peer *peers[6];
    open_sim_host(&host);
    for (int i = 0; i < 6; i++) {
        peers[i] = sim_connect(host.loop, host.listener.fd);
    }
    sim_fail_accept(host.loop, EMFILE, 1);
    sim_run(host.loop);
    EXPECT_INT(host.accepted, 0);
    EXPECT_INT(counter_read(&host.counters.out_of_fds), 1);
    EXPECT_INT(counter_read(&host.counters.refused), 4);
    EXPECT(span_starts_with(sim_received(peers[0]), SPAN("HTTP/1.1 503 ")));
    EXPECT(span_ends_with(sim_received(peers[0]), SPAN("\r\n\r\n")));
    EXPECT(sim_is_closed(peers[3]) && !sim_is_closed(peers[4]));
    sim_advance(host.loop, 99);
    EXPECT_INT(host.accepted, 0);
    sim_advance(host.loop, 1);
    EXPECT_INT(host.accepted, 2); /* those who waited */
    EXPECT_INT(host.lines, 1);
    close_sim_host(&host);
    for (int i = 0; i < 6; i++) {
        sim_peer_free(peers[i]);
    }
}

TEST(while_there_are_no_descriptors_it_tries_ten_times_a_second_and_logs_once_a_second)
{
    struct host host;
    open_sim_host(&host);
    struct sim_peer *peers[50];
    for (int i = 0; i < 50; i++) {
        peers[i] = sim_connect(host.loop, host.listener.fd);
    }
    sim_fail_accept(host.loop, ENFILE, 1000);
    sim_advance(host.loop, 1000);
    EXPECT(counter_read(&host.counters.out_of_fds) <= 11);
    EXPECT(counter_read(&host.counters.out_of_fds) >= 10);
    EXPECT(counter_read(&host.counters.refused) <= 44);
    EXPECT_INT(host.lines,
               1); /* of the real clock's second, in which this test has ended long since */
    close_sim_host(&host);
    for (int i = 0; i < 50; i++) {
        sim_peer_free(peers[i]);
    }
}

TEST(an_empty_refusal_only_closes)
{
    struct host host;
    const struct loop_options options = {.backend = LOOP_BACKEND_SIM};
    host = (struct host){.loop = loop_create(&options, NULL), .refusal = SPAN("")};
    host.listener.fd = sim_listener(host.loop);
    start_acceptor(&host);
    struct sim_peer *peer = sim_connect(host.loop, host.listener.fd);
    sim_fail_accept(host.loop, EMFILE, 1);
    sim_run(host.loop);
    EXPECT(sim_is_closed(peer));
    EXPECT_INT(sim_received(peer).len, 0);
    close_sim_host(&host);
    sim_peer_free(peer);
}

TEST(an_unknown_error_of_accept_does_not_spin)
{
    struct host host;
    open_sim_host(&host);
    struct sim_peer *peer = sim_connect(host.loop, host.listener.fd);
    sim_fail_accept(host.loop, EIO, 1);
    sim_run(host.loop);
    EXPECT_INT(host.accepted, 0);
    sim_advance(host.loop, 100);
    EXPECT_INT(host.accepted, 1);
    close_sim_host(&host);
    sim_peer_free(peer);
}

TEST(closing_while_it_backs_off_leaves_nothing)
{
    struct host host;
    open_sim_host(&host);
    struct sim_peer *peer = sim_connect(host.loop, host.listener.fd);
    sim_fail_accept(host.loop, EMFILE, 5);
    sim_run(host.loop);
    close_sim_host(&host);
    sim_peer_free(peer);
}

TEST(each_allocation_may_fail)
{
    const struct loop_options options = {.backend = LOOP_BACKEND_SIM};
    struct loop *loop = loop_create(&options, NULL);
    struct host host = {.loop = loop, .listener.fd = sim_listener(loop), .listener.name = "sim"};
    const struct acceptor_owner owner = {
        .accepted = on_accepted, .closed = on_closed, .ctx = &host};
    for (uint64_t n = 1;; n++) {
        mem_fail_nth(n);
        galley_error err = {0};
        host.acceptor = acceptor_create(loop, &host.listener, &owner, &host.counters, NULL, &err);
        if (!mem_fail_happened()) {
            break;
        }
        EXPECT(!host.acceptor && err.code == GALLEY_ENOMEM);
    }
    mem_fail_nth(0);
    close_sim_host(&host);
}

/* ---- over the kernel ------------------------------------------------------------------------- */

static void open_tcp_host(struct host *host)
{
    struct address address;
    *host = (struct host){.loop = loop_create(NULL, NULL)};
    EXPECT_INT(address_parse(&address, SPAN("127.0.0.1:0"), NULL), 0);
    EXPECT_INT(listener_open(&host->listener, &address, NULL), 0);
    start_acceptor(host);
}

static int connect_client(const struct host *host)
{
    const struct address *address = &host->listener.address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(fd >= 0 && connect(fd, (const struct sockaddr *)&address->storage, address->len) == 0);
    return fd;
}

static void close_tcp_host(struct host *host)
{
    acceptor_close(host->acceptor);
    while (host->closed == 0) {
        loop_turn(host->loop, 10);
    }
    for (unsigned i = 0; i < host->accepted; i++) {
        close(host->fds[i]);
    }
    loop_destroy(host->loop);
    listener_close(&host->listener);
}

TEST(accepted_descriptors_are_nonblocking_close_on_exec_and_know_their_peer)
{
    struct host host;
    open_tcp_host(&host);
    int client = connect_client(&host);
    while (host.accepted == 0) {
        loop_turn(host.loop, 10);
    }
    EXPECT(fcntl(host.fds[0], F_GETFL) & O_NONBLOCK);
    EXPECT(fcntl(host.fds[0], F_GETFD) & FD_CLOEXEC);
    struct peer_address peer, own;
    socket_peer(host.fds[0], &peer);
    socket_local(client, &own);
    EXPECT(memcmp(&peer, &own, sizeof(peer)) == 0);
    close(client);
    close_tcp_host(&host);
}

TEST(a_paused_acceptor_does_not_wake_the_loop_for_clients_that_wait)
{
    struct host host;
    open_tcp_host(&host);
    acceptor_pause(host.acceptor);
    loop_turn(host.loop, 0);
    int client = connect_client(&host);
    int64_t before = loop_now_ms(host.loop);
    EXPECT(!loop_turn(host.loop, 20));
    EXPECT(loop_now_ms(host.loop) >= before + 15); /* it slept */
    EXPECT_INT(host.accepted, 0);
    acceptor_resume(host.acceptor);
    while (host.accepted == 0) {
        loop_turn(host.loop, 10);
    }
    close(client);
    close_tcp_host(&host);
}

TEST(two_loops_share_a_listener_and_closing_one_leaves_the_other)
{
    struct host host, other;
    open_tcp_host(&host);
    other = (struct host){.loop = loop_create(NULL, NULL), .listener = host.listener};
    start_acceptor(&other);
    acceptor_close(other.acceptor);
    loop_turn(other.loop, 0);
    loop_destroy(other.loop);
    EXPECT_INT(other.closed, 1);
    int client = connect_client(&host);
    while (host.accepted == 0) {
        loop_turn(host.loop, 10);
    }
    close(client);
    close_tcp_host(&host);
}

/* The kernel itself says EMFILE: RLIMIT_NOFILE leaves room for no descriptor at all. */
TEST(with_every_descriptor_used_a_client_is_told_503_and_served_when_one_is_free)
{
    struct host host;
    open_tcp_host(&host);
    int refused = connect_client(&host);
    struct rlimit before, none;
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    int highest = dup(0);
    close(highest);
    none = before;
    none.rlim_cur = (rlim_t)highest;
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (counter_read(&host.counters.refused) == 0) {
        loop_turn(host.loop, 10);
    }
    char answer[256] = {0};
    EXPECT(recv(refused, answer, sizeof(answer) - 1, 0) > 0);
    EXPECT(strstr(answer, "HTTP/1.1 503 ") == answer);
    EXPECT_INT(recv(refused, answer, sizeof(answer), 0), 0);
    EXPECT_INT(host.accepted, 0);
    EXPECT_INT(host.lines, 1);
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    int client = connect_client(&host);
    while (host.accepted == 0) {
        loop_turn(host.loop, 200);
    }
    close(client);
    close(refused);
    close_tcp_host(&host);
}

TEST(without_a_descriptor_for_the_reserve_an_acceptor_is_not_made)
{
    struct host host;
    open_tcp_host(&host);
    struct rlimit before, none;
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    const struct acceptor_owner owner = {.accepted = on_accepted, .ctx = &host};
    galley_error err;
    EXPECT(!acceptor_create(host.loop, &host.listener, &owner, &host.counters, NULL, &err));
    EXPECT_INT(err.sys_errno, EMFILE);
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    close_tcp_host(&host);
}

/* ---- transport ------------------------------------------------------------------------------- */

struct plain {
    struct transport transport;
    struct loop_op reading, writing;
    ssize_t received, sent;
    unsigned closed;
};

static void note_received(struct loop_op *op)
{
    CONTAINER_OF(op, struct plain, reading)->received = op->result;
}

static void note_sent(struct loop_op *op)
{
    CONTAINER_OF(op, struct plain, writing)->sent = op->result;
}

static void note_closed(struct transport *transport)
{
    CONTAINER_OF(transport, struct plain, transport)->closed++;
}

TEST(the_plain_transport_moves_bytes_as_they_are)
{
    const struct loop_options options = {.backend = LOOP_BACKEND_SIM};
    struct loop *loop = loop_create(&options, NULL);
    struct plain plain = {0};
    int fd;
    struct sim_peer *peer = sim_pair(loop, &fd);
    EXPECT_INT(transport_plain_open(&plain.transport, loop, fd, note_closed), 0);
    EXPECT_TEXT(plain.transport.ops->name, "plain");
    EXPECT_INT(sim_send(peer, "abc", 3), 0);
    transport_recv(&plain.transport, &plain.reading, 100, note_received);
    struct iovec iov = {(char[]){'x', 'y'}, 2};
    transport_send(&plain.transport, &plain.writing, &iov, 1, note_sent);
    sim_run(loop);
    EXPECT_INT(plain.received, 3);
    EXPECT_INT(plain.sent, 2);
    EXPECT_SPAN(sim_received(peer), "xy");
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    transport_send_file(&plain.transport, &plain.writing, file, 1, 3, note_sent);
    sim_run(loop);
    EXPECT_SPAN(sim_received(peer), "xyELF");
    close(file);
    EXPECT_INT(transport_shutdown_write(&plain.transport), 0);
    EXPECT(sim_is_closed(peer) && !sim_is_reset(peer));
    transport_close(&plain.transport, true);
    EXPECT_INT(plain.closed, 0);
    sim_run(loop);
    EXPECT_INT(plain.closed, 1);
    EXPECT(sim_is_reset(peer));
    sim_peer_free(peer);
    loop_destroy(loop);
}

TEST(a_transport_that_cannot_open_leaves_the_descriptor_to_the_caller)
{
    struct loop *loop = loop_create(NULL, NULL);
    struct plain plain = {0};
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* epoll refuses regular files */
    EXPECT_INT(transport_plain_open(&plain.transport, loop, fd, note_closed), -EPERM);
    EXPECT_INT(close(fd), 0);
    loop_destroy(loop);
}
