/* h2/h2_lines.c — see h2_lines.h. On the loop.
 *
 * Each text has one place in the driver's table, which it shares with others: the newest has it. A place
 * is found by where the text lies, and believed only if the text is the same: what lies there may have
 * changed. */
#include "h2/h2_lines.h"

#include "base/alloc.h"
#include "base/text.h"

enum { MAX_TEXT_BYTES = 768, MAX_FIELDS = 24 };

static size_t size_of(size_t fields, size_t text_bytes)
{
    return sizeof(struct h2_lines) + fields * sizeof(struct hpack_line) + 2 * text_bytes;
}

uint64_t h2_lines_kept_bytes(void)
{
    return H2_KEPT_LINES * mem_cost(size_of(MAX_FIELDS, MAX_TEXT_BYTES));
}

/* ---- taking apart ---------------------------------------------------------------------------- */

bool h2_is_of_connection(struct span name)
{
    static const struct span names[] = {{"connection", 10},
                                        {"keep-alive", 10},
                                        {"proxy-connection", 16},
                                        {"transfer-encoding", 17},
                                        {"upgrade", 7}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (name.len == names[i].len && span_equal_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

bool h2_lines_split(struct span *ready, struct span *ret_name, struct span *ret_value)
{
    while (ready->ptr && ready->len > 0) {
        struct span line;
        struct span name;
        *ready = span_cut(*ready, '\n', &line);
        line.len -= line.len > 0 && line.ptr[line.len - 1] == '\r';
        struct span value = span_cut(line, ':', &name);
        if (value.ptr && !h2_is_of_connection(name)) {
            *ret_name = name;
            *ret_value = span_trim(value);
            return true;
        }
    }
    return false;
}

/* ---- keeping --------------------------------------------------------------------------------- */

/* The text as it came, to compare, and once more for names and values. */
static char *text_of(const struct h2_lines *lines, size_t fields)
{
    return (char *)(uintptr_t)(lines->fields + fields);
}

static char *keep(char **at, struct span s)
{
    char *to = *at;
    if (s.len > 0) {
        memcpy(to, s.ptr, s.len);
    }
    *at += s.len;
    return to;
}

static void add(struct h2_lines *lines, char **at, struct span name, struct span value)
{
    char *own_name = keep(at, name);
    for (size_t i = 0; i < name.len; i++) {
        own_name[i] = text_lower(own_name[i]); /* RFC 9113 §8.2.1 */
    }
    char *own_value = keep(at, value);
    lines->fields[lines->count++] = hpack_line_make(
        span_make(own_name, name.len), span_make(own_value, value.len), h2_how_of(name));
}

static uint32_t count_fields(struct span ready)
{
    struct span name;
    struct span value;
    uint32_t count = 0;
    while (h2_lines_split(&ready, &name, &value)) {
        count++;
    }
    return count;
}

static struct h2_lines *create(struct span ready)
{
    uint32_t count = count_fields(ready);
    struct h2_lines *lines = count <= MAX_FIELDS ? mem_alloc(size_of(count, ready.len)) : NULL;
    if (!lines) {
        return NULL;
    }
    *lines = (struct h2_lines){.len = (uint32_t)ready.len};
    char *at = text_of(lines, count);
    struct span name;
    struct span value;
    keep(&at, ready);
    while (h2_lines_split(&ready, &name, &value)) {
        add(lines, &at, name, value);
    }
    return lines;
}

static bool is_of(const struct h2_lines *lines, struct span ready)
{
    return lines && lines->len == ready.len &&
           memcmp(text_of(lines, lines->count), ready.ptr, ready.len) == 0;
}

static struct h2_lines **place_of(struct h2_driver *driver, struct span ready)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)ready.ptr + ready.len) * UINT64_C(0x9E3779B97F4A7C15);
    return &driver->lines[mixed >> 32 & (H2_KEPT_LINES - 1)];
}

const struct h2_lines *h2_lines_find(struct h2_driver *driver, struct span ready)
{
    if (!ready.ptr || ready.len == 0 || ready.len > MAX_TEXT_BYTES) {
        return NULL;
    }
    struct h2_lines **place = place_of(driver, ready);
    if (is_of(*place, ready)) {
        return *place;
    }
    struct h2_lines *made = create(ready);
    if (made) {
        mem_free(*place);
        *place = made;
    }
    return made;
}

void h2_lines_finish(struct h2_driver *driver)
{
    for (size_t i = 0; i < H2_KEPT_LINES; i++) {
        mem_free(driver->lines[i]);
        driver->lines[i] = NULL;
    }
}
