/* exchange/handles.c — the registry: hash chains through the objects themselves, in shards. The
 * first buckets are static, more are allocated while they are needed; without memory for more the
 * chains are longer, so that nothing here can fail. Numbers are counted up, nobody can choose them:
 * they need no keyed hash. In a forked child, which has none of the threads that a handle leads to,
 * the registry begins anew: handles from before are not found there. */
#include "exchange/handles.h"

#include "base/alloc.h"
#include "base/check.h"

#include <pthread.h>

enum { SHARDS = 16, FIRST_BUCKETS = 16, FULL_CHAIN = 4 };

struct shard {
    _Alignas(64) pthread_mutex_t lock; /* no shard in the lines of another */
    struct handle *first[FIRST_BUCKETS];
    struct handle **more; /* instead of `first`; NULL: not needed */
    size_t buckets;       /* of more; a power of two */
    size_t count;
};

#define SHARD                                                                                      \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }
#define SHARD4 SHARD, SHARD, SHARD, SHARD
/* Of the process, not of a server: a handle may be asked for when every server has gone. */
static struct shard shards[SHARDS] = {SHARD4, SHARD4, SHARD4, SHARD4};
static _Alignas(64) _Atomic uintptr_t
    last_number; /* relaxed: only that each is given once matters */

/* On the child's only thread, before fork() returns. A lock may be held by a thread that the child
 * does not have; what the chains hold is a copy, left as it is. */
static void forget_all(void)
{
    for (int i = 0; i < SHARDS; i++) {
        shards[i] = (struct shard){.count = 0};
        pthread_mutex_init(&shards[i].lock, NULL);
    }
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, forget_all); /* fails without memory: then nobody watches */
}

static struct shard *shard_of(uintptr_t number)
{
    return &shards[number % SHARDS];
}

static struct handle **bucket_of(struct shard *shard, uintptr_t number)
{
    struct handle **buckets = shard->more ? shard->more : shard->first;
    size_t count = shard->more ? shard->buckets : (size_t)FIRST_BUCKETS;
    return &buckets[(number / SHARDS) & (count - 1)];
}

/* ---- under the shard's lock ------------------------------------------------------------------ */

static void insert(struct shard *shard, struct handle *handle)
{
    struct handle **bucket = bucket_of(shard, handle->number);
    handle->next = *bucket;
    *bucket = handle;
}

static void move_all(struct shard *shard, struct handle **from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct handle *next = NULL;
        for (struct handle *handle = from[i]; handle; handle = next) {
            next = handle->next;
            insert(shard, handle);
        }
        from[i] = NULL;
    }
}

static void grow_if_full(struct shard *shard)
{
    size_t now = shard->more ? shard->buckets : (size_t)FIRST_BUCKETS;
    if (shard->count / FULL_CHAIN < now) {
        return;
    }
    struct handle **old = shard->more;
    struct handle **larger = mem_alloc_zero(now * FULL_CHAIN, sizeof *larger);
    if (!larger) {
        return; /* slower for a while, not wrong */
    }
    shard->more = larger;
    shard->buckets = now * FULL_CHAIN;
    move_all(shard, old ? old : shard->first, now);
    mem_free(old);
}

static struct handle **find_link(struct shard *shard, uintptr_t number,
                                 const struct handle_kind *kind)
{
    struct handle **link = bucket_of(shard, number);
    while (*link && (*link)->number != number) {
        link = &(*link)->next;
    }
    return *link && (*link)->kind == kind ? link : NULL;
}

static void take_out(struct shard *shard, struct handle **link)
{
    *link = (*link)->next;
    shard->count--;
    if (shard->count == 0) {
        mem_free(shard->more);
        shard->more = NULL;
    }
}

/* ---- */

void handle_init(struct handle *handle, const struct handle_kind *kind)
{
    *handle = (struct handle){.kind = kind};
    atomic_init(&handle->pins, 1);
}

void *handle_name(const struct handle *handle)
{
    return (void *)handle->number;
}

void *handle_publish(struct handle *handle)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch_forks);
    uintptr_t number = atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed) + 1;
    struct shard *shard = shard_of(number);
    handle->number = number;
    handle->holders = 1;
    handle_pin(handle); /* the registry's */
    pthread_mutex_lock(&shard->lock);
    grow_if_full(shard);
    insert(shard, handle);
    shard->count++;
    pthread_mutex_unlock(&shard->lock);
    return (void *)number;
}

struct handle *handle_find(const void *name, const struct handle_kind *kind)
{
    uintptr_t number = (uintptr_t)name;
    struct shard *shard = shard_of(number);
    pthread_mutex_lock(&shard->lock);
    struct handle **link = find_link(shard, number, kind);
    struct handle *handle = link ? *link : NULL;
    if (handle) {
        handle_pin(handle);
    }
    pthread_mutex_unlock(&shard->lock);
    return handle;
}

bool handle_hold(const void *name, const struct handle_kind *kind)
{
    uintptr_t number = (uintptr_t)name;
    struct shard *shard = shard_of(number);
    pthread_mutex_lock(&shard->lock);
    struct handle **link = find_link(shard, number, kind);
    bool is_found = link && (*link)->holders < UINT32_MAX;
    if (is_found) {
        (*link)->holders++;
    }
    pthread_mutex_unlock(&shard->lock);
    return is_found;
}

bool handle_drop(const void *name, const struct handle_kind *kind, struct handle **ret_last)
{
    uintptr_t number = (uintptr_t)name;
    struct shard *shard = shard_of(number);
    *ret_last = NULL;
    pthread_mutex_lock(&shard->lock);
    struct handle **link = find_link(shard, number, kind);
    if (link && --(*link)->holders == 0) {
        *ret_last = *link;
        take_out(shard, link);
    }
    bool is_found = link != NULL;
    pthread_mutex_unlock(&shard->lock);
    return is_found;
}

void handle_pin(struct handle *handle)
{
    unsigned before = atomic_fetch_add_explicit(&handle->pins, 1, memory_order_relaxed);
    DEBUG_CHECK(before > 0);
    (void)before;
}

void handle_unpin(struct handle *handle)
{
    /* Release: what this user wrote; acquire, by the last one: what all of them wrote. */
    if (atomic_fetch_sub_explicit(&handle->pins, 1, memory_order_acq_rel) == 1) {
        handle->kind->free(handle);
    }
}
