/* bench/floor/floor.c — see floor.h. */
#include "floor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HEAD_BYTES = 256, BACKLOG = 4096 };
static const char empty_line[] = "\r\n\r\n";
enum { EMPTY_LINE_LEN = sizeof empty_line - 1 };

static bool fail(const char *what)
{
    perror(what);
    return false;
}

/* As long as the heads that servers send for a file. */
static bool make_answers(struct floor *floor, size_t body_bytes)
{
    char head[HEAD_BYTES];
    int head_len =
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nServer: floor\r\nDate: Sun, 22 Nov 2026 07:44:42 GMT\r\n"
                 "Content-Type: text/html\r\nContent-Length: %zu\r\n"
                 "Last-Modified: Sun, 22 Nov 2026 07:44:42 GMT\r\nETag: \"0123456789abcdef\"\r\n"
                 "Accept-Ranges: bytes\r\n%s\r\n",
                 body_bytes, floor->closes ? "Connection: close\r\n" : "");
    floor->answer_len = (size_t)head_len + body_bytes;
    floor->answers = malloc(floor->answer_len * FLOOR_MAX_AT_ONCE);
    if (!floor->answers) {
        return fail("malloc");
    }
    for (size_t i = 0; i < FLOOR_MAX_AT_ONCE; i++) {
        char *at = floor->answers + i * floor->answer_len;
        memcpy(at, head, (size_t)head_len);
        memset(at + head_len, 'x', body_bytes);
    }
    return true;
}

static bool start_listening(struct floor *floor, uint16_t port)
{
    int one = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    floor->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (floor->listener < 0) {
        return fail("socket");
    }
    setsockopt(floor->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(floor->listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* inherited */
    if (bind(floor->listener, (struct sockaddr *)&address, len) != 0 ||
        listen(floor->listener, BACKLOG) != 0 ||
        getsockname(floor->listener, (struct sockaddr *)&address, &len) != 0) {
        return fail("listen");
    }
    printf("http://127.0.0.1:%u/\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    return true;
}

bool floor_start(struct floor *floor, int argc, char **argv)
{
    size_t body_bytes = 173;
    uint16_t port = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--close") == 0) {
            floor->closes = true;
        } else if (strcmp(argv[i], "--body") == 0 && i + 1 < argc) {
            body_bytes = strtoul(argv[++i], NULL, 10);
        } else {
            port = (uint16_t)strtoul(argv[i], NULL, 10);
        }
    }
    return make_answers(floor, body_bytes) && start_listening(floor, port);
}

/* How many of the last bytes may be the begin of an empty line. */
static unsigned char tail_match(const char *data, size_t len)
{
    for (size_t n = len < EMPTY_LINE_LEN ? len : EMPTY_LINE_LEN - 1; n > 0; n--) {
        if (memcmp(data + len - n, empty_line, n) == 0) {
            return (unsigned char)n;
        }
    }
    return 0;
}

unsigned floor_count(struct floor *floor, int fd, const char *data, size_t len)
{
    unsigned count = 0;
    size_t missing = EMPTY_LINE_LEN - floor->matched[fd];
    if (floor->matched[fd] > 0 && len >= missing &&
        memcmp(data, empty_line + floor->matched[fd], missing) == 0) {
        count++;
        data += missing;
        len -= missing;
    }
    const char *end = data + len, *at = data;
    while ((at = memmem(at, (size_t)(end - at), empty_line, EMPTY_LINE_LEN))) {
        at += EMPTY_LINE_LEN;
        data = at;
        count++;
    }
    floor->matched[fd] = tail_match(data, (size_t)(end - data));
    return count;
}

size_t floor_answer_bytes(const struct floor *floor, unsigned requests)
{
    return floor->answer_len * (requests < FLOOR_MAX_AT_ONCE ? requests : FLOOR_MAX_AT_ONCE);
}
