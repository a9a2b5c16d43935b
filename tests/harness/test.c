/* tests/harness/test.c — the runner: forks for each test, watches time, memory and descriptors. */
#include "test.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct test_case *const __start_galley_tests[];
extern const struct test_case *const __stop_galley_tests[];

enum { EXIT_FAILED = 1, EXIT_SKIPPED = 77, DEFAULT_TIMEOUT_S = 60 };

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);
static uint64_t random_seed;

_Noreturn void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "    %s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n    seed: GALLEY_TEST_SEED=%" PRIu64 "\n", random_seed);
    va_end(args);
    fflush(NULL);
    _exit(EXIT_FAILED);
}

_Noreturn void test_skip(const char *reason)
{
    fprintf(stderr, "    skipped: %s\n", reason);
    fflush(NULL);
    _exit(EXIT_SKIPPED);
}

void test_equal_int(const char *file, int line, const char *what, intmax_t actual,
                    intmax_t expected)
{
    if (actual != expected) {
        test_fail(file, line, "%s is %" PRIdMAX ", expected %" PRIdMAX, what, actual, expected);
    }
}

void test_equal_bytes(const char *file, int line, const char *what, const void *actual,
                      size_t actual_len, const void *expected, size_t expected_len)
{
    if (actual_len != expected_len || (actual_len && memcmp(actual, expected, actual_len) != 0)) {
        test_fail(file, line, "%s is \"%.*s\" (%zu bytes), expected \"%.*s\" (%zu bytes)", what,
                  (int)actual_len, actual ? (const char *)actual : "", actual_len,
                  (int)expected_len, (const char *)expected, expected_len);
    }
}

uint64_t test_random(void)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t test_random_below(uint64_t below)
{
    return below ? test_random() % below : 0;
}

unsigned test_rounds(unsigned normal)
{
    const char *effort = getenv("GALLEY_TEST_EFFORT");
    unsigned long factor = effort ? strtoul(effort, NULL, 10) : 1;
    return normal * (unsigned)(factor ? factor : 1);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) {
        return 0;
    }
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}

static _Noreturn void run_in_child(const struct test_case *test)
{
    unsigned fds_before = open_descriptors();
    int64_t blocks_before = mem_live_blocks();
    alarm(test->timeout_s ? test->timeout_s : DEFAULT_TIMEOUT_S);
    test->run();
    mem_fail_nth(0);
    if (mem_live_blocks() != blocks_before) {
        test_fail(test->file, test->line, "%" PRId64 " blocks of memory were not given back",
                  mem_live_blocks() - blocks_before);
    }
    if (open_descriptors() != fds_before) {
        test_fail(test->file, test->line, "file descriptors: %u before, %u after", fds_before,
                  open_descriptors());
    }
    exit(0); /* not _exit: LeakSanitizer reports at exit */
}

/* Returns the exit code of the child, or 128 + the signal that ended it. */
static int run_one(const struct test_case *test)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        run_in_child(test);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        return EXIT_FAILED;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool is_wanted(const struct test_case *test, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strstr(test->name, argv[i])) {
            return true;
        }
    }
    return argc < 2;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0, skipped = 0;
    bool only_list = argc == 2 && strcmp(argv[1], "--list") == 0;
    const char *seed = getenv("GALLEY_TEST_SEED");
    random_seed = seed ? strtoull(seed, NULL, 10) : UINT64_C(20260101);
    random_state = random_seed;
    for (const struct test_case *const *entry = __start_galley_tests; entry < __stop_galley_tests;
         entry++) {
        if (only_list) {
            puts((*entry)->name);
            continue;
        }
        if (!is_wanted(*entry, argc, argv)) {
            continue;
        }
        int code = run_one(*entry);
        passed += code == 0;
        skipped += code == EXIT_SKIPPED;
        failed += code != 0 && code != EXIT_SKIPPED;
        if (code != 0 && code != EXIT_SKIPPED) {
            printf("  FAILED %s (%s %d)\n", (*entry)->name, code >= 128 ? "signal" : "exit",
                   code >= 128 ? code - 128 : code);
        }
    }
    if (!only_list) {
        printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    }
    return failed ? EXIT_FAILED : 0;
}
