/* http/limits.h — how much of a message is taken, with galley's defaults. Plain numbers: the
 * parsers of wire/ and the drivers enforce them, the daemon's options set them. Deadlines belong to
 * conn/. */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include <stdint.h>

struct http_limits {
    uint32_t max_target_bytes;          /* the request line's target: 414 */
    uint32_t max_head_bytes;            /* request line and fields: 431 */
    uint32_t max_fields;                /* field lines: 431 */
    uint32_t max_chunk_extension_bytes; /* of one chunk: 400 */
    uint32_t max_trailer_bytes;         /* trailer section: 431 */
    uint32_t max_trailers;              /* trailer lines: 431 */
    uint64_t max_body_bytes;            /* 413; a route may set another */
};

#define HTTP_LIMITS_DEFAULT                                                                        \
    {                                                                                              \
        .max_target_bytes = 8 * 1024, .max_head_bytes = 16 * 1024, .max_fields = 100,              \
        .max_chunk_extension_bytes = 256, .max_trailer_bytes = 4 * 1024, .max_trailers = 32,       \
        .max_body_bytes = 1024 * 1024,                                                             \
    }

#endif
