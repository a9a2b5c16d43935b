/* conn/preface.h — which of two protocols a client speaks, found out by its first bytes: for plain ports,
 * where nothing else says so (HTTP/2 by prior knowledge, RFC 9113 §3.3). The choice is a protocol itself,
 * handed to conn_create(), which steps aside for good as soon as it knows. On the loop. */
#ifndef CONN_PREFACE_H
#define CONN_PREFACE_H

#include "base/span.h"
#include "conn/protocol.h"

enum { PREFACE_MAX_BYTES = 32 };

struct preface_choice {
    struct protocol protocol; /* for conn_create() */
    const struct protocol *usual;
    const struct protocol *special;
    struct span preface; /* what clients of `special` begin with, whole */
};

/** All that is given stays as long as the choice; preface is 1 to PREFACE_MAX_BYTES long. */
void preface_choice_init(struct preface_choice *choice, const struct protocol *usual,
                         const struct protocol *special, struct span preface);

#endif
