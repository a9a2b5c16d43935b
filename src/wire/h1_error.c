/* wire/h1_error.c — the table of refusals: status and word for each row of h1_error_list.h.
 * Called by the h1 driver when it answers and counts. Pure; any thread. */
#include "wire/h1_error.h"

#include "base/check.h"

struct error_row {
    int status;
    const char *word;
};

static const struct error_row rows[H1_ERROR_COUNT] = {
    [H1_OK] = {0, "ok"},
#define H1_ERROR(id, status, word) [id] = {status, word},
#include "wire/h1_error_list.h"
#undef H1_ERROR
};

int h1_error_status(enum h1_error error)
{
    CHECK((unsigned)error < H1_ERROR_COUNT);
    return rows[error].status;
}

const char *h1_error_word(enum h1_error error)
{
    CHECK((unsigned)error < H1_ERROR_COUNT);
    return rows[error].word;
}
