/* http/forwarded_element.c — see forwarded_element.h. An element is judged whole: whatever a proxy
 * copied into it from its client (a host, say) cannot add a second `for` to it, because that makes
 * it malformed. */
#include "http/forwarded_element.h"

#include "base/inet.h"
#include "base/text.h"
#include "http/chars.h"
#include "http/host.h"

#include <arpa/inet.h>

enum { PORT_DIGITS = 5, INET_TEXT_MAX = 46 };

enum forwarded_scheme forwarded_scheme_of(struct span value)
{
    return span_equal_nocase(value, SPAN("https"))  ? FORWARDED_HTTPS
           : span_equal_nocase(value, SPAN("http")) ? FORWARDED_HTTP
                                                    : FORWARDED_NO_SCHEME;
}

struct span forwarded_host_of(struct span value)
{
    return value.len > 0 && host_is_valid(value) ? value : SPAN_NONE;
}

/* ---- nodes ------------------------------------------------------------------------------------ */

/* RFC 7239 §6.3: 1*( ALPHA / DIGIT / "." / "_" / "-" ) behind its "_". */
static size_t obfuscated_length(struct span s)
{
    size_t len = 0;
    while (len < s.len && (text_is_digit(s.ptr[len]) || s.ptr[len] == '.' || s.ptr[len] == '_' ||
                           s.ptr[len] == '-' ||
                           (text_lower(s.ptr[len]) >= 'a' && text_lower(s.ptr[len]) <= 'z'))) {
        len++;
    }
    return len;
}

static bool is_obfuscated(struct span s)
{
    return s.len > 1 && s.ptr[0] == '_' && obfuscated_length(s) == s.len;
}

/* What stands behind the name: nothing, or ":" and RFC 7239 §6's node-port. */
static bool parse_port(struct span s, uint16_t *ret)
{
    uint64_t number = 0;
    if (s.len == 0) {
        return true;
    }
    struct span port = span_from(s, 1);
    if (s.ptr[0] != ':' || is_obfuscated(port)) {
        return s.ptr[0] == ':';
    }
    if (port.len > PORT_DIGITS || !text_parse_u64(port, &number) || number > UINT16_MAX) {
        return false;
    }
    *ret = (uint16_t)number;
    return true;
}

static bool parse_address(struct span s, int family, uint8_t bytes[16])
{
    char text[INET_TEXT_MAX];
    if (s.len == 0 || s.len >= sizeof text || memchr(s.ptr, '\0', s.len)) {
        return false;
    }
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return inet_pton(family, text, bytes) == 1;
}

static void set_ipv6(struct span text, struct forwarded_hop *hop)
{
    if (parse_address(text, AF_INET6, hop->bytes)) {
        hop->kind = inet_unmap(hop->bytes) ? FORWARDED_IPV4 : FORWARDED_IPV6;
    }
}

static void set_name(struct span text, struct forwarded_hop *hop)
{
    if (is_obfuscated(text) && text.len <= FORWARDED_NAME_MAX) {
        hop->kind = FORWARDED_NAME;
        memcpy(hop->name, text.ptr, text.len);
        hop->name_len = (uint8_t)text.len;
    }
}

/* RFC 7239 §6: nodename = IPv4address / "[" IPv6address "]" / "unknown" / obfnode */
static void set_by_name(struct span name, struct forwarded_hop *hop)
{
    if (name.len > 1 && name.ptr[0] == '[') {
        set_ipv6(span_make(name.ptr + 1, name.len - 2), hop);
    } else if (name.len > 0 && name.ptr[0] == '_') {
        set_name(name, hop);
    } else if (span_equal_nocase(name, SPAN("unknown"))) {
        hop->kind = FORWARDED_UNKNOWN;
    } else if (parse_address(name, AF_INET, hop->bytes)) {
        hop->kind = FORWARDED_IPV4;
    }
}

static size_t count_colons(struct span s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++) {
        count += s.ptr[i] == ':';
    }
    return count;
}

void forwarded_node_parse(struct span node, bool bare_ipv6, struct forwarded_hop *hop)
{
    hop->kind = FORWARDED_MALFORMED;
    if (bare_ipv6 && count_colons(node) > 1 && node.ptr[0] != '[') {
        set_ipv6(node, hop);
        return;
    }
    size_t len = host_name_length(node);
    if (parse_port(span_from(node, len), &hop->port)) {
        set_by_name(span_first(node, len), hop);
    }
}

/* ---- pairs ------------------------------------------------------------------------------------ */

struct pair {
    struct span name;
    struct span value; /* without the quotes around it */
    bool has_escapes;
};

/* RFC 9110 §5.6.4: length of the quoted string that s begins with; 0: malformed. */
static size_t quoted_length(struct span s, bool *ret_has_escapes)
{
    for (size_t at = 1; at < s.len; at++) {
        if (s.ptr[at] == '"') {
            return at + 1;
        }
        if (s.ptr[at] == '\\') {
            *ret_has_escapes = true;
            at++;
        }
        if (at == s.len || !chars_is(s.ptr[at], CHARS_VALUE)) {
            return 0;
        }
    }
    return 0;
}

static struct span skip_space(struct span s)
{
    size_t at = 0;
    while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t')) {
        at++;
    }
    return span_from(s, at);
}

/* forwarded-pair = token "=" value; value = token / quoted-string. White space round ";" is not in
 * RFC 7239 §4, but in other lists of parameters (RFC 9110 §5.6.6), so it is written; it can be read
 * in one way only. */
static bool take_pair(struct span *rest, struct pair *ret)
{
    size_t equals = chars_skip(*rest, CHARS_TOKEN);
    if (equals == 0 || equals >= rest->len || rest->ptr[equals] != '=') {
        return false;
    }
    struct span value = span_from(*rest, equals + 1);
    bool is_quoted = value.len > 0 && value.ptr[0] == '"';
    *ret = (struct pair){.name = span_first(*rest, equals)};
    size_t len =
        is_quoted ? quoted_length(value, &ret->has_escapes) : chars_skip(value, CHARS_TOKEN);
    if (len == 0) {
        return false;
    }
    ret->value = is_quoted ? span_make(value.ptr + 1, len - 2) : span_first(value, len);
    *rest = skip_space(span_from(value, len));
    return rest->len == 0 || rest->ptr[0] == ';';
}

/* RFC 9110 §5.6.4: a quoted pair stands for the byte behind its backslash. Missing if the walk's
 * room is too small for it: then it is longer than anything that is read. */
static struct span value_of(struct forwarded_walk *walk, const struct pair *pair)
{
    if (!pair->has_escapes) {
        return pair->value;
    }
    if (pair->value.len > sizeof walk->room - walk->used) {
        return SPAN_NONE;
    }
    char *out = walk->room + walk->used;
    size_t len = 0;
    for (size_t i = 0; i < pair->value.len; i++) {
        i += pair->value.ptr[i] == '\\';
        out[len++] = pair->value.ptr[i];
    }
    walk->used += len;
    return span_make(out, len);
}

static bool is_called(const struct pair *pair, struct span name)
{
    return span_equal_nocase(pair->name, name);
}

/* RFC 7239 §5. A host or scheme that is none is not told: clients choose what a proxy copies there,
 * and it must not hide who they are. `by` and what nobody registered are not looked at. */
static bool read_pair(struct forwarded_walk *walk, const struct pair *pair,
                      struct forwarded_hop *hop)
{
    if (is_called(pair, SPAN("for"))) {
        forwarded_node_parse(value_of(walk, pair), false, hop);
        return hop->kind != FORWARDED_MALFORMED;
    }
    if (is_called(pair, SPAN("proto"))) {
        hop->scheme = forwarded_scheme_of(value_of(walk, pair));
    } else if (is_called(pair, SPAN("host"))) {
        hop->host = forwarded_host_of(value_of(walk, pair));
    }
    return true;
}

/* RFC 7239 §4: "Each parameter MUST NOT occur more than once per field-value." */
static bool is_repeated(const struct span *names, unsigned count, struct span name)
{
    for (unsigned i = 0; i < count; i++) {
        if (span_equal_nocase(names[i], name)) {
            return true;
        }
    }
    return false;
}

static bool parse_pairs(struct forwarded_walk *walk, struct span rest, struct forwarded_hop *hop)
{
    struct span names[FORWARDED_PAIRS_MAX];
    unsigned count = 0;
    struct pair pair;
    while (rest.len > 0) {
        if (rest.ptr[0] == ';') { /* RFC 7239 §4: [ forwarded-pair ] may be missing */
            rest = skip_space(span_from(rest, 1));
            continue;
        }
        if (!take_pair(&rest, &pair) || count == FORWARDED_PAIRS_MAX ||
            is_repeated(names, count, pair.name) || !read_pair(walk, &pair, hop)) {
            return false;
        }
        names[count++] = pair.name;
    }
    return true;
}

void forwarded_element_parse(struct forwarded_walk *walk, struct span element,
                             struct forwarded_hop *ret)
{
    *ret = (struct forwarded_hop){.kind = FORWARDED_UNKNOWN};
    if (!parse_pairs(walk, element, ret)) {
        *ret = (struct forwarded_hop){.kind = FORWARDED_MALFORMED};
    }
}
