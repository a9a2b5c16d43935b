/* tests/fuzz/fuzz_net_proxy.c — any bytes as the header of the PROXY protocol.
 * Holds: a whole header has its own length and nothing behind it matters; each part of it asks for
 * more; what is bad stays bad with more bytes. */
#include "fuzz.h"
#include "net/proxy_protocol.h"

/* rooms: net */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_make((const char *)data, size);
    struct proxy_header whole, part;
    enum proxy_result result = proxy_header_parse(bytes, &whole);
    size_t bound = size < 2 * PROXY_V1_MAX_BYTES ? size : 2 * PROXY_V1_MAX_BYTES;
    for (size_t len = 0; len < bound; len++) {
        enum proxy_result before = proxy_header_parse(span_make(bytes.ptr, len), &part);
        bool is_all = result == PROXY_WHOLE && len >= whole.bytes;
        FUZZ_EXPECT(before == PROXY_MORE || before == result);
        FUZZ_EXPECT(is_all == (before == PROXY_WHOLE));
    }
    if (result == PROXY_WHOLE) {
        FUZZ_EXPECT(whole.bytes <= size && whole.bytes <= PROXY_MAX_BYTES);
        FUZZ_EXPECT(whole.version == 1 || whole.version == 2);
        FUZZ_EXPECT(whole.source.family == whole.destination.family);
    } else {
        FUZZ_EXPECT(result == PROXY_BAD || size < PROXY_MAX_BYTES);
        FUZZ_EXPECT(whole.bytes == 0 && whole.source.family == 0);
    }
    return 0;
}
