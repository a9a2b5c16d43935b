/* base/error.c — fills galley_error; see error.h.
 * Called by constructors and configuration; never on the request path, where no error text is made.
 * Any thread; the struct belongs to the caller. */
#include "base/error.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(galley_error *err, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void fill(galley_error *err, int code, const char *format, va_list args)
{
    err->code = code;
    err->sys_errno = 0;
    if (vsnprintf(err->message, sizeof err->message, format, args) < 0) {
        err->message[0] = '\0';
    }
    text_mask_controls(err->message, strlen(err->message));
}

int error_set(galley_error *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        fill(err, code, format, args);
        va_end(args);
    }
    return code;
}

/* strerror() keeps its text where other threads write; strerror_r comes in two kinds, told apart by
 * type. */
static const char *pick_pointer(const char *text, const char *buffer)
{
    (void)buffer;
    return text;
}

static const char *pick_buffer(int failed, const char *buffer)
{
    return failed ? "unknown error" : buffer;
}

static void append_sys_sentence(galley_error *err, int sys_errno)
{
    char buffer[128] = "";
    const char *sentence =
        _Generic(strerror_r(sys_errno, buffer, sizeof buffer), int
                 : pick_buffer, default
                 : pick_pointer)(strerror_r(sys_errno, buffer, sizeof buffer), buffer);
    size_t len = strlen(err->message);
    snprintf(err->message + len, sizeof err->message - len, ": %s", sentence);
}

int error_set_sys(galley_error *err, int sys_errno, const char *format, ...)
{
    int code = sys_errno == ENOMEM ? GALLEY_ENOMEM : GALLEY_ESYS;
    if (err) {
        va_list args;
        va_start(args, format);
        fill(err, code, format, args);
        va_end(args);
        append_sys_sentence(err, sys_errno);
        err->sys_errno = code == GALLEY_ESYS ? sys_errno : 0;
    }
    return code;
}
