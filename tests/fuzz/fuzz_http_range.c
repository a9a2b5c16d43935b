/* tests/fuzz/fuzz_http_range.c — any bytes as Range. First eight bytes: the size.
 * Holds: pieces lie inside the file, are disjoint, their sum is at most the size, and the frame of
 * a multipart answer is as long as it says. */
#include "fuzz.h"
#include "http/multipart.h"
#include "http/range.h"

/* rooms: http */

static uint64_t expect_sound(const struct range_set *set, uint64_t size)
{
    uint64_t sum = 0;
    FUZZ_EXPECT(set->count >= 1 && set->count <= RANGE_MAX);
    for (unsigned i = 0; i < set->count; i++) {
        struct byte_range a = set->ranges[i];
        FUZZ_EXPECT(a.len > 0 && a.from < size && a.len <= size - a.from);
        FUZZ_EXPECT(a.len <= size - sum);
        sum += a.len;
        for (unsigned k = 0; k < i; k++) {
            struct byte_range b = set->ranges[k];
            FUZZ_EXPECT(a.from > b.from + b.len || b.from > a.from + a.len);
        }
    }
    return sum;
}

static void expect_frame(const struct range_set *set, uint64_t size, uint64_t sum)
{
    const struct multipart_options options = {.size = size, .part_type = {"a/b", 3}, .random = {1}};
    struct multipart built;
    struct arena arena;
    arena_init(&arena, 0);
    if (multipart_build(&built, &arena, set, &options) == 0) {
        uint64_t frame = built.tail.len;
        for (unsigned i = 0; i < built.count; i++) {
            frame += built.heads[i].len;
        }
        FUZZ_EXPECT(built.total_bytes == frame + sum);
        FUZZ_EXPECT(frame <= 40 + 200 * (uint64_t)built.count);
    } else {
        FUZZ_EXPECT(sum > INT64_MAX - 4000);
    }
    arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t file_size;
    struct range_set set;
    if (size < sizeof(file_size)) {
        return 0;
    }
    memcpy(&file_size, data, sizeof(file_size));
    struct span value = span_make((const char *)data + sizeof(file_size), size - sizeof(file_size));
    if (range_parse(value, file_size, &set) == RANGE_SATISFIABLE) {
        char text[RANGE_CONTENT_RANGE_MAX];
        uint64_t sum = expect_sound(&set, file_size);
        FUZZ_EXPECT(range_write_content_range(text, set.ranges[0], file_size) <= sizeof(text));
        FUZZ_EXPECT(range_write_unsatisfied(text, file_size) <= sizeof(text));
        expect_frame(&set, file_size, sum);
    }
    return 0;
}
