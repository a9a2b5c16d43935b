/* tests/unit/tls/test_names.c — names of certificates and what they match, RFC 9525 §6.3. */
#include "test.h"

#include "base/alloc.h"
#include "tls/tls_names.h"

TEST(test_what_is_a_pattern)
{
    static const char *const patterns[] = {"a",          "a.example", "*.example", "*.a.b",
                                           "xn--a.test", "A_b.Test",  "1.2.3.4"};
    static const char *const others[] = {
        "",    ".",       "a.",       ".a",       "a..b",          "*",   "*.",
        "a.*", "f*.test", "*.*.test", "a b.test", "\xc3\xbc.test", "a:b", "*a.test"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        EXPECT(tls_name_is_pattern(span_of(patterns[i])));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        EXPECT(!tls_name_is_pattern(span_of(others[i])));
    }
    EXPECT(!tls_name_is_pattern(span_make("a\0.test", 7)));
    EXPECT(!tls_name_is_pattern(SPAN_NONE));
}

TEST(test_labels_have_63_bytes_and_names_253)
{
    char text[TLS_NAME_MAX + 1];
    memset(text, 'a', sizeof text);
    EXPECT(tls_name_is_pattern(span_make(text, 63)));
    EXPECT(!tls_name_is_pattern(span_make(text, 64)));
    for (size_t i = 1; i < sizeof text; i += 2) {
        text[i] = '.';
    }
    EXPECT(tls_name_is_pattern(span_make(text, TLS_NAME_MAX)));
    EXPECT(!tls_name_is_pattern(span_make(text, TLS_NAME_MAX + 1)));
}

TEST(test_the_wildcard_of_a_name)
{
    char text[TLS_NAME_MAX];
    EXPECT_SPAN(tls_name_wildcard(text, SPAN("a.example")), "*.example");
    EXPECT_SPAN(tls_name_wildcard(text, SPAN("a.b.example")), "*.b.example");
    EXPECT(!tls_name_wildcard(text, SPAN("localhost")).ptr);
    EXPECT(!tls_name_wildcard(text, SPAN("")).ptr);
    EXPECT(!tls_name_wildcard(text, SPAN(".example")).ptr);
}

/* RFC 6066 §3 */
TEST(test_the_name_in_a_client_hello)
{
    char text[TLS_ASKED_MAX];
    static const struct span others[] = {
        SPAN("\0\x0c\0\0\x09A.exampl"),   /* cut */
        SPAN("\0\x0c\0\0\x09A.example!"), /* more behind it */
        SPAN("\0\x0c\1\0\x09A.example"),  /* another type */
        SPAN("\0\x0c\0\0\x08A.example"),  /* the name is shorter than the list */
        SPAN("\0\x0c\0\0\x0a"
             "A.example"),            /* and longer */
        SPAN("\0\x06\0\0\1a\0\0\1b"), /* two */
        SPAN("\0\3\0\0"),
        SPAN(""),
    };
    EXPECT_SPAN(tls_name_asked(text, SPAN("\0\x0c\0\0\x09"
                                          "A.example")),
                "a.example");
    EXPECT_INT((int)tls_name_asked(text, SPAN("\0\3\0\0\0")).len, 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        EXPECT(!tls_name_asked(text, others[i]).ptr);
    }
    EXPECT(!tls_name_asked(text, SPAN_NONE).ptr);
}

TEST(test_a_name_of_more_than_255_bytes_is_none)
{
    char text[TLS_ASKED_MAX];
    char extension[5 + TLS_ASKED_MAX + 1];
    memset(extension, 'A', sizeof extension);
    memcpy(extension, "\1\2\0\0\xff", 5);
    EXPECT_INT((int)tls_name_asked(text, span_make(extension, 5 + 255)).len, 255);
    memcpy(extension, "\1\3\0\1\0", 5);
    EXPECT(!tls_name_asked(text, span_make(extension, 5 + 256)).ptr);
}

static unsigned match(const struct tls_names *names, const char *name)
{
    size_t first = 0;
    size_t count = tls_names_match(names, span_of(name), &first);
    return count ? names->rows[first].value : 99;
}

TEST(test_exact_names_count_before_wildcards)
{
    struct tls_names names = {0};
    EXPECT(tls_names_add(&names, SPAN("*.Example"), 1));
    EXPECT(tls_names_add(&names, SPAN("B.example"), 2));
    EXPECT(tls_names_add(&names, SPAN("*.b.example"), 3));
    EXPECT(tls_names_add(&names, SPAN("not a name"), 4));
    EXPECT(tls_names_add(&names, SPAN("*.example"), 1));
    tls_names_seal(&names);
    EXPECT_INT((int)names.count, 3);
    EXPECT_INT((int)match(&names, "a.example"), 1);
    EXPECT_INT((int)match(&names, "b.example"), 2);
    EXPECT_INT((int)match(&names, "c.b.example"), 3);
    EXPECT_INT((int)match(&names, "d.c.b.example"), 99);
    EXPECT_INT((int)match(&names, "example"), 99);
    EXPECT_INT((int)match(&names, ""), 99);
    tls_names_finish(&names);
}

TEST(test_a_deep_match_takes_the_longest_wildcard)
{
    struct tls_names names = {0};
    size_t first = 0;
    EXPECT_INT((int)tls_names_match_deep(&names, SPAN("a.b.c"), &first), 0);
    EXPECT(tls_names_add(&names, SPAN("*.example"), 1));
    EXPECT(tls_names_add(&names, SPAN("*.b.example"), 2));
    EXPECT(tls_names_add(&names, SPAN("a.b.example"), 3));
    tls_names_seal(&names);
    static const struct {
        const char *name;
        unsigned value; /* 0: none */
    } rows[] = {{"a.b.example", 3},     {"x.b.example", 2}, {"y.x.b.example", 2},
                {"z.a.b.example", 2},   {"b.example", 1},   {"z.y.x.example", 1},
                {"*.y.b.example", 2},   {"example", 0},     {"a.test", 0},
                {"a.b.example.test", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t count = tls_names_match_deep(&names, span_of(rows[i].name), &first);
        EXPECT_INT(count ? (int)names.rows[first].value : 0, (int)rows[i].value);
    }
    tls_names_finish(&names);
}

TEST(test_all_who_have_a_name_are_found_in_their_order)
{
    struct tls_names names = {0};
    size_t first = 0;
    static const unsigned values[] = {7, 3, 5, 3};
    for (size_t i = 0; i < 4; i++) {
        EXPECT(tls_names_add(&names, SPAN("a.example"), values[i]));
        EXPECT(tls_names_add(&names, SPAN("a.exampla"), values[i]));
        EXPECT(tls_names_add(&names, SPAN("a.exampl"), values[i]));
    }
    tls_names_seal(&names);
    EXPECT_INT((int)tls_names_find(&names, SPAN("a.exampla"), &first), 3);
    EXPECT_INT((int)names.rows[first].value, 3);
    EXPECT_INT((int)names.rows[first + 1].value, 5);
    EXPECT_INT((int)names.rows[first + 2].value, 7);
    tls_names_finish(&names);
}

static bool fill(struct tls_names *names)
{
    char text[32];
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "n%u.example", i);
        if (!tls_names_add(names, span_of(text), i)) {
            return false;
        }
    }
    tls_names_seal(names);
    return true;
}

TEST(test_no_memory_leaves_a_list_that_can_be_freed)
{
    for (uint64_t n = 1;; n++) {
        struct tls_names names = {0};
        mem_fail_nth(n);
        bool is_filled = fill(&names);
        EXPECT(is_filled == !mem_fail_happened());
        tls_names_finish(&names);
        if (is_filled) {
            break;
        }
    }
    mem_fail_nth(0);
}
