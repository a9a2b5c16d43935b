/* http/target_encode.h — from names back to targets, for Location and for links in listings.
 * What comes out contains no byte that means something in HTML, in a header or in a URL beyond '/'.
 * Pure; failure is sticky in the buf. */
#ifndef HTTP_TARGET_ENCODE_H
#define HTTP_TARGET_ENCODE_H

#include "base/buf.h"

/** Append a normalized path (target.h) so that target_parse gives the same path again: always
 *  exactly one leading '/', never "//" (a redirect to "//host" would leave the site). */
void target_encode_path(struct buf *out, struct span path);
/** Append one file name as a path segment: '/' and '%' are escaped too, and ':' because a relative
 *  link "a:b" would be a scheme. */
void target_encode_name(struct buf *out, struct span name);

#endif
