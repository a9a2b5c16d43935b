/* exchange/coded_choice.c — see coded_choice.h. */
#include "exchange/coded_choice.h"

#include "coding/compressible.h"
#include "http/etag.h"
#include "http/status.h"

#include "exchange/exchange.h"

/* ---- possible? ------------------------------------------------------------------------------- */

/* RFC 9110 §15.3.7: a part of something is not compressed; §15.4.5: 304 has no content; the same for
 * what is said without any. */
static bool has_fit_status(const struct response *response)
{
    return response->status != 206 && response->status != 416 && !response->is_upgrade &&
           status_may_have_body(response->status, METHOD_GET);
}

static bool is_in_memory(const struct chain *body)
{
    for (uint32_t i = 0; i < body->count; i++) {
        if (!body->parts[body->first + i].ptr) {
            return false; /* a range of a file */
        }
    }
    return true;
}

/* To HEAD nothing is kept of pieces, but they are counted. */
static bool is_long_enough(const struct response *response, uint64_t least)
{
    if (response->is_begun && !response->pieces_ended) {
        return response->length < 0 || (uint64_t)response->length >= least;
    }
    return response->body.bytes >= least || response->piece_bytes >= least;
}

static bool is_allowed_by_fields(const struct response *response, const struct compressible *rules)
{
    bool is_wanted = false;
    for (const struct response_field *field = response->fields; field; field = field->next) {
        if (span_equal_nocase(field->name, SPAN("Content-Encoding")) ||
            span_equal_nocase(field->name, SPAN("Content-Range")) ||
            (span_equal_nocase(field->name, SPAN("Cache-Control")) &&
             compressible_forbidden(field->value))) {
            return false;
        }
        if (span_equal_nocase(field->name, SPAN("Content-Type"))) {
            is_wanted =
                compressible_is_wanted(rules, field->value, compressible_type(field->value));
        }
    }
    return is_wanted;
}

bool coded_is_possible(const struct exchange *exchange)
{
    const struct response *response = &exchange->response;
    const struct compressible *rules = &exchange->services->compressible;
    return !response->ready_fields.ptr && has_fit_status(response) &&
           is_long_enough(response, compressible_least(rules)) && is_in_memory(&response->body) &&
           is_allowed_by_fields(response, rules);
}

enum coding coded_choose(const struct exchange *exchange)
{
    const struct fields *fields = exchange->request.fields;
    return fields ? negotiate_coding(fields, CODED_ALL_CODINGS) : CODING_IDENTITY;
}

/* ---- entity tags ----------------------------------------------------------------------------- */

size_t coded_tag_write(char *out, struct span tag, enum coding coding)
{
    struct etag parsed;
    if (!tag.ptr || !etag_parse(tag, &parsed) || parsed.is_weak) {
        return 0;
    }
    struct span name = coding_name(coding);
    size_t len = tag.len - 1; /* without the last quote */
    memcpy(out, tag.ptr, len);
    out[len++] = '-';
    memcpy(out + len, name.ptr, name.len);
    len += name.len;
    out[len++] = '"';
    return len;
}

/* The coding whose suffix stands at the end of text; CODING_IDENTITY: none. */
static enum coding suffix_of(struct span text, size_t *ret_len)
{
    for (unsigned i = CODING_IDENTITY + 1; i < CODING_COUNT; i++) {
        struct span name = coding_name((enum coding)i);
        size_t len = name.len + 1;
        if (text.len > len && span_ends_with(text, name) && text.ptr[text.len - len] == '-' &&
            text.ptr[text.len - len - 1] != '"') {
            *ret_len = len;
            return (enum coding)i;
        }
    }
    return CODING_IDENTITY;
}

/* Into `out`, which has as much room as the value is long: each `-gzip"` becomes `"`. */
static size_t without_suffixes(char *out, struct span value, enum coding *coding)
{
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        size_t suffix_len = 0;
        enum coding found = CODING_IDENTITY;
        if (value.ptr[i] == '"') {
            found = suffix_of(span_make(out, len), &suffix_len);
        }
        *coding = *coding == CODING_IDENTITY ? found : *coding;
        len -= suffix_len;
        out[len++] = value.ptr[i];
    }
    return len;
}

static enum coding take_back(struct exchange *exchange, struct field *field)
{
    enum coding coding = CODING_IDENTITY;
    if (!memchr(field->value.ptr, '-', field->value.len)) {
        return coding;
    }
    char *copy = arena_alloc(&exchange->arena, field->value.len + 1);
    if (copy) {
        size_t len = without_suffixes(copy, field->value, &coding);
        copy[len] = '\0';
        field->value = span_make(copy, len);
    }
    return coding;
}

enum coding coded_tags_take_back(struct exchange *exchange)
{
    struct fields *fields = exchange->request.fields;
    enum coding coding = CODING_IDENTITY;
    if (!fields ||
        !(fields_has(fields, FIELD_IF_NONE_MATCH) || fields_has(fields, FIELD_IF_MATCH))) {
        return coding;
    }
    for (uint32_t i = 0; i < fields->count; i++) {
        struct field *field = &fields->entries[i];
        if (field->id == FIELD_IF_NONE_MATCH || field->id == FIELD_IF_MATCH) {
            enum coding found = take_back(exchange, field);
            coding = coding == CODING_IDENTITY ? found : coding;
        }
    }
    return coding;
}
