/* bench/load/client_hold.c — holds idle connections for as long as its standard input is open: for
 * each number it reads there, opens so many in all, one request on each, and says when all are
 * answered. Ends with its input. See client.h. */
#include "client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LINE_BYTES = 32, STEP = 256, WAIT_MS = 10000 };

static void read_answer(int fd, const struct request *due)
{
    struct reader reader;
    unsigned finished = 0;
    reader_init(&reader);
    while (finished == 0) {
        char buffer[4096];
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, WAIT_MS) <= 0) {
            fail_with("no answer for %d s", WAIT_MS / 1000);
        }
        ssize_t got = recv(fd, buffer, sizeof buffer, 0);
        if (got <= 0) {
            fail("recv");
        }
        reader_take(&reader, due, buffer, (size_t)got, &finished);
    }
}

/* In steps, as clients come: a server that keeps a buffer for each at work shows what it keeps when
 * they are idle. */
static void open_step(const struct options *options, int *fds, unsigned count)
{
    const struct request *request = &options->requests[0];
    for (unsigned i = 0; i < count; i++) {
        fds[i] = connect_to(options->port);
        send_all(fds[i], request->bytes, request->len);
    }
    for (unsigned i = 0; i < count; i++) {
        read_answer(fds[i], request);
    }
}

void run_hold(const struct options *options)
{
    char line[LINE_BYTES];
    int *fds = need(calloc(options->connections, sizeof *fds));
    unsigned held = 0;
    while (fgets(line, sizeof line, stdin)) {
        unsigned long wanted = strtoul(line, NULL, 10);
        wanted = wanted < options->connections ? wanted : options->connections;
        while (held < wanted) {
            unsigned step = wanted - held < STEP ? (unsigned)wanted - held : STEP;
            open_step(options, fds + held, step);
            held += step;
        }
        printf("{\"held\": %u}\n", held);
        fflush(stdout);
    }
    free(fds);
}
