/* tests/fuzz/fuzz_lines.h — input of the targets that want fields: lines "Name: value", each ended
 * by LF or by the end. Names are not checked here: the rooms must stand any bytes. */
#ifndef TESTS_FUZZ_LINES_H
#define TESTS_FUZZ_LINES_H

#include "http/fields.h"

enum { FUZZ_LINES_MAX = 32 };

/** Fields over the bytes of text; entries has room for FUZZ_LINES_MAX. Lines beyond are left
 * out. */
static inline struct fields fuzz_lines(struct span text, struct field *entries)
{
    struct fields fields;
    fields_init(&fields, entries, FUZZ_LINES_MAX);
    while (text.ptr && text.len > 0) {
        struct span line, name;
        text = span_cut(text, '\n', &line);
        struct span value = span_cut(line, ':', &name);
        (void)fields_add(&fields, name, span_trim(value));
    }
    return fields;
}

#endif
