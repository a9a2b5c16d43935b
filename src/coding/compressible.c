/* coding/compressible.c — text of any kind, structured syntaxes (RFC 6839) by their suffix, and a list
 * of the others; and a user's list, whose stars make it longer than it is. */
#include "coding/compressible.h"

#include "base/error.h"
#include "http/chars.h"
#include "http/field_list.h"

static const struct span usual_types[] = {
    {"application/eps", 15},
    {"application/javascript", 22},
    {"application/json", 16},
    {"application/jsonl", 17},
    {"application/msword", 18},
    {"application/ndjson", 18},
    {"application/postscript", 22},
    {"application/rtf", 15},
    {"application/toml", 16},
    {"application/vnd.apple.mpegurl", 29},
    {"application/vnd.ms-excel", 24},
    {"application/vnd.ms-fontobject", 29},
    {"application/wasm", 16},
    {"application/x-javascript", 24},
    {"application/x-ndjson", 20},
    {"application/x-tar", 17},
    {"application/xml", 15},
    {"application/yaml", 16},
    {"font/collection", 15},
    {"font/otf", 8},
    {"font/ttf", 8},
    {"image/bmp", 9},
    {"image/vnd.microsoft.icon", 24},
    {"image/x-icon", 12},
    {"model/obj", 9},
    {"model/stl", 9},
};

static const struct span usual_suffixes[] = {
    {"+json", 5}, {"+xml", 4}, {"+yaml", 5}, {"+json-seq", 9}};

static bool ends_with(struct span s, struct span suffix)
{
    return s.len >= suffix.len && span_equal_nocase(span_from(s, s.len - suffix.len), suffix);
}

/* RFC 9110 §8.3.1: without parameters. */
static struct span type_of(struct span content_type)
{
    struct span type;
    (void)span_cut(content_type, ';', &type);
    return span_trim(type);
}

bool compressible_type(struct span content_type)
{
    if (!content_type.ptr) {
        return false;
    }
    struct span type = type_of(content_type);
    if (type.len >= 5 && span_equal_nocase(span_make(type.ptr, 5), SPAN("text/"))) {
        return true;
    }
    for (size_t i = 0; i < sizeof usual_suffixes / sizeof *usual_suffixes; i++) {
        if (ends_with(type, usual_suffixes[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof usual_types / sizeof *usual_types; i++) {
        if (span_equal_nocase(type, usual_types[i])) {
            return true;
        }
    }
    return false;
}

/* ---- a user's list --------------------------------------------------------------------------- */

static bool next_word(struct span *rest, struct span *ret_word)
{
    *ret_word = SPAN("");
    while (rest->ptr && ret_word->len == 0) {
        *rest = span_cut(*rest, ' ', ret_word);
    }
    return ret_word->len > 0;
}

static bool is_usual_word(struct span word)
{
    return span_equal_nocase(word, SPAN("usual"));
}

/* RFC 9110 §8.3.1: type "/" subtype, both tokens, of which a star may be a part. */
static bool is_pattern(struct span word)
{
    struct span type;
    struct span subtype = span_cut(word, '/', &type);
    return subtype.ptr && chars_is_token(type) && chars_is_token(subtype);
}

/* The first that is no pattern; ptr NULL: all are good; empty: there is none. */
static struct span find_bad(struct span types)
{
    struct span word, bad = SPAN("");
    while (next_word(&types, &word)) {
        if (!is_usual_word(word) && !is_pattern(word)) {
            return word;
        }
        bad = SPAN_NONE;
    }
    return bad;
}

int compressible_from_options(struct compressible *ret_rules, const char *types,
                              uint64_t least_bytes, const char *what, galley_error *err)
{
    struct span list = types ? span_of(types) : SPAN_NONE;
    if (list.len > COMPRESSIBLE_MAX_LIST) {
        return error_set(err, GALLEY_EINVAL, "%s: compress_types is longer than %d bytes", what,
                         COMPRESSIBLE_MAX_LIST);
    }
    struct span bad = types ? find_bad(list) : SPAN_NONE;
    if (bad.ptr) {
        return error_set(err, GALLEY_EINVAL,
                         "%s: compress_types '%.*s' is not a media type like text/html", what,
                         SPAN_ARGS(bad));
    }
    *ret_rules = (struct compressible){.types = list, .least_bytes = least_bytes};
    return GALLEY_OK;
}

/* Each star takes as little as possible; when that fails, the last one takes a byte more. */
static bool matches(struct span pattern, struct span text)
{
    size_t p = 0, t = 0, star = pattern.len, star_text = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.len &&
                   span_equal_nocase(span_make(pattern.ptr + p, 1), span_make(text.ptr + t, 1))) {
            p++;
            t++;
        } else if (star < pattern.len) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

bool compressible_is_wanted(const struct compressible *rules, struct span content_type,
                            bool is_usual)
{
    if (!rules->types.ptr) {
        return is_usual;
    }
    struct span rest = rules->types, word, type = type_of(content_type);
    while (type.len > 0 && next_word(&rest, &word)) {
        if (is_usual_word(word) ? is_usual : matches(word, type)) {
            return true;
        }
    }
    return false;
}

bool compressible_forbidden(struct span cache_control)
{
    struct span member;
    while (field_list_next(&cache_control, &member)) {
        if (span_equal_nocase(member, SPAN("no-transform"))) {
            return true;
        }
    }
    return false;
}
