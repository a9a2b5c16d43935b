/* http/fields.h — the field lines of one message, in order, in an array that the caller gives.
 * Names and values are borrowed (of a request: from the parser's buffer), values without outer
 * white space. A bit for each known name makes the usual lookup, of a field that is not there, a
 * single test. Names are found in any case (RFC 9110 §5.1). One owner at a time. */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "base/arena.h"
#include "http/field_name.h"

struct field {
    struct span name;
    struct span value; /* ptr never NULL */
    enum field_id id;
};

struct fields {
    struct field *entries;
    uint32_t count;
    uint32_t capacity;
    uint64_t present[2];            /* bit id: at least one line of that name */
    uint64_t repeated;              /* bit id % 64: perhaps more than one */
    uint16_t first[FIELD_ID_COUNT]; /* of those that are present: index of the first line */
};

/** Empty; entries has room for capacity lines and outlives the struct's use. capacity 0: entries
 * may be NULL. */
void fields_init(struct fields *fields, struct field *entries, uint32_t capacity);
void fields_clear(struct fields *fields);
/** Append a line. 0, or GALLEY_EFULL when there is no room (nothing changed). Checks nothing: see
 *  field_value.h. */
int fields_add(struct fields *fields, struct span name, struct span value);
/** The same when the number is known already. */
int fields_add_id(struct fields *fields, enum field_id id, struct span name, struct span value);

/** Is there a line of this name? id is not FIELD_OTHER. */
static inline bool fields_has(const struct fields *fields, enum field_id id)
{
    return (fields->present[(unsigned)id / 64] >> ((unsigned)id % 64)) & 1;
}

/** Value of the first line; ptr NULL when there is none. id is not FIELD_OTHER. */
struct span fields_get(const struct fields *fields, enum field_id id);
/** The same by name. */
struct span fields_find(const struct fields *fields, struct span name);
/** How many lines have this name. */
uint32_t fields_count_of(const struct fields *fields, enum field_id id);
/** Walk the lines of one name: start with *it = 0; NULL at the end. */
const struct field *fields_next(const struct fields *fields, enum field_id id, uint32_t *it);
/** Walk all lines: start with *it = 0; NULL at the end. */
const struct field *fields_next_any(const struct fields *fields, uint32_t *it);
/** All lines of a name joined with ", " (RFC 9110 §5.3), of Cookie with "; " (RFC 9113 §8.2.3); a
 *  single line is returned without a copy. 0, GALLEY_ENOTFOUND, GALLEY_ENOMEM. */
int fields_join(const struct fields *fields, struct span name, struct arena *arena,
                struct span *ret_value);

#endif
