/* h2/h2_lines.h — inside the h2 room: lines of an answer that somebody made ready for HTTP/1
 * ("Name: value\r\n" …), as HTTP/2 fields. On the loop.
 *
 * A driver keeps the last of them, found by their text, so that a file that is asked for again is not
 * taken apart again, nor looked up in HPACK's static table. */
#ifndef H2_H2_LINES_H
#define H2_H2_LINES_H

#include "h2/h2_session.h"

struct h2_lines {
    uint32_t count;
    uint32_t len; /* of the text behind the fields */
    struct hpack_line fields[];
};

/** Good until the next call; NULL: they are none that are kept (long), or there is no memory:
 *  h2_lines_split() does without. */
const struct h2_lines *h2_lines_find(struct h2_driver *driver, struct span ready);
/** What a driver keeps forgets. */
void h2_lines_finish(struct h2_driver *driver);
uint64_t h2_lines_kept_bytes(void);

/** Cut the next field off; false: none is left. Names may be in upper case. */
bool h2_lines_split(struct span *ready, struct span *ret_name, struct span *ret_value);
/** RFC 9113 §8.2.2: fields of a connection, which HTTP/2 has other means for. */
bool h2_is_of_connection(struct span name);

#endif
