/* tests/fuzz/fuzz_http_alt_svc.c — a value of Alt-Svc. Holds: what is accepted is a field value; parts
 * lie in it; written again from its parts alone each alternative is accepted with the same parts. */
#include "fuzz.h"
#include "http/alt_svc.h"
#include "http/field_value.h"

#include <inttypes.h>
#include <stdio.h>

/* rooms: http */

static bool lies_in(struct span part, struct span whole)
{
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

static void expect_same_again(const struct alt_svc *found)
{
    char text[8192];
    int len = snprintf(text, sizeof text, "%.*s=\"%.*s:%u\"; ma=%" PRIu64 "%s",
                       SPAN_ARGS(found->protocol), SPAN_ARGS(found->host), found->port,
                       found->max_age_s, found->persists ? "; persist=1" : "");
    struct span rest = span_make(text, (size_t)len);
    struct alt_svc again;
    FUZZ_EXPECT(alt_svc_next(&rest, &again));
    FUZZ_EXPECT(!rest.ptr && span_equal(again.protocol, found->protocol));
    FUZZ_EXPECT(span_equal(again.host, found->host) && again.port == found->port);
    FUZZ_EXPECT(again.max_age_s == found->max_age_s && again.persists == found->persists);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span value = span_make((const char *)data, size), rest = value;
    if (size == 0 || size > 4096) {
        return 0;
    }
    struct alt_svc found;
    while (rest.ptr && alt_svc_next(&rest, &found)) {
        FUZZ_EXPECT(lies_in(found.protocol, value) && lies_in(found.host, value));
        FUZZ_EXPECT(found.port > 0 && found.protocol.len > 0);
        expect_same_again(&found);
    }
    FUZZ_EXPECT(alt_svc_is_valid(value) == (!rest.ptr || alt_svc_is_clear(value)));
    FUZZ_EXPECT(!alt_svc_is_valid(value) || field_value_is_valid(span_trim(value)));
    return 0;
}
