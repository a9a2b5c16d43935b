/* observe/request_head.h — a request as it came, for somebody who looks for a mistake: each line of its head becomes a
 * line of the debug log. Called by server/ before a request is dispatched, on its loop, when the log wants that much. */
#ifndef OBSERVE_REQUEST_HEAD_H
#define OBSERVE_REQUEST_HEAD_H

#include "base/log.h"

struct exchange;

/** Control bytes are replaced by '?', long lines cut (see base/log.h). */
void request_head_log(const struct log_sink *sink, const struct exchange *exchange);

#endif
