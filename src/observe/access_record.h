/* observe/access_record.h — what the access log keeps of one request: 512 bytes, filled on the loop
 * by plain copies, formatted later by the writer thread. Text is cut to what fits; which parts were
 * cut is remembered. Times are the loop's monotonic milliseconds; the writer knows the wall clock.
 * Pure but for reading the exchange; the filler runs on the exchange's loop. */
#ifndef OBSERVE_ACCESS_RECORD_H
#define OBSERVE_ACCESS_RECORD_H

#include "exchange/exchange.h"

enum {
    ACCESS_TEXT_BYTES = 442,   /* method, target, agent, referer, TLS's names and client together */
    ACCESS_METHOD_BYTES = 16,  /* of an unknown method */
    ACCESS_AGENT_BYTES = 128,  /* kept free for it, where the target is long */
    ACCESS_REFERER_BYTES = 80, /* the same */
    ACCESS_TLS_BYTES = 96,     /* of a name or a client; a longer one is left out, not cut */
};

enum access_flag {
    ACCESS_ABORTED = 1 << 0, /* the client did not get all of the answer */
    ACCESS_HAS_AGENT = 1 << 1,
    ACCESS_HAS_REFERER = 1 << 2,
    ACCESS_METHOD_CUT = 1 << 3,
    ACCESS_TARGET_CUT = 1 << 4,
    ACCESS_AGENT_CUT = 1 << 5,
    ACCESS_REFERER_CUT = 1 << 6,
    ACCESS_TLS_CUT = 1 << 7, /* something was left out */
};

struct access_record {
    int64_t ended_ms;
    uint64_t body_bytes;      /* sent */
    const char *tls_protocol; /* static; NULL: without TLS, or not wanted */
    const char *tls_cipher;   /* the same */
    uint32_t duration_ms;
    uint16_t target_len;
    uint16_t agent_len;
    uint16_t referer_len;
    uint16_t status; /* 0: the client went before there was an answer */
    struct peer_address peer;
    uint8_t method_len;     /* 0: nothing that could be read as a method came */
    uint8_t version;        /* 11, 10, 20; 0: unknown */
    uint8_t flags;          /* enum access_flag */
    uint8_t tls_name_len;   /* that the client asked for */
    uint8_t tls_client_len; /* by its certificate */
    uint8_t client_len;     /* whom a proxy asked for; 0: the client is the peer */
    /* method, target, agent, referer, TLS's name and client, client: one behind the other */
    char text[ACCESS_TEXT_BYTES];
};
_Static_assert(sizeof(struct access_record) == 512, "eight cache lines");

/** ended_ms: now, by the clock of exchange->began_ms. wants_tls: what is known of TLS, too. */
void access_record_fill(struct access_record *record, const struct exchange *exchange,
                        int64_t ended_ms, bool wants_tls);
/** Whom a proxy asked for, if that is somebody else; found out now if nobody has wanted to know
 *  before. Behind access_record_fill(), where the server believes proxies. */
void access_record_add_client(struct access_record *record, const struct exchange *exchange);

struct span access_record_method(const struct access_record *record);
struct span access_record_target(const struct access_record *record);
struct span access_record_agent(const struct access_record *record);
struct span access_record_referer(const struct access_record *record);
/** Missing: the client asked for none, or it was left out. */
struct span access_record_tls_name(const struct access_record *record);
/** Missing: it showed no certificate, or it was left out. */
struct span access_record_tls_client(const struct access_record *record);

/** For whom a proxy that is believed asked. */
struct access_client {
    struct peer_address address; /* family 0: there is a name */
    struct span name;            /* in the record: letters, digits and . _ - */
};
/** False: for nobody, the client is the peer. */
bool access_record_client(const struct access_record *record, struct access_client *ret);

#endif
