/* http/media_type.h — media types by file name extension. Text kinds carry their charset.
 * One sorted table (media_type_list.h), binary search. Pure; any thread. */
#ifndef HTTP_MEDIA_TYPE_H
#define HTTP_MEDIA_TYPE_H

#include "base/span.h"

struct media_type {
    struct span extension; /* lower case, without the dot; empty for the default row */
    struct span type;      /* value of Content-Type, NUL-terminated */
    bool is_compressible;  /* worth compressing, and worth a look for precompressed neighbours */
};

/** By the last extension of the last segment, in any case; application/octet-stream when there is
 *  none that is known. ".html" alone is a hidden file without extension. Never NULL. */
const struct media_type *media_type_of_path(struct span path);
/** By extension without dot; NULL when it is not known. */
const struct media_type *media_type_of_extension(struct span extension);

#endif
