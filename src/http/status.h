/* http/status.h — status codes, their reasons, and which answers carry a body. Pure; any thread. */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include "base/span.h"
#include "http/method.h"

enum status {
#define STATUS(id, code, reason) STATUS_##id = (code),
#include "http/status_list.h"
#undef STATUS
};

/** "Not Found"; for a code without a row the name of its class ("Client Error"), outside 100-599
 *  "Unknown". NUL-terminated. */
struct span status_reason(int status);
/** May the answer have content on the wire? RFC 9110 §6.4.1: not to HEAD, not 1xx, 204, 205, 304,
 *  not 2xx to CONNECT. */
bool status_may_have_body(int status, enum method method);
/** May the answer carry Content-Length? RFC 9110 §8.6: not 1xx, 204, nor 2xx to CONNECT. */
bool status_may_have_length(int status, enum method method);

#endif
