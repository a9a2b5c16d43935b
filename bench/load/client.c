/* bench/load/client.c — see client.h. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_US = 1000, NS_PER_S = 1000000000, WAIT_MS = 10000 };

void fail(const char *what)
{
    fail_with("%s: %s", what, strerror(errno));
}

void fail_with(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void *need(void *memory)
{
    if (!memory) {
        fail("memory");
    }
    return memory;
}

/* ---- clocks ---- */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) {
        fail("clock of a server's process");
    }
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t cpu_ns_of(const struct options *options)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < options->pid_count; i++) {
        clockid_t clock;
        int error = clock_getcpuclockid(options->pids[i], &clock);
        if (error != 0) {
            fail_with("process %d: %s", (int)options->pids[i], strerror(error));
        }
        sum += clock_ns(clock);
    }
    return sum;
}

double warm_up_of(const struct options *options)
{
    return options->warm_up < 0 ? options->seconds / 4 : options->warm_up;
}

/* ---- sockets ---- */

int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fail("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        fail("fcntl");
    }
    return fd;
}

void send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = send(fd, bytes, len, MSG_NOSIGNAL);
        if (put < 0 && errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            put = poll(&ready, 1, WAIT_MS) > 0 ? 0 : -1;
        }
        if (put < 0) {
            fail("send");
        }
        bytes += put;
        len -= (size_t)put;
    }
}

/* ---- histogram ---- */

static unsigned slot_of(uint64_t ns)
{
    if (ns < SUB_SLOTS) {
        return (unsigned)ns;
    }
    unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - SUB_SLOTS_LOG2;
    return (shift + 1) * SUB_SLOTS + (unsigned)(ns >> shift) - SUB_SLOTS;
}

static uint64_t slot_begin(unsigned slot)
{
    unsigned group = slot / SUB_SLOTS, part = slot % SUB_SLOTS;
    return group == 0 ? part : (uint64_t)(SUB_SLOTS + part) << (group - 1);
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->count[slot_of(ns)]++;
    histogram->total++;
}

double histogram_us(const struct histogram *histogram, double part)
{
    double seen = 0, wanted = part * (double)histogram->total;
    for (unsigned slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        seen += (double)histogram->count[slot];
        if (seen >= wanted && seen > 0) {
            return (double)slot_begin(slot) / NS_PER_US;
        }
    }
    return 0;
}

void print_measured(const struct measured *measured, const struct histogram *latency)
{
    printf("{\"requests\": %llu, \"sent\": %llu, \"bytes\": %llu, \"seconds\": %.6f, "
           "\"cpu_ns\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"tls\": \"%s\"}\n",
           (unsigned long long)measured->requests, (unsigned long long)measured->sent,
           (unsigned long long)measured->bytes, (double)measured->took_ns / 1e9,
           (unsigned long long)measured->cpu_ns, histogram_us(latency, 0.5),
           histogram_us(latency, 0.99), link_words());
}
