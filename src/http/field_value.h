/* http/field_value.h — what may be sent as a field line: nothing that ends the line early gets out.
 * Callers: every setter of response fields, configuration of extra headers. Pure; any thread. */
#ifndef HTTP_FIELD_VALUE_H
#define HTTP_FIELD_VALUE_H

#include "base/span.h"

/** A token (RFC 9110 §5.1): one byte at least. */
bool field_name_is_valid(struct span name);
/** RFC 9110 §5.5: visible ASCII, space, tab and bytes from 0x80; so no CR, LF, NUL or other control
 *  byte, and no white space at either end. Empty is allowed. */
bool field_value_is_valid(struct span value);

#endif
