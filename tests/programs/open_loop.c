/* open_loop — load that does not wait for answers: a request is due every 1/rate s, whatever became
 * of those before, and its time is counted from when it was due. Prints, for each status that came,
 *   STATUS count p50_us p99_us max_us
 * and last "errors N". A connection is used again when its answer is in.
 *
 * usage: open_loop port path rate seconds */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNS = 4096, MAX_ANSWERS = 200000, PATIENCE_NS = 2000000000, STATUSES = 2 };

struct conn {
    int64_t due_ns;
    size_t len;
    char answer[1024];
};

static struct pollfd polled[MAX_CONNS];
static struct conn conns[MAX_CONNS];
static int idle[MAX_CONNS];
static unsigned conn_count, idle_count, busy_count, errors;
static int64_t took_us[STATUSES][MAX_ANSWERS];
static unsigned answers[STATUSES];
static const int statuses[STATUSES] = {200, 503};
static char request[256];
static uint16_t port;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* On loopback a blocking connect takes no time. */
static int open_conn(unsigned index)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        fd = -1;
    }
    polled[index] = (struct pollfd){.fd = fd, .events = POLLIN};
    return fd;
}

static void send_one(int64_t due_ns)
{
    unsigned index = idle_count > 0 ? (unsigned)idle[--idle_count] : conn_count;
    if (index == MAX_CONNS || (index == conn_count && open_conn(conn_count++) < 0)) {
        errors++;
        return;
    }
    conns[index].due_ns = due_ns;
    conns[index].len = 0;
    busy_count++;
    if (send(polled[index].fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        errors++;
    }
}

/* The answers of these tests have a Content-Length and end in a line. */
static int is_whole(const struct conn *conn)
{
    const char *body = strstr(conn->answer, "\r\n\r\n");
    const char *length = strstr(conn->answer, "Content-Length: ");
    if (!body || !length) {
        return 0;
    }
    return conn->len >= (size_t)(body + 4 - conn->answer) + strtoul(length + 16, NULL, 10);
}

static void note(struct conn *conn)
{
    int status = (int)strtol(conn->answer + 9, NULL, 10);
    for (unsigned i = 0; i < STATUSES; i++) {
        if (status == statuses[i] && answers[i] < MAX_ANSWERS) {
            took_us[i][answers[i]++] = (now_ns() - conn->due_ns) / 1000;
            return;
        }
    }
    errors++;
}

static void receive(unsigned index)
{
    struct conn *conn = &conns[index];
    ssize_t got = recv(polled[index].fd, conn->answer + conn->len,
                       sizeof conn->answer - 1 - conn->len, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got > 0) {
        conn->len += (size_t)got;
        conn->answer[conn->len] = '\0';
        if (!is_whole(conn)) {
            return;
        }
        note(conn);
        idle[idle_count++] = (int)index;
    } else {
        errors++;
        close(polled[index].fd);
        polled[index].fd = -1;
    }
    busy_count--;
}

static void receive_until(int64_t until_ns)
{
    int64_t left_ns = until_ns - now_ns();
    struct timespec left = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
    if (left_ns <= 0) {
        left = (struct timespec){0};
    }
    if (ppoll(polled, conn_count, &left, NULL) <= 0) {
        return;
    }
    for (unsigned i = 0; i < conn_count; i++) {
        if (polled[i].revents && polled[i].fd >= 0) {
            receive(i);
        }
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_answers(unsigned i)
{
    unsigned count = answers[i];
    if (count > 0) {
        int64_t *took = took_us[i];
        qsort(took, count, sizeof *took, compare);
        printf("%d %u %lld %lld %lld\n", statuses[i], count, (long long)took[count / 2],
               (long long)took[(uint64_t)count * 99 / 100], (long long)took[count - 1]);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: open_loop port path rate seconds\n");
        return 2;
    }
    port = (uint16_t)strtol(argv[1], NULL, 10);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: load\r\n\r\n", argv[2]);
    int64_t each_ns = 1000000000 / strtol(argv[3], NULL, 10);
    int64_t due_ns = now_ns(), end_ns = due_ns + strtol(argv[4], NULL, 10) * 1000000000;
    while (due_ns < end_ns) {
        if (now_ns() >= due_ns) {
            send_one(due_ns);
            due_ns += each_ns;
        } else {
            receive_until(due_ns);
        }
    }
    while (busy_count > 0 && now_ns() < end_ns + PATIENCE_NS) {
        receive_until(now_ns() + 10000000);
    }
    for (unsigned i = 0; i < STATUSES; i++) {
        print_answers(i);
    }
    printf("errors %u\n", errors + busy_count);
    return 0;
}
