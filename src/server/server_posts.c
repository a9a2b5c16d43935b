/* server/server_posts.c — galley_server_post() and galley_server_after(): functions of the program
 * that run on the first loop, soon or later. Called on any thread; the lock is held for moments only
 * and never while one runs.
 *
 * What is new goes to `fresh`, and the first of several tells the loop by a post. The loop takes them
 * all: those without a delay run, the others wait for its next turn, whose clock has been read after
 * they came, and get a timer each: so none runs before its time, by the clock of the loop. Whoever
 * ends the first loop closes; what is left then is freed and not run. */
#include "base/alloc.h"

#include "server/server_state.h"

struct posted {
    struct list link;
    struct timer timer;
    uint32_t ms;
    void (*fn)(void *arg);
    void *arg;
};

void server_posts_init(struct server_posts *posts)
{
    pthread_mutex_init(&posts->lock, NULL);
    list_init(&posts->fresh);
    list_init(&posts->taken);
    list_init(&posts->sleeping);
}

void server_posts_finish(struct server_posts *posts)
{
    server_posts_close(posts);
    pthread_mutex_destroy(&posts->lock);
}

static void run_and_free(struct posted *posted)
{
    list_remove(&posted->link);
    void (*fn)(void *arg) = posted->fn;
    void *arg = posted->arg;
    mem_free(posted);
    fn(arg);
}

static void its_time_has_come(struct timer *timer)
{
    run_and_free(CONTAINER_OF(timer, struct posted, timer));
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
    struct server_posts *posts = CONTAINER_OF(post, struct server_posts, next_turn);
    struct list *link;
    posts->has_next_turn = false;
    while (posts->loop && (link = list_pop_front(&posts->taken))) {
        struct posted *posted = CONTAINER_OF(link, struct posted, link);
        list_push_back(&posts->sleeping, link);
        loop_timer_start(posts->loop, &posted->timer, loop_now_ms(posts->loop) + posted->ms,
                         its_time_has_come);
    }
}

static void take(struct server_posts *posts, struct list *ret_fresh)
{
    list_init(ret_fresh);
    pthread_mutex_lock(&posts->lock);
    posts->is_told = false;
    move_all(ret_fresh, &posts->fresh);
    pthread_mutex_unlock(&posts->lock);
}

static void run_fresh(struct loop_post *post)
{
    struct server_posts *posts = CONTAINER_OF(post, struct server_posts, taking);
    struct list fresh, *link;
    if (!posts->loop) {
        return; /* closed */
    }
    if (posts->has_next_turn) {
        loop_post(posts->loop, &posts->taking); /* behind it */
        return;
    }
    take(posts, &fresh);
    while ((link = list_pop_front(&fresh))) {
        struct posted *posted = CONTAINER_OF(link, struct posted, link);
        if (posted->ms == 0) {
            list_push_back(&posts->sleeping, link);
            run_and_free(posted);
        } else {
            list_push_back(&posts->taken, link);
        }
    }
    if (!list_is_empty(&posts->taken)) {
        posts->has_next_turn = true;
        loop_post(posts->loop, &posts->next_turn);
    }
}

void server_posts_open(struct server_posts *posts, struct loop *loop)
{
    pthread_mutex_lock(&posts->lock);
    posts->loop = loop;
    posts->taking.run = run_fresh;
    posts->next_turn.run = set_timers;
    if (!list_is_empty(&posts->fresh)) {
        posts->is_told = true;
        loop_post(loop, &posts->taking);
    }
    pthread_mutex_unlock(&posts->lock);
}

static void free_all(struct list *list)
{
    struct list *link;
    while ((link = list_pop_front(list))) {
        mem_free(CONTAINER_OF(link, struct posted, link));
    }
}

void server_posts_close(struct server_posts *posts)
{
    pthread_mutex_lock(&posts->lock);
    struct loop *loop = posts->loop;
    posts->is_closed = true;
    posts->loop = NULL;
    pthread_mutex_unlock(&posts->lock);
    for (struct list *at = posts->sleeping.next; loop && at != &posts->sleeping; at = at->next) {
        loop_timer_stop(loop, &CONTAINER_OF(at, struct posted, link)->timer);
    }
    free_all(&posts->sleeping);
    free_all(&posts->taken);
    free_all(&posts->fresh);
}

/* False: it is too late. */
static bool add(struct server_posts *posts, struct posted *posted)
{
    pthread_mutex_lock(&posts->lock);
    bool is_open = !posts->is_closed;
    if (is_open) {
        list_push_back(&posts->fresh, &posted->link);
    }
    if (is_open && posts->loop && !posts->is_told) {
        posts->is_told = true;
        loop_post(posts->loop, &posts->taking); /* under the lock: the loop cannot go meanwhile */
    }
    pthread_mutex_unlock(&posts->lock);
    return is_open;
}

int galley_server_after(galley_server *srv, uint32_t ms, void (*fn)(void *arg), void *arg)
{
    if (!srv || !fn) {
        return GALLEY_EINVAL;
    }
    if (server_is_forked(srv)) {
        return GALLEY_EFORKED;
    }
    struct posted *posted = mem_alloc_zero(1, sizeof *posted);
    if (!posted) {
        return GALLEY_ENOMEM;
    }
    posted->ms = ms;
    posted->fn = fn;
    posted->arg = arg;
    if (!add(&srv->posts, posted)) {
        mem_free(posted);
        return GALLEY_ECLOSED;
    }
    return GALLEY_OK;
}

int galley_server_post(galley_server *srv, void (*fn)(void *arg), void *arg)
{
    return galley_server_after(srv, 0, fn, arg);
}
