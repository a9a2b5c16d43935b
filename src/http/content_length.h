/* http/content_length.h — the strict reader of Content-Length (RFC 9110 §8.6). Pure; any thread. */
#ifndef HTTP_CONTENT_LENGTH_H
#define HTTP_CONTENT_LENGTH_H

#include "base/span.h"

/** 1 to 18 digits and nothing else: no sign, no white space, no list (not even of equal values,
 *  which §8.6 lets a recipient refuse). 0 or GALLEY_EPROTO. */
int content_length_parse(struct span value, uint64_t *ret_bytes);

#endif
