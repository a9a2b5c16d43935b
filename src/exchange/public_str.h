/* exchange/public_str.h — spans as the public API gives them: it has a type of its own. */
#ifndef EXCHANGE_PUBLIC_STR_H
#define EXCHANGE_PUBLIC_STR_H

#include "base/span.h"

#include <galley/base.h>

static inline galley_str str_of(struct span s)
{
    return (galley_str){s.ptr, s.len};
}

#endif
