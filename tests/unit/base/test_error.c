/* tests/unit/base/test_error.c — errors and what the public header promises.
 * galley_error and its sentences, the table of codes against the header, version and clock, and
 * what a failed CHECK does. */
#include "test.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/error_list.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(test_error_is_code_and_sentence)
{
    galley_error err = {.sys_errno = 5};
    EXPECT_INT(error_set(&err, GALLEY_EINVAL, "option %s: %d is too large", "x", 7), GALLEY_EINVAL);
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT_INT(err.sys_errno, 0);
    EXPECT_TEXT(err.message, "option x: 7 is too large");
    EXPECT_INT(error_set(NULL, GALLEY_EFULL, "x"), GALLEY_EFULL);
}

TEST(test_system_error_ends_with_the_reason)
{
    galley_error err;
    EXPECT_INT(error_set_sys(&err, EACCES, "listen %s", "0.0.0.0:80"), GALLEY_ESYS);
    EXPECT_INT(err.code, GALLEY_ESYS);
    EXPECT_INT(err.sys_errno, EACCES);
    EXPECT_TEXT(err.message, "listen 0.0.0.0:80: Permission denied");
    EXPECT_INT(error_set_sys(NULL, EACCES, "x"), GALLEY_ESYS);
}

TEST(test_no_memory_is_a_code_of_its_own)
{
    galley_error err;
    EXPECT_INT(error_set_sys(&err, ENOMEM, "start"), GALLEY_ENOMEM);
    EXPECT_INT(err.code, GALLEY_ENOMEM);
    EXPECT_INT(err.sys_errno, 0);
    EXPECT(strncmp(err.message, "start: ", 7) == 0);
    EXPECT_INT(error_set_sys(NULL, ENOMEM, "x"), GALLEY_ENOMEM);
}

TEST(test_sentences_are_cut_and_cleaned)
{
    galley_error err;
    error_set(&err, GALLEY_EINVAL, "%0500d", 0);
    EXPECT_INT(strlen(err.message), 247);
    error_set_sys(&err, EACCES, "%0245d", 0);
    EXPECT_INT(strlen(err.message), 247);
    error_set_sys(&err, 100000, "a\nb\x1b[31m");
    EXPECT(strncmp(err.message, "a?b?[31m: ", 10) == 0);
}

/* Programs are compiled against these two: they never change. */
_Static_assert(sizeof(galley_error) == 256, "galley_error");
_Static_assert(sizeof(galley_str) == 2 * sizeof(void *), "galley_str");

#define COUNT_ROW(name, sentence) +1
#define NAME_ROW(name, sentence)  {name, sentence},
static const struct {
    int code;
    const char *sentence;
} rows[] = {ERROR_LIST(NAME_ROW)};

TEST(test_every_code_has_its_own_sentence)
{
    EXPECT_INT(ERROR_LIST(COUNT_ROW), -GALLEY_ENOTSUP + 1); /* GALLEY_ENOTSUP is the last one */
    for (int i = 0; i <= -GALLEY_ENOTSUP; i++) {
        EXPECT_INT(rows[i].code, -i);
        EXPECT_TEXT(galley_strerror(-i), rows[i].sentence);
        for (int k = 0; k < i; k++) {
            EXPECT(strcmp(rows[i].sentence, rows[k].sentence) != 0);
        }
    }
}

TEST(test_unknown_codes_have_a_sentence_too)
{
    static const int unknown[] = {1, 404, -1000, INT32_MAX, INT32_MIN, GALLEY_ENOTSUP - 1};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        EXPECT_TEXT(galley_strerror(unknown[i]), "unknown result code");
    }
}

TEST(test_version_and_clock_are_the_library_s)
{
    EXPECT_INT(galley_version(), GALLEY_VERSION);
    int64_t before = clock_mono_ms();
    int64_t now = galley_now_ms();
    EXPECT(before <= now && now <= clock_mono_ms());
}

TEST(test_a_failed_check_says_where_and_aborts)
{
    char text[600] = "";
    int ends[2];
    EXPECT_INT(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        CHECK(1 + 1 == 2);
        check_failed("count > 0", "conn.c", 12);
    }
    close(ends[1]);
    EXPECT(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    int status = 0;
    EXPECT_INT(waitpid(pid, &status, 0), pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    EXPECT_TEXT(text, "galley: conn.c:12: check failed: count > 0\n");
}
