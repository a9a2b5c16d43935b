/* http/forwarded.h — what proxies say of those they speak for: Forwarded (RFC 7239 §4), or
 * X-Forwarded-For, -Proto and -Host, which came before it. A walk goes from the right, from the
 * proxy next to us to the client: what stands on the left may be the client's own invention, and
 * nothing there changes how the right is read. Whom to believe is the caller's to know
 * (exchange/client.h). Strict: an element that can be read in two ways is malformed. No allocation,
 * nothing is kept. Pure; any thread. */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "http/fields.h"

/** Which fields are read: one of the two, never both. A proxy that writes the one passes on what
 *  its client wrote into the other. */
enum forwarded_family { FORWARDED_X, FORWARDED_RFC7239 };

/** RFC 7239 §6: for whom an element speaks. */
enum forwarded_kind {
    FORWARDED_MALFORMED,
    FORWARDED_UNKNOWN, /* "unknown", or an element without `for` */
    FORWARDED_NAME,    /* obfuscated: "_hidden" */
    FORWARDED_IPV4,
    FORWARDED_IPV6,
};

enum forwarded_scheme { FORWARDED_NO_SCHEME, FORWARDED_HTTP, FORWARDED_HTTPS };

enum {
    FORWARDED_NAME_MAX = 63,  /* a longer obfuscated name is malformed */
    FORWARDED_PAIRS_MAX = 16, /* an element with more is malformed */
    FORWARDED_ROOM_BYTES = 384,
};

/** One element; host lies in the field or in the walk, and is valid until its next step. */
struct forwarded_hop {
    enum forwarded_kind kind;
    enum forwarded_scheme scheme; /* none: not told, or another one */
    uint16_t port;                /* 0: not told, or obfuscated */
    uint8_t name_len;             /* FORWARDED_NAME */
    uint8_t bytes[16];            /* of the address; of IPv4 the first four */
    char name[FORWARDED_NAME_MAX];
    struct span host; /* ptr NULL: not told, or no host (http/host.h); may have a port */
};

struct forwarded_walk {
    const struct fields *fields;
    enum field_id id;
    uint32_t line;    /* the lines before this one have not been looked at */
    struct span rest; /* what stands left of the last hop, in its line */
    unsigned taken;   /* hops so far */
    size_t used;
    char room[FORWARDED_ROOM_BYTES]; /* for what was escaped */
};

void forwarded_begin(struct forwarded_walk *walk, const struct fields *fields,
                     enum forwarded_family family);
/** The next element to the left; false: there is none, *ret is untouched. Goes on behind a malformed
 *  one, though nobody should. */
bool forwarded_next(struct forwarded_walk *walk, struct forwarded_hop *ret);
/** Of X-Forwarded-*: scheme and host that belong to the hop which came last (to none, if none has
 *  come). A field with one value has it of the proxy next to us; one with as many values as
 *  X-Forwarded-For has one for each; of another number nobody knows what they mean. Nothing to do
 *  for RFC 7239, where they stand in the element. */
void forwarded_complete(struct forwarded_walk *walk, struct forwarded_hop *hop);

#endif
