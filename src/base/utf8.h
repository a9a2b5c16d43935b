/* base/utf8.h — UTF-8 as RFC 3629 has it: no over-long forms, no surrogates, nothing above U+10FFFF.
 * Pure; any thread. For what clients sent, before it is shown or passed on as text. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/span.h"

/** Bytes of the first character of text, 1..4; 0 if it is not well-formed, or cut off. text is not
 *  empty. */
size_t utf8_first(struct span text);
/** Is all of it well-formed? Empty text is. */
bool utf8_is_valid(struct span text);

#endif
