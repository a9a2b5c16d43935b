/* exchange/stall_watch.c — see stall_watch.h.
 *
 * Going to sleep takes two steps: the thread says that it wants to be woken, and looks once more a
 * period later. A loop that wrote its spot too early to see the wish has been seen by then: a store
 * reaches other processors in far less time, and no fence is needed for each handler call. (Should
 * one be missed all the same, it is told of when the handler returns.) */
#include "exchange/stall_watch.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

enum {
    LEAST_PERIOD_MS = 10,
    QUIET_MS = 1000,   /* nobody was seen at work for so long: sleep */
    NEXT_TELLING = 10, /* times as long, and it is told of again */
    MS_PER_S = 1000,
    NS_PER_MS = 1000000,
};

struct stall_watch {
    const struct log_sink *log;
    uint32_t warn_ms;
    int64_t period_ms;
    int64_t busy_ms;        /* the thread's: when it last saw somebody at work; 0: just woken */
    _Atomic bool is_asleep; /* set by the thread, cleared under the lock by who wakes it; relaxed */
    pthread_mutex_t lock;   /* is_ending; and the condition */
    pthread_cond_t news;
    pthread_t thread;
    bool has_thread;
    bool is_ending;
    unsigned count;
    struct stall_spot spots[];
};

struct stall_watch *stall_watch_create(unsigned spots, uint32_t warn_ms, const struct log_sink *log)
{
    CHECK(warn_ms > 0);
    struct stall_watch *watch =
        mem_alloc_aligned(STALL_SPOT_BYTES, sizeof *watch + spots * sizeof(struct stall_spot));
    if (!watch) {
        return NULL;
    }
    watch->log = log;
    watch->warn_ms = warn_ms;
    watch->period_ms = warn_ms / 2 > LEAST_PERIOD_MS ? warn_ms / 2 : LEAST_PERIOD_MS;
    watch->count = spots;
    atomic_init(&watch->is_asleep, true); /* no handler runs yet */
    for (unsigned i = 0; i < spots; i++) {
        watch->spots[i].watch = watch;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->news, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&watch->lock, NULL);
    return watch;
}

void stall_watch_destroy(struct stall_watch *watch)
{
    if (watch) {
        CHECK(!watch->has_thread);
        pthread_cond_destroy(&watch->news);
        pthread_mutex_destroy(&watch->lock);
        mem_free(watch);
    }
}

struct stall_spot *stall_watch_spot(struct stall_watch *watch, unsigned index)
{
    CHECK(index < watch->count);
    return &watch->spots[index];
}

/* ---- looking --------------------------------------------------------------------------------- */

bool stall_watch_is_asleep(const struct stall_watch *watch)
{
    return atomic_load_explicit(&watch->is_asleep, memory_order_relaxed);
}

static void tell(struct stall_watch *watch, struct stall_spot *spot, int64_t since_ms,
                 int64_t held_ms)
{
    const char *label = atomic_load_explicit(&spot->label, memory_order_relaxed);
    if (spot->told_since_ms != since_ms) {
        spot->told_since_ms = since_ms;
        spot->tell_ms = watch->warn_ms;
    }
    if (held_ms < spot->tell_ms) {
        return;
    }
    spot->tell_ms = held_ms * NEXT_TELLING;
    log_write(watch->log, LOG_WARNING,
              "handler of %s is holding the event loop, for %lld ms so far",
              label ? label : "a route", (long long)held_ms);
}

int64_t stall_watch_look(struct stall_watch *watch, int64_t now_ms)
{
    bool is_busy = watch->busy_ms == 0;
    for (unsigned i = 0; i < watch->count; i++) {
        struct stall_spot *spot = &watch->spots[i];
        /* Acquire pairs with stall_spot_enter(): the label is of this call or a later one. */
        int64_t since_ms = atomic_load_explicit(&spot->since_ms, memory_order_acquire);
        is_busy |= since_ms != 0;
        if (since_ms != 0 && now_ms - since_ms >= (int64_t)watch->warn_ms) {
            tell(watch, spot, since_ms, now_ms - since_ms);
        }
    }
    if (is_busy) {
        watch->busy_ms = now_ms;
        atomic_store_explicit(&watch->is_asleep, false, memory_order_relaxed);
    } else if (stall_watch_is_asleep(watch)) {
        return INT64_MAX;
    } else if (now_ms - watch->busy_ms >= QUIET_MS) {
        atomic_store_explicit(&watch->is_asleep, true, memory_order_relaxed);
    }
    return now_ms + watch->period_ms;
}

void stall_watch_wake(struct stall_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    atomic_store_explicit(&watch->is_asleep, false, memory_order_relaxed);
    pthread_cond_signal(&watch->news);
    pthread_mutex_unlock(&watch->lock);
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Lock held. */
static void wait_until(struct stall_watch *watch, int64_t at_ms)
{
    struct timespec at = {.tv_sec = at_ms / MS_PER_S, .tv_nsec = at_ms % MS_PER_S * NS_PER_MS};
    int rc = 0;
    while (!watch->is_ending && rc == 0) {
        rc = pthread_cond_timedwait(&watch->news, &watch->lock, &at);
    }
}

static void wait_to_be_woken(struct stall_watch *watch)
{
    while (!watch->is_ending && stall_watch_is_asleep(watch)) {
        pthread_cond_wait(&watch->news, &watch->lock);
    }
    watch->busy_ms = 0;
}

static void *run(void *arg)
{
    struct stall_watch *watch = arg;
    (void)pthread_setname_np(pthread_self(), "galley-watch"); /* only for people who look */
    pthread_mutex_lock(&watch->lock);
    while (!watch->is_ending) {
        /* Without the lock: a log may be slow, and a loop may be waiting to wake us. */
        pthread_mutex_unlock(&watch->lock);
        int64_t next_ms = stall_watch_look(watch, clock_mono_ms());
        pthread_mutex_lock(&watch->lock);
        if (next_ms == INT64_MAX) {
            wait_to_be_woken(watch);
        } else {
            wait_until(watch, next_ms);
        }
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

int stall_watch_start(struct stall_watch *watch)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are for the program's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&watch->thread, NULL, run, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    watch->has_thread = rc == 0;
    return -rc;
}

void stall_watch_stop(struct stall_watch *watch)
{
    if (!watch || !watch->has_thread) {
        return;
    }
    pthread_mutex_lock(&watch->lock);
    watch->is_ending = true;
    pthread_cond_signal(&watch->news);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    watch->has_thread = false;
}
