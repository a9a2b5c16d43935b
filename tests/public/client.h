/* tests/public/client.h — a small blocking client for the C tests of the public API: loopback only,
 * a deadline on every read, nothing hidden. Included by test_*.c in this folder. */
#ifndef TESTS_PUBLIC_CLIENT_H
#define TESTS_PUBLIC_CLIENT_H

#include "test.h"

#include <galley/server.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { CLIENT_TIMEOUT_S = 20, CLIENT_REPLY_BYTES = 64 * 1024 };

static inline void client_sleep_ms(unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/** A descriptor, or -errno. */
static inline int client_try_connect(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = CLIENT_TIMEOUT_S};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int result = -errno;
        close(fd);
        return result;
    }
    return fd;
}

/* How many sockets of this process listen. A connection that is refused would say so too, but a port
 * that is free again may be somebody else's in the next moment. */
static inline unsigned client_count_listening(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        int listens = 0;
        socklen_t size = sizeof listens;
        count += getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
    }
    return count;
}

static inline int client_connect(int port)
{
    int fd = client_try_connect(port);
    EXPECT(fd >= 0);
    return fd;
}

static inline void client_send(int fd, const char *bytes)
{
    size_t len = strlen(bytes);
    EXPECT_INT(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

struct reply {
    int status;     /* 0: the connection ended before a head */
    bool closed;    /* the end was seen */
    bool was_reset; /* by RST */
    size_t body_len;
    char *body; /* inside bytes; chunked framing is left as it came */
    char bytes[CLIENT_REPLY_BYTES + 1];
    size_t len;
};

static inline const char *reply_field(const struct reply *reply, const char *name)
{
    static char value[256];
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strstr(reply->bytes, line);
    if (!at || at >= reply->body) {
        return NULL;
    }
    at += strlen(line);
    size_t len = strcspn(at, "\r");
    snprintf(value, sizeof value, "%.*s", (int)len, at);
    return value;
}

/* False at the end. */
static inline bool client_fill(int fd, struct reply *reply)
{
    EXPECT(reply->len < CLIENT_REPLY_BYTES);
    ssize_t got = recv(fd, reply->bytes + reply->len, CLIENT_REPLY_BYTES - reply->len, 0);
    if (got < 0 && errno != ECONNRESET) {
        test_fail(__FILE__, __LINE__, "no answer: %s; so far: %s", strerror(errno), reply->bytes);
    }
    reply->closed = got <= 0;
    reply->was_reset = got < 0;
    reply->len += got > 0 ? (size_t)got : 0;
    reply->bytes[reply->len] = '\0';
    return got > 0;
}

/** One answer: up to Content-Length, the last chunk, or the end. `method` HEAD has no body. */
static inline void client_read(int fd, const char *method, struct reply *reply)
{
    memset(reply, 0, sizeof *reply);
    reply->body = reply->bytes;
    while (!strstr(reply->bytes, "\r\n\r\n")) {
        if (!client_fill(fd, reply)) {
            return;
        }
    }
    EXPECT(strncmp(reply->bytes, "HTTP/1.1 ", 9) == 0);
    reply->status = (int)strtoul(reply->bytes + 9, NULL, 10);
    reply->body = strstr(reply->bytes, "\r\n\r\n") + 4;
    const char *length = reply_field(reply, "Content-Length");
    bool has_body = strcmp(method, "HEAD") != 0 && reply->status != 204 && reply->status != 304;
    size_t want = has_body && length ? strtoul(length, NULL, 10) : 0;
    bool is_chunked = has_body && reply_field(reply, "Transfer-Encoding");
    size_t head = (size_t)(reply->body - reply->bytes);
    while (reply->len < head + want || (is_chunked && !strstr(reply->body, "0\r\n\r\n"))) {
        if (!client_fill(fd, reply)) {
            break;
        }
    }
    reply->body_len = reply->len - head;
}

/** Connect, send, read one answer, close. */
static inline void client_ask(int port, const char *request, struct reply *reply)
{
    char method[16] = "";
    int fd = client_connect(port);
    sscanf(request, "%15s", method);
    client_send(fd, request);
    client_read(fd, method, reply);
    close(fd);
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: t\r\n\r\n"

/** The server has closed (or reset), and sent nothing more before. */
static inline void client_expect_end(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    EXPECT(got == 0 || (got < 0 && errno == ECONNRESET));
}

/** Poll until the condition holds. */
#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        unsigned waited = 0;                                                                       \
        while (!(condition)) {                                                                     \
            client_sleep_ms(2);                                                                    \
            if (++waited > 10000) {                                                                \
                test_fail(__FILE__, __LINE__, "never true: %s", #condition);                       \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#endif
