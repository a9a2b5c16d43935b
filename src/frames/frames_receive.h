/* frames/frames_receive.h — what the files of the receiving half have of each other. Nobody else in the room
 * includes it. On the session's loop, inside of frames_receive().
 *
 * Each returns FRAMES_OK also when the client broke a rule of the connection: then session->is_ending is
 * true, and nothing more is read. */
#ifndef FRAMES_FRAMES_RECEIVE_H
#define FRAMES_FRAMES_RECEIVE_H

#include "frames/frames_inner.h"

static inline enum frames_result frames_result_of(int code)
{
    return code == GALLEY_OK ? FRAMES_OK : FRAMES_NO_MEMORY;
}

/* ---- frames_rules.c -------------------------------------------------------------------------- */

/** Of a frame whose head has come: NO_ERROR, or the error of the connection that it is. */
uint32_t frames_judge_head(const struct frames_session *session);

/* ---- frames_data.c --------------------------------------------------------------------------- */

/** The content of a DATA frame begins: its padding is known. */
enum frames_result frames_data_begin(struct frames_session *session);
enum frames_result frames_data_piece(struct frames_session *session, struct span piece);
enum frames_result frames_data_end(struct frames_session *session);

/* ---- frames_small.c -------------------------------------------------------------------------- */

/** How much of a payload must be there before anything can be made of it; 0: it is skipped. */
uint8_t frames_small_bytes(const struct frames_session *session);
/** A PRIORITY frame begins, of which only the length is looked at. */
enum frames_result frames_priority_frame(struct frames_session *session);
/** As many bytes as frames_small_bytes() said. */
enum frames_result frames_small(struct frames_session *session, const uint8_t *payload);

/* ---- frames_settings.c ----------------------------------------------------------------------- */

/** The entries of the client's SETTINGS (RFC 9113 §6.5.1), all of them: session->in.length. */
enum frames_result frames_settings(struct frames_session *session, const uint8_t *entries);
/** A SETTINGS frame is whole, perhaps an ACK. */
enum frames_result frames_settings_end(struct frames_session *session);

/* ---- frames_block.c -------------------------------------------------------------------------- */

/** HEADERS begins. */
enum frames_result frames_block_begin(struct frames_session *session);
/** What follows of its block; is_last: the block ends behind it. */
enum frames_result frames_block_feed(struct frames_session *session, struct span bytes,
                                     bool is_last);
/** A frame with END_HEADERS is whole. */
enum frames_result frames_block_end(struct frames_session *session);

/* ---- frames_judge.c -------------------------------------------------------------------------- */

/** RFC 9113 §8.2, §8.3: false if this field makes the message malformed. */
bool frames_judge_field(struct frames_block *block, const struct hpack_field *field);
/** … of a request whose fields have all come. */
bool frames_judge_request(struct frames_block *block);

/* ---- frames_priority.c ----------------------------------------------------------------------- */

/** RFC 9218 §4: what a Priority field, or PRIORITY_UPDATE, says. What it does not say, or says of a wrong
 *  type, or out of range, stays or becomes the default. False: it cannot be read (RFC 8941 §4.2); both are
 *  as they were. */
bool frames_priority_parse(struct span text, uint8_t *urgency, bool *is_incremental);

#endif
