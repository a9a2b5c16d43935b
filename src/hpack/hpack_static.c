/* hpack/hpack_static.c — the static table; see hpack_static.h. Names are found by a hash whose
 * factors were searched so that all of them stand alone; a unit test looks for each. */
#include "hpack/hpack_static.h"

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define ROW(first, name, value)                                                                    \
    {                                                                                              \
        TEXT(name), TEXT(value), first, true, true, false                                          \
    }

const struct hpack_field hpack_static[HPACK_STATIC_COUNT + 1] = {
    [0] = {{"", 0}, {"", 0}, 0, false, false, false},
    [1] = ROW(1, ":authority", ""),
    [2] = ROW(2, ":method", "GET"),
    [3] = ROW(2, ":method", "POST"),
    [4] = ROW(4, ":path", "/"),
    [5] = ROW(4, ":path", "/index.html"),
    [6] = ROW(6, ":scheme", "http"),
    [7] = ROW(6, ":scheme", "https"),
    [8] = ROW(8, ":status", "200"),
    [9] = ROW(8, ":status", "204"),
    [10] = ROW(8, ":status", "206"),
    [11] = ROW(8, ":status", "304"),
    [12] = ROW(8, ":status", "400"),
    [13] = ROW(8, ":status", "404"),
    [14] = ROW(8, ":status", "500"),
    [15] = ROW(15, "accept-charset", ""),
    [16] = ROW(16, "accept-encoding", "gzip, deflate"),
    [17] = ROW(17, "accept-language", ""),
    [18] = ROW(18, "accept-ranges", ""),
    [19] = ROW(19, "accept", ""),
    [20] = ROW(20, "access-control-allow-origin", ""),
    [21] = ROW(21, "age", ""),
    [22] = ROW(22, "allow", ""),
    [23] = ROW(23, "authorization", ""),
    [24] = ROW(24, "cache-control", ""),
    [25] = ROW(25, "content-disposition", ""),
    [26] = ROW(26, "content-encoding", ""),
    [27] = ROW(27, "content-language", ""),
    [28] = ROW(28, "content-length", ""),
    [29] = ROW(29, "content-location", ""),
    [30] = ROW(30, "content-range", ""),
    [31] = ROW(31, "content-type", ""),
    [32] = ROW(32, "cookie", ""),
    [33] = ROW(33, "date", ""),
    [34] = ROW(34, "etag", ""),
    [35] = ROW(35, "expect", ""),
    [36] = ROW(36, "expires", ""),
    [37] = ROW(37, "from", ""),
    [38] = ROW(38, "host", ""),
    [39] = ROW(39, "if-match", ""),
    [40] = ROW(40, "if-modified-since", ""),
    [41] = ROW(41, "if-none-match", ""),
    [42] = ROW(42, "if-range", ""),
    [43] = ROW(43, "if-unmodified-since", ""),
    [44] = ROW(44, "last-modified", ""),
    [45] = ROW(45, "link", ""),
    [46] = ROW(46, "location", ""),
    [47] = ROW(47, "max-forwards", ""),
    [48] = ROW(48, "proxy-authenticate", ""),
    [49] = ROW(49, "proxy-authorization", ""),
    [50] = ROW(50, "range", ""),
    [51] = ROW(51, "referer", ""),
    [52] = ROW(52, "refresh", ""),
    [53] = ROW(53, "retry-after", ""),
    [54] = ROW(54, "server", ""),
    [55] = ROW(55, "set-cookie", ""),
    [56] = ROW(56, "strict-transport-security", ""),
    [57] = ROW(57, "transfer-encoding", ""),
    [58] = ROW(58, "user-agent", ""),
    [59] = ROW(59, "vary", ""),
    [60] = ROW(60, "via", ""),
    [61] = ROW(61, "www-authenticate", ""),
};

enum { SLOTS = 128 };

/* By hash_of(name): its first row. */
static const uint8_t slots[SLOTS] = {
    0,  0,  0,  0,  25, 47, 43, 0,  0,  0,  0,  34, 22, 28, 0,  0,  0,  53, 33, 0, 0, 0,
    0,  0,  41, 0,  45, 0,  0,  0,  0,  2,  0,  0,  0,  4,  23, 29, 0,  50, 0,  0, 0, 54,
    0,  39, 40, 31, 0,  0,  0,  35, 16, 44, 30, 58, 0,  0,  24, 27, 20, 0,  37, 0, 0, 0,
    0,  60, 0,  0,  0,  19, 0,  0,  0,  52, 0,  0,  0,  8,  21, 49, 0,  57, 0,  0, 0, 0,
    0,  61, 0,  15, 59, 0,  0,  42, 48, 6,  0,  32, 0,  51, 0,  0,  36, 0,  0,  0, 0, 0,
    18, 0,  46, 26, 38, 0,  0,  0,  0,  55, 0,  0,  56, 0,  1,  0,  17, 0,
};

static unsigned letter(struct span s, size_t at)
{
    return (unsigned char)s.ptr[at];
}

static unsigned hash_of(struct span s)
{
    return ((unsigned)s.len * 7 + letter(s, 0) * 27 + letter(s, s.len / 2) * 18 +
            letter(s, s.len - 1) * 26) %
           SLOTS;
}

uint8_t hpack_static_name(struct span name)
{
    if (name.len == 0) {
        return 0;
    }
    uint8_t row = slots[hash_of(name)];
    return span_equal(hpack_static[row].name, name) ? row : 0;
}

uint8_t hpack_static_exact(uint8_t name_index, struct span value)
{
    for (unsigned i = name_index; i != 0 && i <= HPACK_STATIC_COUNT; i++) {
        const struct hpack_field *row = &hpack_static[i];
        if (row->name_index != name_index) {
            break;
        }
        if (span_equal(row->value, value)) {
            return (uint8_t)i;
        }
    }
    return 0;
}
