/* tests/harness/wanted_io.h — how the servers of the test programs wait: GALLEY_TEST_IO=epoll or
 * uring in the environment, which galley.py hands to the program itself as --io. Included by tests
 * and by tests/programs; the library knows nothing of it. Another word ends the program. */
#ifndef TESTS_HARNESS_WANTED_IO_H
#define TESTS_HARNESS_WANTED_IO_H

#include <galley/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int wanted_io(void)
{
    const char *name = getenv("GALLEY_TEST_IO");
    if (name == NULL || name[0] == '\0') {
        return GALLEY_IO_AUTO;
    }
    if (strcmp(name, "epoll") == 0) {
        return GALLEY_IO_EPOLL;
    }
    if (strcmp(name, "uring") == 0) {
        return GALLEY_IO_URING;
    }
    fprintf(stderr, "GALLEY_TEST_IO: what is %s?\n", name);
    exit(2);
}

#endif
