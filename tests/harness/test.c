/* tests/harness/test.c — the runner: forks for each test, watches its time, memory, descriptors and
 * threads. The child counts what is open before and after the test; the parent waits with a
 * deadline and kills the whole process group of a test that passes it, so that a hung test is told
 * from a crashed one and leaves no process. */
#include "test.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern const struct test_case *const __start_galley_tests[];
extern const struct test_case *const __stop_galley_tests[];

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

enum {
    EXIT_FAILED = 1,
    EXIT_SKIPPED = 77,
    EXIT_TIMED_OUT = -1, /* no process can end like this */
    DEFAULT_TIMEOUT_S = 60,
    SANITIZER_FACTOR = 4,
    MAX_FDS = 1024,
    THREAD_PATIENCE_MS = 2000
};

/* What stands open: descriptors by number, threads by count. */
struct inventory {
    bool is_open[MAX_FDS];
    unsigned threads;
    int64_t blocks;
};

struct totals {
    unsigned passed;
    unsigned failed;
    unsigned skipped;
};

static uint64_t random_state;
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

static unsigned long number_from_environment(const char *name, unsigned long fallback)
{
    const char *text = getenv(name);
    unsigned long number = text ? strtoul(text, NULL, 10) : 0;
    return number ? number : fallback;
}

unsigned test_rounds(unsigned normal)
{
    return normal * (unsigned)number_from_environment("GALLEY_TEST_EFFORT", 1);
}

static void list_descriptors(bool is_open[MAX_FDS])
{
    memset(is_open, 0, MAX_FDS * sizeof is_open[0]);
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        unsigned long fd = strtoul(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && fd < MAX_FDS && (int)fd != dirfd(dir)) {
            is_open[fd] = true;
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static unsigned count_threads(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        count += entry->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

static void take_inventory(struct inventory *inventory)
{
    list_descriptors(inventory->is_open);
    inventory->threads = count_threads();
    inventory->blocks = mem_live_blocks();
}

/* The sanitizers' runtimes open files under /proc at first use and keep them. */
static bool belongs_to_runtime(const char *target)
{
    return UNDER_SANITIZER && strncmp(target, "/proc/", 6) == 0;
}

static void expect_no_new_descriptors(const struct test_case *test, const struct inventory *before)
{
    bool is_open[MAX_FDS];
    list_descriptors(is_open);
    for (int fd = 0; fd < MAX_FDS; fd++) {
        if (is_open[fd] == before->is_open[fd]) {
            continue;
        }
        char link[64];
        char target[256] = "";
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, target, sizeof target - 1);
        target[len > 0 ? len : 0] = '\0';
        if (!is_open[fd]) {
            test_fail(test->file, test->line, "descriptor %d was closed", fd);
        }
        if (!belongs_to_runtime(target)) {
            test_fail(test->file, test->line, "descriptor %d was left open: %s", fd, target);
        }
    }
}

/* pthread_join returns a moment before the kernel has taken the thread off its list. */
static void expect_no_new_threads(const struct test_case *test, const struct inventory *before)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    unsigned now = count_threads();
    for (int ms = 0; now > before->threads && ms < THREAD_PATIENCE_MS; ms++) {
        nanosleep(&pause, NULL);
        now = count_threads();
    }
    if (now > before->threads) {
        test_fail(test->file, test->line, "%u threads were left running", now - before->threads);
    }
}

static void expect_nothing_left(const struct test_case *test, const struct inventory *before)
{
    expect_no_new_threads(test, before); /* first: a thread may still give back memory */
    int64_t blocks = mem_live_blocks() - before->blocks;
    if (blocks != 0) {
        test_fail(test->file, test->line, "%" PRId64 " blocks of memory were not given back",
                  blocks);
    }
    expect_no_new_descriptors(test, before);
}

static void *do_nothing(void *arg)
{
    return arg;
}

/* ThreadSanitizer starts a thread of its own beside the first one that a process starts. */
static void let_runtime_start(void)
{
    pthread_t thread;
    if (UNDER_SANITIZER && pthread_create(&thread, NULL, do_nothing, NULL) == 0) {
        pthread_join(thread, NULL);
    }
}

static _Noreturn void run_in_child(const struct test_case *test)
{
    static struct inventory before;
    let_runtime_start();
    take_inventory(&before);
    test->run();
    mem_fail_nth(0);
    expect_nothing_left(test, &before);
    exit(0); /* not _exit: LeakSanitizer reports at exit */
}

static unsigned timeout_s_of(const struct test_case *test)
{
    unsigned seconds = test->timeout_s ? test->timeout_s : DEFAULT_TIMEOUT_S;
    seconds *= UNDER_SANITIZER ? SANITIZER_FACTOR : 1;
    return seconds * (unsigned)number_from_environment("GALLEY_TEST_PATIENCE", 1);
}

/* SIGCHLD is blocked in the parent, so it is pending even if the child ended before we got here. */
static bool has_ended_in_time(unsigned seconds, const sigset_t *sigchld)
{
    const struct timespec limit = {.tv_sec = (time_t)seconds};
    int got = 0;
    do {
        got = sigtimedwait(sigchld, NULL, &limit);
    } while (got < 0 && errno == EINTR);
    return got == SIGCHLD;
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return EXIT_FAILED;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The child's own process group lets one kill reach what a test has forked; it dies with the
 * runner. */
static void become_child(pid_t parent, const sigset_t *normal_mask)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_FAILED);
    }
    sigprocmask(SIG_SETMASK, normal_mask, NULL);
}

/* The exit code of the child, 128 + the signal that ended it, or EXIT_TIMED_OUT. */
static int watch_child(pid_t pid, const struct test_case *test, const sigset_t *sigchld)
{
    bool ended = has_ended_in_time(timeout_s_of(test), sigchld);
    kill(-pid, SIGKILL); /* with it, or after its end the processes that it left behind */
    kill(pid, SIGKILL);  /* if it had not come as far as setpgid; without effect on a zombie */
    int code = wait_for(pid);
    return ended ? code : EXIT_TIMED_OUT;
}

static int run_one(const struct test_case *test)
{
    sigset_t sigchld;
    sigset_t normal_mask;
    sigemptyset(&sigchld);
    sigaddset(&sigchld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &sigchld, &normal_mask);
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become_child(parent, &normal_mask);
        run_in_child(test);
    }
    int code = EXIT_FAILED;
    if (pid < 0) {
        fprintf(stderr, "    fork: %s\n", strerror(errno));
    } else {
        code = watch_child(pid, test, &sigchld);
    }
    sigprocmask(SIG_SETMASK, &normal_mask, NULL); /* also discards a SIGCHLD that came too late */
    return code;
}

static void report(const struct test_case *test, int code, struct totals *totals)
{
    if (code == 0) {
        totals->passed++;
        return;
    }
    if (code == EXIT_SKIPPED) {
        totals->skipped++;
        return;
    }
    totals->failed++;
    if (code == EXIT_TIMED_OUT) {
        printf("  FAILED %s (timed out after %u s)\n", test->name, timeout_s_of(test));
    } else if (code > 128) {
        printf("  FAILED %s (signal %d, %s; GALLEY_TEST_SEED=%" PRIu64 ")\n", test->name,
               code - 128, strsignal(code - 128), random_seed);
    } else {
        printf("  FAILED %s (exit %d)\n", test->name, code);
    }
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

static int list_names(void)
{
    for (const struct test_case *const *entry = __start_galley_tests; entry < __stop_galley_tests;
         entry++) {
        puts((*entry)->name);
    }
    return 0;
}

static void seed_random(void)
{
    const char *seed = getenv("GALLEY_TEST_SEED");
    random_seed = seed ? strtoull(seed, NULL, 10) : UINT64_C(20260101);
    random_state = random_seed;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        return list_names();
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* so that it stands in order with stderr */
    seed_random();
    struct totals totals = {0};
    for (const struct test_case *const *entry = __start_galley_tests; entry < __stop_galley_tests;
         entry++) {
        if (is_wanted(*entry, argc, argv)) {
            report(*entry, run_one(*entry), &totals);
        }
    }
    printf("%u passed, %u failed, %u skipped\n", totals.passed, totals.failed, totals.skipped);
    bool ran_any = totals.passed + totals.failed + totals.skipped > 0;
    return totals.failed || !ran_any ? EXIT_FAILED : 0;
}
