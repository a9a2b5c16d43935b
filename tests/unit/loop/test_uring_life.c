/* tests/unit/loop/test_uring_life.c — the io_uring backend from thread to thread, its listeners, and
 * where it is forbidden. */
#include "loop/backend_uring.h"

#include "support_rig.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- listeners ---- */

struct host {
    struct loop_socket socket;
    struct loop_op op;
    struct loop *loop;
    struct sockaddr_in address;
    int fd;
    unsigned accepts, closed;
    ssize_t result;
    bool goes_on;
};

static void accepted(struct loop_op *op)
{
    struct host *host = CONTAINER_OF(op, struct host, op);
    host->result = op->result;
    host->accepts++;
    if (op->result >= 0) {
        loop_close_fd(host->loop, (int)op->result);
    }
    if (host->goes_on && op->result >= 0) {
        loop_accept(host->loop, &host->socket, op, accepted);
    }
}

static void host_closed(struct loop_socket *socket)
{
    CONTAINER_OF(socket, struct host, socket)->closed++;
}

static void host_open(struct rig *rig, struct host *host)
{
    *host = (struct host){.loop = rig->loop};
    socklen_t len = sizeof(host->address);
    host->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    host->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    EXPECT_INT(bind(host->fd, (struct sockaddr *)&host->address, len), 0);
    EXPECT_INT(listen(host->fd, 64), 0);
    EXPECT_INT(getsockname(host->fd, (struct sockaddr *)&host->address, &len), 0);
    EXPECT_INT(
        loop_socket_open(rig->loop, &host->socket, host->fd, LOOP_SOCKET_LISTENER, host_closed), 0);
}

static int host_client(const struct host *host)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(fd >= 0);
    EXPECT_INT(connect(fd, (const struct sockaddr *)&host->address, sizeof(host->address)), 0);
    return fd;
}

static void host_close(struct rig *rig, struct host *host)
{
    loop_socket_close(rig->loop, &host->socket, false);
    RUN_UNTIL(rig, host->closed == 1);
    close(host->fd);
}

TEST(clients_that_come_together_are_accepted_one_by_one)
{
    struct rig rig;
    struct host host;
    int clients[40];
    rig_open(&rig, LOOP_BACKEND_URING);
    host_open(&rig, &host);
    loop_accept(rig.loop, &host.socket, &host.op, accepted);
    for (int i = 0; i < 40; i++) {
        clients[i] = host_client(&host);
    }
    for (unsigned i = 1; i <= 40; i++) {
        RUN_UNTIL(&rig, host.accepts == i);
        EXPECT(host.result >= 0);
        if (i < 40) {
            loop_accept(rig.loop, &host.socket, &host.op, accepted);
        }
    }
    rig_settle(&rig);
    EXPECT_INT(host.accepts, 40);
    for (int i = 0; i < 40; i++) {
        close(clients[i]);
    }
    host_close(&rig, &host);
    rig_close(&rig);
}

TEST(a_pause_ends_accepting_and_who_came_meanwhile_is_served_after_it)
{
    struct rig rig;
    struct host host;
    rig_open(&rig, LOOP_BACKEND_URING);
    host_open(&rig, &host);
    loop_accept(rig.loop, &host.socket, &host.op, accepted);
    rig_settle(&rig);
    loop_cancel(rig.loop, &host.op);
    int early = host_client(&host); /* the kernel has not heard of the pause */
    rig_settle(&rig);
    EXPECT_INT(host.result, -ECANCELED);
    EXPECT(!(host.socket.in_flight & 1 << URING_ACCEPT));
    int late = host_client(&host);
    rig_settle(&rig);
    EXPECT_INT(host.accepts, 1);
    host.goes_on = true;
    loop_accept(rig.loop, &host.socket, &host.op, accepted);
    RUN_UNTIL(&rig, host.accepts == 3);
    close(early);
    close(late);
    host_close(&rig, &host);
    rig_close(&rig);
}

TEST(a_listener_that_closes_lets_go_of_those_who_wait_and_of_its_port)
{
    struct rig rig;
    struct host host;
    rig_open(&rig, LOOP_BACKEND_URING);
    host_open(&rig, &host);
    loop_accept(rig.loop, &host.socket, &host.op, accepted);
    rig_settle(&rig);
    int clients[3];
    for (int i = 0; i < 3; i++) {
        clients[i] = host_client(&host);
    }
    RUN_UNTIL(&rig, host.accepts == 1);
    loop_turn(rig.loop, 0); /* the others are parked by now: leaks are counted */
    host_close(&rig, &host);
    int again = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(connect(again, (struct sockaddr *)&host.address, sizeof(host.address)) < 0);
    close(again);
    for (int i = 0; i < 3; i++) {
        close(clients[i]);
    }
    rig_close(&rig);
}

/* The kernel takes a descriptor before it looks for a client: that nobody has come must not be told
 * as an error. */
TEST(out_of_descriptors_is_told_when_a_client_waits_and_not_before)
{
    struct rig rig;
    struct host host;
    struct rlimit before, less;
    rig_open(&rig, LOOP_BACKEND_URING);
    loop_turn(rig.loop, 0); /* the ring needs one too */
    host_open(&rig, &host);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int highest = dup(0);
    close(highest);
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    less = before;
    less.rlim_cur = (rlim_t)highest;
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &less), 0);
    loop_accept(rig.loop, &host.socket, &host.op, accepted);
    rig_settle(&rig);
    EXPECT_INT(host.accepts, 0);
    EXPECT_INT(connect(client, (struct sockaddr *)&host.address, sizeof(host.address)), 0);
    RUN_UNTIL(&rig, host.accepts == 1);
    EXPECT_INT(host.result, -EMFILE);
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    loop_accept(rig.loop, &host.socket, &host.op, accepted);
    RUN_UNTIL(&rig, host.accepts == 2);
    EXPECT(host.result >= 0);
    close(client);
    host_close(&rig, &host);
    rig_close(&rig);
}

/* The kernel's own accept would give half of the clients to the loop that does not look. */
TEST(a_loop_that_is_held_up_keeps_no_client_from_the_others)
{
    const struct loop_options options = {.backend = LOOP_BACKEND_URING, .shares_listeners = true};
    struct rig rig;
    struct host held_up, other;
    int clients[20];
    rig_open(&rig, LOOP_BACKEND_URING); /* skips where there is none */
    rig_close(&rig);
    rig.loop = loop_create(&options, NULL);
    host_open(&rig, &held_up);
    loop_accept(rig.loop, &held_up.socket, &held_up.op, accepted);
    rig_settle(&rig);
    struct rig second = {.loop = loop_create(&options, NULL)};
    other = (struct host){.loop = second.loop, .goes_on = true};
    EXPECT_INT(
        loop_socket_open(second.loop, &other.socket, held_up.fd, LOOP_SOCKET_LISTENER, host_closed),
        0);
    loop_accept(second.loop, &other.socket, &other.op, accepted);
    rig_settle(&second);
    for (int i = 0; i < 20; i++) {
        clients[i] = host_client(&held_up);
    }
    RUN_UNTIL(&second, other.accepts == 20);
    loop_turn(rig.loop, 0);
    EXPECT_INT(held_up.accepts, 0);
    for (int i = 0; i < 20; i++) {
        close(clients[i]);
    }
    loop_socket_close(second.loop, &other.socket, false);
    RUN_UNTIL(&second, other.closed == 1);
    rig_close(&second);
    host_close(&rig, &held_up);
    rig_close(&rig);
}

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
    loop_accept(rig.loop, &host.socket, &host.op, accepted);
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

static void expect_fallback(int sys_errno, const char *how)
{
    forbid_io_uring(sys_errno);
    galley_error err = {0};
    EXPECT(!loop_create(&(struct loop_options){.backend = LOOP_BACKEND_URING}, &err));
    EXPECT_INT(err.sys_errno, sys_errno);
    EXPECT(strstr(err.message, "event loop (io_uring)"));
    struct rig rig;
    struct stream s;
    rig_open(&rig, LOOP_BACKEND_AUTO);
    char text[96];
    loop_describe(rig.loop, text, sizeof(text));
    EXPECT_TEXT(text, how);
    stream_open(&rig, &s);
    stream_recv(&s);
    client_send_text(&s.client, "hello");
    RUN_UNTIL(&rig, s.recvs == 1);
    stream_close(&rig, &s);
    rig_close(&rig);
}

/* seccomp, as Docker's default profile has it; also kernel.io_uring_disabled. */
TEST(where_io_uring_is_forbidden_a_loop_that_may_choose_takes_epoll_and_says_why)
{
    expect_fallback(EPERM, "epoll (io_uring: Operation not permitted)");
}

TEST(where_the_kernel_has_no_io_uring_a_loop_that_may_choose_takes_epoll)
{
    expect_fallback(ENOSYS, "epoll (io_uring: Function not implemented)");
}

TEST(a_loop_that_may_choose_says_what_it_took)
{
    struct rig rig;
    char text[96];
    rig_open(&rig, LOOP_BACKEND_AUTO);
    loop_describe(rig.loop, text, sizeof(text));
    EXPECT(strncmp(text, "io_uring", 8) == 0 || strncmp(text, "epoll (io_uring: ", 17) == 0);
    rig_close(&rig);
}
