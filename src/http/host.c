/* http/host.c — see host.h. Each kind of host has its own small reader; nothing is resolved or
 * rewritten. */
#include "http/host.h"

#include "base/text.h"
#include "http/chars.h"

#include <galley/base.h>

enum { NAME_MAX_BYTES = 255, PORT_DIGITS = 5, IPV6_WORDS = 8, H16_DIGITS = 4 };

/* RFC 3986 §3.2.2: dec-octet, no leading zero. */
static bool is_octet(struct span s)
{
    uint64_t number;
    if (s.len > 3 || !text_parse_u64(s, &number)) {
        return false;
    }
    return number <= 255 && (s.len == 1 || s.ptr[0] != '0');
}

static bool is_ipv4(struct span s)
{
    unsigned octets = 0;
    while (s.ptr && octets <= 4) {
        struct span octet;
        s = span_cut(s, '.', &octet);
        if (!is_octet(octet)) {
            return false;
        }
        octets++;
    }
    return octets == 4 && !s.ptr;
}

/* One side of "::", or all of an address without it: words between single colons, an IPv4 address
 * as the last two if it may stand there. -1: malformed. An empty side has 0 words. */
static int count_words(struct span s, bool may_end_in_ipv4)
{
    int words = 0;
    if (s.len == 0) {
        return 0;
    }
    while (s.ptr && words <= IPV6_WORDS) {
        struct span word;
        s = span_cut(s, ':', &word);
        if (!s.ptr && may_end_in_ipv4 && is_ipv4(word)) {
            return words + 2;
        }
        if (word.len == 0 || word.len > H16_DIGITS || !chars_all(word, CHARS_HEX)) {
            return -1;
        }
        words++;
    }
    return words;
}

/* RFC 3986 §3.2.2: IPv6address, what stands between the brackets. */
static bool is_ipv6(struct span s)
{
    for (size_t i = 0; i + 1 < s.len; i++) {
        if (s.ptr[i] == ':' && s.ptr[i + 1] == ':') {
            int left = count_words(span_first(s, i), false);
            int right = count_words(span_from(s, i + 2), true);
            return left >= 0 && right >= 0 && left + right < IPV6_WORDS;
        }
    }
    return count_words(s, true) == IPV6_WORDS;
}

/* RFC 3986 §3.2.2: reg-name, not empty here. */
static bool is_reg_name(struct span s)
{
    size_t at = 0;
    while (at < s.len) {
        if (chars_is(s.ptr[at], CHARS_REG_NAME)) {
            at++;
        } else if (s.ptr[at] == '%' && s.len - at > 2 && chars_is(s.ptr[at + 1], CHARS_HEX) &&
                   chars_is(s.ptr[at + 2], CHARS_HEX)) {
            at += 3;
        } else {
            return false;
        }
    }
    return s.len > 0;
}

static bool parse_port(struct span s, struct host *host)
{
    uint64_t number = 0;
    if (s.len == 0) {
        return true; /* RFC 3986 §3.2.3: port = *DIGIT */
    }
    if (s.len > PORT_DIGITS || !text_parse_u64(s, &number) || number > UINT16_MAX) {
        return false;
    }
    host->has_port = true;
    host->port = (uint16_t)number;
    return true;
}

size_t host_name_length(struct span value)
{
    if (value.len > 0 && value.ptr[0] == '[') {
        size_t bracket = span_find(value, ']');
        return bracket < value.len ? bracket + 1 : 0;
    }
    return span_find(value, ':');
}

int host_parse(struct span value, struct host *ret)
{
    size_t len = host_name_length(value);
    if (len == 0 || len > NAME_MAX_BYTES) {
        return GALLEY_EPROTO;
    }
    struct host host = {.kind = HOST_NAME, .name = span_first(value, len)};
    struct span port = span_from(value, len);
    if (port.len > 0 && (port.ptr[0] != ':' || !parse_port(span_from(port, 1), &host))) {
        return GALLEY_EPROTO;
    }
    if (value.ptr[0] == '[') {
        host.kind = HOST_IPV6;
        if (!is_ipv6(span_make(value.ptr + 1, len - 2))) {
            return GALLEY_EPROTO;
        }
    } else if (is_ipv4(host.name)) {
        host.kind = HOST_IPV4;
    } else if (!is_reg_name(host.name)) {
        return GALLEY_EPROTO;
    }
    *ret = host;
    return 0;
}

/* An IPv4 address is made of what names are made of, so to be valid it need not be told apart. */
bool host_is_valid(struct span value)
{
    size_t len = chars_skip(value, CHARS_REG_NAME);
    bool is_plain = len > 0 && len <= NAME_MAX_BYTES && (len == value.len || value.ptr[len] == ':');
    struct host host;
    if (is_plain) {
        return parse_port(span_from(value, len + 1), &host);
    }
    return host_parse(value, &host) == GALLEY_OK; /* in brackets, with escapes, or wrong */
}

struct span host_bare_name(const struct host *host)
{
    struct span name = host->name;
    name.len -= name.len > 0 && name.ptr[name.len - 1] == '.';
    return name.len > 0 ? name : SPAN_NONE;
}
