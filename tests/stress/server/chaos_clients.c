/* tests/stress/server/chaos_clients.c — clients that hang up anywhere, read slowly or not at all,
 * close one side, pipeline, talk nonsense, upgrade and vanish. */
#include "chaos.h"

#include <stdlib.h>

enum { REQUEST_BYTES = 300000, PATIENCE_MS = 60 };

static const char *const paths[] = {
    "/loop/hello",  "/pool/hello",   "/pool/nap",    "/gate/nap",    "/gate/loop",
    "/gate/defer",  "/loop/defer",   "/pool/defer",  "/loop/pieces", "/pool/pieces",
    "/pool/events", "/timed/events", "/loop/source", "/pool/source", "/timed/source",
    "/pool/echo",   "/timed/echo",   "/pool/much",   "/timed/much",  "/loop/much",
    "/loop/sink",   "/timed/sink",   "/pool/keep",   "/timed/keep",  "/loop/file",
    "/pool/file",   "/pool/ws",      "/loop/ws",     "/timed/ws",    "/nowhere",
};

struct text {
    char *bytes;
    size_t len;
};

static void add(struct text *text, const char *bytes, size_t len)
{
    if (len <= REQUEST_BYTES - text->len) {
        memcpy(text->bytes + text->len, bytes, len);
        text->len += len;
    }
}

static void add_text(struct text *text, const char *line)
{
    add(text, line, strlen(line));
}

/* Up to 200 kB, in one piece or in chunks, sometimes malformed. */
static void add_body(struct text *text)
{
    static const char bytes[60000];
    char line[64];
    size_t len = chance(3) == 0 ? chance(200000) : chance(3000);
    if (chance(6) == 0) {
        add_text(text, "Expect: 100-continue\r\n");
    }
    if (chance(2) == 0) {
        snprintf(line, sizeof line, "Content-Length: %zu\r\n\r\n", len);
        add_text(text, line);
        for (size_t done = 0; done < len; done += sizeof bytes) {
            add(text, bytes, len - done < sizeof bytes ? len - done : sizeof bytes);
        }
        return;
    }
    add_text(text, "Transfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = chance(5); i > 0; i--) {
        size_t piece = 1 + chance(sizeof bytes - 1);
        snprintf(line, sizeof line, "%zx\r\n", piece);
        add_text(text, line);
        add(text, bytes, piece);
        add_text(text, "\r\n");
    }
    add_text(text, chance(10) == 0 ? "zz\r\n" : "0\r\n\r\n");
}

static void add_frames(struct text *text)
{
    static const char hello[] = "\x81\x85\0\0\0\0hello", ping[] = "\x89\x80\0\0\0\0",
                      close[] = "\x88\x82\0\0\0\0\x03\xe8", broken[] = "\xc1\x05";
    for (unsigned i = chance(6); i > 0; i--) {
        switch (chance(10)) {
        case 0:
            add(text, ping, sizeof ping - 1);
            break;
        case 1:
            add(text, close, sizeof close - 1);
            break;
        case 2:
            add(text, broken, sizeof broken - 1);
            break;
        default:
            add(text, hello, sizeof hello - 1);
            break;
        }
    }
}

static void add_request(struct text *text)
{
    static const char *const methods[] = {"GET",  "GET",  "GET",  "GET",
                                          "HEAD", "POST", "POST", "OPTIONS"};
    const char *path = paths[chance(sizeof paths / sizeof *paths)];
    const char *method = methods[chance(sizeof methods / sizeof *methods)];
    char line[128];
    bool is_socket = strstr(path, "/ws") && chance(10) != 0;
    snprintf(line, sizeof line, "%s %s HTTP/1.%d\r\nHost: t\r\n", is_socket ? "GET" : method, path,
             chance(10) != 0);
    add_text(text, line);
    if (is_socket) {
        add_text(text, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        add_frames(text);
    } else if (strcmp(method, "POST") == 0 || chance(10) == 0) {
        add_body(text);
    } else {
        add_text(text, chance(10) == 0 ? "Connection: close\r\n\r\n" : "\r\n");
    }
}

/* False: nothing more goes. */
static bool send_some(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Cut anywhere, in pieces, with pauses. */
static bool send_badly(int fd, const struct text *text)
{
    size_t len = chance(4) == 0 ? chance((unsigned)text->len + 1) : text->len;
    size_t cut = chance((unsigned)len + 1);
    if (!send_some(fd, text->bytes, cut)) {
        return false;
    }
    nap(chance(3) ? 0 : 10);
    return send_some(fd, text->bytes + cut, len - cut);
}

static void read_badly(int fd, struct round *round)
{
    static _Thread_local char bytes[30000];
    unsigned reads = chance(60);
    for (unsigned i = 0; i < reads && !atomic_load(&round->is_over); i++) {
        if (recv(fd, bytes, 1 + chance(sizeof bytes - 1), 0) <= 0) {
            return;
        }
        nap(chance(10) ? 0 : 5);
    }
}

static void set_up(int fd)
{
    struct timeval patience = {.tv_usec = PATIENCE_MS * 1000};
    struct linger reset = {.l_onoff = 1};
    int few = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (chance(3) == 0) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    if (chance(3) == 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof few);
    }
}

static void talk(struct round *round, int fd, struct text *text)
{
    set_up(fd);
    for (unsigned i = 1 + chance(3); i > 0; i--) {
        text->len = 0;
        for (unsigned requests = 1 + (chance(3) == 0) * chance(4); requests > 0; requests--) {
            add_request(text);
        }
        if (chance(30) == 0) {
            add_text(text, "\x16\x03\x01 garbage\r\n\r\n");
        }
        if (!send_badly(fd, text)) {
            return;
        }
        if (chance(8) == 0) {
            shutdown(fd, SHUT_WR);
        }
        read_badly(fd, round);
    }
}

void *be_a_client(void *arg)
{
    struct hand *hand = arg;
    struct round *round = hand->round;
    struct text text = {malloc(REQUEST_BYTES), 0};
    EXPECT(text.bytes);
    chance_seed(hand->seed);
    while (!atomic_load(&round->is_over)) {
        int fd = client_try_connect(round->port);
        if (fd >= 0) {
            talk(round, fd, &text);
            close(fd);
        } else {
            nap(2);
        }
    }
    free(text.bytes);
    return NULL;
}
