/* http/alt_svc.c — see alt_svc.h. One cursor over the value, a small reader for each part of the
 * grammar; a reader that returns false has left the cursor anywhere. galley_alt_svc_check() is called
 * when a program is set up. */
#include "http/alt_svc.h"

#include "base/error.h"
#include "base/text.h"
#include "http/chars.h"
#include "http/host.h"

#include <galley/hints.h>

enum { ALPN_MAX_BYTES = 255 };

static bool take_char(struct span *at, char c)
{
    if (at->len == 0 || at->ptr[0] != c) {
        return false;
    }
    *at = span_from(*at, 1);
    return true;
}

static void skip_space(struct span *at)
{
    while (take_char(at, ' ') || take_char(at, '\t')) {
    }
}

static bool take_token(struct span *at, struct span *ret)
{
    size_t len = chars_skip(*at, CHARS_TOKEN);
    *ret = span_make(at->ptr, len);
    *at = span_from(*at, len);
    return len > 0;
}

/* RFC 9110 §5.6.4, without escapes: nothing that stands here needs one. */
static bool take_quoted(struct span *at, struct span *ret)
{
    if (!take_char(at, '"')) {
        return false;
    }
    size_t len = 0;
    while (len < at->len && at->ptr[len] != '"') {
        if (!chars_is(at->ptr[len], CHARS_VALUE) || at->ptr[len] == '\\') {
            return false;
        }
        len++;
    }
    *ret = span_make(at->ptr, len);
    *at = span_from(*at, len);
    return take_char(at, '"');
}

/* ---- alternative = protocol-id "=" alt-authority --------------------------------------------- */

static bool is_upper_hex(char c)
{
    return text_is_digit(c) || (c >= 'A' && c <= 'F');
}

/* RFC 7838 §3: what a token cannot hold, and '%', is encoded, in capitals; nothing else is. */
static bool is_encoded(struct span s)
{
    uint64_t byte = 0;
    bool is_hex = s.len >= 3 && is_upper_hex(s.ptr[1]) && is_upper_hex(s.ptr[2]) &&
                  text_parse_hex(span_make(s.ptr + 1, 2), &byte);
    return is_hex && (byte == '%' || !chars_is((char)byte, CHARS_TOKEN));
}

static bool is_protocol(struct span id)
{
    size_t bytes = 0;
    for (size_t i = 0; i < id.len; bytes++) {
        bool is_escape = id.ptr[i] == '%';
        if (is_escape && !is_encoded(span_from(id, i))) {
            return false;
        }
        i += is_escape ? 3 : 1;
    }
    return bytes >= 1 && bytes <= ALPN_MAX_BYTES; /* RFC 7301 §3.1 */
}

static bool read_port(struct span digits, uint16_t *ret)
{
    uint64_t port = 0;
    if (!text_parse_u64(digits, &port) || port < 1 || port > UINT16_MAX) {
        return false;
    }
    *ret = (uint16_t)port;
    return true;
}

/* [ uri-host ] ":" port */
static bool read_authority(struct span authority, struct alt_svc *ret)
{
    struct span digits = authority;
    if (take_char(&digits, ':')) {
        ret->host = span_make(authority.ptr, 0);
        return read_port(digits, &ret->port);
    }
    struct host host;
    if (host_parse(authority, &host) != GALLEY_OK || !host.has_port || host.port == 0) {
        return false;
    }
    ret->host = host.name;
    ret->port = host.port;
    return true;
}

static bool take_alternative(struct span *at, struct alt_svc *ret)
{
    struct span authority;
    return take_token(at, &ret->protocol) && is_protocol(ret->protocol) && take_char(at, '=') &&
           take_quoted(at, &authority) && read_authority(authority, ret);
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* RFC 7838 §3.1; others are for clients that know them. */
static bool read_parameter(struct span name, struct span value, struct alt_svc *ret)
{
    if (span_equal_nocase(name, SPAN("ma"))) {
        return text_parse_u64(value, &ret->max_age_s);
    }
    if (span_equal_nocase(name, SPAN("persist"))) {
        ret->persists = true;
        return span_equal(value, SPAN("1")); /* anything else would be ignored */
    }
    return true;
}

static bool take_parameter(struct span *at, struct alt_svc *ret)
{
    struct span name, value;
    skip_space(at);
    if (!take_token(at, &name) || !take_char(at, '=')) {
        return false;
    }
    bool is_quoted = at->len > 0 && at->ptr[0] == '"';
    bool is_there = is_quoted ? take_quoted(at, &value) : take_token(at, &value);
    return is_there && read_parameter(name, value, ret);
}

/* ---- the value ------------------------------------------------------------------------------- */

bool alt_svc_is_clear(struct span value)
{
    return span_equal(value, SPAN("clear"));
}

bool alt_svc_next(struct span *rest, struct alt_svc *ret)
{
    struct span at = *rest;
    struct alt_svc found = {.max_age_s = ALT_SVC_USUAL_AGE_S};
    if (!take_alternative(&at, &found)) {
        return false;
    }
    skip_space(&at);
    while (take_char(&at, ';')) {
        if (!take_parameter(&at, &found)) {
            return false;
        }
        skip_space(&at);
    }
    bool has_more = take_char(&at, ',');
    if (!has_more && at.len > 0) {
        return false;
    }
    skip_space(&at);
    *rest = has_more ? at : SPAN_NONE; /* behind a comma something has to follow */
    *ret = found;
    return true;
}

bool alt_svc_is_valid(struct span value)
{
    struct alt_svc alternative;
    if (alt_svc_is_clear(value)) {
        return true;
    }
    bool is_good = value.ptr != NULL;
    while (value.ptr && is_good) {
        is_good = alt_svc_next(&value, &alternative);
    }
    return is_good;
}

int galley_alt_svc_check(const char *value, galley_error *err)
{
    if (!value) {
        return error_set(err, GALLEY_EINVAL, "Alt-Svc: no value was given");
    }
    struct span text = span_of(value);
    if (!alt_svc_is_valid(text)) {
        return error_set(err, GALLEY_EINVAL,
                         "Alt-Svc: '%s' is not clear, nor a list like 'h3=\":443\"; ma=86400'",
                         value);
    }
    return GALLEY_OK;
}
