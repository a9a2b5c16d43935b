/* http/target_prefix.h — folders of paths: does a request's path lie in one? For rules that hold for
 * everything below a prefix, wherever the request goes. Pure; any thread. */
#ifndef HTTP_TARGET_PREFIX_H
#define HTTP_TARGET_PREFIX_H

#include "base/span.h"

/** What is wrong with a prefix that a program gives, as the end of a sentence; NULL: nothing. It is
 *  to be as paths come (http/target.h): a slash in front, no empty or dot segment, nothing encoded.
 *  A slash at its end is allowed and means nothing. */
const char *target_prefix_fault(struct span prefix);

/** Without the slash at its end: "" for "/", which is above all paths. */
struct span target_prefix_bare(struct span prefix);

/** Is path, in normal form, prefix or below it, segment by segment? A slash that came encoded counts
 *  as one here, though it separates nothing elsewhere: who decodes it later, a program behind a
 *  proxy for instance, must not have been led around the rule. prefix: bare. */
bool target_is_below(struct span path, struct span prefix);

#endif
