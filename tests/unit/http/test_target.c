/* tests/unit/http/test_target.c — targets taken apart; one normal form for every spelling of a
 * path. */
#include "base/alloc.h"
#include "http/target.h"
#include "test.h"

#include <galley/base.h>

static struct arena arena;

static int parse(const char *raw, struct target *target)
{
    return target_parse(span_of(raw), METHOD_GET, &arena, target);
}

struct normal_row {
    const char *raw;
    const char *path; /* NULL: 400 */
};

static const struct normal_row rows[] = {
    {"/", "/"},
    {"/a", "/a"},
    {"/a/", "/a/"},
    {"/a.b/c", "/a.b/c"},
    {"/...", "/..."},
    {"/..a", "/..a"},
    {"/.well-known/x", "/.well-known/x"},
    /* RFC 3986 §2.1: decoded, once */
    {"/%61%2e%7E", "/a.~"},
    {"/%C3%BC", "/\xc3\xbc"},
    {"/a%20b", "/a b"},
    {"/a%3Fb%23c", "/a?b#c"},
    {"/100%25", "/100%"},
    {"/100%25.txt", "/100%.txt"},
    {"/%2541", "/%41"},
    {"/%01%7f", "/\x01\x7f"},
    {"/%0d%0a", "/\r\n"},
    {"/%ff", "/\xff"},
    /* RFC 3986 §5.2.4, after decoding; empty segments are nothing */
    {"/a/./b", "/a/b"},
    {"/a/.", "/a/"},
    {"/./", "/"},
    {"/a/../b", "/b"},
    {"/a/..", "/"},
    {"/a/b/..", "/a/"},
    {"/a/b/../", "/a/"},
    {"/a/b/../../c", "/c"},
    {"/%2e%2E/a", NULL},
    {"/a/%2e%2e/b", "/b"},
    {"/a/.%2e/b", "/b"},
    {"/a/%2e/b", "/a/b"},
    {"//", "/"},
    {"//a", "/a"},
    {"/a//b///c", "/a/b/c"},
    {"/a//../b", "/b"},
    {"//evil.example/..%2f", "/evil.example/..%2F"},
    /* above the root */
    {"/..", NULL},
    {"/../a", NULL},
    {"/a/../..", NULL},
    {"/a/../../a", NULL},
    {"/./..", NULL},
    {"//..", NULL},
    /* an encoded slash is a letter of a name */
    {"/a%2Fb", "/a%2Fb"},
    {"/a%2fb", "/a%2Fb"},
    {"/..%2F..", "/..%2F.."},
    {"/%2f", "/%2F"},
    {"/%2e%2e%2fa", "/..%2Fa"},
    {"/a%2Fb/../c", "/c"},
    /* and a literal text that would read like one is told apart */
    {"/a%252Fb", "/a%252Fb"},
    {"/a%252fb", "/a%252fb"},
    {"/a%25%32Fb", "/a%252Fb"},
    {"/a%252%46b", "/a%252Fb"},
    {"/a%25252Fb", "/a%25252Fb"},
    {"/a%2525b", "/a%2525b"},
    {"/%252", "/%2"},
    {"/%252/F", "/%2/F"},
    {"/%25%2F", "/%%2F"},
    /* a backslash is a character */
    {"/a\\b", "/a\\b"},
    {"/a%5cb", "/a\\b"},
    {"/..\\..\\x", "/..\\..\\x"},
    {"/a;p=1/b,c", "/a;p=1/b,c"},
    {"/[x]|{y}^`\"<>", "/[x]|{y}^`\"<>"},
    /* bad escapes, NUL */
    {"/%", NULL},
    {"/%2", NULL},
    {"/%zz", NULL},
    {"/%2g", NULL},
    {"/% 20", NULL},
    {"/%%41", NULL},
    {"/%u0041", NULL},
    {"/%00", NULL},
    {"/a.txt%00.html", NULL},
    /* RFC 9112 §3.2, RFC 3986 §2: no space, control, fragment, raw byte from 0x80 */
    {"/a b", NULL},
    {"/a\tb", NULL},
    {"/a#b", NULL},
    {"/a?b#c", NULL},
    {"/\x7f", NULL},
    {"/\xc3\xbc", NULL},
    {"/a?\x80", NULL},
    {"", NULL},
    {"a", NULL},
    {"?a", NULL},
    {"*", NULL},
    {"..", NULL},
};

TEST(paths_have_one_normal_form)
{
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct target target = {.path = SPAN_NONE};
        int code = parse(rows[i].raw, &target);
        if ((code == 0) != (rows[i].path != NULL)) {
            test_fail(__FILE__, __LINE__, "'%s' gives %d", rows[i].raw, code);
        }
        if (rows[i].path) {
            EXPECT_SPAN(target.path, rows[i].path);
            EXPECT_SPAN(target.raw_path, rows[i].raw);
            EXPECT_INT(target.has_encoded_slash, strstr(rows[i].path, "%2F") != NULL);
        } else {
            EXPECT_INT(code, GALLEY_EPROTO);
            EXPECT(!target.path.ptr);
        }
    }
    arena_finish(&arena);
}

TEST(a_path_in_normal_form_is_not_copied)
{
    const char *raw = "/assets/site.css?v=1";
    struct target target;
    arena_init(&arena, 0);
    EXPECT_INT(parse(raw, &target), 0);
    EXPECT(target.path.ptr == raw);
    EXPECT_INT(arena.used_bytes, 0);
    arena_finish(&arena);
}

/* RFC 3986 §3.4: the query begins at the first question mark and is left as it came */
TEST(the_query_is_kept_as_it_came)
{
    struct target target;
    arena_init(&arena, 0);
    EXPECT_INT(parse("/a/../b?x=%2F&y=../%zz?z", &target), 0);
    EXPECT_SPAN(target.path, "/b");
    EXPECT_SPAN(target.raw_path, "/a/../b");
    EXPECT_SPAN(target.query, "x=%2F&y=../%zz?z");
    EXPECT_INT(parse("/a?", &target), 0);
    EXPECT(target.query.ptr != NULL);
    EXPECT_SPAN(target.query, "");
    EXPECT_INT(parse("/a", &target), 0);
    EXPECT(!target.query.ptr);
    EXPECT(!target.host.ptr);
    EXPECT_INT(target.form, TARGET_ORIGIN);
    arena_finish(&arena);
}

struct absolute_row {
    const char *raw;
    const char *host; /* NULL: 400 */
    const char *path;
    bool is_https;
};

/* RFC 9112 §3.2.2; RFC 9110 §4.2.1, RFC 9110 §4.2.3: a host, perhaps no path */
static const struct absolute_row absolutes[] = {
    {"http://example.org/a?b", "example.org", "/a", false},
    {"HTTP://Example.org:80/", "Example.org:80", "/", false},
    {"https://[::1]:7878/x/../y", "[::1]:7878", "/y", true},
    {"http://a", "a", "/", false},
    {"http://a?q", "a", "/", false},
    {"http:///a", NULL, NULL, false},
    {"http://", NULL, NULL, false},
    {"http://?a", NULL, NULL, false},
    {"http://u@a/", NULL, NULL, false},
    {"http://a:b/", NULL, NULL, false},
    {"http://a/..", NULL, NULL, false},
    {"http:/a", NULL, NULL, false},
    {"ftp://a/", NULL, NULL, false},
    {"file:///etc/passwd", NULL, NULL, false},
    {"https:a", NULL, NULL, false},
};

TEST(absolute_form_gives_host_and_path)
{
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(absolutes) / sizeof(absolutes[0]); i++) {
        struct target target;
        int code = parse(absolutes[i].raw, &target);
        if ((code == 0) != (absolutes[i].host != NULL)) {
            test_fail(__FILE__, __LINE__, "'%s' gives %d", absolutes[i].raw, code);
        }
        if (code == 0) {
            EXPECT_INT(target.form, TARGET_ABSOLUTE);
            EXPECT_SPAN(target.host, absolutes[i].host);
            EXPECT_SPAN(target.path, absolutes[i].path);
            EXPECT_INT(target.is_https, absolutes[i].is_https);
        }
    }
    struct target target;
    EXPECT_INT(parse("http://a?q", &target), 0);
    EXPECT_SPAN(target.query, "q");
    arena_finish(&arena);
}

/* RFC 9112 §3.2.3: only CONNECT, host and port */
TEST(authority_form_belongs_to_connect)
{
    struct target target;
    arena_init(&arena, 0);
    EXPECT_INT(target_parse(SPAN("a.example:443"), METHOD_CONNECT, &arena, &target), 0);
    EXPECT_INT(target.form, TARGET_AUTHORITY);
    EXPECT_SPAN(target.host, "a.example:443");
    EXPECT(!target.path.ptr);
    static const char *const bad[] = {"a.example", "a:", "/", "http://a:1/", "*", ":443"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        EXPECT_INT(target_parse(span_of(bad[i]), METHOD_CONNECT, &arena, &target), GALLEY_EPROTO);
    }
    EXPECT_INT(parse("a.example:443", &target), GALLEY_EPROTO);
    arena_finish(&arena);
}

/* RFC 9112 §3.2.4: only OPTIONS */
TEST(asterisk_form_belongs_to_options)
{
    struct target target;
    arena_init(&arena, 0);
    EXPECT_INT(target_parse(SPAN("*"), METHOD_OPTIONS, &arena, &target), 0);
    EXPECT_INT(target.form, TARGET_ASTERISK);
    EXPECT(!target.path.ptr);
    EXPECT_INT(target_parse(SPAN("*"), METHOD_GET, &arena, &target), GALLEY_EPROTO);
    EXPECT_INT(target_parse(SPAN("*a"), METHOD_OPTIONS, &arena, &target), GALLEY_EPROTO);
    EXPECT_INT(target_parse(SPAN("/x"), METHOD_OPTIONS, &arena, &target), 0);
    EXPECT_INT(target.form, TARGET_ORIGIN);
    arena_finish(&arena);
}

TEST(a_target_without_memory_says_so_and_leaks_nothing)
{
    struct span raw = SPAN("/a/%62/../c%2Fd");
    for (uint64_t n = 1;; n++) {
        struct target target = {.path = SPAN("before")};
        arena_init(&arena, 0);
        mem_fail_nth(n);
        int code = target_parse(raw, METHOD_GET, &arena, &target);
        bool has_failed = mem_fail_happened() != 0;
        mem_fail_nth(0);
        EXPECT_INT(code, has_failed ? GALLEY_ENOMEM : 0);
        EXPECT_SPAN(target.path, has_failed ? "before" : "/a/c%2Fd");
        arena_finish(&arena);
        if (!has_failed) {
            break;
        }
    }
    arena_init(&arena, 4);
    struct target target;
    EXPECT_INT(target_parse(raw, METHOD_GET, &arena, &target), GALLEY_ENOMEM);
    arena_finish(&arena);
}
