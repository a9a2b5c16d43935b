/* tests/unit/wire/support_message.h — a whole request through head parser, framing, target and
 * chunk decoder, cut into pieces at will: what a driver does, without a connection. Each call of
 * the parser gets a fresh copy of exactly the bytes that have arrived, so that a read outside them
 * is seen and views into old buffers are. */
#ifndef TESTS_UNIT_WIRE_SUPPORT_MESSAGE_H
#define TESTS_UNIT_WIRE_SUPPORT_MESSAGE_H

#include "base/buf.h"
#include "wire/chunked.h"
#include "wire/h1_parser.h"

enum message_end {
    MESSAGE_INCOMPLETE,
    MESSAGE_COMPLETE,
    MESSAGE_BAD_HEAD,
    MESSAGE_BAD_FRAMING,
    MESSAGE_BAD_TARGET,
    MESSAGE_BAD_BODY
};

struct message {
    enum message_end end;
    int status;      /* for the bad ends */
    unsigned reason; /* enum h1_error or framing_reason */
    char method[72];
    int version;
    unsigned field_count;
    uint64_t digest; /* of target, names and values, in order */
    struct buf target;
    struct buf body;
    size_t used; /* bytes of the message, when complete */
};

/** next_piece says how many of the `left` bytes come next (1..left). */
typedef size_t message_piece_fn(size_t left, void *arg);

void message_read(struct span bytes, message_piece_fn *next_piece, void *arg, struct message *ret);
void message_finish(struct message *message);
/** In one piece. */
void message_read_whole(struct span bytes, struct message *ret);
bool message_equal(const struct message *a, const struct message *b);

/* Ways to cut. */
size_t message_byte_by_byte(size_t left, void *arg);
/** arg: size_t *, the first piece's length; 0 once it has been used. */
size_t message_two_parts(size_t left, void *arg);
size_t message_random_parts(size_t left, void *arg);

#endif
