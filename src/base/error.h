/* base/error.h — fills galley_error: code, errno, one sentence for a person. err may be NULL.
 * Called where a constructor or a configuration step fails, from any thread; the sentence names
 * what was tried ("listen 0.0.0.0:80"), because the caller has no other place to learn it. Nothing
 * is allocated. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <galley/base.h>

/** Sets the error and returns code, so that `return error_set(...)` reads well. The sentence is cut
 *  at 247 bytes and control bytes in it are replaced by '?'. */
int error_set(galley_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** GALLEY_ESYS (ENOMEM: GALLEY_ENOMEM) with ": <strerror>" behind the sentence. sys_errno is
 * positive. */
int error_set_sys(galley_error *err, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
