/* tests/unit/files/test_rules.c — globs against a plain recursive matcher. */
#include "files/file_rules.h"

#include "test.h"

static bool matches(const char *pattern, const char *name)
{
    return file_rules_glob(span_of(pattern), span_of(name));
}

TEST(test_stars_and_question_marks)
{
    EXPECT(matches("*.css", "a.css") && matches("*.css", ".css") && !matches("*.css", "a.css.map"));
    EXPECT(!matches("*.css", "a/b.css") && matches("**.css", "a/b.css"));
    EXPECT(matches("a?c", "abc") && !matches("a?c", "a/c") && !matches("a?c", "ac"));
    EXPECT(matches("a/**/z", "a/b/c/z") && !matches("a/*/z", "a/b/c/z") &&
           matches("a/*/z", "a/b/z"));
    EXPECT(matches("", "") && !matches("", "a") && matches("*", "") && matches("**", ""));
    EXPECT(matches("**/b*.js", "x/y/ba.js") && !matches("**/b*.js", "x/y/b/a.js"));
}

static bool plain(const char *p, const char *s)
{
    if (*p == '\0') {
        return *s == '\0';
    }
    if (p[0] == '*') {
        bool is_double = p[1] == '*';
        const char *rest = p + (is_double ? 2 : 1);
        for (;; s++) {
            if (plain(rest, s)) {
                return true;
            }
            if (*s == '\0' || (*s == '/' && !is_double)) {
                return false;
            }
        }
    }
    return *s != '\0' && (*p == *s || (*p == '?' && *s != '/')) && plain(p + 1, s + 1);
}

static void random_text(char *out, size_t max, const char *letters)
{
    size_t len = (size_t)test_random_below(max);
    for (size_t i = 0; i < len; i++) {
        out[i] = letters[test_random_below(strlen(letters))];
    }
    out[len] = '\0';
}

TEST(test_globs_match_what_the_plain_matcher_matches)
{
    for (unsigned round = 0; round < test_rounds(200000); round++) {
        char pattern[10], name[12];
        random_text(pattern, sizeof pattern, "ab/**?");
        random_text(name, sizeof name, "ab/");
        if (matches(pattern, name) != plain(pattern, name)) {
            test_fail(__FILE__, __LINE__, "'%s' and '%s'", pattern, name);
        }
    }
}

/* A pattern cannot make a start or a load slow. */
TEST(test_many_stars_end_soon)
{
    static char pattern[201], name[4001];
    for (size_t i = 0; i < 200; i++) {
        pattern[i] = i % 2 ? 'a' : '*';
    }
    memset(name, 'a', sizeof name - 2);
    name[sizeof name - 2] = 'b';
    EXPECT(!matches(pattern, name));
}
