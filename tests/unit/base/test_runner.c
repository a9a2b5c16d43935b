/* tests/unit/base/test_runner.c — the test runner itself: what it must notice, and how it says so.
 * The planted_* tests misbehave only when GALLEY_TEST_PLANTED is set; the others run this program
 * again with it and read what the runner prints. */
#include "test.h"

#include "base/alloc.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_planted(void)
{
    return getenv("GALLEY_TEST_PLANTED") != NULL;
}

TEST_TIMEOUT(planted_hang, 1)
{
    while (is_planted()) {
        pause();
    }
}

TEST(planted_memory_leak)
{
    static void *volatile leaked; /* reachable, so that only the runner's own count can tell */
    if (is_planted()) {
        leaked = mem_alloc(1);
    }
    (void)leaked;
}

TEST(planted_descriptor_leak)
{
    if (is_planted()) {
        EXPECT(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
    }
}

static void *wait_for_ever(void *arg)
{
    pause();
    return arg;
}

TEST(planted_thread_leak)
{
    pthread_t thread;
    if (is_planted()) {
        EXPECT_INT(pthread_create(&thread, NULL, wait_for_ever, NULL), 0);
    }
}

TEST(planted_crash)
{
    if (is_planted()) {
        signal(SIGTERM, SIG_DFL);
        raise(SIGTERM);
    }
}

TEST(planted_grandchild)
{
    if (is_planted() && fork() == 0) {
        pause();
    }
}

/* Runs this program with one planted test; its output, cut at size - 1, and its exit code. */
static int run_planted(const char *name, char *output, size_t size)
{
    int ends[2];
    EXPECT_INT(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("GALLEY_TEST_PLANTED", "1", 1);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        execl("/proc/self/exe", "planted", name, (char *)NULL);
        _exit(99);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n = 0;
    while (len < size - 1 && (n = read(ends[0], output + len, size - 1 - len)) > 0) {
        len += (size_t)n;
    }
    output[len] = '\0';
    close(ends[0]);
    int status = 0;
    EXPECT_INT(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_report(const char *name, const char *words)
{
    char output[4096];
    int code = run_planted(name, output, sizeof output);
    if (code != 1 || !strstr(output, words) || !strstr(output, "0 passed, 1 failed, 0 skipped")) {
        test_fail(__FILE__, __LINE__, "%s: exit %d, no \"%s\" in: %s", name, code, words, output);
    }
}

TEST(test_runner_says_that_a_test_timed_out)
{
    expect_report("planted_hang", "FAILED planted_hang (timed out after ");
}

#ifdef GALLEY_FAULTS /* blocks are counted only then */
TEST(test_runner_fails_a_test_that_keeps_memory)
{
    expect_report("planted_memory_leak", "1 blocks of memory were not given back");
}
#endif

TEST(test_runner_fails_a_test_that_keeps_a_descriptor_and_names_it)
{
    expect_report("planted_descriptor_leak", "was left open: /dev/null");
}

TEST(test_runner_fails_a_test_that_leaves_a_thread)
{
    expect_report("planted_thread_leak", "1 threads were left running");
}

TEST(test_runner_says_which_signal_ended_a_test)
{
    expect_report("planted_crash", "FAILED planted_crash (signal 15, Terminated");
}

/* Were it left alive, it would hold the pipe open and this test would hang. */
TEST(test_runner_ends_the_processes_that_a_test_left)
{
    char output[4096];
    EXPECT_INT(run_planted("planted_grandchild", output, sizeof output), 0);
}

TEST(test_runner_refuses_a_name_that_matches_nothing)
{
    char output[4096];
    EXPECT_INT(run_planted("no such test", output, sizeof output), 1);
}
