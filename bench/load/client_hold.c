/* bench/load/client_hold.c — holds idle connections for as long as its standard input is open: for
 * each number it reads there, opens so many in all, one request on each, and says when all are
 * answered. Ends with its input. See client.h. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

enum { LINE_BYTES = 32, STEP = 256, WAIT_MS = 10000 };

static void read_answer(struct link *link, const struct request *due)
{
    struct reader reader;
    unsigned finished = 0;
    reader_init(&reader);
    while (finished == 0) {
        char buffer[4096];
        ssize_t got = link_recv(link, buffer, sizeof buffer);
        struct pollfd ready = {.fd = link->fd, .events = POLLIN};
        if (got > 0) {
            reader_take(&reader, due, buffer, (size_t)got, &finished);
        } else if (got == 0 || errno != EAGAIN) {
            fail("recv");
        } else if (poll(&ready, 1, WAIT_MS) <= 0) {
            fail_with("no answer for %d s", WAIT_MS / 1000);
        }
    }
}

/* In steps, as clients come: a server that keeps a buffer for each at work shows what it keeps when
 * they are idle. */
static void open_step(const struct options *options, unsigned count)
{
    static struct link links[STEP];
    const struct request *request = &options->requests[0];
    for (unsigned i = 0; i < count; i++) {
        link_connect(&links[i], options);
    }
    for (unsigned i = 0; i < count; i++) {
        link_shake_all(&links[i]);
        if (link_send(&links[i], request->bytes, request->len) != (ssize_t)request->len) {
            fail("send");
        }
    }
    for (unsigned i = 0; i < count; i++) {
        read_answer(&links[i], request);
        link_drop(&links[i]); /* this end needs no more of it */
    }
}

void run_hold(const struct options *options)
{
    char line[LINE_BYTES];
    unsigned held = 0;
    while (fgets(line, sizeof line, stdin)) {
        unsigned long wanted = strtoul(line, NULL, 10);
        wanted = wanted < options->connections ? wanted : options->connections;
        while (held < wanted) {
            unsigned step = wanted - held < STEP ? (unsigned)wanted - held : STEP;
            open_step(options, step);
            held += step;
        }
        printf("{\"held\": %u}\n", held);
        fflush(stdout);
    }
}
