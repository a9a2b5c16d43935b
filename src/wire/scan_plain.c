/* wire/scan_plain.c — the finders of scan.h one byte at a time: the reference, and the tails of the
 * fast ones. The classes are those of http/chars.h, so that there is one definition. Pure; any
 * thread. */
#include "wire/scan.h"

#include "http/chars.h"

static inline const char *skip_class(const char *at, const char *end, enum chars_class wanted)
{
    while (at < end && chars_is(*at, wanted)) {
        at++;
    }
    return at;
}

const char *scan_value_plain(const char *at, const char *end)
{
    return skip_class(at, end, CHARS_VALUE);
}

const char *scan_token_plain(const char *at, const char *end)
{
    return skip_class(at, end, CHARS_TOKEN);
}

const char *scan_target_plain(const char *at, const char *end)
{
    return skip_class(at, end, CHARS_TARGET);
}
