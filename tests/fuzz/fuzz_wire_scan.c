/* tests/fuzz/fuzz_wire_scan.c — the SIMD finders against their plain twins, from every place in the
 * first block on. */
/* rooms: wire */
#include "fuzz.h"

#include "base/check.h"
#include "wire/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *end = (const char *)data + size;
    for (size_t from = 0; from <= size && from < 40; from++) {
        const char *at = (const char *)data + from;
        CHECK(scan_value(at, end) == scan_value_plain(at, end));
        CHECK(scan_token(at, end) == scan_token_plain(at, end));
        CHECK(scan_target(at, end) == scan_target_plain(at, end));
    }
    return 0;
}
