/* base/options.h — the size rule of public option structs: each begins with `size_t size`, and zero
 * in any field means the default. So a program built with an older header brings a shorter struct,
 * whose missing fields are defaults, and one built with a newer header a longer one: what that asks
 * for beyond what is known here must be nothing, or it would be ignored silently.
 * Called by whoever takes such a struct, on the caller's thread. Pure. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <galley/base.h>

#include <stddef.h>

/** A kind of option struct, as this library knows it. */
struct options_kind {
    size_t bytes;     /* sizeof the struct */
    const char *what; /* "pool options": begins the sentence of a refusal */
    const char *init; /* the macro to start from */
};

/** Copy what is given (NULL: nothing) to own, a whole struct of that kind: what the caller's version
 *  does not have is zero, and own's size is kind->bytes. 0, or GALLEY_EINVAL with own unchanged: its
 *  size is not set, or a byte behind what is known is not zero. err may be NULL. */
int options_copy(void *own, const struct options_kind *kind, const void *given, galley_error *err);

#endif
