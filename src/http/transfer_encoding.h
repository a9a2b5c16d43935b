/* http/transfer_encoding.h — judges Transfer-Encoding (RFC 9112 §6.1, §7). Pure; any thread. */
#ifndef HTTP_TRANSFER_ENCODING_H
#define HTTP_TRANSFER_ENCODING_H

#include "http/fields.h"

enum transfer_encoding {
    TRANSFER_NONE,    /* no such field */
    TRANSFER_CHUNKED, /* exactly "chunked", in any case, once */
    TRANSFER_UNSUPPORTED, /* registered codings (gzip, deflate, compress and x- forms), then chunked: 501 */
    TRANSFER_BAD          /* anything else: 400 */
};

/** Over all lines of the field, in order. */
enum transfer_encoding transfer_encoding_of(const struct fields *fields);

#endif
