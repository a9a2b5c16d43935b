/* tests/unit/loop/test_loop.c — turns, clocks, timers, posts of the loop's own thread, foreign
 * descriptors, making and ending. */
#include "support_rig.h"

#include "base/alloc.h"
#include "loop/sim.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static char trace[64];

static void note(char c)
{
    size_t len = strlen(trace);
    EXPECT(len + 1 < sizeof(trace));
    trace[len] = c;
    trace[len + 1] = 0;
}

static void timer_fired(struct timer *timer)
{
    (void)timer;
    note('t');
}

static void post_ran(struct loop_post *post)
{
    (void)post;
    note('p');
}

EACH(a_timer_fires_at_or_after_its_deadline_of_the_loops_clock)
{
    struct rig rig;
    struct timer timer = {0};
    rig_open(&rig, backend);
    int64_t deadline = loop_now_ms(rig.loop) + 30;
    loop_timer_start(rig.loop, &timer, deadline, timer_fired);
    EXPECT(!loop_turn(rig.loop, 0));
    RUN_UNTIL(&rig, trace[0]);
    EXPECT(loop_now_ms(rig.loop) >= deadline);
    rig_close(&rig);
}

EACH(a_stopped_timer_is_not_called)
{
    struct rig rig;
    struct timer timer = {0}, other = {0};
    rig_open(&rig, backend);
    loop_timer_start(rig.loop, &timer, loop_now_ms(rig.loop) + 5, timer_fired);
    loop_timer_start(rig.loop, &other, loop_now_ms(rig.loop) + 20, timer_fired);
    loop_timer_stop(rig.loop, &timer);
    loop_timer_stop(rig.loop, &timer);
    RUN_UNTIL(&rig, trace[0]);
    EXPECT_TEXT(trace, "t");
    rig_close(&rig);
}

EACH(the_clock_stands_still_during_a_turn_and_the_wall_clock_tells_the_date)
{
    struct rig rig;
    rig_open(&rig, backend);
    int64_t before = loop_now_ms(rig.loop);
    loop_turn(rig.loop, 20);
    EXPECT(loop_now_ms(rig.loop) >= before);
    int64_t expected = rig.is_sim ? 1767225600 : time(NULL);
    EXPECT(loop_wall_s(rig.loop) >= expected - 5 && loop_wall_s(rig.loop) <= expected + 5);
    rig_close(&rig);
}

static struct loop *the_loop;
static struct loop_post again;

static void later_again(struct loop_post *post)
{
    note('a');
    if (strlen(trace) < 3) {
        loop_later(the_loop, post);
    }
}

EACH(later_runs_at_the_end_of_the_turn_and_a_nested_one_in_the_next_without_waiting)
{
    struct rig rig;
    struct loop_post first = {.run = post_ran};
    rig_open(&rig, backend);
    the_loop = rig.loop;
    again.run = later_again;
    loop_later(rig.loop, &first);
    loop_later(rig.loop, &again);
    EXPECT_TEXT(trace, "");
    EXPECT(loop_turn(rig.loop, GALLEY_FOREVER));
    EXPECT_TEXT(trace, "pa");
    EXPECT(loop_turn(rig.loop, GALLEY_FOREVER));
    EXPECT_TEXT(trace, "paa");
    EXPECT(!loop_turn(rig.loop, 0));
    rig_close(&rig);
}

static struct timer request_deadline;

static void came_in_time(struct loop_op *op)
{
    note(op->result > 0 ? 'r' : 'x');
    loop_timer_stop(the_loop, &request_deadline);
}

EACH(bytes_that_came_before_the_deadline_win_against_a_late_turn)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    rig_settle(&rig);
    the_loop = rig.loop;
    loop_recv(rig.loop, &s.socket, &s.reading, 100, came_in_time);
    client_send_text(&s.client, "x");
    loop_timer_start(rig.loop, &request_deadline, loop_now_ms(rig.loop) - 1, timer_fired);
    RUN_UNTIL(&rig, trace[0]);
    EXPECT_TEXT(trace, "r");
    stream_close(&rig, &s);
    rig_close(&rig);
}

/* ---- threads ---- */

static void stop_post(struct loop_post *post)
{
    (void)post;
    EXPECT(loop_is_current(the_loop));
    loop_stop(the_loop);
}

static void *run_the_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

REAL(run_binds_the_loop_to_its_thread_and_ends_after_stop)
{
    struct rig rig;
    rig_open(&rig, backend);
    the_loop = rig.loop;
    EXPECT(loop_is_current(rig.loop)); /* nobody has run it yet */
    pthread_t thread;
    struct loop_post stop = {.run = stop_post};
    for (int i = 0; i < 2; i++) { /* it can be run again */
        EXPECT_INT(pthread_create(&thread, NULL, run_the_loop, rig.loop), 0);
        loop_post(rig.loop, &stop);
        EXPECT_INT(pthread_join(thread, NULL), 0);
        EXPECT(loop_is_current(rig.loop));
    }
    rig_close(&rig);
}

static void *ask_whether_current(void *arg)
{
    *(bool *)arg = loop_is_current(the_loop);
    return NULL;
}

REAL(another_thread_is_not_current)
{
    struct rig rig;
    rig_open(&rig, backend);
    the_loop = rig.loop;
    loop_turn(rig.loop, 0);
    bool is_current = true;
    pthread_t thread;
    EXPECT_INT(pthread_create(&thread, NULL, ask_whether_current, &is_current), 0);
    EXPECT_INT(pthread_join(thread, NULL), 0);
    EXPECT(!is_current);
    rig_close(&rig);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
    loop_wake(the_loop);
}

static void stop_if_signalled(struct timer *timer)
{
    (void)timer;
    note(signals ? 's' : '-');
    loop_stop(the_loop);
}

/* EINTR of the wait is no error, and a wake-up from the handler makes a turn. */
REAL(a_signal_handler_may_wake_the_loop)
{
    struct rig rig;
    rig_open(&rig, backend);
    the_loop = rig.loop;
    signal(SIGALRM, on_signal);
    const struct timespec soon = {.tv_nsec = 10 * 1000 * 1000};
    timer_t alarm_timer;
    EXPECT_INT(timer_create(CLOCK_MONOTONIC, NULL, &alarm_timer), 0);
    EXPECT_INT(timer_settime(alarm_timer, 0, &(struct itimerspec){.it_value = soon}, NULL), 0);
    while (!signals) {
        loop_turn(rig.loop, GALLEY_FOREVER);
    }
    struct timer timer = {0};
    loop_timer_start(rig.loop, &timer, 0, stop_if_signalled);
    loop_run(rig.loop);
    EXPECT_TEXT(trace, "s");
    timer_delete(alarm_timer);
    rig_close(&rig);
}

static void send_again(struct loop_op *op)
{
    struct stream *s = CONTAINER_OF(op, struct stream, writing);
    if (op->result == -EPIPE) { /* after the -ECONNRESET */
        s->send_result = op->result;
        loop_stop(s->loop);
    } else {
        loop_send_file(s->loop, &s->socket, op, &(struct loop_file){(int)s->closes, 0, 100},
                       send_again);
    }
}

/* sendfile(2) raises SIGPIPE where send would take MSG_NOSIGNAL. */
REAL(a_file_sent_to_a_client_that_left_does_not_kill_the_program)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    signal(SIGPIPE, SIG_DFL);
    stream_open(&rig, &s);
    client_reset(&s.client);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    s.closes = (unsigned)fd;
    loop_send_file(rig.loop, &s.socket, &s.writing, &(struct loop_file){fd, 0, 100}, send_again);
    loop_run(rig.loop);
    EXPECT_INT(s.send_result, -EPIPE);
    s.closes = 0;
    sigset_t pending;
    EXPECT(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    close(fd);
    stream_close(&rig, &s);
    rig_close(&rig);
}

/* ---- foreign descriptors ---- */

static unsigned polls, foreign_closed;
static ssize_t poll_result;

static void polled(struct loop_op *op)
{
    polls++;
    poll_result = op->result;
}

static void foreign_gone(struct loop_socket *socket)
{
    (void)socket;
    foreign_closed++;
}

EACH(a_foreign_descriptor_is_polled_level_triggered)
{
    struct rig rig;
    struct loop_socket foreign;
    struct loop_op op = {0};
    rig_open(&rig, backend);
    int fds[2];
    EXPECT_INT(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    EXPECT_INT(loop_socket_open(rig.loop, &foreign, fds[0], LOOP_SOCKET_FOREIGN, foreign_gone), 0);
    loop_poll(rig.loop, &foreign, &op, polled);
    rig_settle(&rig);
    EXPECT_INT(polls, 0);
    EXPECT_INT(write(fds[1], "xy", 2), 2);
    RUN_UNTIL(&rig, polls == 1);
    EXPECT_INT(poll_result, 0);
    rig_settle(&rig);
    EXPECT_INT(polls, 1); /* once for each start */
    loop_poll(rig.loop, &foreign, &op, polled);
    RUN_UNTIL(&rig, polls == 2); /* nobody has read: still readable */
    char bytes[2];
    EXPECT_INT(read(fds[0], bytes, 2), 2);
    loop_poll(rig.loop, &foreign, &op, polled);
    rig_settle(&rig);
    EXPECT_INT(polls, 2);
    loop_socket_close(rig.loop, &foreign, false);
    rig_settle(&rig);
    EXPECT_INT(polls, 3);
    EXPECT_INT(poll_result, -ECANCELED);
    EXPECT_INT(foreign_closed, 1);
    close(fds[1]);
    rig_close(&rig);
}

/* ---- making ---- */

static void sweep_allocations(enum loop_backend_kind backend)
{
    const struct loop_options options = {.backend = backend};
    for (uint64_t n = 1;; n++) {
        mem_fail_nth(n);
        galley_error err = {0};
        struct loop *loop = loop_create(&options, &err);
        if (!mem_fail_happened()) {
            mem_fail_nth(0);
            EXPECT(loop != NULL);
            loop_destroy(loop);
            return;
        }
        EXPECT(!loop);
        EXPECT_INT(err.code, GALLEY_ENOMEM);
    }
}

EACH(each_allocation_of_a_new_loop_may_fail)
{
    sweep_allocations(backend);
}

REAL(each_descriptor_of_a_new_loop_may_be_missing)
{
    struct rlimit before, less;
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    int highest = dup(0);
    close(highest);
    for (int more = 0; more < 2; more++) {
        less = before;
        less.rlim_cur = (rlim_t)(highest + more);
        EXPECT_INT(setrlimit(RLIMIT_NOFILE, &less), 0);
        galley_error err;
        EXPECT(!loop_create(&(struct loop_options){.backend = backend}, &err));
        EXPECT_INT(err.sys_errno, EMFILE);
        EXPECT_TEXT(err.message, backend == LOOP_BACKEND_URING
                                     ? "event loop (io_uring): Too many open files"
                                     : "event loop (epoll): Too many open files");
    }
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(destroying_nothing_is_allowed)
{
    loop_destroy(NULL);
}

TEST(a_descriptor_that_cannot_be_watched_stays_the_callers)
{
    struct rig rig;
    struct loop_socket socket;
    rig_open(&rig, LOOP_BACKEND_EPOLL);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    EXPECT_INT(loop_socket_open(rig.loop, &socket, fd, LOOP_SOCKET_STREAM, NULL), -EPERM);
    EXPECT_INT(close(fd), 0);
    rig_close(&rig);
}
