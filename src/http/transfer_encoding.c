/* http/transfer_encoding.c — see transfer_encoding.h. Its own list walk, stricter than field_list:
 * an empty member, a parameter or a quote makes the field bad, because some other parser would read
 * it otherwise. */
#include "http/transfer_encoding.h"

/* RFC 9112 §7: the registered codings besides chunked. */
static bool is_registered(struct span name)
{
    static const struct span registered[] = {
        {"gzip", 4}, {"deflate", 7}, {"compress", 8}, {"x-gzip", 6}, {"x-compress", 10}};
    for (size_t i = 0; i < sizeof(registered) / sizeof(registered[0]); i++) {
        if (span_equal_nocase(name, registered[i])) {
            return true;
        }
    }
    return false;
}

/* One step: what is known after the codings so far, plus this one. */
static enum transfer_encoding add_coding(enum transfer_encoding before, bool *is_coded,
                                         struct span name)
{
    if (before == TRANSFER_BAD || before == TRANSFER_CHUNKED) {
        return TRANSFER_BAD; /* RFC 9112 §6.1: chunked is the last one, and stands there once */
    }
    if (span_equal_nocase(name, SPAN("chunked"))) {
        return TRANSFER_CHUNKED;
    }
    *is_coded = true;
    return is_registered(name) ? TRANSFER_NONE : TRANSFER_BAD;
}

static enum transfer_encoding add_line(enum transfer_encoding state, bool *is_coded,
                                       struct span value)
{
    while (value.ptr) {
        struct span member;
        value = span_cut(value, ',', &member);
        state = add_coding(state, is_coded, span_trim(member));
    }
    return state;
}

enum transfer_encoding transfer_encoding_of(const struct fields *fields)
{
    if (!fields_has(fields, FIELD_TRANSFER_ENCODING)) {
        return TRANSFER_NONE;
    }
    enum transfer_encoding state = TRANSFER_NONE;
    bool is_coded = false; /* by something besides chunked */
    uint32_t it = 0;
    const struct field *line;
    while ((line = fields_next(fields, FIELD_TRANSFER_ENCODING, &it)) != NULL) {
        state = add_line(state, &is_coded, line->value);
    }
    if (state != TRANSFER_CHUNKED) {
        return TRANSFER_BAD; /* §6.3: without a final chunked the request's end is not known */
    }
    return is_coded ? TRANSFER_UNSUPPORTED : TRANSFER_CHUNKED;
}
