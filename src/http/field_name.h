/* http/field_name.h — well-known field names by number, so that the request path compares no
 * strings. field_id_of() is one hash of four cheap inputs, one table read and one comparison. Pure;
 * any thread. */
#ifndef HTTP_FIELD_NAME_H
#define HTTP_FIELD_NAME_H

#include "base/span.h"

enum field_id {
    FIELD_OTHER = 0, /* a name galley does not know by number */
#define FIELD(id, name, a, b, c) FIELD_##id,
#include "http/field_name_list.h"
#undef FIELD
    FIELD_ID_COUNT
};

/** The number of a name in any case (RFC 9110 §5.1); FIELD_OTHER for every other byte string. */
enum field_id field_id_of(struct span name);
/** The name as people write it ("Content-Type"); empty for FIELD_OTHER. NUL-terminated. */
struct span field_id_name(enum field_id id);

#endif
