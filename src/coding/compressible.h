/* coding/compressible.h — which media types are worth compressing, for answers whose type a handler
 * has named. (Files ask the table of extensions, http/media_type.h.) Pure; any thread. */
#ifndef CODING_COMPRESSIBLE_H
#define CODING_COMPRESSIBLE_H

#include "base/span.h"

/** A value of Content-Type, with or without parameters. False for what is compressed already, for
 *  what is not known, and for a missing one. */
bool compressible_type(struct span content_type);

/** Does this value of Cache-Control hold no-transform? Then not (RFC 9111 §5.2.2.6: whoever says so
 *  means it, though it is written for proxies). */
bool compressible_forbidden(struct span cache_control);

#endif
