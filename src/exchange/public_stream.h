/* exchange/public_stream.h — inside this room: what the public functions of streams share. Any
 * thread. */
#ifndef EXCHANGE_PUBLIC_STREAM_H
#define EXCHANGE_PUBLIC_STREAM_H

#include <galley/stream.h>

/** galley_stream_write() with arguments that are known to be good. */
int public_stream_write(galley_stream *st, const void *data, size_t len);

#endif
