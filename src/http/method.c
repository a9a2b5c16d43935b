/* http/method.c — see method.h: rows of method_list.h, found by length and bytes. */
#include "http/method.h"

static const struct method_row {
    struct span name;
    bool is_safe;
} rows[METHOD_COUNT] = {
#define METHOD(id, name, number, is_safe) [METHOD_##id] = {{name, sizeof(name) - 1}, is_safe},
#include "http/method_list.h"
#undef METHOD
};

enum method method_of(struct span name)
{
    for (unsigned i = METHOD_OTHER + 1; i < METHOD_COUNT; i++) { /* GET stands first */
        if (span_equal(name, rows[i].name)) {
            return (enum method)i;
        }
    }
    return METHOD_OTHER;
}

struct span method_name(enum method method)
{
    bool is_known = method > METHOD_OTHER && method < METHOD_COUNT;
    return is_known ? rows[method].name : SPAN("");
}

bool method_is_safe(enum method method)
{
    return method > METHOD_OTHER && method < METHOD_COUNT && rows[method].is_safe;
}
