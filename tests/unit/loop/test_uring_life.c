/* tests/unit/loop/test_uring_life.c — the io_uring backend from thread to thread, and where it is
 * forbidden. */
#include "loop/backend_uring.h"

#include "support_host.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- from thread to thread ---- */

static struct loop *the_loop;
static struct stream quiet, full;
static struct host host;

static void stop_post(struct loop_post *post)
{
    (void)post;
    loop_stop(the_loop);
}

static void *run_the_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void run_on_another_thread(void)
{
    pthread_t thread;
    struct loop_post stop = {.run = stop_post};
    EXPECT_INT(pthread_create(&thread, NULL, run_the_loop, the_loop), 0);
    loop_post(the_loop, &stop);
    EXPECT_INT(pthread_join(thread, NULL), 0);
}

/* Requests are bound to the thread that made them; operations are not. */
TEST(what_is_pending_when_a_thread_leaves_goes_on_with_the_next_one)
{
    struct rig rig;
    rig_open(&rig, LOOP_BACKEND_URING);
    the_loop = rig.loop;
    stream_open(&rig, &quiet);
    stream_open(&rig, &full);
    host_open(&rig, &host);
    static char block[512 * 1024];
    stream_recv(&quiet);
    stream_send(&full, block, sizeof(block));
    host_accept(&host);
    for (int i = 0; i < 3; i++) {
        run_on_another_thread();
    }
    EXPECT_INT(quiet.recvs + host.accepts, 0);
    client_send_text(&quiet.client, "hello");
    int client = host_client(&host);
    run_on_another_thread(); /* what comes while one leaves is not lost either */
    RUN_UNTIL(&rig, quiet.recvs == 1 && host.accepts == 1 && full.sends == 1);
    EXPECT_TEXT(quiet.got, "hello");
    EXPECT(host.result >= 0 && full.send_result > 0);
    loop_leave(rig.loop);
    close(client);
    host_close(&rig, &host);
    stream_close(&rig, &quiet);
    stream_close(&rig, &full);
    rig_close(&rig);
}

static void *open_and_leave(void *arg)
{
    struct rig *rig = arg;
    stream_open(rig, &quiet);
    client_send_text(&quiet.client, "unread");
    RUN_UNTIL(rig, quiet.socket.has_parked);
    loop_leave(rig->loop);
    return NULL;
}

TEST(bytes_parked_by_one_thread_are_read_on_the_next)
{
    struct rig rig;
    pthread_t thread;
    rig_open(&rig, LOOP_BACKEND_URING);
    EXPECT_INT(pthread_create(&thread, NULL, open_and_leave, &rig), 0);
    EXPECT_INT(pthread_join(thread, NULL), 0);
    stream_recv(&quiet);
    RUN_UNTIL(&rig, quiet.recvs == 1);
    EXPECT_TEXT(quiet.got, "unread");
    stream_recv(&quiet);
    client_send_text(&quiet.client, "more");
    RUN_UNTIL(&rig, quiet.recvs == 2);
    EXPECT_TEXT(quiet.got, "more");
    stream_close(&rig, &quiet);
    rig_close(&rig);
}

/* ---- where it is forbidden ---- */

static void forbid_io_uring(int sys_errno)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)sys_errno & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};
    EXPECT_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        test_skip("seccomp is not there");
    }
}

static void expect_refusal(int sys_errno)
{
    forbid_io_uring(sys_errno);
    galley_error err = {0};
    EXPECT(!loop_create(&(struct loop_options){.backend = LOOP_BACKEND_URING}, &err));
    EXPECT_INT(err.sys_errno, sys_errno);
    EXPECT(strstr(err.message, "event loop (io_uring): "));
    struct rig rig;
    rig_open(&rig, LOOP_BACKEND_EPOLL);
    EXPECT_TEXT(loop_backend_name(rig.loop), "epoll");
    rig_close(&rig);
}

/* seccomp, as Docker's default profile has it; also kernel.io_uring_disabled. */
TEST(where_io_uring_is_forbidden_its_loop_is_refused_with_the_reason)
{
    expect_refusal(EPERM);
}

TEST(where_the_kernel_has_no_io_uring_its_loop_is_refused_with_the_reason)
{
    expect_refusal(ENOSYS);
}
