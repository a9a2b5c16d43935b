/* files/file_watch.c — records, and what an inotify event means for them. */
#include "files/file_watch.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/fd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

static const uint32_t wanted_events = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE |
                                      IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF |
                                      IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
static const uint32_t events_of_the_directory =
    IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT;

void file_watch_init(struct file_watch *watch, const char *index)
{
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch->index = index;
    table_init(&watch->by_path);
    table_init(&watch->by_wd);
}

static struct span wd_key(const int *wd)
{
    return span_make((const char *)wd, sizeof(*wd));
}

void file_watch_finish(struct file_watch *watch)
{
    size_t it = 0;
    for (struct watch_dir *dir; (dir = table_next(&watch->by_path, &it)) != NULL;) {
        struct list *link;
        while ((link = list_pop_front(&dir->entries)) != NULL) {
        }
        mem_free(dir);
    }
    table_finish(&watch->by_path);
    table_finish(&watch->by_wd);
    fd_close(&watch->fd);
}

struct watch_dir *file_watch_find(const struct file_watch *watch, struct span dir_path)
{
    return table_get(&watch->by_path, dir_path);
}

/* ---- records --------------------------------------------------------------------------------- */

static int enter_by_wd(struct file_watch *watch, struct watch_dir *dir)
{
    struct watch_dir *first = table_get(&watch->by_wd, wd_key(&dir->wd));
    if (first) {
        dir->next_same_wd = first->next_same_wd;
        first->next_same_wd = dir;
        return 0;
    }
    return table_put(&watch->by_wd, wd_key(&dir->wd), dir);
}

static void leave_by_wd(struct file_watch *watch, struct watch_dir *dir)
{
    struct watch_dir *first = table_remove(&watch->by_wd, wd_key(&dir->wd));
    if (first != dir) {
        struct watch_dir *at = first;
        while (at && at->next_same_wd != dir) {
            at = at->next_same_wd;
        }
        if (at) {
            at->next_same_wd = dir->next_same_wd;
        }
    } else {
        first = dir->next_same_wd;
    }
    if (!first) {
        (void)inotify_rm_watch(watch->fd, dir->wd); /* fails only when the kernel has dropped it */
    } else if (table_put(&watch->by_wd, wd_key(&first->wd), first) != 0) {
        watch->all_touched(watch->ctx); /* its events would get lost: nothing may be relied on */
    }
}

static struct watch_dir *create_record(struct span dir_path, struct watch_dir *parent, int wd)
{
    struct watch_dir *dir = mem_alloc_zero(1, sizeof(*dir) + dir_path.len + 1);
    if (!dir) {
        return NULL;
    }
    char *text = (char *)(dir + 1);
    if (dir_path.len) {
        memcpy(text, dir_path.ptr, dir_path.len);
    }
    dir->path = span_make(text, dir_path.len);
    dir->parent = parent;
    dir->wd = wd;
    list_init(&dir->entries);
    return dir;
}

struct watch_dir *file_watch_add(struct file_watch *watch, struct watch_dir *parent,
                                 struct span dir_path, int dir_fd)
{
    struct watch_dir *known = file_watch_find(watch, dir_path);
    if (known || watch->fd < 0 || watch->by_path.count >= FILE_WATCH_MAX_DIRS) {
        return known;
    }
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
    int wd = inotify_add_watch(watch->fd, link, wanted_events);
    struct watch_dir *dir = wd < 0 ? NULL : create_record(dir_path, parent, wd);
    if (!dir) {
        return NULL;
    }
    if (table_put(&watch->by_path, dir->path, dir) != 0) {
        mem_free(dir);
        return NULL;
    }
    if (enter_by_wd(watch, dir) != 0) {
        table_remove(&watch->by_path, dir->path);
        mem_free(dir);
        return NULL;
    }
    if (parent) {
        parent->child_count++;
    }
    return dir;
}

static void forget(struct file_watch *watch, struct watch_dir *dir)
{
    watch->forgotten++;
    table_remove(&watch->by_path, dir->path);
    leave_by_wd(watch, dir);
    if (dir->parent) {
        dir->parent->child_count--;
    }
    mem_free(dir);
}

void file_watch_trim(struct file_watch *watch, struct watch_dir *dir)
{
    while (dir && dir->child_count == 0 && list_is_empty(&dir->entries)) {
        struct watch_dir *parent = dir->parent;
        forget(watch, dir);
        dir = parent;
    }
}

void file_watch_attach(struct watch_dir *dir, struct file_entry *entry)
{
    list_push_back(&dir->entries, &entry->watch_link);
    entry->watch_dir = dir;
}

void file_watch_detach(struct file_watch *watch, struct file_entry *entry)
{
    struct watch_dir *dir = entry->watch_dir;
    if (!dir) {
        return;
    }
    list_remove(&entry->watch_link);
    entry->watch_dir = NULL;
    file_watch_trim(watch, dir);
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool is_index_name(const struct file_watch *watch, struct span name)
{
    struct span rest = span_of(watch->index);
    while (rest.ptr) {
        struct span index;
        rest = span_cut(rest, ' ', &index);
        if (index.len && span_starts_with(name, index)) {
            return true;
        }
    }
    return false;
}

static bool is_touched_by(const struct file_watch *watch, const struct file_entry *entry,
                          struct span name)
{
    return entry->is_index ? is_index_name(watch, name) : span_starts_with(name, entry->watch_name);
}

/* Detach without trimming: the caller is walking the directory. */
static void let_go(struct file_watch *watch, struct file_entry *entry)
{
    list_remove(&entry->watch_link);
    entry->watch_dir = NULL;
    watch->touched(watch->ctx, entry);
}

static void touch_entries(struct file_watch *watch, struct watch_dir *dir, struct span name)
{
    struct list *link = dir->entries.next;
    while (link != &dir->entries) {
        struct file_entry *entry = CONTAINER_OF(link, struct file_entry, watch_link);
        link = link->next;
        if (name.len == 0 || is_touched_by(watch, entry, name)) {
            let_go(watch, entry);
        }
    }
}

static bool is_below(struct span path, struct span dir_path)
{
    return dir_path.len == 0 || (span_starts_with(path, dir_path) &&
                                 (path.len == dir_path.len || path.ptr[dir_path.len] == '/'));
}

/* The deepest first, so that a parent outlives its children. */
static struct watch_dir *deepest_below(struct file_watch *watch, struct span dir_path)
{
    struct watch_dir *deepest = NULL;
    size_t it = 0;
    for (struct watch_dir *dir; (dir = table_next(&watch->by_path, &it)) != NULL;) {
        if (is_below(dir->path, dir_path) && (!deepest || dir->path.len > deepest->path.len)) {
            deepest = dir;
        }
    }
    return deepest;
}

/* A directory was renamed, removed or replaced: nothing known below its path holds any more. */
static void forget_tree(struct file_watch *watch, struct span dir_path)
{
    char copy[PATH_MAX];
    CHECK(dir_path.len < sizeof(copy)); /* records are made from names of at most PATH_MAX */
    memcpy(copy, dir_path.ptr, dir_path.len);
    struct span path = span_make(copy, dir_path.len);
    for (struct watch_dir *dir; (dir = deepest_below(watch, path)) != NULL;) {
        touch_entries(watch, dir, SPAN_NONE);
        forget(watch, dir);
    }
    watch->tree_touched(watch->ctx, path);
}

static void handle_name(struct file_watch *watch, struct watch_dir *dir, uint32_t mask,
                        struct span name)
{
    watch->name_touched(watch->ctx, dir->path, name);
    touch_entries(watch, dir, name);
    if ((mask & (IN_MODIFY | IN_CLOSE_WRITE)) != 0) {
        return;
    }
    char child[PATH_MAX];
    int len = snprintf(child, sizeof(child), "%.*s%s%.*s", SPAN_ARGS(dir->path),
                       dir->path.len ? "/" : "", SPAN_ARGS(name));
    if (len < 0 || (size_t)len >= sizeof(child)) {
        return;
    }
    struct span child_path = span_make(child, (size_t)len);
    if (file_watch_find(watch, child_path)) {
        forget_tree(watch, child_path);
    }
}

/* The same directory may be known by several paths. */
static void handle_name_everywhere(struct file_watch *watch, const struct inotify_event *event)
{
    struct span name = span_of(event->name);
    struct watch_dir *dir = table_get(&watch->by_wd, wd_key(&event->wd));
    while (dir) {
        uint64_t forgotten = watch->forgotten;
        struct watch_dir *next = dir->next_same_wd;
        handle_name(watch, dir, event->mask, name);
        if (next &&
            watch->forgotten != forgotten) { /* next may be gone with a tree below this one */
            watch->all_touched(watch->ctx);
            return;
        }
        dir = next;
    }
}

static void handle_event(struct file_watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        watch->all_touched(watch->ctx);
    } else if (event->mask & events_of_the_directory) {
        struct watch_dir *dir;
        while ((dir = table_get(&watch->by_wd, wd_key(&event->wd))) != NULL) {
            forget_tree(watch, dir->path);
        }
    } else if (event->len) {
        handle_name_everywhere(watch, event);
    }
}

bool file_watch_read(struct file_watch *watch)
{
    _Alignas(struct inotify_event) char events[16 * 1024];
    ssize_t got = watch->fd < 0 ? -1 : read(watch->fd, events, sizeof(events));
    if (got <= 0) {
        return false;
    }
    for (ssize_t at = 0; at < got;) {
        const struct inotify_event *event = (const struct inotify_event *)(void *)(events + at);
        handle_event(watch, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    return true;
}
