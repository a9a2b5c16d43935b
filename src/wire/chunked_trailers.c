/* wire/chunked_trailers.c — which trailers a request may bring, and handing them out.
 * Called when a chunked body is complete and somebody asks. A field that says how to read, route,
 * trust or store the message came too late to be believed: it is dropped, whatever else the
 * trailers hold. Pure; any thread. */
#include "wire/chunked.h"

#include "base/check.h"

#include <galley/base.h>

/* Names without a number that other programs behind galley believe. */
static const struct span forbidden_others[] = {
    SPAN("CF-Connecting-IP"),   SPAN("Content-MD5"), SPAN("Cookie2"),        SPAN("Max-Forwards"),
    SPAN("Proxy-Authenticate"), SPAN("Set-Cookie2"), SPAN("True-Client-IP"), SPAN("Warning"),
};

static bool is_listed(struct span name)
{
    for (size_t i = 0; i < sizeof(forbidden_others) / sizeof(forbidden_others[0]); i++) {
        if (span_equal_nocase(name, forbidden_others[i])) {
            return true;
        }
    }
    return false;
}

static bool has_prefix(struct span name, struct span prefix)
{
    return name.len >= prefix.len && span_equal_nocase(span_make(name.ptr, prefix.len), prefix);
}

bool chunked_is_forbidden_trailer(struct span name)
{
    /* RFC 9110 §6.5.1. The names galley knows by number are those with such a meaning, but for
     * these two. */
    enum field_id id = field_id_of(name);
    if (id == FIELD_ETAG || id == FIELD_LINK) {
        return false;
    }
    return id != FIELD_OTHER || has_prefix(name, SPAN("X-Forwarded")) ||
           has_prefix(name, SPAN("X-Real-")) || is_listed(name);
}

int chunked_trailers(const struct chunked_decoder *decoder, struct fields *fields)
{
    fields_clear(fields);
    if (!decoder->trailers || decoder->section.count == 0) {
        return 0;
    }
    if (decoder->trailers->failed) {
        return GALLEY_ENOMEM;
    }
    struct span bytes = buf_span(decoder->trailers);
    const char *at = bytes.ptr;
    struct field_section section;
    field_section_init(&section);
    enum h1_result result =
        field_section_feed(&section, &at, bytes.ptr + bytes.len, fields->capacity, fields);
    CHECK(result == H1_DONE); /* judged when they came */
    struct fields all = *fields;
    fields_clear(fields);
    for (uint32_t i = 0; i < all.count; i++) {
        struct field line = all.entries[i];
        if (!chunked_is_forbidden_trailer(line.name)) {
            (void)!fields_add_id(fields, line.id, line.name, line.value);
        }
    }
    return 0;
}
