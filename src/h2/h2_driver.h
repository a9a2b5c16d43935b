/* h2/h2_driver.h — HTTP/2 (RFC 9113) between connections (conn/protocol.h) and exchanges
 * (exchange_driver), on the room frames.
 *
 * One driver a loop, made by server/ with the loop's exchanges; its protocol is handed to connections
 * whose client has chosen h2. Each stream is an exchange; frames, HPACK, flow control and priorities are
 * the room frames', limits and guards are here. Everything on the loop; counters may be read from anywhere. */
#ifndef H2_H2_DRIVER_H
#define H2_H2_DRIVER_H

#include "base/counter.h"
#include "conn/protocol.h"
#include "exchange/exchange.h"
#include "http/framing.h"
#include "http/limits.h"

struct h2_driver;

/** The rows of h2_guard_list.h. */
enum h2_guard_kind {
#define H2_GUARD(id, burst, per_second, saved, sentence) H2_GUARD_##id,
#include "h2/h2_guard_list.h"
#undef H2_GUARD
    H2_GUARD_COUNT
};
/** "rapid_reset"-like name for counters, in lower case; never NULL. */
const char *h2_guard_name(enum h2_guard_kind kind);

/** Zero: the default. */
struct h2_options {
    const struct http_limits *limits; /* outlives the driver */
    uint32_t max_requests;            /* a connection; 0: unlimited */
    uint32_t max_streams;             /* at once; 0: 100 */
    uint32_t max_out_bytes;           /* waiting to be sent, a connection; 0: 128 KiB */
    uint32_t stream_window_bytes;     /* of a body that is being read; 0: 256 KiB */
    uint32_t unread_window_bytes;     /* of one that nobody reads yet; 0: 16 KiB, or the former */
    uint32_t conn_window_bytes;       /* of all that are being read; 0: 1 MiB */
};

/** One per loop; single writer. */
struct h2_counters {
    struct counter connections;
    struct counter requests;                        /* whose head was complete */
    struct counter malformed;                       /* streams that broke RFC 9113 §8 */
    struct counter misframed[FRAMING_REASON_COUNT]; /* heads, by what was wrong */
    struct counter bad_targets;
    struct counter heads_too_large; /* 414 and 431 */
    struct counter bodies_too_large;
    struct counter continues;       /* 100 Continue said */
    struct counter refused_streams; /* more at once than allowed, with those that still run */
    struct counter resets_received;
    struct counter resets_sent;    /* because of the client */
    struct counter slow_streams;   /* reset: too slow in sending or reading */
    struct counter tunnels;        /* RFC 8441 */
    struct counter goaways_sent;   /* with an error */
    struct counter request_limits; /* connections that reached max_requests */
    struct counter aborted;        /* answers given up in the middle */
    struct counter out_of_memory;
    struct counter guarded[H2_GUARD_COUNT]; /* connections ended, by guard */
};

/** exchanges must outlive it; its services give the loop and the server's name. NULL: out of
 * memory. */
struct h2_driver *h2_driver_create(struct exchange_pool *exchanges,
                                   const struct h2_options *options);
/** Its connections must be gone, and every exchange ended or orphaned. NULL is allowed. */
void h2_driver_destroy(struct h2_driver *driver);

/** Memory by these options, in bytes at most. */
struct h2_memory {
    uint64_t driver_bytes; /* with what it keeps */
    uint64_t idle_bytes;   /* a connection without a stream */
    uint64_t input_bytes;  /* more, of bodies that nobody has read, and heads */
    uint64_t head_bytes;   /* … of these, what max_head_bytes says */
    uint64_t output_bytes; /* answers that wait to be sent, as far as they are copies */
};
void h2_driver_memory(const struct h2_options *options, struct h2_memory *memory);
/** How many streams a connection has at once, by these options. */
uint32_t h2_driver_max_streams(const struct h2_options *options);

/** What a client begins with (RFC 9113 §3.4). */
struct span h2_preface(void);

/** "h2"; valid as long as the driver. */
const struct protocol *h2_driver_protocol(const struct h2_driver *driver);
const struct h2_counters *h2_driver_counters(const struct h2_driver *driver);

#endif
