/* tests/public/support_counters.h — what a server has counted. */
#ifndef TESTS_PUBLIC_SUPPORT_COUNTERS_H
#define TESTS_PUBLIC_SUPPORT_COUNTERS_H

#include "test.h"

#include <galley/server.h>

#include <string.h>

/* A counter that must be there. */
static inline uint64_t counter_of(const galley_server *srv, const char *wanted)
{
    size_t it = 0;
    const char *name = NULL;
    uint64_t value = 0;
    while (galley_server_next_counter(srv, &it, &name, &value)) {
        if (strcmp(name, wanted) == 0) {
            return value;
        }
    }
    test_fail(__FILE__, __LINE__, "no counter %s", wanted);
}

#endif
