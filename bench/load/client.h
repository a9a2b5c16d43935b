/* bench/load/client.h — what the modes of the measuring client share: clocks, sockets, reading
 * answers. One thread; 127.0.0.1 only; whatever is not as expected ends the program with a sentence
 * on standard error and exit status 1, so that no figure comes from wrong answers. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { MAX_PIDS = 64, MAX_REQUESTS = 64, HEAD_MAX = 2048 };
enum { SUB_SLOTS_LOG2 = 7, SUB_SLOTS = 1 << SUB_SLOTS_LOG2, HISTOGRAM_SLOTS = 64 * SUB_SLOTS };

/* One request as it goes over the wire, and what its answer must be. */
struct request {
    char *bytes;
    size_t len;
    int status;         /* 0: any           */
    int64_t body_bytes; /* -1: not looked at */
};

struct options {
    uint16_t port;
    unsigned connections, depth; /* depth: requests that are sent at once */
    double seconds;              /* of measuring                          */
    double rate;                 /* requests a second, of an open loop    */
    double warm_up;              /* seconds before; negative: a quarter   */
    bool closes;                 /* the server closes after each answer   */
    int tls;                     /* TLS1_3_VERSION, TLS1_2_VERSION; 0: in clear */
    bool resumes;                /* each handshake but the first by a ticket */
    bool is_h2;                  /* HTTP/2, `depth` streams a connection   */
    FILE *kept;                  /* the first answer's body; HTTP/2 only; may be NULL */
    pid_t pids[MAX_PIDS];        /* whose CPU time is counted             */
    unsigned pid_count;
    struct request requests[MAX_REQUESTS];
    unsigned request_count;
};

/* Times in ns, in slots that are at most 1/SUB_SLOTS wide. */
struct histogram {
    uint64_t count[HISTOGRAM_SLOTS], total;
};

/* Of a chunked body (RFC 9112 §7.1). */
struct chunks {
    enum { NOT_CHUNKED, CHUNK_SIZE, CHUNK_LINE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER } state;
    int64_t body_bytes; /* so far */
    bool is_last, has_line_bytes;
};

/* Reads answers from a stream of bytes in any pieces. */
struct reader {
    int64_t body_left; /* of the answer whose head is complete; -1 between answers; of a chunk */
    struct chunks chunks;
    unsigned head_len; /* of one whose head is not             */
    int status;        /* of the last head that was complete   */
    char head[HEAD_MAX];
};

void fail(const char *what) __attribute__((noreturn)); /* with errno */
void fail_with(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void *need(void *memory); /* not NULL, or the end */

uint64_t now_ns(void);
uint64_t cpu_ns_of(
    const struct options *options); /* user and system, threads that ended included */

int connect_to(uint16_t port); /* connected, then made non-blocking */
void send_all(int fd, const char *bytes, size_t len);

/* A connection, in clear or over TLS. Over TLS the client offers one version, one cipher and one
 * group (TLS_AES_128_GCM_SHA256, X25519), so that every server does the same work; that they were
 * taken, and that a handshake was resumed exactly if it had to be, is checked each time. */
struct link {
    int fd;
    struct ssl_st *tls; /* NULL: in clear */
    bool is_resuming;   /* a ticket was offered */
    bool is_open;       /* requests may be sent */
};

void link_prepare(const struct options *options); /* once, before any other; gets a first ticket */
void link_connect(struct link *link, const struct options *options); /* and begins the handshake */
bool link_shake(struct link *link);     /* goes on with it when there is input; true: it is done */
void link_shake_all(struct link *link); /* waits for it */
void link_drop(struct link *link);      /* what TLS keeps of it here; the descriptor stays open */
void link_close(struct link *link);
const char *link_words(void); /* of the last handshake: "TLSv1.3 TLS_AES_128_GCM_SHA256 full" */

/* As send() and recv(): -1 and EAGAIN where it must wait for the socket. */
ssize_t link_send(struct link *link, const char *bytes, size_t len);
ssize_t link_recv(struct link *link, char *bytes, size_t len);
bool link_has_more(const struct link *link); /* read from the socket already: that wakes nobody */

void histogram_add(struct histogram *histogram, uint64_t ns);
double histogram_us(const struct histogram *histogram, double part); /* part: 0.99 */

/* What a closed loop did. */
struct measured {
    uint64_t requests, bytes; /* while it was measured */
    uint64_t sent;            /* in all */
    uint64_t took_ns, cpu_ns;
};
void print_measured(const struct measured *measured, const struct histogram *latency);

void reader_init(struct reader *reader);

/* Takes bytes up to the end of one answer; adds to *finished when there is one. Returns how many
 * bytes it took. The answer must be the one that is due. */
size_t reader_take(struct reader *reader, const struct request *due, const char *data, size_t len,
                   unsigned *finished);

double warm_up_of(const struct options *options); /* seconds */

/* The modes. Each prints one line of JSON. */
void run_load(const struct options *options);
void run_hold(const struct options *options);
void run_events(const struct options *options);
void run_open(const struct options *options);
void run_h2(const struct options *options);

#endif
