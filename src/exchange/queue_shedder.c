/* exchange/queue_shedder.c — see queue_shedder.h. While nobody waits too long only atomics are
 * touched, all of them relaxed: they are counts and hints, and hand over no data. The lock is for
 * the workers that measure while somebody does. */
#include "exchange/queue_shedder.h"

#include "base/alloc.h"
#include "base/check.h"

#include <pthread.h>

enum {
    INTERVAL_MS = 100,   /* so long all must have waited too long; RFC 8289 §3.2 */
    CALM_MS = 1000,      /* so long without a refusal: the overload is over, whoever comes */
    CALM_PER_WORKER = 4, /* or so many let in since, each worker */
    LATE = 2,            /* times the target, or times a job's time: not started any more */
    BELOW_A_JOB = 4,     /* the wait is to be a quarter less than the time of a job */
    LEAST_SHARE = 4,     /* of the target: what may be queued however short the jobs are */
    MEMORY = 8,          /* the rate falls by 1/8 an interval at most */
    CACHE_LINE_BYTES = 64,
};

struct queue_shedder {
    struct queue_shedder *next;
    galley_pool *pool; /* only to know it again */
    uint32_t target_ms;
    unsigned workers;
    _Atomic uint32_t most_queued; /* 0: no overload; else no more are let in */
    _Atomic uint32_t late_ms;     /* while it is one: not started after this */
    _Atomic uint32_t let_in;      /* since the last refusal … */
    _Atomic int64_t refused_ms;   /* … which was then */
    _Atomic int64_t window_ms;    /* since then all have waited too long; 0: not so. Set under the
                                     lock, cleared by anybody */
    pthread_mutex_t lock;         /* the next three */
    uint32_t window_queued;       /* when it began */
    uint32_t window_started;
    uint32_t rate; /* jobs that are started within the target */
    /* Written for every job: on a line of its own. */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t queued;
};

static uint32_t number(const _Atomic uint32_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static void set_number(_Atomic uint32_t *at, uint32_t value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

static int64_t moment(const _Atomic int64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static void set_moment(_Atomic int64_t *at, int64_t ms)
{
    atomic_store_explicit(at, ms, memory_order_relaxed);
}

/* ---- making ---------------------------------------------------------------------------------- */

struct queue_shedder *queue_shedder_create(unsigned workers, uint32_t target_ms)
{
    CHECK(target_ms > 0);
    struct queue_shedder *shedder = mem_alloc_aligned(CACHE_LINE_BYTES, sizeof *shedder);
    if (shedder) {
        shedder->target_ms = target_ms;
        shedder->workers = workers ? workers : 1;
        pthread_mutex_init(&shedder->lock, NULL);
    }
    return shedder;
}

void queue_shedder_destroy(struct queue_shedder *shedder)
{
    if (shedder) {
        pthread_mutex_destroy(&shedder->lock);
        mem_free(shedder);
    }
}

struct queue_shedder *queue_shedder_of_pool(struct queue_shedder **list, galley_pool *pool,
                                            uint32_t target_ms)
{
    for (struct queue_shedder *at = *list; at; at = at->next) {
        if (at->pool == pool) {
            return at;
        }
    }
    galley_pool_stats stats = {.size = sizeof stats};
    (void)galley_pool_get_stats(pool, &stats); /* a closed pool runs nothing: any number will do */
    struct queue_shedder *shedder = queue_shedder_create(stats.threads, target_ms);
    if (shedder) {
        shedder->pool = pool;
        shedder->next = *list;
        *list = shedder;
    }
    return shedder;
}

void queue_shedder_destroy_list(struct queue_shedder *list)
{
    while (list) {
        struct queue_shedder *next = list->next;
        queue_shedder_destroy(list);
        list = next;
    }
}

/* ---- who comes ------------------------------------------------------------------------------- */

bool queue_shedder_is_shedding(const struct queue_shedder *shedder)
{
    return number(&shedder->most_queued) != 0;
}

static void note_refusal(struct queue_shedder *shedder, int64_t now_ms)
{
    set_moment(&shedder->refused_ms, now_ms);
    set_number(&shedder->let_in, 0);
}

/* Has nobody been refused for a while? Few jobs that take long need more time for that than many
 * short ones. */
static bool is_calm(const struct queue_shedder *shedder, uint32_t let_in, int64_t now_ms)
{
    int64_t since_ms = now_ms - moment(&shedder->refused_ms);
    return since_ms > CALM_MS ||
           (since_ms > INTERVAL_MS && let_in > CALM_PER_WORKER * shedder->workers);
}

bool queue_shedder_refuses(struct queue_shedder *shedder, int64_t now_ms)
{
    uint32_t most = number(&shedder->most_queued);
    if (most == 0) {
        return false;
    }
    if (queue_shedder_queued(shedder) >= most) {
        note_refusal(shedder, now_ms);
        return true;
    }
    uint32_t let_in = atomic_fetch_add_explicit(&shedder->let_in, 1, memory_order_relaxed) + 1;
    if (is_calm(shedder, let_in, now_ms)) {
        set_moment(&shedder->window_ms, 0);
        set_number(&shedder->most_queued, 0);
    }
    return false;
}

void queue_shedder_add(struct queue_shedder *shedder)
{
    atomic_fetch_add_explicit(&shedder->queued, 1, memory_order_relaxed);
}

void queue_shedder_remove(struct queue_shedder *shedder)
{
    atomic_fetch_sub_explicit(&shedder->queued, 1, memory_order_relaxed);
}

uint32_t queue_shedder_queued(const struct queue_shedder *shedder)
{
    return number(&shedder->queued);
}

/* ---- who is started: on workers -------------------------------------------------------------- */

/* Lock held. How many may be queued: what a worker will come to within the target, or within
 * three quarters of one job's time where that is shorter, so that serving takes less than twice as
 * long as without a queue; but enough for the workers not to run dry between two turns of a loop. */
static uint32_t most_for_rate(const struct queue_shedder *shedder)
{
    uint32_t most = shedder->rate / LEAST_SHARE;
    uint32_t by_job = shedder->workers - shedder->workers / BELOW_A_JOB;
    most = most > by_job ? most : by_job;
    most = most < shedder->rate ? most : shedder->rate;
    return most ? most : 1;
}

/* Lock held. A window has ended in which there was too much to do. */
static void adjust(struct queue_shedder *shedder, int64_t took_ms, int64_t now_ms)
{
    uint32_t least = shedder->rate - (shedder->rate + MEMORY - 1) / MEMORY;
    if (!queue_shedder_is_shedding(shedder)) {
        note_refusal(shedder, now_ms);
        least = 0;
    }
    uint64_t started = shedder->window_started;
    uint64_t rate = started * shedder->target_ms / (uint64_t)took_ms;
    uint64_t job_ms = (uint64_t)took_ms * shedder->workers / started;
    uint64_t longer_ms = job_ms > shedder->target_ms ? job_ms : shedder->target_ms;
    shedder->rate = rate > least ? (uint32_t)rate : least;
    set_number(&shedder->late_ms, (uint32_t)(LATE * longer_ms));
    set_number(&shedder->most_queued, most_for_rate(shedder));
}

static void open_window(struct queue_shedder *shedder, int64_t now_ms)
{
    set_moment(&shedder->window_ms, now_ms);
    shedder->window_queued = queue_shedder_queued(shedder);
    shedder->window_started = 0;
}

/* Lock held: one more was started. */
static void measure(struct queue_shedder *shedder, int64_t now_ms)
{
    int64_t began_ms = moment(&shedder->window_ms);
    if (began_ms == 0) {
        open_window(shedder, now_ms);
        return;
    }
    shedder->window_started++;
    if (now_ms - began_ms < INTERVAL_MS) {
        return;
    }
    bool grows = queue_shedder_queued(shedder) >= shedder->window_queued;
    if (grows || queue_shedder_is_shedding(shedder)) {
        adjust(shedder, now_ms - began_ms, now_ms);
    }
    open_window(shedder, now_ms);
}

static bool is_late(const struct queue_shedder *shedder, int64_t waited_ms)
{
    return queue_shedder_is_shedding(shedder) && waited_ms > (int64_t)number(&shedder->late_ms);
}

bool queue_shedder_start(struct queue_shedder *shedder, int64_t waited_ms, int64_t now_ms)
{
    queue_shedder_remove(shedder);
    if (is_late(shedder, waited_ms)) {
        note_refusal(shedder, now_ms);
        return false;
    }
    if (waited_ms <= (int64_t)shedder->target_ms && !queue_shedder_is_shedding(shedder)) {
        if (moment(&shedder->window_ms) != 0) {
            set_moment(&shedder->window_ms, 0);
        }
        return true;
    }
    pthread_mutex_lock(&shedder->lock);
    measure(shedder, now_ms);
    pthread_mutex_unlock(&shedder->lock);
    return true;
}
