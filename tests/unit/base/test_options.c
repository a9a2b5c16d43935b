/* tests/unit/base/test_options.c — option structs of older and newer programs. */
#include "base/options.h"

#include "test.h"

#include <string.h>

struct known {
    size_t size;
    unsigned first;
    unsigned second;
    const char *third;
};

/* As a newer header has it. */
struct newer {
    struct known known;
    char fourth[24];
};

static const struct options_kind kind = {sizeof(struct known), "oven options", "OVEN_INIT"};

static struct known filled(void)
{
    struct known own;
    memset(&own, 0x5a, sizeof own);
    return own;
}

static void expect_zero(const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        EXPECT_INT(((const char *)data)[i], 0);
    }
}

TEST(nothing_given_is_all_defaults)
{
    struct known own = filled();
    EXPECT_INT(options_copy(&own, &kind, NULL, NULL), GALLEY_OK);
    EXPECT_INT(own.size, sizeof own);
    expect_zero(&own.first, sizeof own - offsetof(struct known, first));
}

TEST(a_struct_of_this_version_is_copied_whole)
{
    const struct known given = {sizeof given, 1, 2, "three"};
    struct known own = filled();
    EXPECT_INT(options_copy(&own, &kind, &given, NULL), GALLEY_OK);
    EXPECT_INT(own.size, sizeof own);
    EXPECT_INT(own.first, 1);
    EXPECT_INT(own.second, 2);
    EXPECT_TEXT(own.third, "three");
}

/* Every older size, each in a block that ends there: a sanitizer sees a read behind it. */
TEST(what_an_older_program_does_not_have_is_zero_and_nothing_behind_its_struct_is_read)
{
    const struct known full = {sizeof full, 0x01010101, 0x02020202, "three"};
    for (size_t size = sizeof size; size <= sizeof full; size++) {
        char *given = malloc(size);
        memcpy(given, &full, size);
        memcpy(given, &size, sizeof size);
        struct known own = filled();
        EXPECT_INT(options_copy(&own, &kind, given, NULL), GALLEY_OK);
        EXPECT_INT(own.size, sizeof own);
        EXPECT(memcmp((char *)&own + sizeof size, given + sizeof size, size - sizeof size) == 0);
        expect_zero((char *)&own + size, sizeof own - size);
        free(given);
    }
}

TEST(a_size_that_is_not_set_is_refused_with_the_macro_to_use)
{
    for (size_t size = 0; size < sizeof size; size++) {
        const struct known given = {.size = size, .first = 1};
        struct known own = filled();
        const struct known before = filled();
        galley_error err = {0};
        EXPECT_INT(options_copy(&own, &kind, &given, &err), GALLEY_EINVAL);
        EXPECT_INT(err.code, GALLEY_EINVAL);
        EXPECT_TEXT(err.message, "oven options: size is not set (use OVEN_INIT)");
        EXPECT(memcmp(&own, &before, sizeof own) == 0);
    }
}

TEST(a_newer_program_that_asks_for_nothing_new_is_served)
{
    const struct newer given = {.known = {sizeof given, 1, 2, "three"}};
    struct known own = filled();
    EXPECT_INT(options_copy(&own, &kind, &given, NULL), GALLEY_OK);
    EXPECT_INT(own.size, sizeof own);
    EXPECT_INT(own.second, 2);
    EXPECT_TEXT(own.third, "three");
}

/* Also the first and the last byte of what is not known. */
TEST(what_a_newer_program_asks_for_beyond_is_refused_wherever_it_stands)
{
    for (size_t i = 0; i < sizeof((struct newer){0}).fourth; i++) {
        struct newer given = {.known = {sizeof given, 1, 2, "three"}};
        given.fourth[i] = (char)0x80;
        struct known own = filled();
        const struct known before = filled();
        galley_error err = {0};
        EXPECT_INT(options_copy(&own, &kind, &given, &err), GALLEY_EINVAL);
        char expected[128];
        snprintf(expected, sizeof expected,
                 "oven options: byte %zu asks for something newer than this library",
                 sizeof own + i);
        EXPECT_TEXT(err.message, expected);
        EXPECT(memcmp(&own, &before, sizeof own) == 0);
        EXPECT_INT(options_copy(&own, &kind, &given, NULL), GALLEY_EINVAL);
    }
}
