/* A program that has an event loop of its own and gets a web server beside it. The program's state is
 * touched by its own loop only: a handler defers, hands the deferral over through a pipe, and the
 * loop answers when it comes to it. No lock, no worker held.
 *
 * embed_in_loop [ADDRESS]        try: curl localhost:7878/count */
#include <galley/server.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct program {
    int loop;  /* epoll */
    int timer; /* ten ticks a second: the program's own work */
    int signals;
    int asked[2];        /* a pipe of deferrals, from handlers to the loop */
    unsigned long ticks; /* the loop's alone */
};

/* ---- on the server's threads ---- */

static int count(galley_request *rq, galley_response *rs, void *arg)
{
    struct program *program = arg;
    (void)rq;
    galley_deferred *answer = galley_res_defer(rs);
    if (!answer) {
        return GALLEY_ENOMEM;
    }
    /* A pipe takes a pointer whole or not at all (PIPE_BUF). */
    if (write(program->asked[1], &answer, sizeof answer) != sizeof answer) {
        (void)galley_deferred_finish(answer, 503); /* the loop is far behind */
    }
    return 0;
}

/* ---- on the program's loop ---- */

static void answer_one(struct program *program)
{
    galley_deferred *answer = NULL;
    if (read(program->asked[0], &answer, sizeof answer) == sizeof answer) {
        int result = galley_res_printf(galley_deferred_response(answer), 200, "text/plain",
                                       "%lu ticks\n", program->ticks);
        (void)galley_deferred_finish(answer, result);
    }
}

static void tick(struct program *program)
{
    uint64_t expired = 0;
    if (read(program->timer, &expired, sizeof expired) == sizeof expired) {
        program->ticks += expired;
    }
}

static void run_loop(struct program *program)
{
    struct epoll_event event;
    for (;;) {
        if (epoll_wait(program->loop, &event, 1, -1) != 1) {
            continue;
        }
        if (event.data.fd == program->signals) {
            return;
        }
        if (event.data.fd == program->timer) {
            tick(program);
        } else {
            answer_one(program);
        }
    }
}

/* ---- setting up ---- */

static int watch(struct program *program, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return fd < 0 ? -1 : epoll_ctl(program->loop, EPOLL_CTL_ADD, fd, &event);
}

static int open_program(struct program *program)
{
    struct itimerspec tenth = {.it_interval.tv_nsec = 100000000, .it_value.tv_nsec = 100000000};
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, NULL); /* before the server has threads */
    program->loop = epoll_create1(EPOLL_CLOEXEC);
    program->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    program->signals = signalfd(-1, &stops, SFD_CLOEXEC);
    if (pipe2(program->asked, O_CLOEXEC | O_NONBLOCK) != 0 ||
        timerfd_settime(program->timer, 0, &tenth, NULL) != 0) {
        return -1;
    }
    return watch(program, program->timer) | watch(program, program->signals) |
           watch(program, program->asked[0]);
}

int main(int argc, char **argv)
{
    galley_error err = {0};
    struct program program = {0};
    galley_server *srv = open_program(&program) == 0 ? galley_server_new(NULL, &err) : NULL;
    galley_server_route(srv, "GET /count", count, &program, NULL);
    galley_server_listen(srv, argc > 1 ? argv[1] : "127.0.0.1:7878");
    if (!srv || galley_server_start(srv, &err) != 0) { /* returns: it has threads of its own */
        fprintf(stderr, "embed_in_loop: %s\n", err.message);
        galley_server_free(srv);
        return 1;
    }
    printf("Listening on http://%s/count\n", galley_server_address(srv, 0).ptr);
    fflush(stdout);
    run_loop(&program);
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    while (galley_server_join(srv, 10, NULL) == GALLEY_ETIMEDOUT) {
        answer_one(&program); /* who has asked before gets an answer */
    }
    galley_server_free(srv);
    return 0;
}
