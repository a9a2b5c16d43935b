/* http/multipart.c — see multipart.h. Each head is written first and measured afterwards, in the
 * same breath: the sum is made of what will really be sent. */
#include "http/multipart.h"

#include "base/text.h"

#include <galley/base.h>

static bool add(uint64_t *sum, uint64_t more)
{
    return !__builtin_add_overflow(*sum, more, sum) && *sum <= INT64_MAX;
}

/* RFC 9110 §14.6: the delimiter and the fields of one part. */
static struct span part_head(struct arena *arena, const char *boundary, struct byte_range range,
                             const struct multipart_options *options)
{
    char content_range[RANGE_CONTENT_RANGE_MAX];
    size_t len = range_write_content_range(content_range, range, options->size);
    struct span type = options->part_type;
    return arena_printf(arena, "\r\n--%s\r\n%s%.*s%sContent-Range: %.*s\r\n\r\n", boundary,
                        type.len ? "Content-Type: " : "", SPAN_ARGS(type), type.len ? "\r\n" : "",
                        (int)len, content_range);
}

int multipart_build(struct multipart *ret, struct arena *arena, const struct range_set *set,
                    const struct multipart_options *options)
{
    struct multipart built = {.count = set->count};
    char boundary[MULTIPART_BOUNDARY_LEN + 1] = {0};
    text_write_hex(boundary, options->random, sizeof(options->random));
    for (unsigned i = 0; i < set->count; i++) {
        built.heads[i] = part_head(arena, boundary, set->ranges[i], options);
        if (!built.heads[i].ptr) {
            return GALLEY_ENOMEM;
        }
        if (!add(&built.total_bytes, built.heads[i].len) ||
            !add(&built.total_bytes, set->ranges[i].len)) {
            return GALLEY_ETOOBIG;
        }
    }
    built.tail = arena_printf(arena, "\r\n--%s--\r\n", boundary);
    built.content_type = arena_printf(arena, "multipart/byteranges; boundary=%s", boundary);
    if (!built.tail.ptr || !built.content_type.ptr) {
        return GALLEY_ENOMEM;
    }
    if (!add(&built.total_bytes, built.tail.len)) {
        return GALLEY_ETOOBIG;
    }
    *ret = built;
    return 0;
}
