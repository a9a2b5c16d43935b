/* Connections over several loops: clients that come one by one are spread, nobody waits behind a
 * loop that is held up, and a server that stops, or is out of memory, loses none of their
 * descriptors (the harness looks). */
#include "test.h"

#include "base/alloc.h"
#include "server/server_state.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 100, PATIENCE_MS = 20000 };

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int held;

static int reply(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, "ok\n");
}

static int hold(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    atomic_store(&held, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return galley_res_text(rs, 200, "held\n");
}

static galley_server *start(unsigned loops)
{
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    on_loop.run = GALLEY_ON_LOOP;
    opt.loops = loops;
    opt.max_connections = 1000;
    galley_server *srv = galley_server_new(&opt, NULL);
    EXPECT(srv != NULL);
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    EXPECT_INT(galley_server_route(srv, "/", reply, NULL, &on_loop), 0);
    EXPECT_INT(galley_server_route(srv, "/hold", hold, NULL, &on_loop), 0);
    EXPECT_INT(galley_server_start(srv, NULL), 0);
    return srv;
}

static int connect_to(const galley_server *srv)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)galley_server_port(srv, 0))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void ask(int fd, const char *path)
{
    char text[64];
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    (void)send(fd, text, (size_t)len, MSG_NOSIGNAL);
}

/* Bytes, or 0 for the end however it came. */
static size_t answer(int fd)
{
    char data[1024];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    EXPECT_INT(poll(&wait, 1, PATIENCE_MS), 1);
    ssize_t len = recv(fd, data, sizeof data, 0);
    return len > 0 ? (size_t)len : 0;
}

static unsigned conns_of(const galley_server *srv, unsigned loop)
{
    return atomic_load(&srv->loops[loop].conns_now);
}

static bool is_balanced(const galley_server *srv, unsigned clients)
{
    unsigned first = conns_of(srv, 0), second = conns_of(srv, 1);
    EXPECT_INT(first + second, clients);
    return first >= clients / 5 && second >= clients / 5;
}

/* A client is given away to a loop that sleeps: on a machine with other work that can take a while,
 * but what came meanwhile is made up for. */
TEST(test_clients_that_come_one_by_one_are_spread_over_the_loops)
{
    enum { TURNS = 10 };
    galley_server *srv = start(2);
    int fds[TURNS * CLIENTS];
    unsigned count = 0;
    do {
        for (int i = 0; i < CLIENTS; i++) {
            fds[count] = connect_to(srv);
            ask(fds[count], "/");
            EXPECT(answer(fds[count]) > 0);
            count++;
        }
    } while (!is_balanced(srv, count) && count < TURNS * CLIENTS);
    EXPECT(is_balanced(srv, count));
    while (count > 0) {
        close(fds[--count]);
    }
    galley_server_free(srv);
}

TEST(test_nobody_waits_behind_a_loop_that_is_held_up)
{
    galley_server *srv = start(2);
    int fds[CLIENTS];
    pthread_mutex_lock(&gate);
    int holder = connect_to(srv);
    ask(holder, "/hold");
    while (!atomic_load(&held)) {
        usleep(1000);
    }
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = connect_to(srv);
        ask(fds[i], "/");
        EXPECT(answer(fds[i]) > 0);
    }
    pthread_mutex_unlock(&gate);
    EXPECT(answer(holder) > 0);
    close(holder);
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    galley_server_free(srv);
}

TEST(test_a_stop_while_clients_come_loses_no_descriptor)
{
    for (int round = 0; round < 20; round++) {
        galley_server *srv = start(3);
        int fds[CLIENTS];
        for (int i = 0; i < CLIENTS; i++) {
            fds[i] = connect_to(srv);
            if (i == CLIENTS / 2) {
                galley_server_stop(srv, round % 2 ? GALLEY_STOP_NOW : GALLEY_STOP_DRAIN);
            }
        }
        galley_server_free(srv);
        for (int i = 0; i < CLIENTS; i++) {
            if (fds[i] >= 0) {
                close(fds[i]);
            }
        }
    }
}

#ifdef GALLEY_FAULTS
TEST(test_without_memory_a_client_is_served_or_closed)
{
    galley_server *srv = start(2);
    int first = connect_to(srv); /* so that one loop has more */
    ask(first, "/");
    EXPECT(answer(first) > 0);
    unsigned answered = 0;
    for (uint64_t n = 1; n <= 12; n++) {
        mem_fail_nth(n);
        int fd = connect_to(srv);
        ask(fd, "/");
        answered += answer(fd) > 0;
        mem_fail_nth(0);
        close(fd);
    }
    EXPECT(answered > 0);
    close(first);
    galley_server_free(srv);
}
#endif
