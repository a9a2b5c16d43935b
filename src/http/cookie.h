/* http/cookie.h — the Cookie field: "name=value; name=value" (RFC 6265 §4.2.1, §5.4). Pure; any
 * thread.
 *
 * What clients send is taken as it is, as every server does, because pages of other people on the
 * same site set cookies too: a piece without '=' is passed over, white space round names and values
 * is not part of them, and only ';' separates. */
#ifndef HTTP_COOKIE_H
#define HTTP_COOKIE_H

#include "base/span.h"

/** The value of the first cookie of that name (case matters) in the value of one Cookie line,
 *  without a pair of double quotes round it; ptr NULL if there is none, or name is empty. */
struct span cookie_find(struct span field_value, struct span name);

#endif
