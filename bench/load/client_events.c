/* bench/load/client_events.c — fan-out of server-sent events: connections that listen, and one that
 * asks for an event again and again, the next when all have the last. The first request is the
 * listener's, the second the asker's. See client.h. */
#include "client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { MAX_EVENTS = 512, BUFFER_BYTES = 64 * 1024, STALL_MS = 10000 };

struct listener {
    int fd;
    char last; /* byte before those to come: an event ends in an empty line */
};

struct fan {
    const struct options *options;
    int epoll, asker;
    struct listener *listeners;
    uint64_t begun, answers, events;
    struct histogram latency;
};

/* An answer's head ends in CR LF CR LF and a chunk in CR LF, so only events have LF LF. */
static unsigned count_events(struct listener *listener, const char *data, size_t len)
{
    unsigned count = 0;
    for (size_t i = 0; i < len; i++) {
        count += data[i] == '\n' && listener->last == '\n';
        listener->last = data[i];
    }
    return count;
}

static unsigned read_events(struct fan *fan, struct listener *listener)
{
    static char buffer[BUFFER_BYTES];
    ssize_t got = recv(listener->fd, buffer, sizeof buffer, 0);
    if (got <= 0) {
        fail("recv of events");
    }
    unsigned count = count_events(listener, buffer, (size_t)got);
    for (unsigned i = 0; i < count; i++) {
        histogram_add(&fan->latency, now_ns() - fan->begun);
    }
    fan->events += count;
    return count;
}

/* Until each listener has one more; what the asker is told is read by the way. */
static void wait_for_all(struct fan *fan)
{
    static char ignored[BUFFER_BYTES];
    unsigned missing = fan->options->connections;
    while (missing > 0) {
        struct epoll_event events[MAX_EVENTS];
        int count = epoll_wait(fan->epoll, events, MAX_EVENTS, STALL_MS);
        if (count <= 0) {
            fail_with("%u listeners wait for an event", missing);
        }
        for (int i = 0; i < count; i++) {
            struct listener *listener = events[i].data.ptr;
            if (listener) {
                missing -= read_events(fan, listener);
            } else if (recv(fan->asker, ignored, sizeof ignored, 0) <= 0) {
                fail("recv");
            }
        }
    }
}

static void watch(struct fan *fan, int fd, struct listener *listener)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
    if (epoll_ctl(fan->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        fail("epoll_ctl");
    }
}

/* Each listener is greeted with an event, so nobody is missing when the first one is asked for. */
static void open_all(struct fan *fan)
{
    const struct request *listen = &fan->options->requests[0];
    for (unsigned i = 0; i < fan->options->connections; i++) {
        fan->listeners[i].fd = connect_to(fan->options->port);
        send_all(fan->listeners[i].fd, listen->bytes, listen->len);
        watch(fan, fan->listeners[i].fd, &fan->listeners[i]);
    }
    fan->asker = connect_to(fan->options->port);
    watch(fan, fan->asker, NULL);
    wait_for_all(fan);
}

static void run_for(struct fan *fan, double seconds)
{
    const struct request *ask = &fan->options->requests[1];
    uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
    while (now_ns() < until) {
        fan->begun = now_ns();
        send_all(fan->asker, ask->bytes, ask->len);
        wait_for_all(fan);
    }
}

void run_events(const struct options *options)
{
    struct fan fan = {.options = options, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    fan.listeners = need(calloc(options->connections, sizeof *fan.listeners));
    open_all(&fan);
    run_for(&fan, warm_up_of(options));

    fan.events = 0;
    memset(&fan.latency, 0, sizeof fan.latency);
    uint64_t begin = now_ns(), cpu_begin = cpu_ns_of(options);
    run_for(&fan, options->seconds);
    uint64_t cpu = cpu_ns_of(options) - cpu_begin, took = now_ns() - begin;
    printf(
        "{\"requests\": %llu, \"sent\": 0, \"seconds\": %.6f, \"cpu_ns\": %llu, \"p50_us\": %.1f, "
        "\"p99_us\": %.1f}\n",
        (unsigned long long)fan.events, (double)took / 1e9, (unsigned long long)cpu,
        histogram_us(&fan.latency, 0.5), histogram_us(&fan.latency, 0.99));
}
