/* observe/access_record.h — what the access log keeps of one request: 512 bytes, filled on the loop
 * by plain copies, formatted later by the writer thread. Text is cut to what fits; which parts were
 * cut is remembered. Times are the loop's monotonic milliseconds; the writer knows the wall clock.
 * Pure but for reading the exchange; the filler runs on the exchange's loop. */
#ifndef OBSERVE_ACCESS_RECORD_H
#define OBSERVE_ACCESS_RECORD_H

#include "exchange/exchange.h"

enum {
    ACCESS_TEXT_BYTES = 460,   /* method, target, agent and referer together */
    ACCESS_METHOD_BYTES = 16,  /* of an unknown method */
    ACCESS_AGENT_BYTES = 128,  /* kept free for it, where the target is long */
    ACCESS_REFERER_BYTES = 80, /* the same */
};

enum access_flag {
    ACCESS_ABORTED = 1 << 0, /* the client did not get all of the answer */
    ACCESS_HAS_AGENT = 1 << 1,
    ACCESS_HAS_REFERER = 1 << 2,
    ACCESS_METHOD_CUT = 1 << 3,
    ACCESS_TARGET_CUT = 1 << 4,
    ACCESS_AGENT_CUT = 1 << 5,
    ACCESS_REFERER_CUT = 1 << 6,
};

struct access_record {
    int64_t ended_ms;
    uint64_t body_bytes; /* sent */
    uint32_t duration_ms;
    uint16_t target_len;
    uint16_t agent_len;
    uint16_t referer_len;
    uint16_t status; /* 0: the client went before there was an answer */
    struct peer_address peer;
    uint8_t method_len; /* 0: nothing that could be read as a method came */
    uint8_t version;    /* 11, 10, 20; 0: unknown */
    uint8_t flags;      /* enum access_flag */
    uint8_t unused;
    char text[ACCESS_TEXT_BYTES]; /* method, target, agent, referer, one behind the other */
};
_Static_assert(sizeof(struct access_record) == 512, "eight cache lines");

/** ended_ms: now, by the clock of exchange->began_ms. */
void access_record_fill(struct access_record *record, const struct exchange *exchange,
                        int64_t ended_ms);

struct span access_record_method(const struct access_record *record);
struct span access_record_target(const struct access_record *record);
struct span access_record_agent(const struct access_record *record);
struct span access_record_referer(const struct access_record *record);

#endif
