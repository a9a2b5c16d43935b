/* loop/loop.c — a loop's life: making, turning, ending; its clock, timers and posts.
 * One turn: wait (backend), read the clocks once, run what became ready, then mail, timers and
 * `later`, each followed by what its callbacks started. I/O runs before timers, so that a request
 * which came in time is not timed out by a late turn. All on the loop's thread, but loop_post() and
 * loop_wake(). */
#include "loop/loop.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "loop/backend.h"
#include "loop/warm_file.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_RECV_BYTES = 64 * 1024 };

static const struct loop_backend *backend_of(enum loop_backend_kind kind)
{
    switch (kind) {
    case LOOP_BACKEND_SIM:
        return &loop_backend_sim;
    case LOOP_BACKEND_URING:
        return &loop_backend_uring;
    default:
        return &loop_backend_epoll;
    }
}

static void init_fields(struct loop *loop, const struct loop_options *options)
{
    loop->backend = backend_of(options ? options->backend : LOOP_BACKEND_EPOLL);
    loop->shares_listeners = options && options->shares_listeners;
    loop->log = options ? options->log : NULL;
    loop->recv_bytes = options && options->recv_bytes ? options->recv_bytes : DEFAULT_RECV_BYTES;
    list_init(&loop->ready);
    list_init(&loop->started);
    list_init(&loop->deferred);
    mailbox_init(&loop->mailbox);
    atomic_init(&loop->owner, 0);
    loop->turn = 1; /* a new socket's 0 is another turn */
}

struct loop *loop_create(const struct loop_options *options, galley_error *err)
{
    struct loop *loop = mem_alloc_aligned(_Alignof(struct loop), sizeof(*loop));
    if (!loop) {
        error_set_sys(err, ENOMEM, "event loop");
        return NULL;
    }
    init_fields(loop, options);
    loop->recv_buffer = mem_alloc(loop->recv_bytes);
    loop->received = loop->recv_buffer;
    int result = loop->recv_buffer ? loop->backend->init(loop) : -ENOMEM;
    if (result < 0) {
        error_set_sys(err, -result, "event loop (%s)", loop->backend->name);
        mem_free(loop->recv_buffer);
        mem_free(loop);
        return NULL;
    }
    loop->backend->read_clock(loop);
    timer_wheel_init(&loop->timers, loop->now_ms);
    return loop;
}

void loop_destroy(struct loop *loop)
{
    if (!loop) {
        return;
    }
    DEBUG_CHECK(loop->open_sockets == 0);
    DEBUG_CHECK(loop->timers.armed == 0);
    DEBUG_CHECK(mailbox_is_empty(&loop->mailbox) && !loop->later_first);
    warm_files_finish(loop);
    loop->backend->finish(loop);
    mem_free(loop->recv_buffer);
    mem_free(loop);
}

/* ---- whose thread ---------------------------------------------------------------------------- */

static _Thread_local char thread_mark; /* its address tells threads apart */
static _Thread_local unsigned turns;   /* of loops that this thread is inside of */

static void bind_thread(struct loop *loop, uintptr_t owner)
{
    atomic_store_explicit(&loop->owner, owner, memory_order_relaxed);
}

bool loop_is_current(const struct loop *loop)
{
    uintptr_t owner = atomic_load_explicit(&loop->owner, memory_order_relaxed);
    return owner == 0 || owner == (uintptr_t)&thread_mark;
}

bool loop_is_on_thread(void)
{
    return turns > 0;
}

void loop_adopt(struct loop *loop)
{
    bind_thread(loop, (uintptr_t)&thread_mark);
}

/* ---- turning --------------------------------------------------------------------------------- */

static bool has_work_now(const struct loop *loop)
{
    return !list_is_empty(&loop->started) || !list_is_empty(&loop->deferred) ||
           loop->closing_first || loop->later_first;
}

/* How long this turn may wait. Counted from the last turn's clock: callbacks do not block, so it is
 * hardly old. */
static int64_t wait_for(const struct loop *loop, int64_t max_wait_ms)
{
    if (max_wait_ms == 0 || has_work_now(loop)) {
        return 0;
    }
    int64_t next_ms = timer_wheel_next_ms(&loop->timers);
    if (next_ms == INT64_MAX) {
        return max_wait_ms;
    }
    int64_t until_ms = next_ms > loop->now_ms ? next_ms - loop->now_ms : 0;
    return max_wait_ms < 0 || until_ms < max_wait_ms ? until_ms : max_wait_ms;
}

static void wait_for_events(struct loop *loop, int64_t max_wait_ms)
{
    int64_t wait_ms = wait_for(loop, max_wait_ms);
    if (wait_ms != 0 && !mailbox_go_to_sleep(&loop->mailbox)) {
        wait_ms = 0;
    }
    loop->backend->wait(loop, wait_ms);
    mailbox_wake_up(&loop->mailbox);
    loop->backend->read_clock(loop);
}

/* What was put off in the last turn comes after what is ready now. */
static void resume_deferred(struct loop *loop)
{
    struct list *link;
    while ((link = list_pop_front(&loop->deferred))) {
        list_push_back(&loop->ready, link);
    }
}

static unsigned run_posts(struct loop *loop, struct loop_post *first)
{
    unsigned calls = 0;
    while (first) {
        struct loop_post *next = first->next; /* the post may be used again inside its run */
        first->run(first);
        calls += 1 + operation_run_all(loop);
        first = next;
    }
    return calls;
}

static struct loop_post *take_later(struct loop *loop)
{
    struct loop_post *first = loop->later_first;
    loop->later_first = NULL;
    loop->later_last = NULL;
    return first;
}

bool loop_turn(struct loop *loop, int64_t max_wait_ms)
{
    DEBUG_CHECK(loop_is_current(loop));
    bind_thread(loop, (uintptr_t)&thread_mark);
    wait_for_events(loop, max_wait_ms);
    turns++;
    loop->turn++;
    resume_deferred(loop);
    unsigned calls = operation_run_all(loop);
    calls += run_posts(loop, mailbox_take(&loop->mailbox));
    calls += timer_wheel_advance(&loop->timers, loop->now_ms);
    calls += operation_run_all(loop);
    calls += run_posts(loop, take_later(loop));
    turns--;
    return calls > 0 || has_work_now(loop) || loop->held_sockets > 0;
}

uint32_t loop_turn_number(const struct loop *loop)
{
    return loop->turn;
}

void loop_leave(struct loop *loop)
{
    DEBUG_CHECK(loop_is_current(loop));
    if (loop->backend->leave) {
        loop->backend->leave(loop);
    }
    bind_thread(loop, 0); /* whoever joins this thread may close and destroy */
}

/* sendfile(2) has no MSG_NOSIGNAL: its SIGPIPE is kept away from the program by blocking it on this
 * thread. */
static void block_sigpipe(sigset_t *ret_before)
{
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, ret_before);
}

static void restore_sigpipe(const sigset_t *before)
{
    if (!sigismember(before, SIGPIPE)) {
        sigset_t pipe_only;
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        const struct timespec at_once = {0};
        while (sigtimedwait(&pipe_only, NULL, &at_once) > 0) {
            /* swallow what our sends have caused */
        }
    }
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* recv(2), send(2) and epoll_wait(2) are cancellation points, for which the C library marks the
 * thread by an atomic exchange before and behind each, unless it is marked already. A thread that
 * turns a loop cannot be cancelled anyway: nothing would let go of what it holds. */
static void forbid_cancel(int *ret_state, int *ret_type)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, ret_state);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, ret_type);
}

static void restore_cancel(int state, int type)
{
    pthread_setcanceltype(type, &type);
    pthread_setcancelstate(state, &state);
}

void loop_run(struct loop *loop)
{
    sigset_t before;
    int cancel_state, cancel_type;
    forbid_cancel(&cancel_state, &cancel_type);
    block_sigpipe(&before);
    bind_thread(loop, (uintptr_t)&thread_mark);
    loop->backend->read_clock(loop); /* it may have been made long ago */
    while (!loop->is_stopping) {
        loop_turn(loop, GALLEY_FOREVER);
    }
    loop->is_stopping = false;
    loop_leave(loop);
    restore_sigpipe(&before);
    restore_cancel(cancel_state, cancel_type);
}

void loop_stop(struct loop *loop)
{
    DEBUG_CHECK(loop_is_current(loop));
    loop->is_stopping = true;
}

/* ---- clock, timers, posts -------------------------------------------------------------------- */

int64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

int64_t loop_wall_s(const struct loop *loop)
{
    return loop->wall_s;
}

void loop_timer_start(struct loop *loop, struct timer *timer, int64_t deadline_ms, timer_fn *fn)
{
    DEBUG_CHECK(loop_is_current(loop));
    timer_wheel_start(&loop->timers, timer, deadline_ms, fn);
}

void loop_timer_stop(struct loop *loop, struct timer *timer)
{
    DEBUG_CHECK(loop_is_current(loop));
    timer_wheel_stop(&loop->timers, timer);
}

void loop_post(struct loop *loop, struct loop_post *post)
{
    if (mailbox_push(&loop->mailbox, post)) {
        loop->backend->wake(loop);
    }
}

bool loop_is_asleep(const struct loop *loop)
{
    /* Relaxed: a hint. Its partner is the loop's own word for posters, see mailbox.c. */
    return atomic_load_explicit(&loop->mailbox.is_asleep, memory_order_relaxed);
}

void loop_wake(struct loop *loop)
{
    loop->backend->wake(loop);
}

int loop_peer_name(struct loop *loop, int fd, struct sockaddr *addr, socklen_t *len)
{
    return loop->backend->peer_name(loop, fd, addr, len);
}

const char *loop_backend_name(const struct loop *loop)
{
    return loop->backend->name;
}

void loop_later(struct loop *loop, struct loop_post *post)
{
    DEBUG_CHECK(loop_is_current(loop));
    post->next = NULL;
    if (loop->later_last) {
        loop->later_last->next = post;
    } else {
        loop->later_first = post;
    }
    loop->later_last = post;
}
