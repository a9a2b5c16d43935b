/* observe/request_head.c — the head of a request, line by line, in the debug log. On the exchange's loop, before anybody
 * has changed the receive buffer. */
#include "observe/request_head.h"

#include "exchange/exchange.h"

void request_head_log(const struct log_sink *sink, const struct exchange *exchange)
{
    struct span rest = exchange->request.head;
    while (rest.ptr && rest.len > 0) {
        struct span line;
        rest = span_cut(rest, '\n', &line);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
            line.len--;
        }
        if (line.len > 0) {
            log_write(sink, LOG_DEBUG, "> %.*s", SPAN_ARGS(line));
        }
    }
}
