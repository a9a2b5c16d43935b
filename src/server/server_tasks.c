/* server/server_tasks.c — galley_server_post() and galley_server_after(): functions of the program
 * that run on the first loop, soon or later. Called on any thread; the lock is held for moments only
 * and never while one runs.
 *
 * A new task goes to `fresh`, and the first of several tells the loop by a post. The loop takes them
 * all: those without a delay run, the others wait for its next turn, whose clock has been read after
 * they came, and get a timer each: so none runs before its time, by the clock of the loop. Whoever
 * ends the first loop closes; what is left then is freed and not run. */
#include "base/alloc.h"

#include "server/server_state.h"

struct server_task {
    struct list link;
    struct timer timer;
    struct galley_server *server;
    uint32_t ms;
    void (*fn)(void *arg);
    void *arg;
};

void server_tasks_init(struct server_tasks *tasks)
{
    pthread_mutex_init(&tasks->lock, NULL);
    list_init(&tasks->fresh);
    list_init(&tasks->taken);
    list_init(&tasks->sleeping);
}

void server_tasks_finish(struct server_tasks *tasks)
{
    server_tasks_close(tasks);
    pthread_mutex_destroy(&tasks->lock);
}

static void run_and_free(struct server_task *task)
{
    list_remove(&task->link);
    void (*fn)(void *arg) = task->fn;
    void *arg = task->arg;
    mem_free(task);
    fn(arg);
}

static void its_time_has_come(struct timer *timer)
{
    run_and_free(CONTAINER_OF(timer, struct server_task, timer));
}

static void move_all(struct list *to, struct list *from)
{
    struct list *link;
    while ((link = list_pop_front(from))) {
        list_push_back(to, link);
    }
}

/* The turn after they were taken. */
static void set_timers(struct loop_post *post)
{
    struct server_tasks *tasks = CONTAINER_OF(post, struct server_tasks, next_turn);
    struct list *link;
    tasks->has_next_turn = false;
    while (tasks->loop && (link = list_pop_front(&tasks->taken))) {
        struct server_task *task = CONTAINER_OF(link, struct server_task, link);
        list_push_back(&tasks->sleeping, link);
        loop_timer_start(tasks->loop, &task->timer, loop_now_ms(tasks->loop) + task->ms,
                         its_time_has_come);
    }
}

static void take(struct server_tasks *tasks, struct list *ret_fresh)
{
    list_init(ret_fresh);
    pthread_mutex_lock(&tasks->lock);
    tasks->is_told = false;
    move_all(ret_fresh, &tasks->fresh);
    pthread_mutex_unlock(&tasks->lock);
}

static void run_fresh(struct loop_post *post)
{
    struct server_tasks *tasks = CONTAINER_OF(post, struct server_tasks, post);
    struct list fresh, *link;
    if (!tasks->loop) {
        return; /* closed */
    }
    if (tasks->has_next_turn) {
        loop_post(tasks->loop, &tasks->post); /* behind it */
        return;
    }
    take(tasks, &fresh);
    while ((link = list_pop_front(&fresh))) {
        struct server_task *task = CONTAINER_OF(link, struct server_task, link);
        if (task->ms == 0) {
            list_push_back(&tasks->sleeping, link);
            run_and_free(task);
        } else {
            list_push_back(&tasks->taken, link);
        }
    }
    if (!list_is_empty(&tasks->taken)) {
        tasks->has_next_turn = true;
        loop_post(tasks->loop, &tasks->next_turn);
    }
}

void server_tasks_open(struct server_tasks *tasks, struct loop *loop)
{
    pthread_mutex_lock(&tasks->lock);
    tasks->loop = loop;
    tasks->post.run = run_fresh;
    tasks->next_turn.run = set_timers;
    if (!list_is_empty(&tasks->fresh)) {
        tasks->is_told = true;
        loop_post(loop, &tasks->post);
    }
    pthread_mutex_unlock(&tasks->lock);
}

static void free_all(struct list *tasks)
{
    struct list *link;
    while ((link = list_pop_front(tasks))) {
        mem_free(CONTAINER_OF(link, struct server_task, link));
    }
}

void server_tasks_close(struct server_tasks *tasks)
{
    pthread_mutex_lock(&tasks->lock);
    struct loop *loop = tasks->loop;
    tasks->is_closed = true;
    tasks->loop = NULL;
    pthread_mutex_unlock(&tasks->lock);
    for (struct list *at = tasks->sleeping.next; loop && at != &tasks->sleeping; at = at->next) {
        loop_timer_stop(loop, &CONTAINER_OF(at, struct server_task, link)->timer);
    }
    free_all(&tasks->sleeping);
    free_all(&tasks->taken);
    free_all(&tasks->fresh);
}

/* False: it is too late. */
static bool add(struct server_tasks *tasks, struct server_task *task)
{
    pthread_mutex_lock(&tasks->lock);
    bool is_open = !tasks->is_closed;
    if (is_open) {
        list_push_back(&tasks->fresh, &task->link);
    }
    if (is_open && tasks->loop && !tasks->is_told) {
        tasks->is_told = true;
        loop_post(tasks->loop, &tasks->post); /* under the lock: the loop cannot go meanwhile */
    }
    pthread_mutex_unlock(&tasks->lock);
    return is_open;
}

int galley_server_after(galley_server *srv, uint32_t ms, void (*fn)(void *arg), void *arg)
{
    if (!srv || !fn) {
        return GALLEY_EINVAL;
    }
    struct server_task *task = mem_alloc_zero(1, sizeof *task);
    if (!task) {
        return GALLEY_ENOMEM;
    }
    task->ms = ms;
    task->fn = fn;
    task->arg = arg;
    if (!add(&srv->tasks, task)) {
        mem_free(task);
        return GALLEY_ECLOSED;
    }
    return GALLEY_OK;
}

int galley_server_post(galley_server *srv, void (*fn)(void *arg), void *arg)
{
    return galley_server_after(srv, 0, fn, arg);
}
