/* bench/load/client_open.c — open loop: a request is due every 1/rate s, whatever became of those
 * before it, and its time counts from when it was due, also when this client was late. Answers may be
 * 200 or 503, which are counted apart; anything else ends the program. As many connections as
 * requests that wait, each used again when its answer is there. See client.h. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { BUFFER_BYTES = 16 * 1024, NS_PER_S = 1000000000, SERVED = 200, REFUSED = 503 };
static const uint64_t patience_ns = 10 * (uint64_t)NS_PER_S, step_ns = NS_PER_S / 100;

struct waiting {
    uint64_t due_ns;
    struct reader reader;
};

struct open_loop {
    const struct options *options;
    struct pollfd *polled;
    struct waiting *conns;
    unsigned *idle; /* indices of connections that wait for nothing */
    unsigned conn_count, idle_count, busy_count;
    uint64_t measured_from_ns, sent;
    struct histogram served, refused;
};

static unsigned connection_for_one(struct open_loop *loop)
{
    if (loop->idle_count > 0) {
        return loop->idle[--loop->idle_count];
    }
    if (loop->conn_count == loop->options->connections) {
        fail_with("%u requests wait: more than connections", loop->conn_count);
    }
    unsigned index = loop->conn_count++;
    loop->polled[index] = (struct pollfd){.fd = connect_to(loop->options->port), .events = POLLIN};
    reader_init(&loop->conns[index].reader);
    return index;
}

static void send_one(struct open_loop *loop, uint64_t due_ns)
{
    const struct request *request = &loop->options->requests[0];
    unsigned index = connection_for_one(loop);
    loop->conns[index].due_ns = due_ns;
    loop->busy_count++;
    loop->sent++;
    send_all(loop->polled[index].fd, request->bytes, request->len);
}

static void note(struct open_loop *loop, const struct waiting *conn)
{
    int status = conn->reader.status;
    if (status != SERVED && status != REFUSED) {
        fail_with("status %d:\n%s", status, conn->reader.head);
    }
    if (conn->due_ns >= loop->measured_from_ns) {
        histogram_add(status == SERVED ? &loop->served : &loop->refused, now_ns() - conn->due_ns);
    }
}

static void receive(struct open_loop *loop, unsigned index)
{
    char buffer[BUFFER_BYTES];
    struct waiting *conn = &loop->conns[index];
    unsigned finished = 0;
    ssize_t got = recv(loop->polled[index].fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        fail_with("the server closed a connection early");
    }
    size_t taken =
        reader_take(&conn->reader, &loop->options->requests[0], buffer, (size_t)got, &finished);
    if (taken != (size_t)got) {
        fail_with("bytes behind the last answer");
    }
    if (finished > 0) {
        note(loop, conn);
        loop->idle[loop->idle_count++] = index;
        loop->busy_count--;
    }
}

static void receive_until(struct open_loop *loop, uint64_t until_ns)
{
    uint64_t now = now_ns(), left_ns = until_ns > now ? until_ns - now : 0;
    struct timespec left = {.tv_sec = (time_t)(left_ns / NS_PER_S),
                            .tv_nsec = (long)(left_ns % NS_PER_S)};
    if (ppoll(loop->polled, loop->conn_count, &left, NULL) <= 0) {
        return;
    }
    for (unsigned i = 0; i < loop->conn_count; i++) {
        if (loop->polled[i].revents) {
            receive(loop, i);
        }
    }
}

/* Returns when the next one is due. */
static uint64_t ask_until(struct open_loop *loop, uint64_t due_ns, uint64_t end_ns)
{
    uint64_t each_ns = (uint64_t)(NS_PER_S / loop->options->rate);
    while (due_ns < end_ns) {
        if (now_ns() >= due_ns) {
            send_one(loop, due_ns);
            due_ns += each_ns;
        } else {
            receive_until(loop, due_ns);
        }
    }
    return due_ns;
}

static void wait_for_the_rest(struct open_loop *loop)
{
    uint64_t limit_ns = now_ns() + patience_ns;
    while (loop->busy_count > 0) {
        if (now_ns() > limit_ns) {
            fail_with("%u requests are not answered", loop->busy_count);
        }
        receive_until(loop, now_ns() + step_ns);
    }
}

void run_open(const struct options *options)
{
    static struct open_loop loop; /* large */
    size_t count = options->connections;
    loop.options = options;
    loop.polled = need(calloc(count, sizeof *loop.polled));
    loop.conns = need(calloc(count, sizeof *loop.conns));
    loop.idle = need(calloc(count, sizeof *loop.idle));
    uint64_t begin = now_ns();
    loop.measured_from_ns = begin + (uint64_t)(warm_up_of(options) * NS_PER_S);
    uint64_t end = loop.measured_from_ns + (uint64_t)(options->seconds * NS_PER_S);
    uint64_t due = ask_until(&loop, begin, loop.measured_from_ns), cpu_begin = cpu_ns_of(options);
    ask_until(&loop, due, end);
    uint64_t cpu = cpu_ns_of(options) - cpu_begin;
    wait_for_the_rest(&loop);
    printf("{\"requests\": %llu, \"sent\": %llu, \"seconds\": %.6f, \"cpu_ns\": %llu, "
           "\"served\": %llu, \"refused\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, "
           "\"refused_p50_us\": %.1f, \"refused_p99_us\": %.1f}\n",
           (unsigned long long)(loop.served.total + loop.refused.total),
           (unsigned long long)loop.sent, options->seconds, (unsigned long long)cpu,
           (unsigned long long)loop.served.total, (unsigned long long)loop.refused.total,
           histogram_us(&loop.served, 0.5), histogram_us(&loop.served, 0.99),
           histogram_us(&loop.refused, 0.5), histogram_us(&loop.refused, 0.99));
}
