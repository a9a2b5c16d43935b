/* base/public.c — the functions of galley/base.h: version, sentences for codes, the clock.
 * A file of its own because libgalley-pool exports them and libgalley, which links it, must not do
 * so again. Any thread; nothing here blocks or can fail. */
#include <galley/base.h>

#include "base/clock.h"
#include "base/error_list.h"

uint32_t galley_version(void)
{
    return GALLEY_VERSION;
}

const char *galley_strerror(int code)
{
#define ERROR_CASE(name, sentence)                                                                 \
    case name:                                                                                     \
        return sentence;
    switch (code) {
        ERROR_LIST(ERROR_CASE)
    default:
        return "unknown result code";
    }
#undef ERROR_CASE
}

int64_t galley_now_ms(void)
{
    return clock_mono_ms();
}
