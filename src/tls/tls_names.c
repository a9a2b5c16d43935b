/* tls/tls_names.c — see tls_names.h. A sorted array: a handshake looks up once, in ten steps for a
 * thousand names, and nothing is hashed that a client chooses. */
#include "tls/tls_names.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>

enum {
    LABEL_MAX = 63,
    FIRST_CAPACITY = 8,
    EXTENSION_HEAD = 5, /* length of the list, type, length of the name */
    HOST_NAME = 0
};

/* ---- one name -------------------------------------------------------------------------------- */

/* Letters, digits, '-' and '_', which is no host name by the letter and in use all the same. */
static bool is_label(struct span label)
{
    for (size_t i = 0; i < label.len; i++) {
        char c = text_lower(label.ptr[i]);
        bool is_fine = (c >= 'a' && c <= 'z') || text_is_digit(c) || c == '-' || c == '_';
        if (!is_fine) {
            return false;
        }
    }
    return label.len > 0 && label.len <= LABEL_MAX;
}

bool tls_name_is_pattern(struct span text)
{
    bool is_wildcard = span_starts_with(text, SPAN("*."));
    struct span rest = is_wildcard ? span_from(text, 2) : text;
    if (text.len == 0 || text.len > TLS_NAME_MAX) {
        return false;
    }
    while (rest.ptr) {
        struct span label;
        rest = span_cut(rest, '.', &label);
        if (!is_label(label)) {
            return false;
        }
    }
    return true;
}

void tls_name_lower(char *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = text_lower(text[i]);
    }
}

struct span tls_name_wildcard(char out[TLS_NAME_MAX], struct span name)
{
    size_t dot = span_find(name, '.');
    size_t len = name.len - dot + 1;
    if (dot == 0 || dot == name.len || len > TLS_NAME_MAX) {
        return SPAN_NONE;
    }
    out[0] = '*';
    memcpy(out + 1, name.ptr + dot, len - 1);
    return span_make(out, len);
}

static size_t u16(const char *bytes)
{
    return (size_t)(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1];
}

struct span tls_name_asked(char out[TLS_ASKED_MAX], struct span extension)
{
    if (extension.len < EXTENSION_HEAD) {
        return SPAN_NONE;
    }
    size_t len = u16(extension.ptr + 3);
    bool is_one_name = u16(extension.ptr) == extension.len - 2 && extension.ptr[2] == HOST_NAME &&
                       len == extension.len - EXTENSION_HEAD && len <= TLS_ASKED_MAX;
    if (!is_one_name) {
        return SPAN_NONE;
    }
    tls_name_lower(out, extension.ptr + EXTENSION_HEAD, len);
    return span_make(out, len);
}

/* ---- the list -------------------------------------------------------------------------------- */

void tls_names_finish(struct tls_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        mem_free((void *)(uintptr_t)names->rows[i].pattern.ptr); /* our own copy */
    }
    mem_free(names->rows);
    *names = (struct tls_names){0};
}

static bool make_room(struct tls_names *names)
{
    if (names->count < names->capacity) {
        return true;
    }
    size_t capacity = names->capacity ? names->capacity * 2 : FIRST_CAPACITY;
    struct tls_name_row *rows = mem_resize(names->rows, capacity * sizeof *rows);
    if (rows) {
        names->rows = rows;
        names->capacity = capacity;
    }
    return rows != NULL;
}

bool tls_names_add(struct tls_names *names, struct span pattern, unsigned value)
{
    if (!tls_name_is_pattern(pattern)) {
        return true;
    }
    char *text = make_room(names) ? mem_copy_text(pattern.ptr, pattern.len) : NULL;
    if (!text) {
        return false;
    }
    tls_name_lower(text, pattern.ptr, pattern.len);
    names->rows[names->count++] =
        (struct tls_name_row){.pattern = span_make(text, pattern.len), .value = value};
    return true;
}

static int compare_patterns(struct span a, struct span b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.ptr, b.ptr, shorter);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_rows(const void *a, const void *b)
{
    const struct tls_name_row *left = a;
    const struct tls_name_row *right = b;
    int order = compare_patterns(left->pattern, right->pattern);
    return order != 0 ? order : (left->value > right->value) - (left->value < right->value);
}

void tls_names_seal(struct tls_names *names)
{
    if (names->count == 0) {
        return;
    }
    qsort(names->rows, names->count, sizeof *names->rows, compare_rows);
    size_t kept = 1;
    for (size_t i = 1; i < names->count; i++) {
        if (compare_rows(&names->rows[kept - 1], &names->rows[i]) == 0) {
            mem_free((void *)(uintptr_t)names->rows[i].pattern.ptr);
        } else {
            names->rows[kept++] = names->rows[i];
        }
    }
    names->count = kept;
}

size_t tls_names_find(const struct tls_names *names, struct span pattern, size_t *ret_first)
{
    size_t low = 0;
    size_t high = names->count;
    while (low < high) { /* the first row that is not before the pattern */
        size_t middle = low + (high - low) / 2;
        if (compare_patterns(names->rows[middle].pattern, pattern) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t end = low;
    while (end < names->count && compare_patterns(names->rows[end].pattern, pattern) == 0) {
        end++;
    }
    if (end > low) {
        *ret_first = low;
    }
    return end - low;
}

static size_t find_wildcard(const struct tls_names *names, struct span name, size_t *ret_first)
{
    char text[TLS_NAME_MAX];
    struct span wildcard = tls_name_wildcard(text, name);
    return wildcard.ptr ? tls_names_find(names, wildcard, ret_first) : 0;
}

size_t tls_names_match(const struct tls_names *names, struct span name, size_t *ret_first)
{
    size_t found = tls_names_find(names, name, ret_first);
    return found ? found : find_wildcard(names, name, ret_first);
}

size_t tls_names_match_deep(const struct tls_names *names, struct span name, size_t *ret_first)
{
    size_t found = tls_names_match(names, name, ret_first);
    size_t dot = span_find(name, '.');
    while (names->count > 0 && found == 0 && dot < name.len) {
        name = span_from(name, dot + 1);
        found = find_wildcard(names, name, ret_first);
        dot = span_find(name, '.');
    }
    return found;
}
