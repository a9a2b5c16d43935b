/* http/connection_options.c — see connection_options.h. */
#include "http/connection_options.h"

#include "http/field_list.h"

static bool has_option(const struct fields *fields, struct span option)
{
    uint32_t it = 0;
    const struct field *line;
    while ((line = fields_next(fields, FIELD_CONNECTION, &it)) != NULL) {
        if (field_list_has(line->value, option)) {
            return true;
        }
    }
    return false;
}

bool connection_wants_keep_alive(int version, const struct fields *fields)
{
    if (!fields_has(fields, FIELD_CONNECTION)) {
        return version >= 11;
    }
    /* RFC 9112 §9.3: close wins over keep-alive. */
    if (has_option(fields, SPAN("close"))) {
        return false;
    }
    return version >= 11 || has_option(fields, SPAN("keep-alive"));
}

enum expectation expectation_of(int version, const struct fields *fields)
{
    /* RFC 9110 §10.1.1: a 100-continue in an HTTP/1.0 request is ignored. */
    if (version < 11 || !fields_has(fields, FIELD_EXPECT)) {
        return EXPECT_NOTHING;
    }
    uint32_t it = 0;
    const struct field *line;
    while ((line = fields_next(fields, FIELD_EXPECT, &it)) != NULL) {
        if (!span_equal_nocase(line->value, SPAN("100-continue"))) {
            return EXPECT_UNKNOWN;
        }
    }
    return EXPECT_CONTINUE;
}
