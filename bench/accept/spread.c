/* bench/accept/spread.c — over which event loops connections are spread, and who waits when one is
 * held up: one socket that all loops wait on (galley's way) beside a socket for each loop
 * (SO_REUSEPORT: a server of one loop for each, in one process).
 *
 *     spread [ROUNDS [uring]]      with the second word the loops wait by io_uring
 *
 * Prints counts, no times; the tables in docs/scaling.md are its output. Client and loops in one
 * process, loopback. */
#include <galley/server.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_LOOPS = 4, MAX_CONNS = 64, HOLD_POLL_US = 1000, ANSWER_MS = 200 };

enum way { WAY_SHARED, WAY_REUSEPORT, WAY_COUNT };
static const char *const way_names[] = {"one socket", "SO_REUSEPORT"};

struct world {
    galley_server *servers[MAX_LOOPS];
    unsigned server_count;
    unsigned loops;
    int port;
};

static int io = GALLEY_IO_EPOLL;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- handlers, on the loop ---- */

static int reply_who(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_printf(rs, 200, NULL, "%ld\n", (long)syscall(SYS_gettid));
}

static pthread_mutex_t hold_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int is_held;

/* Holds its loop until the lock is given back. */
static int reply_hold(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    is_held = 1;
    pthread_mutex_lock(&hold_lock);
    pthread_mutex_unlock(&hold_lock);
    is_held = 0;
    return galley_res_text(rs, 200, "held\n");
}

/* ---- servers ---- */

static void add_server(struct world *world, unsigned loops, const char *address)
{
    galley_error err = {0};
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    pool.threads = 1;
    opt.pool_options = &pool;
    opt.loops = loops;
    opt.io = io;
    opt.max_connections = 1000;
    opt.stall_warn_ms = GALLEY_NO_LIMIT;
    on_loop.run = GALLEY_ON_LOOP;
    galley_server *srv = galley_server_new(&opt, &err);
    galley_server_listen(srv, address);
    galley_server_route(srv, "/who", reply_who, NULL, &on_loop);
    galley_server_route(srv, "/hold", reply_hold, NULL, &on_loop);
    if (galley_server_start(srv, &err) != 0) {
        fprintf(stderr, "spread: %s\n", err.message);
        exit(1);
    }
    world->servers[world->server_count++] = srv;
}

/* A listening socket of its own on the port that the first one got. */
static int reuseport_socket(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        fail("reuseport");
    }
    *port = ntohs(at.sin_port);
    return fd;
}

static void open_world(struct world *world, enum way way, unsigned loops)
{
    *world = (struct world){.loops = loops};
    if (way == WAY_SHARED) {
        add_server(world, loops, "127.0.0.1:0");
        world->port = galley_server_port(world->servers[0], 0);
        return;
    }
    for (unsigned i = 0; i < loops; i++) {
        char address[32];
        snprintf(address, sizeof address, "fd:%d", reuseport_socket(&world->port));
        add_server(world, 1, address);
    }
}

static void close_world(struct world *world)
{
    for (unsigned i = 0; i < world->server_count; i++) {
        galley_server_free(world->servers[i]);
    }
}

/* ---- clients ---- */

static int begin_connection(const struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)world->port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        fail("connect");
    }
    return fd;
}

static void ask(int fd, const char *path)
{
    char request[64];
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    if (send(fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
        fail("send");
    }
}

/* The number in the answer's body; -1: none in time. */
static long read_number(int fd, int timeout_ms)
{
    char data[1024];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, timeout_ms) <= 0) {
        return -1;
    }
    ssize_t len = recv(fd, data, sizeof data - 1, 0);
    data[len > 0 ? len : 0] = '\0';
    const char *body = strstr(data, "\r\n\r\n");
    return body ? strtol(body + 4, NULL, 10) : -1;
}

/* ---- what is counted ---- */

struct spread {
    long threads[MAX_LOOPS];
    unsigned counts[MAX_LOOPS];
};

static void count_thread(struct spread *spread, long thread)
{
    unsigned i = 0;
    while (i < MAX_LOOPS - 1 && spread->threads[i] != 0 && spread->threads[i] != thread) {
        i++;
    }
    spread->threads[i] = thread;
    spread->counts[i]++;
}

/* All connect, then all ask, then all answers are read: `at_once`; else one after the other. */
static struct spread connect_some(const struct world *world, unsigned count, bool at_once)
{
    struct spread spread = {{0}, {0}};
    int fds[MAX_CONNS];
    for (unsigned i = 0; i < count; i++) {
        fds[i] = begin_connection(world);
        ask(fds[i], "/who");
        if (!at_once) {
            count_thread(&spread, read_number(fds[i], -1));
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (at_once) {
            count_thread(&spread, read_number(fds[i], -1));
        }
        close(fds[i]);
    }
    return spread;
}

static unsigned least(const struct spread *spread, unsigned loops)
{
    unsigned count = spread->counts[0];
    for (unsigned i = 1; i < loops; i++) {
        count = spread->counts[i] < count ? spread->counts[i] : count;
    }
    return count;
}

static unsigned most(const struct spread *spread, unsigned loops)
{
    unsigned count = 0;
    for (unsigned i = 0; i < loops; i++) {
        count = spread->counts[i] > count ? spread->counts[i] : count;
    }
    return count;
}

/* Means over the rounds of the loop that got fewest and the one that got most. */
static void print_spread(enum way way, unsigned loops, unsigned count, bool at_once,
                         unsigned rounds)
{
    struct world world;
    unsigned fewest = 0, largest = 0;
    open_world(&world, way, loops);
    for (unsigned i = 0; i < rounds; i++) {
        struct spread spread = connect_some(&world, count, at_once);
        fewest += least(&spread, loops);
        largest += most(&spread, loops);
    }
    close_world(&world);
    printf("| %s | %u | %u | %s | %.1f | %.1f | %.1f |\n", way_names[way], loops, count,
           at_once ? "at once" : "one by one", (double)fewest / rounds, (double)count / loops,
           (double)largest / rounds);
}

/* How many of the newcomers are answered while one loop is held. */
static void print_held(enum way way, unsigned loops, unsigned count, unsigned rounds)
{
    struct world world;
    unsigned answered = 0;
    open_world(&world, way, loops);
    for (unsigned i = 0; i < rounds; i++) {
        int fds[MAX_CONNS];
        pthread_mutex_lock(&hold_lock);
        int holder = begin_connection(&world);
        ask(holder, "/hold");
        while (!is_held) {
            usleep(HOLD_POLL_US);
        }
        for (unsigned n = 0; n < count; n++) {
            fds[n] = begin_connection(&world);
            ask(fds[n], "/who");
        }
        for (unsigned n = 0; n < count; n++) {
            answered += read_number(fds[n], n == 0 ? ANSWER_MS : ANSWER_MS / 10) >= 0;
            close(fds[n]);
        }
        pthread_mutex_unlock(&hold_lock);
        (void)read_number(holder, -1);
        close(holder);
    }
    close_world(&world);
    printf("| %s | %u | %u | %.1f |\n", way_names[way], loops, count, (double)answered / rounds);
}

int main(int argc, char **argv)
{
    static const unsigned conns[] = {8, 32, 64};
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20;
    rounds = rounds ? rounds : 1;
    io = argc > 2 && strcmp(argv[2], "uring") == 0 ? GALLEY_IO_URING : GALLEY_IO_EPOLL;
    printf("| way | loops | connections | they come | fewest on a loop | even | most |\n"
           "|---|---|---|---|---|---|---|\n");
    for (unsigned loops = 2; loops <= MAX_LOOPS; loops *= 2) {
        for (unsigned i = 0; i < 2 * sizeof conns / sizeof *conns; i++) {
            for (int way = 0; way < WAY_COUNT; way++) {
                print_spread((enum way)way, loops, conns[i / 2], i % 2 != 0, rounds);
            }
        }
    }
    printf("\n| way | loops | newcomers | answered while a loop is held |\n|---|---|---|---|\n");
    for (unsigned loops = 2; loops <= MAX_LOOPS; loops *= 2) {
        for (int way = 0; way < WAY_COUNT; way++) {
            print_held((enum way)way, loops, 32, rounds > 5 ? 5 : rounds);
        }
    }
    return 0;
}
