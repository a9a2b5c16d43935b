/* tests/harness/test.h — the runner of the C tests.
 * TEST(name) { ... } registers itself through a linker section: there is no list to edit. Each test
 * runs in a process (and process group) of its own with a deadline; memory (through base/alloc),
 * file descriptors or threads that it leaves behind fail it.
 * Run a program: all tests; with arguments: those whose names contain one of them; --list names
 * them. The last line is "N passed, N failed, N skipped". GALLEY_TEST_SEED, GALLEY_TEST_EFFORT
 * (rounds of property tests) and GALLEY_TEST_PATIENCE (deadlines, for valgrind) are numbers in the
 * environment. */
#ifndef TESTS_HARNESS_TEST_H
#define TESTS_HARNESS_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
    const char *name;
    void (*run)(void);
    const char *file;
    int line;
    unsigned timeout_s; /* 0: 60 s; four times that under sanitizers */
};

#define TEST_TIMEOUT(test_name, seconds)                                                           \
    static void test_name(void);                                                                   \
    static const struct test_case test_name##_case = {#test_name, test_name, __FILE__, __LINE__,   \
                                                      seconds};                                    \
    __attribute__((                                                                                \
        used, section("galley_tests"))) static const struct test_case *const test_name##_entry =   \
        &test_name##_case;                                                                         \
    static void test_name(void)
#define TEST(test_name) TEST_TIMEOUT(test_name, 0)

_Noreturn void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Ends the test as skipped, with a reason (missing kernel feature). */
_Noreturn void test_skip(const char *reason);

void test_equal_int(const char *file, int line, const char *what, intmax_t actual,
                    intmax_t expected);
void test_equal_bytes(const char *file, int line, const char *what, const void *actual,
                      size_t actual_len, const void *expected, size_t expected_len);

#define EXPECT(condition)                                                                          \
    ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, "not true: %s", #condition))
#define EXPECT_INT(actual, expected)                                                               \
    test_equal_int(__FILE__, __LINE__, #actual, (intmax_t)(actual), (intmax_t)(expected))
/** Two C strings. */
#define EXPECT_TEXT(actual, expected)                                                              \
    test_equal_bytes(__FILE__, __LINE__, #actual, (actual), strlen(actual), (expected),            \
                     strlen(expected))
/** A struct span (anything with ptr and len) and a C string. */
#define EXPECT_SPAN(actual, expected)                                                              \
    test_equal_bytes(__FILE__, __LINE__, #actual, (actual).ptr, (actual).len, (expected),          \
                     strlen(expected))

/** A small repeatable random source for property tests; seed from GALLEY_TEST_SEED or fixed,
 * printed on failure. */
uint64_t test_random(void);
/** 0 .. below-1 */
uint64_t test_random_below(uint64_t below);
/** How many rounds a property test shall do: `normal`, times GALLEY_TEST_EFFORT if set. */
unsigned test_rounds(unsigned normal);

#endif
