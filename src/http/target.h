/* http/target.h — a request target taken apart, its path brought into the one form that everybody
 * uses.
 *
 * The normalized path is decoded exactly once and is the identity of what was asked for: access
 * rules, router and opener all take this string and nobody decodes again. Two paths are equal
 * exactly when they mean the same names. It starts with '/', has no empty, "." or ".." segment (a
 * last one leaves its '/'), no NUL. A '/' that came as %2F is part of a name and never separates:
 * it is written "%2F", has_encoded_slash is set, and such a path matches no file. So that this
 * stays unambiguous, a literal '%' (it came as %25) that would read as one of these marks, because
 * "2F", "2f" or "25" follows, is written "%25"; every other '%' stands for itself. Bytes from 0x80
 * come from escapes only and are not checked to be UTF-8. Pure; any thread. */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/method.h"

enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_AUTHORITY, TARGET_ASTERISK };

struct target {
    enum target_form form;
    struct span host;     /* host[:port] of absolute- and authority-form; else ptr NULL */
    struct span raw_path; /* as it came; "*" and authority-form: ptr NULL */
    struct span
        path; /* normalized; "*" and authority-form: ptr NULL. NUL-terminated only if copied */
    struct span query; /* behind '?', not decoded; ptr NULL without '?' */
    bool has_encoded_slash;
    bool is_https; /* absolute-form with https */
};

/** Takes raw apart; spans point into raw, the path into the arena when it had to be changed (at
 *  most raw.len + 1 bytes). 0; GALLEY_EPROTO (answer 400): control, space, '#' or a byte from 0x80,
 *  a bad escape or %00 in the path, a climb above the root, a form that does not belong to the
 *  method (RFC 9112 §3.2), a bad authority, a scheme other than http and https; GALLEY_ENOMEM. *ret
 *  is written on success only. */
int target_parse(struct span raw, enum method method, struct arena *arena, struct target *ret);

/** The normalization alone, of a raw path that starts with '/'. */
int target_normalize(struct span raw_path, struct arena *arena, struct span *ret_path,
                     bool *ret_has_encoded_slash);

#endif
