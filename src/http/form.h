/* http/form.h — application/x-www-form-urlencoded, as queries and forms are written: pairs between
 * '&', '+' for a space, %XX for a byte (WHATWG URL, "application/x-www-form-urlencoded parsing").
 * Pure; any thread; nothing is allocated.
 *
 * Stricter than the standard, because two readers must not understand two things: an escape that is
 * none, and an encoded NUL, spoil the piece they are in. */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include "base/span.h"

#include <sys/types.h>

/** One pair, not decoded; without '=' the value is empty. ptr of both is never NULL. */
struct form_pair {
    struct span name;
    struct span value;
};

/** The next pair of *rest, which begins as all of it: *rest moves behind it. Empty pieces ("&&") are
 *  no pairs. False at the end. */
bool form_next(struct span *rest, struct form_pair *ret);

/** Write s decoded to out, which has room for s.len bytes; no NUL is added. The length, or
 *  GALLEY_EPROTO: a malformed escape, or an encoded NUL. */
ssize_t form_decode(struct span s, char *out);

/** Is s, decoded, the same as plain? False for what cannot be decoded. */
bool form_equals(struct span s, struct span plain);

/** The value, not decoded, of the first pair of that name (which is decoded here); ptr NULL if there
 *  is none. */
struct span form_find(struct span text, struct span name);

#endif
