/* files/file_store.c — the table of entries, its budget, and what a change does to them. The way of
 * a load is in file_load.c. */
#include "files/file_store_state.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    ENTRY_OVERHEAD_BYTES = 512,
    USUAL_CACHE_BYTES = 64 << 20,
    MAX_OPEN_FILES = 256,
    MAX_MISSING = 1024 /* each change of a directory walks through them, on a loop */
};

/* ---- entries, under the lock ----------------------------------------------------------------- */

static void tell_listeners(struct file_store *store)
{
    for (struct list *link = store->listeners.next; link != &store->listeners; link = link->next) {
        struct file_listener *listener = CONTAINER_OF(link, struct file_listener, link);
        listener->taken_out(listener);
    }
}

static void take_out(struct file_store *store, struct file_entry *entry)
{
    if (!entry->is_in_store) {
        return;
    }
    table_remove(&store->entries, entry->path);
    list_remove(&entry->store_link);
    list_remove(&entry->missing_link);
    store->missing_count -= entry->kind == FILE_MISSING;
    store->used_bytes -= entry->memory_bytes + ENTRY_OVERHEAD_BYTES;
    store->used_fds -= entry->open_fds;
    entry->is_in_store = false;
    atomic_store_explicit(&entry->is_stale, true, memory_order_relaxed);
    file_entry_unref(entry);
    tell_listeners(store);
}

static void mark_stale(struct file_store *store, struct file_entry *entry)
{
    counter_add_shared(&store->counters.marked_stale, 1);
    take_out(store, entry);
}

static bool is_over_budget(const struct file_store *store)
{
    return store->used_bytes > store->options.cache_bytes ||
           store->used_fds > store->options.max_open_files;
}

static void evict(struct file_store *store, struct file_entry *entry)
{
    counter_add_shared(&store->counters.evicted, 1);
    file_watch_detach(&store->watch, entry);
    take_out(store, entry);
}

/* Anybody can ask for any number of names: of those that are nowhere only the newest are
 * remembered. */
static void keep_missing(struct file_store *store, struct file_entry *newest)
{
    list_push_back(&store->missing, &newest->missing_link);
    if (++store->missing_count > MAX_MISSING) {
        evict(store, CONTAINER_OF(store->missing.next, struct file_entry, missing_link));
    }
}

static struct file_entry *to_the_back(struct file_store *store)
{
    struct list *first = store->order.next;
    list_remove(first);
    list_push_back(&store->order, first);
    return CONTAINER_OF(first, struct file_entry, store_link);
}

static bool was_used_lately(struct file_entry *entry)
{
    return atomic_exchange_explicit(&entry->was_used, false, memory_order_relaxed);
}

/* First in, first out, but those hit since the last round go to the back once more. */
static void keep_budget(struct file_store *store, const struct file_entry *newest)
{
    size_t rounds = store->entries.count * 2;
    while (is_over_budget(store) && rounds-- > 0) {
        struct file_entry *entry = to_the_back(store);
        if (!was_used_lately(entry) && entry != newest) {
            evict(store, entry);
        }
    }
}

void file_store_give_back_descriptors(struct file_store *store)
{
    for (size_t rounds = store->entries.count; rounds > 0; rounds--) {
        struct file_entry *entry = to_the_back(store);
        if (entry->open_fds > 0 && !was_used_lately(entry)) {
            evict(store, entry);
        }
    }
}

void file_store_keep(struct file_store *store, struct file_entry *entry,
                     const struct loading *loading, struct span dir_path)
{
    struct file_entry *old = table_get(&store->entries, entry->path);
    if (old) {
        file_watch_detach(&store->watch, old);
        take_out(store, old);
    }
    struct watch_dir *dir = entry->is_watched ? file_watch_find(&store->watch, dir_path) : NULL;
    entry->is_watched = dir != NULL;
    if (loading->is_touched || table_put(&store->entries, entry->path, entry) != 0) {
        atomic_store_explicit(&entry->is_stale, true, memory_order_relaxed);
        file_watch_trim(&store->watch, dir);
        return;
    }
    file_entry_ref(entry);
    entry->is_in_store = true;
    list_push_back(&store->order, &entry->store_link);
    store->used_bytes += entry->memory_bytes + ENTRY_OVERHEAD_BYTES;
    store->used_fds += entry->open_fds;
    if (dir) {
        file_watch_attach(dir, entry);
    } else {
        counter_add_shared(&store->counters.unwatched, 1);
    }
    if (entry->kind == FILE_MISSING) {
        keep_missing(store, entry);
    }
    keep_budget(store, entry);
}

/* Lock held. On the directory before the old one leaves it, so that it is not forgotten. */
static bool put_in_place(struct file_store *store, struct file_entry *old, struct file_entry *fresh)
{
    struct watch_dir *dir = old->watch_dir;
    if (dir) {
        file_watch_attach(dir, fresh);
    }
    file_watch_detach(&store->watch, old);
    take_out(store, old);
    if (table_put(&store->entries, fresh->path, fresh) != 0) {
        file_watch_detach(&store->watch, fresh);
        return false;
    }
    file_entry_ref(fresh);
    fresh->is_in_store = true;
    list_push_back(&store->order, &fresh->store_link);
    store->used_bytes += fresh->memory_bytes + ENTRY_OVERHEAD_BYTES;
    store->used_fds += fresh->open_fds;
    keep_budget(store, fresh);
    return true;
}

bool file_store_replace(struct file_store *store, struct file_entry *old, struct file_entry *fresh)
{
    pthread_mutex_lock(&store->lock);
    bool is_done = old->is_in_store && put_in_place(store, old, fresh);
    pthread_mutex_unlock(&store->lock);
    return is_done;
}

/* ---- what the watcher tells, under the lock -------------------------------------------------- */

static void on_touched(void *ctx, struct file_entry *entry)
{
    mark_stale(ctx, entry);
}

static bool is_in_tree(struct span path, struct span dir_path)
{
    struct span rest = span_from(path, 1); /* request paths begin with '/' */
    return dir_path.len == 0 || (span_starts_with(rest, dir_path) &&
                                 (rest.len == dir_path.len || rest.ptr[dir_path.len] == '/'));
}

static void touch_loading(struct file_store *store, struct span dir_path)
{
    for (struct list *link = store->loading.next; link != &store->loading; link = link->next) {
        struct loading *loading = CONTAINER_OF(link, struct loading, link);
        loading->is_touched = loading->is_touched || is_in_tree(loading->path, dir_path);
    }
}

static void on_tree_touched(void *ctx, struct span dir_path)
{
    struct file_store *store = ctx;
    touch_loading(store, dir_path);
    struct list *link = store->order.next;
    while (link != &store->order) {
        struct file_entry *entry = CONTAINER_OF(link, struct file_entry, store_link);
        link = link->next;
        if (is_in_tree(entry->path, dir_path)) {
            file_watch_detach(&store->watch, entry);
            mark_stale(store, entry);
        }
    }
}

static void on_name_touched(void *ctx, struct span dir_path, struct span name)
{
    (void)name;
    touch_loading(ctx, dir_path);
}

static void on_all_touched(void *ctx)
{
    struct file_store *store = ctx;
    counter_add_shared(&store->counters.overflows, 1);
    on_tree_touched(store, SPAN_NONE);
}

/* ---- making and ending ----------------------------------------------------------------------- */

/* Connections take four fifths of the process's descriptors; files must leave some of the rest. */
static unsigned default_open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 8 >= MAX_OPEN_FILES) {
        return MAX_OPEN_FILES;
    }
    return (unsigned)limit.rlim_cur / 8;
}

/* There are two sites in most servers: this folder's, and that of answers with a file. */
size_t file_store_usual_cache_bytes(const struct cgroup_paths *paths)
{
    uint64_t limit = cgroup_memory_limit(paths) / 8;
    return limit > 0 && limit < USUAL_CACHE_BYTES ? (size_t)limit : USUAL_CACHE_BYTES;
}

static void fill_defaults(struct file_store_options *options)
{
    options->cache_bytes = options->cache_bytes
                               ? options->cache_bytes
                               : file_store_usual_cache_bytes(&cgroup_system_paths);
    options->max_memory_file =
        options->max_memory_file ? options->max_memory_file : (size_t)512 << 10;
    options->max_hash_file = options->max_hash_file ? options->max_hash_file : (size_t)16 << 20;
    options->max_open_files =
        options->max_open_files ? options->max_open_files : default_open_files();
    options->index = options->index ? options->index : "index.html";
}

static void init_root_path(struct file_store *store)
{
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", store->root.fd);
    ssize_t len = readlink(link, store->root_path, sizeof(store->root_path));
    if (len > 0 && (size_t)len < sizeof(store->root_path)) {
        store->root.path = span_make(store->root_path, (size_t)len);
    }
}

static int open_root(struct file_store *store, galley_error *err)
{
    const char *root = store->options.root;
    store->root.fd = AT_FDCWD;
    if (!root) {
        store->watch.fd = -1;
        return 0;
    }
    store->root.fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (store->root.fd < 0) {
        return error_set_sys(err, errno, "serve %s", root);
    }
    init_root_path(store);
    file_watch_init(&store->watch, store->options.index);
    return 0;
}

static struct file_store *create_empty(const struct file_store_options *options)
{
    struct file_store *store = mem_alloc_zero(1, sizeof(*store));
    if (!store) {
        return NULL;
    }
    store->options = *options;
    fill_defaults(&store->options);
    snprintf(store->index, sizeof(store->index), "%s", store->options.index);
    store->options.index = store->index;
    pthread_mutex_init(&store->lock, NULL);
    table_init(&store->entries);
    list_init(&store->order);
    list_init(&store->missing);
    list_init(&store->loading);
    list_init(&store->listeners);
    store->watch.fd = -1;
    store->watch.touched = on_touched;
    store->watch.tree_touched = on_tree_touched;
    store->watch.name_touched = on_name_touched;
    store->watch.all_touched = on_all_touched;
    store->watch.ctx = store;
    return store;
}

struct file_store *file_store_create(const struct file_store_options *options, galley_error *err)
{
    struct file_store *store = create_empty(options);
    if (!store) {
        error_set(err, GALLEY_ENOMEM, "serve %s: out of memory",
                  options->root ? options->root : "files");
        return NULL;
    }
    if (open_root(store, err) != 0) {
        file_store_destroy(store);
        return NULL;
    }
    return store;
}

void file_store_destroy(struct file_store *store)
{
    if (!store) {
        return;
    }
    CHECK(list_is_empty(&store->loading) && list_is_empty(&store->listeners));
    struct list *link;
    while ((link = store->order.next) != &store->order) {
        struct file_entry *entry = CONTAINER_OF(link, struct file_entry, store_link);
        file_watch_detach(&store->watch, entry);
        take_out(store, entry);
    }
    file_watch_finish(&store->watch);
    table_finish(&store->entries);
    pthread_mutex_destroy(&store->lock);
    if (store->root.fd != AT_FDCWD) {
        fd_close(&store->root.fd);
    }
    mem_free(store);
}

void file_store_listen(struct file_store *store, struct file_listener *listener)
{
    pthread_mutex_lock(&store->lock);
    list_push_back(&store->listeners, &listener->link);
    pthread_mutex_unlock(&store->lock);
}

void file_store_unlisten(struct file_store *store, struct file_listener *listener)
{
    pthread_mutex_lock(&store->lock);
    list_remove(&listener->link);
    pthread_mutex_unlock(&store->lock);
}

/* ---- looking in ------------------------------------------------------------------------------ */

int file_store_watch_fd(const struct file_store *store)
{
    return store->watch.fd;
}

void file_store_watch_ready(struct file_store *store)
{
    enum { MAX_READS = 16 }; /* a flood of events may not hold the loop */
    uint64_t overflows = counter_read(&store->counters.overflows);
    pthread_mutex_lock(&store->lock);
    for (int i = 0; i < MAX_READS && file_watch_read(&store->watch); i++) {
    }
    pthread_mutex_unlock(&store->lock);
    if (counter_read(&store->counters.overflows) != overflows) {
        log_write_limited(store->options.log, &store->watch_log, LOG_WARNING,
                          "files: the system lost change events; everything is looked at again");
    }
}

int file_store_root_fd(const struct file_store *store)
{
    return store->root.fd;
}

const struct file_store_options *file_store_get_options(const struct file_store *store)
{
    return &store->options;
}

const struct file_store_counters *file_store_get_counters(const struct file_store *store)
{
    return &store->counters;
}
