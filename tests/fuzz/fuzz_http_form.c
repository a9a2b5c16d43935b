/* tests/fuzz/fuzz_http_form.c — any bytes as a query. Holds: pairs lie in the text, in order, and
 * their count is that of its pieces that are not empty; decoding never grows, gives no NUL, and
 * agrees with the comparison; a name that is there is found. */
#include "fuzz.h"
#include "http/form.h"

#include <stdlib.h>

/* rooms: http */

static void expect_decoding(struct span s)
{
    char *out = malloc(s.len + 1);
    FUZZ_EXPECT(out != NULL);
    ssize_t len = form_decode(s, out);
    FUZZ_EXPECT(len <= (ssize_t)s.len);
    if (len >= 0) {
        struct span plain = span_make(out, (size_t)len);
        FUZZ_EXPECT(len == 0 || !memchr(out, 0, (size_t)len) || memchr(s.ptr, 0, s.len));
        FUZZ_EXPECT(form_equals(s, plain));
        FUZZ_EXPECT(len == 0 || !form_equals(s, span_make(out, (size_t)len - 1)));
        out[len] = 'x';
        FUZZ_EXPECT(!form_equals(s, span_make(out, (size_t)len + 1)));
    }
    free(out);
}

static void expect_found(struct span text, struct form_pair pair)
{
    char *name = malloc(pair.name.len + 1);
    FUZZ_EXPECT(name != NULL);
    ssize_t len = form_decode(pair.name, name);
    if (len >= 0) {
        struct span value = form_find(text, span_make(name, (size_t)len));
        FUZZ_EXPECT(value.ptr != NULL && value.ptr <= pair.value.ptr);
    }
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_make((const char *)data, size);
    struct span rest = text;
    struct form_pair pair;
    const char *at = text.ptr;
    unsigned pairs = 0, pieces = 0;
    while (size > 0 && size < 4096 && form_next(&rest, &pair)) {
        FUZZ_EXPECT(pair.name.ptr >= at && pair.value.ptr >= pair.name.ptr + pair.name.len);
        at = pair.value.ptr + pair.value.len;
        FUZZ_EXPECT(at <= text.ptr + text.len);
        expect_decoding(pair.name);
        expect_decoding(pair.value);
        expect_found(text, pair);
        pairs++;
    }
    for (size_t i = 0; i < size && size < 4096; i++) {
        pieces += data[i] != '&' && (i == 0 || data[i - 1] == '&');
    }
    FUZZ_EXPECT(pairs == pieces);
    return 0;
}
