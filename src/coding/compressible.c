/* coding/compressible.c — text of any kind, structured syntaxes (RFC 6839) by their suffix, and a list
 * of the others. */
#include "coding/compressible.h"

#include "http/field_list.h"

static const struct span types[] = {
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

static const struct span suffixes[] = {{"+json", 5}, {"+xml", 4}, {"+yaml", 5}, {"+json-seq", 9}};

static bool ends_with(struct span s, struct span suffix)
{
    return s.len >= suffix.len && span_equal_nocase(span_from(s, s.len - suffix.len), suffix);
}

bool compressible_type(struct span content_type)
{
    if (!content_type.ptr) {
        return false;
    }
    struct span type;
    (void)span_cut(content_type, ';', &type);
    type = span_trim(type);
    if (type.len >= 5 && span_equal_nocase(span_make(type.ptr, 5), SPAN("text/"))) {
        return true;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (ends_with(type, suffixes[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (span_equal_nocase(type, types[i])) {
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
