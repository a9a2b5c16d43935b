/* h2/h2_head.h — inside the h2 room: the field section of a request while it is being received. On the
 * loop.
 *
 * One for each connection that is in the middle of a header block, and until its request has been
 * dispatched: the exchange borrows names and values from here, and copies them if it lives longer. Bytes
 * and field lines over the limits are counted and not kept. */
#ifndef H2_H2_HEAD_H
#define H2_H2_HEAD_H

#include "h2/h2_session.h"

enum {
    H2_BOMB_FACTOR = 8, /* so many times over a limit nobody errs */
};

struct h2_head {
    struct list link;     /* driver->free_heads */
    struct fields fields; /* with Host, also from :authority */
    struct span method;
    struct span scheme;
    struct span authority;
    struct span path;
    struct span protocol;
    uint32_t count;   /* field lines, also those not kept */
    uint64_t size;    /* as an HTTP/1 head would count */
    uint32_t cookies; /* lines of Cookie */
    bool is_too_large;
    size_t len;
    size_t capacity;
    char *bytes; /* name NUL value NUL …; names that every request has are not copied */
    struct field entries[];
};

/** NULL: out of memory. */
struct h2_head *h2_head_take(struct h2_driver *driver);
void h2_head_give_back(struct h2_driver *driver, struct h2_head *head);
void h2_head_free(struct h2_head *head);
uint64_t h2_head_bytes(const struct http_limits *limits);
/** What a driver keeps of them for the next requests. */
uint64_t h2_heads_kept_bytes(const struct http_limits *limits);
/** What the room frames must take of one string, so that a head over the limits is answered. */
static inline uint32_t h2_head_string_bytes(const struct http_limits *limits)
{
    enum { FACTOR = 4, SPARE_BYTES = 1024 };
    uint32_t most = UINT32_MAX / FACTOR - SPARE_BYTES;
    return (limits->max_head_bytes < most ? limits->max_head_bytes : most) * FACTOR + SPARE_BYTES;
}
/** A field, which was found well-formed. False: so far over the limits that it is an attack. */
bool h2_head_add(struct h2_head *head, const struct http_limits *limits,
                 const struct hpack_field *field);
/** The name of a row of HPACK's static table and its number. For tests, too. */
enum field_id h2_head_known(uint8_t name_index, struct span *ret_name);
/** All have come: cookie crumbs become one line (RFC 9113 §8.2.3), :authority becomes Host. False: they
 *  name different hosts (§8.3.1). */
bool h2_head_finish(struct h2_head *head);

#endif
