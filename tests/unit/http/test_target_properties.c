/* tests/unit/http/test_target_properties.c — what holds for every path: no spelling escapes its
 * normal form. */
#include "http/target.h"
#include "http/target_encode.h"
#include "test.h"

static struct arena arena;

static void expect_normal(struct span path)
{
    EXPECT(path.len > 0 && path.ptr[0] == '/');
    EXPECT(!memchr(path.ptr, 0, path.len));
    struct span rest = span_from(path, 1), segment;
    while (rest.ptr) {
        rest = span_cut(rest, '/', &segment);
        EXPECT(!span_equal(segment, SPAN("..")) && !span_equal(segment, SPAN(".")));
        EXPECT(segment.len > 0 || !rest.ptr); /* "//" nowhere */
    }
}

/* A random raw target, made of pieces that matter. */
static struct span random_raw(char *out, size_t room)
{
    static const char *const pieces[] = {
        "/", "//", ".", "..", "%2e", "%2E", "%2F", "%2f", "%5C", "%25", "%00", "%C3", "a",  "b",
        "2", "F",  "f", "5",  "%32", "%46", "%61", "\\",  ";",   "%",   "/..", "/.",  "%35"};
    size_t len = 0;
    out[len++] = '/';
    size_t count = test_random_below(14);
    for (size_t i = 0; i < count; i++) {
        /* The pieces that spoil the whole are rare. */
        size_t pick = test_random_below(sizeof(pieces) / sizeof(pieces[0]));
        const char *piece = pieces[pick];
        if ((strcmp(piece, "%") == 0 || strcmp(piece, "%00") == 0) && test_random_below(20)) {
            piece = "a";
        }
        size_t bytes = strlen(piece);
        EXPECT(len + bytes <= room);
        memcpy(out + len, piece, bytes);
        len += bytes;
    }
    return span_make(out, len);
}

/* The same path, its bytes escaped or not at random. '/' stays, an escape of three bytes stays or
 * changes the case of its digits, "%25" stays. */
static struct span respell(struct span raw, char *out)
{
    static const char digits[] = "0123456789ABCDEF", lower[] = "0123456789abcdef";
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        if (c == '%') {
            bool flip = test_random_below(2) != 0;
            out[len++] = '%';
            for (int k = 1; k <= 2; k++) {
                char d = raw.ptr[++i];
                out[len++] = (char)(d >= 'A' && flip ? d ^ 0x20 : d);
            }
        } else if (c != '/' && test_random_below(2)) {
            const char *set = test_random_below(2) ? digits : lower;
            out[len++] = '%';
            out[len++] = set[c >> 4];
            out[len++] = set[c & 15];
        } else {
            out[len++] = (char)c;
        }
    }
    return span_make(out, len);
}

/* Lesson: a rule for one spelling holds for all of them. */
TEST(every_spelling_of_a_path_has_the_same_normal_form)
{
    unsigned taken = 0;
    for (unsigned round = 0; round < test_rounds(40000); round++) {
        char raw_text[64], other_text[200];
        struct span raw = random_raw(raw_text, sizeof(raw_text));
        struct target target, other;
        arena_init(&arena, 0);
        if (target_parse(raw, METHOD_GET, &arena, &target) == 0) {
            taken++;
            expect_normal(target.path);
            struct span respelled = respell(raw, other_text);
            EXPECT_INT(target_parse(respelled, METHOD_GET, &arena, &other), 0);
            if (!span_equal(target.path, other.path)) {
                test_fail(__FILE__, __LINE__, "'%.*s' gives '%.*s', '%.*s' gives '%.*s'",
                          SPAN_ARGS(raw), SPAN_ARGS(target.path), SPAN_ARGS(respelled),
                          SPAN_ARGS(other.path));
            }
            EXPECT_INT(target.has_encoded_slash, other.has_encoded_slash);
        }
        arena_finish(&arena);
    }
    EXPECT(taken > test_rounds(40000) / 10);
}

/* Encoding is the inverse, so different paths have different normal forms. */
TEST(an_encoded_path_parses_to_itself)
{
    for (unsigned round = 0; round < test_rounds(40000); round++) {
        char raw_text[64];
        struct span raw = random_raw(raw_text, sizeof(raw_text));
        struct target target, again;
        struct buf out;
        arena_init(&arena, 0);
        buf_init(&out, 0);
        if (target_parse(raw, METHOD_GET, &arena, &target) == 0) {
            target_encode_path(&out, target.path);
            EXPECT_INT(target_parse(buf_span(&out), METHOD_GET, &arena, &again), 0);
            EXPECT(span_equal(target.path, again.path));
            EXPECT_INT(target.has_encoded_slash, again.has_encoded_slash);
            EXPECT(out.len < 2 || out.data[1] != '/');
        }
        buf_finish(&out);
        arena_finish(&arena);
    }
}

TEST(random_bytes_are_refused_or_normal)
{
    for (unsigned round = 0; round < test_rounds(40000); round++) {
        size_t len = test_random_below(24);
        char *raw = malloc(len ? len : 1); /* exactly: sanitizers see a byte too far */
        for (size_t i = 0; i < len; i++) {
            raw[i] = (char)(test_random_below(4) ? "/.%2Fa?"[test_random_below(7)]
                                                 : (char)test_random());
        }
        struct target target;
        arena_init(&arena, 0);
        if (target_parse(span_make(raw, len), METHOD_GET, &arena, &target) == 0) {
            expect_normal(target.path);
        }
        arena_finish(&arena);
        free(raw);
    }
}

TEST(a_target_of_64_kib_is_handled)
{
    enum { LEN = 64 * 1024 };
    char *raw = malloc(LEN);
    struct target target;
    memset(raw, '/', LEN);
    arena_init(&arena, 0);
    EXPECT_INT(target_parse(span_make(raw, LEN), METHOD_GET, &arena, &target), 0);
    EXPECT_SPAN(target.path, "/");
    for (size_t i = 0; i < LEN; i += 4) { /* as many steps down as up */
        memcpy(raw + i, i < LEN / 2 ? "/abc" : "/../", 4);
    }
    EXPECT_INT(target_parse(span_make(raw, LEN), METHOD_GET, &arena, &target), 0);
    EXPECT_SPAN(target.path, "/");
    memcpy(raw, "/...", 4);
    memcpy(raw + 4, "/../", 4); /* and now one step too many */
    memcpy(raw + 8, "/../", 4);
    EXPECT(target_parse(span_make(raw, LEN), METHOD_GET, &arena, &target) != 0);
    arena_finish(&arena);
    free(raw);
}
