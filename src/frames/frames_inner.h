/* frames/frames_inner.h — what the two halves of this room have of each other: receiving (frames_read,
 * _block, _judge, _settings, _priority) and sending with streams (frames_session, _stream, _flow, _head,
 * _write). Nobody outside of the room includes it. On the session's loop.
 *
 * Functions that return int: 0 or GALLEY_ENOMEM, and then nothing can be promised for the connection
 * any more (FRAMES_NO_MEMORY). */
#ifndef FRAMES_FRAMES_INNER_H
#define FRAMES_FRAMES_INNER_H

#include "base/error.h"

#include "frames/frames.h"

/** Payloads of a fixed length (RFC 9113 §6.3, §6.4, §6.5.1, §6.7, §6.8, §6.9); of SETTINGS an entry, of
 *  GOAWAY what comes before debug data. */
enum {
    FRAMES_PRIORITY_BYTES = 5,
    FRAMES_RST_STREAM_BYTES = 4,
    FRAMES_SETTING_BYTES = 6,
    FRAMES_PING_BYTES = 8,
    FRAMES_GOAWAY_BYTES = 8,
    FRAMES_WINDOW_UPDATE_BYTES = 4,
};

/** RFC 9113 §6.5.2, RFC 8441 §3, RFC 9218 §2.1: settings that we say or heed. */
enum frames_setting_id {
    FRAMES_HEADER_TABLE_SIZE = 1,
    FRAMES_ENABLE_PUSH = 2,
    FRAMES_MAX_CONCURRENT_STREAMS = 3,
    FRAMES_INITIAL_WINDOW_SIZE = 4,
    FRAMES_MAX_FRAME_SIZE = 5,
    FRAMES_MAX_HEADER_LIST_SIZE = 6,
    FRAMES_ENABLE_CONNECT_PROTOCOL = 8,
    FRAMES_NO_RFC7540_PRIORITIES = 9,
};

/* ---- bytes ----------------------------------------------------------------------------------- */

static inline void frames_put_u16(uint8_t *at, uint16_t number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

static inline void frames_put_u32(uint8_t *at, uint32_t number)
{
    frames_put_u16(at, (uint16_t)(number >> 16));
    frames_put_u16(at + 2, (uint16_t)number);
}

static inline uint16_t frames_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t frames_u32(const uint8_t *at)
{
    return (uint32_t)frames_u16(at) << 16 | frames_u16(at + 2);
}

/** RFC 9113 §4.1. len is at most FRAMES_MAX_PAYLOAD. */
static inline void frames_put_head(uint8_t *at, uint32_t len, uint8_t type, uint8_t flags,
                                   int32_t id)
{
    at[0] = (uint8_t)(len >> 16);
    frames_put_u16(at + 1, (uint16_t)len);
    at[3] = type;
    at[4] = flags;
    frames_put_u32(at + 5, (uint32_t)id);
}

/* ---- frames_session.c ------------------------------------------------------------------------ */

/** A frame into control, to leave with the next frames_write(). */
int frames_control(struct frames_session *session, uint8_t type, uint8_t flags, int32_t id,
                   const void *payload, size_t len);
/** Answers to the client's SETTINGS and PING; FRAMES_FLOODED (and nothing is written) if more than
 *  FRAMES_MAX_WAITING_ACKS would wait, FRAMES_NO_MEMORY, FRAMES_OK. */
enum frames_result frames_ack_settings(struct frames_session *session);
enum frames_result frames_ack_ping(struct frames_session *session, const uint8_t opaque[8]);
/** An error of the connection: GOAWAY, is_ending, at = FRAMES_AT_END, event `failed`. Only the first
 *  does something. */
int frames_fail(struct frames_session *session, uint32_t code);

/* ---- frames_stream.c ------------------------------------------------------------------------- */

/** NULL: not open. A stream that was reset (was_reset) is found until it is closed. */
struct frames_stream *frames_stream_find(const struct frames_session *session, int32_t id);
/** Out of every list and table, event `closed`; the object is the owner's. */
void frames_stream_close(struct frames_stream *stream, uint32_t code);
/** END_STREAM has come behind data or a trailer: event `input_ended`, and then `closed` if the answer
 *  has ended, too: the stream must not be touched afterwards. */
void frames_input_end(struct frames_stream *stream);
/** RFC 9218: from now on so. urgency < FRAMES_URGENCIES. */
void frames_reprioritize(struct frames_stream *stream, uint8_t urgency, bool is_incremental);

/* ---- frames_early.c -------------------------------------------------------------------------- */

/** A PRIORITY_UPDATE of a stream that is not open: kept, if the stream can still come. One too many is an error
 *  of the connection. */
enum frames_result frames_early_keep(struct frames_session *session, struct frames_early entry);
/** A request's block begins: what was kept for it, and nothing is kept any more for lower ids. */
void frames_early_take(struct frames_session *session, struct frames_block *block);
void frames_early_finish(struct frames_session *session);

/* ---- frames_flow.c --------------------------------------------------------------------------- */

/** WINDOW_UPDATE of a stream, or 0: of the connection. */
int frames_say_window(struct frames_session *session, int32_t id, uint32_t increment);
/** A DATA frame of so many bytes (with padding: RFC 9113 §6.1) begins; stream: NULL if none is open.
 *  True: within the windows, and the stream takes it. False: nobody does; the bytes are the connection's
 *  again, and if a window was passed, RST_STREAM or GOAWAY with FLOW_CONTROL_ERROR is under way (look at
 *  session->is_ending). *ret_code, only when false: 0 or GALLEY_ENOMEM. */
bool frames_take_data(struct frames_session *session, struct frames_stream *stream, uint32_t bytes,
                      int *ret_code);
/** The client's WINDOW_UPDATE, id 0 for the connection, else that of an open or a closed stream (closed:
 *  ignored). An increment of 0, also of a closed stream, and one too many are errors of the stream or of
 *  the connection (RFC 9113 §6.9). */
int frames_window_update(struct frames_session *session, int32_t id, uint32_t increment);
/** The client's SETTINGS_INITIAL_WINDOW_SIZE: for all streams; one too large is FLOW_CONTROL_ERROR. */
int frames_first_window(struct frames_session *session, uint32_t new_window);
/** The client has acknowledged our SETTINGS: our windows are in force. Again: nothing happens. */
int frames_settings_acked(struct frames_session *session);

/* ---- frames_write.c -------------------------------------------------------------------------- */

/** In the right place among those that have DATA to send; it is in no list. */
void frames_schedule(struct frames_stream *stream);
/** Out of whatever list it is in. */
void frames_unlist(struct frames_stream *stream);

#endif
