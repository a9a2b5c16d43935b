/* base/options.c — the size rule of public option structs; see options.h. Any thread, nothing is
 * allocated. The caller's struct is read by its own size only: it may be shorter than ours. */
#include "base/options.h"

#include "base/error.h"

#include <string.h>

/* The first byte behind what is known that asks for something, or `size`. */
static size_t find_unknown(const char *bytes, size_t known, size_t size)
{
    size_t at = known < size ? known : size;
    while (at < size && bytes[at] == 0) {
        at++;
    }
    return at;
}

static void copy_known(char *own, size_t known, const void *given, size_t size)
{
    size_t copied = size < known ? size : known;
    if (copied > 0) {
        memcpy(own, given, copied);
    }
    memset(own + copied, 0, known - copied);
    memcpy(own, &known, sizeof known); /* it is a whole one now */
}

int options_copy(void *own, const struct options_kind *kind, const void *given, galley_error *err)
{
    size_t size = 0;
    if (given) {
        memcpy(&size, given, sizeof size);
        if (size < sizeof size) {
            return error_set(err, GALLEY_EINVAL, "%s: size is not set (use %s)", kind->what,
                             kind->init);
        }
        size_t unknown = find_unknown(given, kind->bytes, size);
        if (unknown < size) {
            return error_set(err, GALLEY_EINVAL,
                             "%s: byte %zu asks for something newer than this library", kind->what,
                             unknown);
        }
    }
    copy_known(own, kind->bytes, given, size);
    return GALLEY_OK;
}
