/* files/file_cache.c — the loop's side: a table of references, loads on the pool, waiters.
 * What the store has taken out must not live on here, or budgets would be those of paper and the
 * descriptor of a deleted file would be held for ever: the store tells, and the loop looks through
 * its references, a few at a time. */
#include "files/file_cache.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/table.h"
#include "files/file_coded.h"

enum { MAX_CACHED_ENTRIES = 4096, SWEEP_STEP = 64, NEAR_LOG2 = 6, NEAR_ENTRIES = 1 << NEAR_LOG2 };

struct cached {
    struct list link; /* in the cache's order, oldest first */
    struct file_entry *entry;
    uint32_t uses; /* sends under way, on this loop */
    bool is_out;   /* of the cache: goes with the last of them */
};

struct file_cache {
    struct file_store *store;
    struct loop *loop;
    struct file_pools pools;
    struct table entries; /* by path: struct cached */
    struct table loads;   /* by path: struct load */
    struct list order;
    struct cached *near[NEAR_ENTRIES]; /* of those, found before; see near_place() */
    struct cached *found;              /* by the last file_cache_find(), while it is in the table */
    unsigned loading;
    bool is_destroyed;
    bool is_improving; /* one form at a time is made better, for nobody waits for that */
    struct file_listener listener;
    struct loop_post sweep;
    atomic_bool
        is_sweep_posted;   /* any thread that posts <-> the sweep on the loop: one post at a time */
    atomic_uint taken_out; /* count; the store's threads -> the sweep */
    unsigned seen_taken_out; /* the sweep's: what it has begun a round for */
    size_t left_to_sweep;    /* the sweep's: references to look at in this round */
};

struct load {
    struct offload offload;
    struct file_cache *cache;
    struct list waiters;
    struct file_entry *entry; /* set by the worker, read by the loop: the offload orders the two */
    int error;
    struct span path;
    char text[];
};

static void post_sweep(struct file_cache *cache)
{
    if (!atomic_exchange_explicit(&cache->is_sweep_posted, true, memory_order_acq_rel)) {
        loop_post(cache->loop, &cache->sweep);
    }
}

/* Under the store's lock, any thread. */
static void on_taken_out(struct file_listener *listener)
{
    struct file_cache *cache = CONTAINER_OF(listener, struct file_cache, listener);
    atomic_fetch_add_explicit(&cache->taken_out, 1, memory_order_release);
    post_sweep(cache);
}

static void sweep(struct loop_post *post);

uint64_t file_cache_bytes(void)
{
    return mem_cost(sizeof(struct file_cache)) +
           MAX_CACHED_ENTRIES * mem_cost(sizeof(struct cached)) +
           table_most_bytes(MAX_CACHED_ENTRIES);
}

struct file_cache *file_cache_create(struct file_store *store, struct loop *loop,
                                     struct file_pools pools)
{
    struct file_cache *cache = mem_alloc_zero(1, sizeof(*cache));
    if (!cache) {
        return NULL;
    }
    cache->store = store;
    cache->loop = loop;
    cache->pools = pools;
    table_init(&cache->entries);
    table_init(&cache->loads);
    list_init(&cache->order);
    cache->sweep.run = sweep;
    cache->listener.taken_out = on_taken_out;
    file_store_listen(store, &cache->listener);
    return cache;
}

static void free_if_unused(struct cached *cached)
{
    if (cached->is_out && cached->uses == 0) {
        file_entry_unref(cached->entry);
        mem_free(cached);
    }
}

/* Where an entry may stand before the table, whose hash is one that nobody can guess and so not
 * cheap: by its length and its last bytes. Who makes many paths meet there only makes the table be
 * asked. */
static struct cached **near_place(struct file_cache *cache, struct span path)
{
    uint64_t word = 0;
    size_t len = path.len < sizeof word ? path.len : sizeof word;
    if (len == sizeof word) {
        memcpy(&word, path.ptr + path.len - sizeof word, sizeof word);
    } else {
        memcpy(&word, path.ptr, len);
    }
    word = (word ^ path.len) * UINT64_C(0x9e3779b97f4a7c15);
    return &cache->near[word >> (64 - NEAR_LOG2)];
}

static struct cached *find_cached(struct file_cache *cache, struct span path)
{
    struct cached **place = near_place(cache, path);
    if (*place && span_equal((*place)->entry->path, path)) {
        return *place;
    }
    struct cached *cached = table_get(&cache->entries, path);
    if (cached) {
        *place = cached;
    }
    return cached;
}

static void forget(struct file_cache *cache, struct cached *cached)
{
    struct cached **place = near_place(cache, cached->entry->path);
    *place = *place == cached ? NULL : *place;
    table_remove(&cache->entries, cached->entry->path);
    list_remove(&cached->link);
    cache->found = cache->found == cached ? NULL : cache->found;
    cached->is_out = true;
    free_if_unused(cached);
}

static bool is_stale(const struct cached *cached)
{
    return atomic_load_explicit(&cached->entry->is_stale, memory_order_relaxed);
}

/* Of a cache that was given up: the last thing that was under way has come back. */
static void free_if_last(struct file_cache *cache)
{
    if (cache->loading > 0 || atomic_load_explicit(&cache->is_sweep_posted, memory_order_acquire)) {
        return;
    }
    table_finish(&cache->loads);
    table_finish(&cache->entries);
    mem_free(cache);
}

static void tell_waiters(struct load *load, struct file_entry *entry, int error)
{
    struct list *link;
    while ((link = list_pop_front(&load->waiters)) != NULL) {
        struct file_waiter *waiter = CONTAINER_OF(link, struct file_waiter, link);
        waiter->loaded(waiter, entry, error);
    }
}

/* The oldest few: gone if stale, else to the back. */
static void sweep_some(struct file_cache *cache)
{
    for (unsigned i = 0; i < SWEEP_STEP && cache->left_to_sweep > 0; i++, cache->left_to_sweep--) {
        if (list_is_empty(&cache->order)) {
            cache->left_to_sweep = 0;
            return;
        }
        struct cached *cached = CONTAINER_OF(cache->order.next, struct cached, link);
        if (is_stale(cached)) {
            forget(cache, cached);
        } else {
            list_remove(&cached->link);
            list_push_back(&cache->order, &cached->link);
        }
    }
}

static void sweep(struct loop_post *post)
{
    struct file_cache *cache = CONTAINER_OF(post, struct file_cache, sweep);
    atomic_store_explicit(&cache->is_sweep_posted, false, memory_order_release);
    if (cache->is_destroyed) {
        free_if_last(cache);
        return;
    }
    unsigned taken_out = atomic_load_explicit(&cache->taken_out, memory_order_acquire);
    if (taken_out != cache->seen_taken_out) {
        cache->seen_taken_out = taken_out;
        cache->left_to_sweep = cache->entries.count;
    }
    sweep_some(cache);
    if (cache->left_to_sweep > 0) {
        post_sweep(cache);
    }
}

void file_cache_destroy(struct file_cache *cache)
{
    if (!cache) {
        return;
    }
    file_store_unlisten(cache->store, &cache->listener);
    cache->is_destroyed = true;
    while (!list_is_empty(&cache->order)) {
        forget(cache, CONTAINER_OF(cache->order.next, struct cached, link));
    }
    size_t it = 0;
    for (struct load *load; (load = table_next(&cache->loads, &it)) != NULL;) {
        tell_waiters(load, NULL, GALLEY_ECANCELED);
    }
    free_if_last(cache);
}

struct file_entry *file_cache_find(struct file_cache *cache, struct span path)
{
    struct cached *cached = find_cached(cache, path);
    if (!cached) {
        return NULL;
    }
    struct file_entry *entry = cached->entry;
    if (!file_store_is_fresh(entry, loop_now_ms(cache->loop))) {
        forget(cache, cached);
        return NULL;
    }
    if (!atomic_load_explicit(&entry->was_used, memory_order_relaxed)) {
        atomic_store_explicit(&entry->was_used, true, memory_order_relaxed);
    }
    cache->found = cached;
    return entry;
}

/* The cache may be gone by then. */
static void release_use(void *arg)
{
    struct cached *cached = arg;
    cached->uses--;
    free_if_unused(cached);
}

struct file_use file_cache_use(struct file_cache *cache, struct file_entry *entry)
{
    struct cached *found = cache->found;
    if (found && found->entry == entry && found->uses < UINT32_MAX) {
        found->uses++;
        return (struct file_use){release_use, found};
    }
    return (struct file_use){file_entry_release, file_entry_ref(entry)};
}

/* Without memory the entry is simply not remembered; nor is one that was taken out before it came
 * here, for no sweep would follow. */
static void remember(struct file_cache *cache, struct file_entry *entry)
{
    if (atomic_load_explicit(&entry->is_stale, memory_order_relaxed)) {
        return;
    }
    struct cached *old = table_get(&cache->entries, entry->path);
    if (old) {
        forget(cache, old);
    }
    if (cache->entries.count >= MAX_CACHED_ENTRIES) {
        forget(cache, CONTAINER_OF(cache->order.next, struct cached, link));
    }
    struct cached *cached = mem_alloc(sizeof(*cached));
    if (!cached) {
        return;
    }
    *cached = (struct cached){.entry = entry};
    if (table_put(&cache->entries, entry->path, cached) != 0) {
        mem_free(cached);
        return;
    }
    file_entry_ref(entry);
    list_push_back(&cache->order, &cached->link);
}

static void load_on_worker(struct offload *offload)
{
    struct load *load = CONTAINER_OF(offload, struct load, offload);
    load->entry = file_store_load(load->cache->store, load->path, &load->error);
}

static void load_done(struct offload *offload)
{
    struct load *load = CONTAINER_OF(offload, struct load, offload);
    struct file_cache *cache = load->cache;
    cache->loading--;
    table_remove(&cache->loads, load->path);
    if (offload->dropped) {
        load->error = GALLEY_EFULL;
    }
    if (load->entry && !cache->is_destroyed) {
        remember(cache, load->entry);
    }
    tell_waiters(load, load->entry, load->error);
    file_entry_unref(load->entry);
    mem_free(load);
    if (cache->is_destroyed) {
        free_if_last(cache);
    }
}

static struct load *create_load(struct file_cache *cache, struct span path)
{
    struct load *load = mem_alloc_zero(1, sizeof(*load) + path.len + 1);
    if (!load) {
        return NULL;
    }
    memcpy(load->text, path.ptr, path.len);
    load->path = span_make(load->text, path.len);
    load->cache = cache;
    list_init(&load->waiters);
    if (table_put(&cache->loads, load->path, load) != 0) {
        mem_free(load);
        return NULL;
    }
    return load;
}

int file_cache_load(struct file_cache *cache, struct span path, struct file_waiter *waiter)
{
    DEBUG_CHECK(!cache->is_destroyed);
    struct load *load = table_get(&cache->loads, path);
    if (load) {
        list_push_back(&load->waiters, &waiter->link);
        return 0;
    }
    load = create_load(cache, path);
    if (!load) {
        return GALLEY_EFULL;
    }
    struct offload_options options = {.label = "load a file"};
    int result = offload_start(&load->offload, cache->loop, cache->pools.file, load_on_worker,
                               load_done, &options);
    if (result != 0) {
        table_remove(&cache->loads, load->path);
        mem_free(load);
        return result;
    }
    cache->loading++;
    list_push_back(&load->waiters, &waiter->link);
    return 0;
}

/* ---- compressed forms ------------------------------------------------------------------------ */

/* Encoded by the idle thread, which may be held up for long and so must hold nothing that others
 * wait for; put into the store by a file thread. */
struct making {
    struct offload offload;
    struct file_cache *cache;
    struct file_entry *entry; /* a reference */
    struct buf bytes;         /* by the idle thread */
    struct file_entry *fresh; /* by the file thread */
    enum coding coding;
    enum encoder_level level;
    int result;
};

static void encode_on_worker(struct offload *offload)
{
    struct making *making = CONTAINER_OF(offload, struct making, offload);
    making->result =
        file_coded_encode(making->entry, making->coding, making->level, &making->bytes);
}

static void place_on_worker(struct offload *offload)
{
    struct making *making = CONTAINER_OF(offload, struct making, offload);
    making->fresh = file_coded_place(making->cache->store, making->entry, making->coding,
                                     buf_span(&making->bytes));
}

static void encoded(struct offload *offload);

static bool start_making(struct file_cache *cache, struct file_entry *entry, enum coding coding,
                         enum encoder_level level)
{
    struct making *making = mem_alloc_zero(1, sizeof(*making));
    if (!making) {
        return false;
    }
    making->cache = cache;
    making->entry = entry;
    making->coding = coding;
    making->level = level;
    making->result = GALLEY_ECANCELED; /* if it is dropped */
    struct offload_options options = {.label = "compress a file"};
    if (offload_start(&making->offload, cache->loop, cache->pools.idle, encode_on_worker, encoded,
                      &options) != 0) {
        mem_free(making);
        return false;
    }
    file_entry_ref(entry);
    cache->loading++;
    return true;
}

static bool has_nothing_else_to_do(const struct file_cache *cache)
{
    galley_pool_stats stats = {.size = sizeof(stats)};
    return !cache->is_improving && cache->pools.idle &&
           galley_pool_get_stats(cache->pools.idle, &stats) == GALLEY_OK && stats.queued == 0;
}

/* What was of no use is not tried again. */
static void settle_entry(struct file_entry *entry, enum coding coding, bool is_of_no_use)
{
    if (is_of_no_use) {
        atomic_fetch_and_explicit(&entry->makeable, (uint8_t)~CODING_BIT(coding),
                                  memory_order_relaxed);
    }
    atomic_store_explicit(&entry->is_being_made, false, memory_order_relaxed);
}

static void keep_made(struct file_cache *cache, const struct making *making)
{
    remember(cache, making->fresh);
    cache->is_improving =
        cache->is_improving || (making->level != ENCODER_BEST && has_nothing_else_to_do(cache) &&
                                start_making(cache, making->fresh, making->coding, ENCODER_BEST));
}

static void end_making(struct making *making)
{
    struct file_cache *cache = making->cache;
    cache->loading--;
    if (making->level == ENCODER_BEST) {
        cache->is_improving = false;
    } else {
        settle_entry(making->entry, making->coding, making->result == GALLEY_ETOOBIG);
    }
    if (making->fresh && !cache->is_destroyed) {
        keep_made(cache, making);
    }
    file_entry_unref(making->fresh);
    file_entry_unref(making->entry);
    buf_finish(&making->bytes);
    mem_free(making);
    if (cache->is_destroyed) {
        free_if_last(cache);
    }
}

static void placed(struct offload *offload)
{
    end_making(CONTAINER_OF(offload, struct making, offload));
}

static void encoded(struct offload *offload)
{
    struct making *making = CONTAINER_OF(offload, struct making, offload);
    struct file_cache *cache = making->cache;
    struct offload_options options = {.label = "keep a compressed file"};
    if (making->result != GALLEY_OK || cache->is_destroyed ||
        offload_start(offload, cache->loop, cache->pools.file, place_on_worker, placed, &options) !=
            0) {
        end_making(making);
    }
}

void file_cache_compress(struct file_cache *cache, struct file_entry *entry, enum coding coding)
{
    bool is_first = !atomic_load_explicit(&entry->is_being_made, memory_order_relaxed) &&
                    !atomic_exchange_explicit(&entry->is_being_made, true, memory_order_relaxed);
    if (is_first && !start_making(cache, entry, coding, ENCODER_NORMAL)) {
        atomic_store_explicit(&entry->is_being_made, false, memory_order_relaxed);
    }
}
