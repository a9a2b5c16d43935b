/* http/target.c — see target.h: the forms of RFC 9112 §3.2. The path's normal form is made in
 * target_path.c. */
#include "http/target.h"

#include "http/chars.h"
#include "http/host.h"

#include <galley/base.h>

/* path [ "?" query ], the path not empty. Its bytes are judged by target_normalize(). */
static int parse_path(struct span s, struct arena *arena, struct target *target)
{
    size_t question = span_find(s, '?');
    target->raw_path = span_first(s, question);
    if (question < s.len) {
        target->query = span_from(s, question + 1);
        if (!chars_all(target->query, CHARS_TARGET)) {
            return GALLEY_EPROTO;
        }
    }
    return target_normalize(target->raw_path, arena, &target->path, &target->has_encoded_slash);
}

/* Length of "http://" or "https://" in front, in any case; 0 if neither is there. */
static size_t scheme_length(struct span raw, bool *ret_is_https)
{
    static const struct span schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < 2; i++) {
        size_t len = schemes[i].len;
        if (raw.len >= len && span_equal_nocase(span_first(raw, len), schemes[i])) {
            *ret_is_https = i == 1;
            return len;
        }
    }
    return 0;
}

/* RFC 9112 §3.2.2. An empty path means "/" (RFC 9110 §4.2.3). */
static int parse_absolute(struct span raw, struct arena *arena, struct target *target)
{
    size_t scheme = scheme_length(raw, &target->is_https);
    if (scheme == 0) {
        return GALLEY_EPROTO;
    }
    struct span rest = span_from(raw, scheme);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?') {
        end++;
    }
    struct host host;
    target->form = TARGET_ABSOLUTE;
    target->host = span_first(rest, end);
    if (host_parse(target->host, &host) != 0) {
        return GALLEY_EPROTO; /* RFC 9110 §4.2.1, §4.2.4: empty host, user information */
    }
    rest = span_from(rest, end);
    if (rest.len > 0 && rest.ptr[0] == '/') {
        return parse_path(rest, arena, target);
    }
    target->raw_path = span_first(rest, 0);
    target->path = SPAN("/");
    if (rest.len > 0) {
        target->query = span_from(rest, 1);
    }
    return 0;
}

/* RFC 9112 §3.2.3: host and port, both there; only CONNECT. */
static int parse_authority(struct span raw, struct target *target)
{
    struct host host;
    if (host_parse(raw, &host) != 0 || !host.has_port) {
        return GALLEY_EPROTO;
    }
    target->form = TARGET_AUTHORITY;
    target->host = raw;
    return 0;
}

static int parse_form(struct span raw, enum method method, struct arena *arena,
                      struct target *target)
{
    if (method == METHOD_CONNECT) {
        return parse_authority(raw, target);
    }
    if (raw.ptr[0] == '/') {
        return parse_path(raw, arena, target);
    }
    if (method == METHOD_OPTIONS && span_equal(raw, SPAN("*"))) {
        target->form = TARGET_ASTERISK; /* RFC 9112 §3.2.4 */
        return 0;
    }
    return parse_absolute(raw, arena, target);
}

int target_parse(struct span raw, enum method method, struct arena *arena, struct target *ret)
{
    struct target target = {.form = TARGET_ORIGIN,
                            .host = SPAN_NONE,
                            .raw_path = SPAN_NONE,
                            .path = SPAN_NONE,
                            .query = SPAN_NONE};
    /* RFC 9112 §3.2: no space, no fragment; RFC 3986 §2: ASCII only. A path's bytes are judged on
     * the way. */
    if (raw.len == 0 || (raw.ptr[0] != '/' && !chars_all(raw, CHARS_TARGET))) {
        return GALLEY_EPROTO;
    }
    int code = parse_form(raw, method, arena, &target);
    if (code == 0) {
        *ret = target;
    }
    return code;
}
