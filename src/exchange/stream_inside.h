/* exchange/stream_inside.h — what the two files of streams share; nobody else includes this. With the
 * stream's lock held. */
#ifndef EXCHANGE_STREAM_INSIDE_H
#define EXCHANGE_STREAM_INSIDE_H

#include "exchange/stream.h"

/** Let the loop look, if there is news for it. Under the lock, so that nothing is posted once it is
 *  detached; the post has a reference. */
void stream_post_if_needed(struct stream *stream);

static inline uint64_t stream_waiting_bytes(const struct stream *stream)
{
    return stream->pending.bytes + stream->in_flight;
}

#endif
