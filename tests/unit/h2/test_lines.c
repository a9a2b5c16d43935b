/* Lines made ready for HTTP/1, as HTTP/2 fields that a driver keeps. */
#include "support_h2.h"

#include "base/alloc.h"
#include "h2/h2_lines.h"
#include "test.h"

static void expect_field(const struct h2_lines *lines, uint32_t i, const char *name,
                         const char *value)
{
    EXPECT(i < lines->count);
    const struct hpack_line *line = &lines->fields[i];
    EXPECT_SPAN(line->name, name);
    EXPECT_SPAN(line->value, value);
}

/* RFC 9113 §8.2.1: names in lower case; §8.2.2: no fields of a connection. */
TEST(test_ready_lines_become_fields)
{
    struct world world;
    world_open(&world);
    const struct h2_lines *lines = h2_lines_find(
        world.driver,
        SPAN(
            "ETag: \"X\"\r\nKeep-Alive: timeout=5\r\nX-Empty:\r\nno field\r\nSet-Cookie: a=b\r\n"));
    EXPECT(lines);
    EXPECT_INT(lines->count, 3);
    expect_field(lines, 0, "etag", "\"X\"");
    expect_field(lines, 1, "x-empty", "");
    expect_field(lines, 2, "set-cookie", "a=b");
    EXPECT_INT(lines->fields[0].how, HPACK_IF_REPEATED);
    EXPECT_INT(lines->fields[2].how, HPACK_NEVER); /* RFC 7541 §7.1.3 */
    world_close(&world);
}

/* A file that was read again may have its lines where the old ones lay. */
TEST(test_lines_are_known_by_their_text_and_not_by_their_place)
{
    struct world world;
    world_open(&world);
    char text[] = "ETag: \"1\"\r\n";
    struct span ready = span_make(text, sizeof text - 1);
    const struct h2_lines *first = h2_lines_find(world.driver, ready);
    EXPECT(first && first == h2_lines_find(world.driver, ready));
    expect_field(first, 0, "etag", "\"1\"");
    text[7] = '2';
    const struct h2_lines *second = h2_lines_find(world.driver, ready);
    EXPECT(second);
    expect_field(second, 0, "etag", "\"2\"");
    world_close(&world);
}

TEST(test_many_lines_share_the_places_there_are)
{
    struct world world;
    world_open(&world);
    char text[1000][16];
    int64_t before = mem_live_blocks();
    for (int i = 0; i < 1000; i++) {
        size_t len = (size_t)snprintf(text[i], sizeof text[i], "X: %d\r\n", i);
        const struct h2_lines *lines = h2_lines_find(world.driver, span_make(text[i], len));
        EXPECT(lines && lines->count == 1);
    }
    EXPECT(mem_live_blocks() - before <= H2_KEPT_LINES);
    world_close(&world);
}

TEST(test_lines_that_are_long_are_not_kept)
{
    struct world world;
    world_open(&world);
    char text[4096];
    memset(text, 'x', sizeof text);
    text[1] = ':';
    text[sizeof text - 1] = '\n';
    EXPECT(!h2_lines_find(world.driver, span_make(text, sizeof text)));
    EXPECT(!h2_lines_find(world.driver, SPAN("")));
    EXPECT(!h2_lines_find(world.driver, SPAN_NONE));
    struct buf many;
    buf_init(&many, 0);
    for (int i = 0; i < 40; i++) {
        buf_append_text(&many, "X: y\r\n");
    }
    EXPECT(!h2_lines_find(world.driver, buf_span(&many)));
    buf_finish(&many);
    world_close(&world);
}

TEST(test_without_memory_lines_are_not_kept)
{
    struct world world;
    world_open(&world);
    mem_fail_nth(1);
    EXPECT(!h2_lines_find(world.driver, SPAN("X: y\r\n")));
    EXPECT(mem_fail_happened());
    mem_fail_nth(0);
    const struct h2_lines *lines = h2_lines_find(world.driver, SPAN("X: y\r\n"));
    EXPECT(lines != NULL);
    world_close(&world);
}

/* What comes again and again the client shall remember, what is its secret it must not. */
TEST(test_fields_are_remembered_by_what_they_are)
{
    EXPECT_INT(h2_how_of(SPAN("Content-Type")), HPACK_INDEX);
    EXPECT_INT(h2_how_of(SPAN("vary")), HPACK_INDEX);
    EXPECT_INT(h2_how_of(SPAN("Alt-Svc")), HPACK_INDEX);
    EXPECT_INT(h2_how_of(SPAN("ETag")), HPACK_IF_REPEATED);
    EXPECT_INT(h2_how_of(SPAN("content-length")), HPACK_IF_REPEATED);
    EXPECT_INT(h2_how_of(SPAN("x-any")), HPACK_IF_REPEATED);
    EXPECT_INT(h2_how_of(SPAN("SET-COOKIE")), HPACK_NEVER);
}
