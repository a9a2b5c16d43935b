/* bench/load/client_load.c — closed loop: each connection sends, waits for the whole answer, and
 * sends again. Connecting and a warm-up come before the measured interval, so the server's CPU time
 * in it is that of requests alone. Both last until there are as many answers as connections. See client.h. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { MAX_EVENTS = 512, BUFFER_BYTES = 256 * 1024, STALL_MS = 10000 };

struct conn {
    struct link link;
    unsigned next;  /* request to send next                    */
    unsigned due;   /* request whose answer is read            */
    unsigned open;  /* sent and not answered                   */
    size_t unsent;  /* of the request before `next`            */
    uint64_t since; /* when the batch was sent, or the handshake begun */
    struct reader reader;
};

struct load {
    const struct options *options;
    int epoll;
    struct conn *conns;
    bool is_measuring;
    uint64_t requests, bytes; /* measured */
    uint64_t sent, answered;  /* in all   */
    struct histogram latency;
};

static void watch(struct load *load, struct conn *conn, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(load->epoll, operation, conn->link.fd, &event) != 0) {
        fail("epoll_ctl");
    }
}

/* Sends what is left of the request before `next`; true when nothing is left. */
static bool send_rest(struct load *load, struct conn *conn)
{
    const struct options *options = load->options;
    unsigned index = (conn->next + options->request_count - 1) % options->request_count;
    const struct request *request = &options->requests[index];
    while (conn->unsent > 0) {
        const char *from = request->bytes + request->len - conn->unsent;
        ssize_t put = link_send(&conn->link, from, conn->unsent);
        if (put < 0 && errno == EAGAIN) {
            watch(load, conn, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return false;
        }
        if (put < 0) {
            fail("send");
        }
        conn->unsent -= (size_t)put;
    }
    return true;
}

/* A pipelined batch is one request here: the runner puts `depth` of them into its bytes. */
static void send_next(struct load *load, struct conn *conn)
{
    conn->since = now_ns();
    conn->unsent = load->options->requests[conn->next].len;
    conn->due = conn->next;
    conn->next = (conn->next + 1) % load->options->request_count;
    conn->open = load->options->depth;
    load->sent += load->options->depth;
    send_rest(load, conn);
}

static void open_conn(struct load *load, struct conn *conn)
{
    conn->since = now_ns();
    link_connect(&conn->link, load->options);
    reader_init(&conn->reader);
    watch(load, conn, EPOLL_CTL_ADD, EPOLLIN);
    if (conn->link.is_open) {
        send_next(load, conn);
    }
}

static void count_answers(struct load *load, struct conn *conn, unsigned finished)
{
    conn->open -= finished;
    load->answered += finished;
    if (load->is_measuring) {
        load->requests += finished;
        histogram_add(&load->latency, now_ns() - conn->since);
    }
}

static void take(struct load *load, struct conn *conn, const char *data, size_t len)
{
    const struct request *due = &load->options->requests[conn->due];
    unsigned finished = 0;
    while (len > 0) {
        if (finished == conn->open) {
            fail_with("bytes behind the last answer");
        }
        size_t taken = reader_take(&conn->reader, due, data, len, &finished);
        data += taken;
        len -= taken;
    }
    if (finished > 0) {
        count_answers(load, conn, finished);
    }
    if (conn->open == 0 && !load->options->closes) {
        send_next(load, conn);
    }
}

static void on_end(struct load *load, struct conn *conn)
{
    if (!load->options->closes || conn->open > 0) {
        fail_with("the server closed a connection early");
    }
    link_close(&conn->link);
    open_conn(load, conn);
}

/* True: there is more that was read from the socket already. */
static bool read_some(struct load *load, struct conn *conn)
{
    static char buffer[BUFFER_BYTES];
    ssize_t got = link_recv(&conn->link, buffer, sizeof buffer);
    if (got > 0) {
        load->bytes += load->is_measuring ? (uint64_t)got : 0;
        take(load, conn, buffer, (size_t)got);
        return link_has_more(&conn->link);
    }
    if (got == 0) {
        on_end(load, conn);
    } else if (errno != EAGAIN) {
        fail("recv");
    }
    return false;
}

static void on_readable(struct load *load, struct conn *conn)
{
    if (!conn->link.is_open) {
        uint64_t begun = conn->since;
        if (!link_shake(&conn->link)) {
            return;
        }
        send_next(load, conn);
        conn->since = begun; /* the handshake is part of what is measured */
    }
    while (read_some(load, conn)) {
    }
}

static void turn(struct load *load)
{
    struct epoll_event events[MAX_EVENTS];
    int count = epoll_wait(load->epoll, events, MAX_EVENTS, STALL_MS);
    if (count == 0) {
        fail_with("no answer for %d s", STALL_MS / 1000);
    }
    for (int i = 0; i < count; i++) {
        struct conn *conn = events[i].data.ptr;
        if ((events[i].events & EPOLLOUT) && send_rest(load, conn)) {
            watch(load, conn, EPOLL_CTL_MOD, EPOLLIN);
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            on_readable(load, conn);
        }
    }
}

static void run_for(struct load *load, double seconds)
{
    uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
    uint64_t enough = load->answered + load->options->connections;
    while (now_ns() < until || load->answered < enough) {
        turn(load);
    }
}

void run_load(const struct options *options)
{
    struct load load = {.options = options, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    load.conns = need(calloc(options->connections, sizeof *load.conns));
    for (unsigned i = 0; i < options->connections; i++) {
        load.conns[i].next = i % options->request_count;
        open_conn(&load, &load.conns[i]);
    }
    run_for(&load, warm_up_of(options));

    load.is_measuring = true;
    uint64_t begin = now_ns(), cpu_begin = cpu_ns_of(options);
    run_for(&load, options->seconds);
    uint64_t cpu = cpu_ns_of(options) - cpu_begin, took = now_ns() - begin;
    print_measured(&(struct measured){.requests = load.requests,
                                      .sent = load.sent,
                                      .bytes = load.bytes,
                                      .took_ns = took,
                                      .cpu_ns = cpu},
                   &load.latency);
}
