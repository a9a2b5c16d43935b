/* files/file_load.c — the way of a load, on a worker: fresh? -> note it as under way -> watch the
 * directories of the path -> look at the disk -> keep, unless a change was seen meanwhile. Watching
 * comes before looking, so that no change falls between the two. */
#include "base/fd.h"
#include "files/file_store_state.h"
#include "files/file_told.h"
#include "files/path_guard.h"

#include <fcntl.h>

enum { UNWATCHED_FRESH_MS = 1000 };

bool file_store_is_fresh(const struct file_entry *entry, int64_t now_ms)
{
    if (atomic_load_explicit(&entry->is_stale, memory_order_relaxed)) {
        return false;
    }
    return entry->is_watched ||
           now_ms - atomic_load_explicit(&entry->checked_ms, memory_order_relaxed) <
               UNWATCHED_FRESH_MS;
}

/* Without the last name; "" for a single one. */
static struct span parent_of(struct span dir_path)
{
    size_t len = dir_path.len;
    while (len > 0 && dir_path.ptr[len - 1] != '/') {
        len--;
    }
    return span_make(dir_path.ptr, len > 0 ? len - 1 : 0);
}

/* False: there is no such directory. *ret_is_watched: a change of anything in it will be told. */
static bool watch_directory(struct file_store *store, struct span dir_path, bool *ret_is_watched)
{
    int fd = path_guard_open_directory(store->root.fd, dir_path);
    *ret_is_watched = false;
    if (fd < 0) {
        return false;
    }
    pthread_mutex_lock(&store->lock);
    struct watch_dir *parent =
        dir_path.len ? file_watch_find(&store->watch, parent_of(dir_path)) : NULL;
    if (parent || dir_path.len == 0) {
        *ret_is_watched = file_watch_add(&store->watch, parent, dir_path, fd) != NULL;
    }
    pthread_mutex_unlock(&store->lock);
    /* Behind a symlink, changes further along its way would not be seen. */
    *ret_is_watched = *ret_is_watched && store->root.path.ptr &&
                      path_guard_is_direct(fd, store->root.path, dir_path) &&
                      file_told_of(store->root.fd, fd);
    fd_close(&fd);
    return true;
}

/* Watch the directories that lead to `name`, top down. Returns the length of the deepest one that
 * exists;
 * *ret_is_watched: all of them are watched. */
static size_t watch_directories(struct file_store *store, struct span name, bool *ret_is_watched)
{
    size_t deepest_len = 0;
    struct span dir_path = span_make(name.ptr, 0);
    bool is_watched = true;
    while (is_watched && watch_directory(store, dir_path, &is_watched)) {
        *ret_is_watched = is_watched;
        deepest_len = dir_path.len;
        size_t from = dir_path.len + (dir_path.len > 0);
        const char *slash = from < name.len ? memchr(name.ptr + from, '/', name.len - from) : NULL;
        if (!slash) {
            break;
        }
        dir_path.len = (size_t)(slash - name.ptr);
    }
    return deepest_len;
}

/* The part of the path behind the deepest directory: its first name. */
static void set_watch_name(struct file_entry *entry, const char *name, size_t dir_len)
{
    const char *rest = name + dir_len + (dir_len > 0 && name[dir_len] == '/');
    entry->watch_name = file_entry_text(entry, span_make(rest, strcspn(rest, "/")));
    if (!entry->watch_name.ptr) {
        entry->watch_name =
            SPAN(""); /* every name touches it: more often than needed, never too late */
    }
}

static int resolve_now(struct file_store *store, struct file_entry *entry, bool is_watched)
{
    bool is_direct = false;
    atomic_store_explicit(&entry->checked_ms, galley_now_ms(), memory_order_relaxed);
    counter_add_shared(&store->counters.loads, 1);
    int code = file_resolve(entry, &store->root, &store->options, &store->counters, &is_direct);
    entry->is_watched = is_watched && is_direct;
    return code;
}

static struct file_entry *look_at_disk(struct file_store *store, struct loading *loading,
                                       int *ret_error)
{
    char name[PATH_MAX];
    int name_len =
        store->root.fd == AT_FDCWD ? -1 : file_name_of_path(name, sizeof(name), loading->path);
    struct file_entry *entry = file_entry_create(loading->path);
    bool is_watched = false;
    size_t dir_len = 0;
    if (entry && name_len >= 0 && store->watch.fd >= 0) {
        dir_len = watch_directories(store, span_make(name, (size_t)name_len), &is_watched);
        set_watch_name(entry, name, dir_len);
    }
    int code = entry ? resolve_now(store, entry, is_watched) : GALLEY_EFULL;
    pthread_mutex_lock(&store->lock);
    list_remove(&loading->link);
    if (code == 0) {
        file_store_keep(store, entry, loading, span_make(name, dir_len));
    } else if (code == GALLEY_EFULL) {
        file_store_give_back_descriptors(store);
    }
    pthread_mutex_unlock(&store->lock);
    if (code != 0) {
        counter_add_shared(&store->counters.errors, 1);
        file_entry_unref(entry);
        *ret_error = code;
        return NULL;
    }
    return entry;
}

/* An unwatched entry whose file is still the same is good for another second. */
static bool is_unchanged(struct file_store *store, struct file_entry *entry)
{
    if (atomic_load_explicit(&entry->is_stale, memory_order_relaxed) || entry->is_watched) {
        return false;
    }
    int64_t now_ms = galley_now_ms();
    if (!file_resolve_is_unchanged(entry, &store->root, &store->options)) {
        return false;
    }
    counter_add_shared(&store->counters.unchanged, 1);
    atomic_store_explicit(&entry->checked_ms, now_ms, memory_order_relaxed);
    return true;
}

struct file_entry *file_store_load(struct file_store *store, struct span path, int *ret_error)
{
    struct loading loading = {.path = path};
    pthread_mutex_lock(&store->lock);
    struct file_entry *known = table_get(&store->entries, path);
    bool is_fresh = known && file_store_is_fresh(known, galley_now_ms());
    if (known) {
        file_entry_ref(known);
    }
    if (!is_fresh) {
        list_push_back(&store->loading, &loading.link);
    }
    pthread_mutex_unlock(&store->lock);
    *ret_error = 0;
    if (is_fresh) {
        return known;
    }
    if (known && is_unchanged(store, known)) {
        pthread_mutex_lock(&store->lock);
        list_remove(&loading.link);
        pthread_mutex_unlock(&store->lock);
        return known;
    }
    file_entry_unref(known);
    return look_at_disk(store, &loading, ret_error);
}
