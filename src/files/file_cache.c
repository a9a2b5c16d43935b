/* files/file_cache.c — the loop's side: a table of references, loads on the pool, waiters. */
#include "files/file_cache.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/table.h"

enum { MAX_CACHED_ENTRIES = 4096 };

struct cached {
    struct list link; /* in the cache's order, oldest first */
    struct file_entry *entry;
};

struct file_cache {
    struct file_store *store;
    struct loop *loop;
    galley_pool *pool;
    struct table entries; /* by path: struct cached */
    struct table loads;   /* by path: struct load */
    struct list order;
    unsigned loading;
    bool is_destroyed;
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

struct file_cache *file_cache_create(struct file_store *store, struct loop *loop, galley_pool *pool)
{
    struct file_cache *cache = mem_alloc_zero(1, sizeof(*cache));
    if (!cache) {
        return NULL;
    }
    cache->store = store;
    cache->loop = loop;
    cache->pool = pool;
    table_init(&cache->entries);
    table_init(&cache->loads);
    list_init(&cache->order);
    return cache;
}

static void forget(struct file_cache *cache, struct cached *cached)
{
    table_remove(&cache->entries, cached->entry->path);
    list_remove(&cached->link);
    file_entry_unref(cached->entry);
    mem_free(cached);
}

static void free_cache(struct file_cache *cache)
{
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

void file_cache_destroy(struct file_cache *cache)
{
    if (!cache) {
        return;
    }
    cache->is_destroyed = true;
    while (!list_is_empty(&cache->order)) {
        forget(cache, CONTAINER_OF(cache->order.next, struct cached, link));
    }
    size_t it = 0;
    for (struct load *load; (load = table_next(&cache->loads, &it)) != NULL;) {
        tell_waiters(load, NULL, GALLEY_ECANCELED);
    }
    if (cache->loading == 0) {
        free_cache(cache);
    }
}

struct file_entry *file_cache_find(struct file_cache *cache, struct span path)
{
    struct cached *cached = table_get(&cache->entries, path);
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
    return entry;
}

/* Without memory the entry is simply not remembered. */
static void remember(struct file_cache *cache, struct file_entry *entry)
{
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
    cached->entry = entry;
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
    if (cache->is_destroyed && cache->loading == 0) {
        free_cache(cache);
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
    int result = offload_start(&load->offload, cache->loop, cache->pool, load_on_worker, load_done,
                               &options);
    if (result != 0) {
        table_remove(&cache->loads, load->path);
        mem_free(load);
        return result;
    }
    cache->loading++;
    list_push_back(&load->waiters, &waiter->link);
    return 0;
}
