/* base/check.c — what happens when a CHECK fails: one line on stderr, then abort().
 * Called by the CHECK macros only. Any thread, also with a broken heap: nothing is allocated and
 * stdio is not used for the output. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void check_failed(const char *expression, const char *file, int line)
{
    char text[512];
    snprintf(text, sizeof text - 1, "galley: %s:%d: check failed: %s", file, line, expression);
    size_t len = strlen(text);
    text[len] = '\n';
    ssize_t written = write(STDERR_FILENO, text, len + 1);
    (void)written; /* the program ends either way */
    abort();
}
