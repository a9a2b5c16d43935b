/* bench/floor/floor.h — what the two floors share. A floor answers each request with the same ready
 * bytes and understands nothing: it only counts empty lines, to know how many requests there were.
 * What it costs is what the kernel's TCP costs; no server can be below it for long. Single thread. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stdbool.h>
#include <stddef.h>

enum { FLOOR_MAX_FDS = 65536, FLOOR_RECV_BYTES = 16384, FLOOR_MAX_AT_ONCE = 64 };

struct floor {
    int listener;
    bool closes;       /* one request a connection                          */
    char *answers;     /* FLOOR_MAX_AT_ONCE copies, one behind the other    */
    size_t answer_len; /* of one                                            */
    /* By descriptor: how much of an empty line the last bytes may have been the begin of. */
    unsigned char matched[FLOOR_MAX_FDS];
};

/* "[--close] [--body BYTES] [PORT]": listens on 127.0.0.1, prints the URL. False: it said why. */
bool floor_start(struct floor *floor, int argc, char **argv);

/* How many requests end in these bytes of that connection. */
unsigned floor_count(struct floor *floor, int fd, const char *data, size_t len);

/* What to send for so many requests: never more than FLOOR_MAX_AT_ONCE. */
size_t floor_answer_bytes(const struct floor *floor, unsigned requests);

#endif
