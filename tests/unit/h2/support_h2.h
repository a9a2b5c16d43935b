/* tests/unit/h2/support_h2.h — a whole loop over the sim backend with connections, exchanges and the h2
 * driver, a tiny dispatcher instead of a router, and clients: one with nghttp2 (client_…), one that sends
 * what it likes (raw_…). Handlers run on the loop.
 *
 *   /  "hello"            /later  suspends into world.later[]   /echo   the body of a POST
 *   /big  1 MiB           /borrowed  100 kB of the arena         /file   world.file_bytes of
 *   world.file_fd
 *   /empty  204           /unchanged  304 with ready fields      /ready  ready fields with
 *   Content-Length
 *   /source?N  N blocks of 64 KiB   /broken  a source that fails behind the first   /held  a body
 *   that nobody reads before world_release()
 *   /sink  counts a body, pausing if world.sink_pauses   /fields  what a handler sees of the head
 *   /refuse  takes no body    /fail  GALLEY_EFULL    /tunnel  an echo behind an upgrade     /hop  fields
 *   of a connection          /many  100 fields, /vast  100 kB of them
 *   else 404 */
#ifndef TESTS_UNIT_H2_SUPPORT_H2_H
#define TESTS_UNIT_H2_SUPPORT_H2_H

#include "base/buf.h"
#include "conn/conn_set.h"
#include "exchange/exchange.h"
#include "h2/h2_driver.h"
#include "loop/sim.h"

#include <nghttp2/nghttp2.h>

enum { BIG_BYTES = 1024 * 1024, BORROWED_BYTES = 100 * 1000, MAX_LATER = 128, MAX_LOGGED = 512 };

struct logged {
    int status;
    char target[32];
    uint64_t bytes_sent;
    bool client_is_gone;
};

struct world {
    struct loop *loop;
    struct conn_limits conn_limits;
    struct http_limits http_limits;
    struct h2_options options;
    struct conn_set set;
    struct exchange_services services;
    struct exchange_pool exchanges;
    struct h2_driver *driver;
    struct exchange *later[MAX_LATER]; /* suspended by /later and not ended */
    unsigned later_count;
    struct exchange *held; /* by /held */
    int file_fd;
    uint64_t file_bytes;
    char *big;
    unsigned big_lent;
    unsigned big_released;
    bool sink_pauses;
    struct exchange *sink; /* paused */
    uint64_t sunk;         /* bytes that /sink has got */
    int sink_code;         /* what it was told last; 1: nothing */
    unsigned handled;
    unsigned most_live; /* exchanges at once */
    unsigned logged_count;
    struct logged logged[MAX_LOGGED];
};

/** Change options between the two, if wanted. */
void world_init(struct world *world);
void world_start(struct world *world);
/** init and start. */
void world_open(struct world *world);
/** The same, and world->file_fd is a file of BIG_BYTES, with the bytes of world->big. */
void world_open_file(struct world *world);
/** Everything must have ended, or end now. Checks that nothing is left. */
void world_close(struct world *world);
struct sim_peer *world_connect(struct world *world);
/** The only connection that is open; NULL if there is none. */
struct conn *world_conn(const struct world *world);
uint64_t world_closed(const struct world *world, enum close_reason reason);
uint64_t world_guarded(const struct world *world, enum h2_guard_kind kind);
/** End the oldest suspension with this result. False: there is none. */
bool world_resume(struct world *world, int result);
/** Let /held read. */
void world_release(struct world *world);

/* ---- a client with nghttp2 ------------------------------------------------------------------- */

enum { CLIENT_STREAMS = 160, CLIENT_FIELDS = 4096 };

struct client_stream {
    int32_t id;
    int status;  /* of the final answer */
    int interim; /* of the last 1xx */
    struct buf body;
    char fields[CLIENT_FIELDS]; /* "name: value\n" */
    bool is_closed;
    uint32_t error;
    struct buf upload; /* not sent yet */
    bool upload_ends;
    bool is_deferred;
};

struct h2_client {
    struct world *world;
    struct sim_peer *peer;
    nghttp2_session *ng;
    struct client_stream streams[CLIENT_STREAMS];
    unsigned count;
    unsigned goaways;
    uint32_t goaway_error;
    int32_t goaway_last;
    unsigned pings;     /* that the server sent */
    bool keeps_windows; /* no WINDOW_UPDATE is sent */
    bool has_failed;    /* the server broke a rule, says nghttp2 */
    size_t frames;      /* DATA frames received */
};

/** Connected, with SETTINGS exchanged; window: of each stream, 0: the usual one. */
void client_open(struct h2_client *client, struct world *world, uint32_t window);
void client_close(struct h2_client *client);
/** Send and receive until nothing moves. */
void client_turn(struct h2_client *client);
/** Submit a request without a body and turn. Extra fields by pairs, NULL at the end. */
struct client_stream *client_get(struct h2_client *client, const char *path);
struct client_stream *client_request(struct h2_client *client, const char *const *fields,
                                     const char *upload, bool upload_ends);
struct client_stream *client_post(struct h2_client *client, const char *path, const void *data,
                                  size_t len);
/** More of a body; turns. */
void client_upload(struct h2_client *client, struct client_stream *stream, const void *data,
                   size_t len, bool is_end);
void client_reset(struct h2_client *client, struct client_stream *stream);
bool stream_has_field(const struct client_stream *stream, const char *line);

/* ---- a client that sends bytes --------------------------------------------------------------- */

struct frame {
    uint8_t type;
    uint8_t flags;
    int32_t id;
    struct span payload;
};

/** The preface and empty SETTINGS, and what comes back is acknowledged. */
struct sim_peer *raw_open(struct world *world);
void raw_send(struct world *world, struct sim_peer *peer, const void *data, size_t len);
/** One frame; len of the payload. */
void raw_frame(struct world *world, struct sim_peer *peer, uint8_t type, uint8_t flags, int32_t id,
               const void *payload, size_t len);
/** The same, added to bytes to be sent together. */
void raw_add(struct buf *out, uint8_t type, uint8_t flags, int32_t id, const void *payload,
             size_t len);
/** HEADERS of GET path, with END_HEADERS and these flags. Literal fields without indexing. */
void raw_add_get(struct buf *out, int32_t id, const char *path, uint8_t flags);
/** GET path on stream 1 whose window is shut: nothing of the body may leave. */
void raw_get_shut(struct world *world, struct sim_peer *peer, const char *path);
/** A field, literal without indexing. */
void raw_add_field(struct buf *block, const char *name, const char *value);
/** The four that every request has (RFC 9113 §8.3.1); of http://a. */
void raw_add_request(struct buf *block, const char *method, const char *path);
/** The next frame that was received, off *rest. False: no whole one is left. */
bool raw_next(struct span *rest, struct frame *ret);
/** Number of frames of a type received, on stream id (-1: any); *ret_code of the last RST_STREAM or
 *  GOAWAY, if not NULL. */
unsigned raw_count(const struct sim_peer *peer, uint8_t type, int32_t id, uint32_t *ret_code);
/** The server has said GOAWAY with this code and ended the connection. */
void raw_expect_end(struct world *world, struct sim_peer *peer, uint32_t code);

#endif
