/* http/status.c — see status.h. */
#include "http/status.h"

static struct span class_name(int status)
{
    static const struct span names[] = {{"Unknown", 7},       {"Informational", 13},
                                        {"Success", 7},       {"Redirection", 11},
                                        {"Client Error", 12}, {"Server Error", 12}};
    bool is_status = status >= 100 && status <= 599;
    return names[is_status ? status / 100 : 0];
}

struct span status_reason(int status)
{
    switch (status) {
#define STATUS(id, code, reason)                                                                   \
    case code:                                                                                     \
        return SPAN(reason);
#include "http/status_list.h"
#undef STATUS
    default:
        return class_name(status);
    }
}

bool status_may_have_length(int status, enum method method)
{
    if (status < STATUS_OK || status == STATUS_NO_CONTENT) {
        return false;
    }
    return !(method == METHOD_CONNECT && status < STATUS_MULTIPLE_CHOICES);
}

bool status_may_have_body(int status, enum method method)
{
    bool is_empty = status == STATUS_NOT_MODIFIED || status == STATUS_RESET_CONTENT;
    return status_may_have_length(status, method) && !is_empty && method != METHOD_HEAD;
}
