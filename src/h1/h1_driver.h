/* h1/h1_driver.h — HTTP/1.0 and 1.1 between connections (conn/protocol.h) and exchanges
 * (exchange_driver).
 *
 * One driver a loop, made by server/ with the loop's exchanges; its protocol is handed to
 * conn_create(). It parses requests where they were received, calls exchange_dispatch(), writes
 * answers to conn->out, and decides whether the connection goes on. No handler logic. Everything on
 * the loop; the counters may be read from anywhere. */
#ifndef H1_H1_DRIVER_H
#define H1_H1_DRIVER_H

#include "base/counter.h"
#include "conn/protocol.h"
#include "exchange/exchange.h"
#include "http/framing.h"
#include "http/limits.h"
#include "wire/h1_error.h"

struct h1_driver;

struct h1_options {
    const struct http_limits *limits; /* outlives the driver */
    uint32_t max_requests;            /* a connection; 0: unlimited */
    uint32_t
        max_out_bytes; /* output over this: no request is parsed until it is sent; 0: 256 KiB */
};

/** One per loop; single writer. Deadlines are counted by the connections (conn_counters.missed). */
struct h1_counters {
    struct counter requests;                        /* whose head was complete */
    struct counter refused[H1_ERROR_COUNT];         /* heads and chunks, by what was wrong */
    struct counter misframed[FRAMING_REASON_COUNT]; /* heads, by what was wrong */
    struct counter bad_targets;
    struct counter bodies_too_large;
    struct counter
        bodies_drained;       /* bytes that nobody wanted, read so that the connection can go on */
    struct counter continues; /* 100 Continue said */
    struct counter request_limits; /* connections that reached max_requests */
    struct counter held_back; /* parsing stopped because output or the turn's share was used up */
    struct counter out_of_memory;
    struct counter aborted; /* answers given up in the middle */
};

/** exchanges must outlive it; its services give the loop and the server's name. NULL: out of
 * memory. */
struct h1_driver *h1_driver_create(struct exchange_pool *exchanges,
                                   const struct h1_options *options);
/** Its connections must be gone. NULL is allowed. */
void h1_driver_destroy(struct h1_driver *driver);
/** Memory by these options, in bytes at most. */
struct h1_memory {
    uint64_t driver_bytes; /* with the sessions that it keeps */
    uint64_t input_bytes;  /* a connection with a request: its session, what was received */
    uint64_t output_bytes; /* answers that wait to be sent, as far as they are copies */
};
void h1_driver_memory(const struct h1_options *options, uint32_t max_pending_in,
                      struct h1_memory *memory);

/** "http/1.1"; valid as long as the driver. */
const struct protocol *h1_driver_protocol(const struct h1_driver *driver);
const struct h1_counters *h1_driver_counters(const struct h1_driver *driver);

#endif
