/* tests/fuzz/fuzz_http_cookie.c — "NAME\nVALUE OF A COOKIE LINE". Holds: what is found lies in the
 * line, holds no ';' and no outer white space, and stands behind its name and '='; a line that ends
 * in one more cookie of the name still gives the first. */
#include "fuzz.h"
#include "http/cookie.h"

#include <stdio.h>

/* rooms: http */

static void expect_value(struct span line, struct span name, struct span value)
{
    FUZZ_EXPECT(value.ptr >= line.ptr + name.len + 1);
    FUZZ_EXPECT(value.ptr + value.len <= line.ptr + line.len);
    FUZZ_EXPECT(span_find(value, ';') == value.len);
    size_t before = (size_t)(value.ptr - line.ptr);
    FUZZ_EXPECT(memchr(line.ptr, '=', before) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span name, line = span_cut(span_make((const char *)data, size), '\n', &name);
    if (size == 0 || size > 4096 || !line.ptr) {
        return 0;
    }
    struct span value = cookie_find(line, name);
    FUZZ_EXPECT(name.len > 0 || !value.ptr);
    if (value.ptr) {
        expect_value(line, name, value);
    }
    char longer[3 * 4096];
    int len = snprintf(longer, sizeof longer, "%.*s; %.*s=last", SPAN_ARGS(line), SPAN_ARGS(name));
    bool is_text = !memchr(data, 0, size) && span_find(name, '=') == name.len &&
                   span_find(name, ';') == name.len && span_equal(span_trim(name), name);
    if (is_text && name.len > 0) {
        struct span again = cookie_find(span_make(longer, (size_t)len), name);
        FUZZ_EXPECT(span_equal(again, value.ptr ? value : SPAN("last")));
    }
    return 0;
}
