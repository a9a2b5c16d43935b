/* tests/unit/http/test_multipart.c — multipart/byteranges: the bytes, and the sum that is
 * promised. */
#include "base/alloc.h"
#include "http/multipart.h"
#include "test.h"

#include <galley/base.h>

static const struct multipart_options options = {
    .size = 1000, .part_type = {"text/css", 8}, .random = {0x0706050403020100, 0x0f0e0d0c0b0a0908}};

#define BOUNDARY "000102030405060708090a0b0c0d0e0f"

/* RFC 9110 §14.6, §15.3.7.2 */
TEST(parts_have_type_and_content_range)
{
    struct range_set set = {2, {{0, 2}, {500, 100}}};
    struct arena arena;
    struct multipart built;
    arena_init(&arena, 0);
    EXPECT_INT(multipart_build(&built, &arena, &set, &options), 0);
    EXPECT_INT(built.count, 2);
    EXPECT_SPAN(built.content_type, "multipart/byteranges; boundary=" BOUNDARY);
    EXPECT_SPAN(built.heads[0], "\r\n--" BOUNDARY "\r\nContent-Type: text/css\r\n"
                                "Content-Range: bytes 0-1/1000\r\n\r\n");
    EXPECT_SPAN(built.heads[1], "\r\n--" BOUNDARY "\r\nContent-Type: text/css\r\n"
                                "Content-Range: bytes 500-599/1000\r\n\r\n");
    EXPECT_SPAN(built.tail, "\r\n--" BOUNDARY "--\r\n");
    EXPECT_INT(built.total_bytes,
               built.heads[0].len + 2 + built.heads[1].len + 100 + built.tail.len);
    arena_finish(&arena);
}

TEST(a_part_without_a_type_has_only_its_range)
{
    struct range_set set = {1, {{0, 2}}};
    struct multipart_options untyped = options;
    struct arena arena;
    struct multipart built;
    untyped.part_type = SPAN("");
    arena_init(&arena, 0);
    EXPECT_INT(multipart_build(&built, &arena, &set, &untyped), 0);
    EXPECT_SPAN(built.heads[0], "\r\n--" BOUNDARY "\r\nContent-Range: bytes 0-1/1000\r\n\r\n");
    arena_finish(&arena);
}

TEST(a_sum_over_63_bits_is_refused)
{
    struct range_set set = {2, {{0, INT64_MAX}, {UINT64_C(1) << 63, INT64_MAX}}};
    struct arena arena;
    struct multipart built = {.count = 77};
    arena_init(&arena, 0);
    EXPECT_INT(multipart_build(&built, &arena, &set, &options), GALLEY_ETOOBIG);
    EXPECT_INT(built.count, 77);
    arena_finish(&arena);
}

/* Lesson: range amplification: the frame costs a bounded number of bytes a piece. */
TEST(the_frame_of_sixteen_pieces_is_small)
{
    struct range_set set = {.count = RANGE_MAX};
    struct arena arena;
    struct multipart built;
    for (unsigned i = 0; i < RANGE_MAX; i++) {
        set.ranges[i] = (struct byte_range){i * 10, 1};
    }
    arena_init(&arena, 0);
    EXPECT_INT(multipart_build(&built, &arena, &set, &options), 0);
    EXPECT(built.total_bytes < RANGE_MAX * 200);
    arena_finish(&arena);
}

TEST(a_build_without_memory_says_so_and_leaks_nothing)
{
    struct range_set set = {3, {{0, 2}, {500, 100}, {900, 1}}};
    for (uint64_t n = 1;; n++) {
        struct arena arena;
        struct multipart built = {.count = 77};
        arena_init(&arena, 0);
        mem_fail_nth(n);
        int code = multipart_build(&built, &arena, &set, &options);
        bool has_failed = mem_fail_happened() != 0;
        mem_fail_nth(0);
        EXPECT_INT(code, has_failed ? GALLEY_ENOMEM : 0);
        EXPECT_INT(built.count, has_failed ? 77 : 3);
        arena_finish(&arena);
        if (!has_failed) {
            break;
        }
    }
    for (size_t limit = 1; limit < 500; limit++) {
        struct arena arena;
        struct multipart built;
        arena_init(&arena, limit);
        int code = multipart_build(&built, &arena, &set, &options);
        EXPECT(code == 0 || code == GALLEY_ENOMEM);
        arena_finish(&arena);
    }
}
