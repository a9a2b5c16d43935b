/* tls/tls_paths.c — see tls_paths.h. A path is walked as the kernel does it, one name after the other.
 * A directory in which a link or the file itself stands is watched for what happens to names in it;
 * those above only tell when they are moved or removed, which costs nothing while others work in
 * them. */
#include "tls/tls_paths.h"

#include "base/fd.h"
#include "base/span.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40, READS_MAX = 16 }; /* as many links as Linux follows */

static const uint32_t self_events = IN_DELETE_SELF | IN_MOVE_SELF;
static const uint32_t name_events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                                    IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

/* ---- a path ---------------------------------------------------------------------------------- */

struct walk {
    struct tls_paths *paths;
    char at[PATH_MAX];   /* a directory, without links */
    char rest[PATH_MAX]; /* what is to be followed from there */
    int links;
};

static bool has_name(const struct tls_paths *paths, struct span name)
{
    char framed[NAME_MAX + 3];
    int len = snprintf(framed, sizeof framed, "/%.*s/", SPAN_ARGS(name));
    return paths->names.failed || len >= (int)sizeof framed ||
           (paths->names.len > 0 &&
            memmem(paths->names.data, paths->names.len, framed, (size_t)len) != NULL);
}

static void add_name(struct tls_paths *paths, struct span name)
{
    if (paths->names.len == 0) {
        buf_append_char(&paths->names, '/');
    }
    if (!has_name(paths, name)) {
        buf_append_span(&paths->names, name);
        buf_append_char(&paths->names, '/');
    }
}

/* 0 or -errno. What is no longer there, or no directory, was replaced just now: those above tell. */
static int watch(const struct walk *walk, const char *folder, uint32_t events)
{
    if (inotify_add_watch(walk->paths->fd, folder, events | IN_MASK_ADD | IN_ONLYDIR) >= 0) {
        return 0;
    }
    bool is_needed = events == name_events && errno != ENOENT && errno != ENOTDIR;
    return is_needed || errno == ENOSPC || errno == ENOMEM ? -errno : 0;
}

/* The next name of `rest`; false at its end. */
static bool next_name(struct walk *walk, char name[NAME_MAX + 1])
{
    const char *begin = walk->rest + strspn(walk->rest, "/");
    size_t len = strcspn(begin, "/");
    if (len == 0 || len > NAME_MAX) {
        return false;
    }
    memcpy(name, begin, len);
    name[len] = '\0';
    begin += len;
    begin += strspn(begin, "/");
    memmove(walk->rest, begin, strlen(begin) + 1);
    return true;
}

/* 0 or -errno */
static int follow_link(struct walk *walk, const char *target)
{
    char rest[PATH_MAX];
    int len = snprintf(rest, sizeof rest, "%s/%s", target, walk->rest);
    if (len < 0 || (size_t)len >= sizeof rest || ++walk->links > LINKS_MAX) {
        return -ELOOP;
    }
    memcpy(walk->rest, rest, (size_t)len + 1);
    if (target[0] == '/') {
        memcpy(walk->at, "/", 2);
    }
    return watch(walk, walk->at, self_events);
}

/* 1: go on; 0: this was the last one; or -errno. */
static int step(struct walk *walk, const char *name)
{
    char child[PATH_MAX], target[PATH_MAX];
    int len = snprintf(child, sizeof child, "%s/%s", walk->at, name);
    if (len < 0 || (size_t)len >= sizeof child) {
        return -ENAMETOOLONG;
    }
    ssize_t link = readlink(child, target, sizeof target - 1);
    bool is_file = link < 0 && (walk->rest[0] == '\0' || errno != EINVAL); /* or is not there */
    if (link < 0 && !is_file) {
        int rc = watch(walk, child, self_events);
        memcpy(walk->at, child, (size_t)len + 1);
        return rc < 0 ? rc : 1;
    }
    int rc = watch(walk, walk->at, name_events);
    if (rc < 0 || is_file) {
        return rc;
    }
    target[link] = '\0';
    rc = follow_link(walk, target);
    return rc < 0 ? rc : 1;
}

static int watch_file(struct tls_paths *paths, const char *file)
{
    char name[NAME_MAX + 1];
    struct walk walk = {.paths = paths};
    size_t len = strlen(file);
    if (len >= sizeof walk.rest) {
        return -ENAMETOOLONG;
    }
    memcpy(walk.rest, file, len + 1);
    memcpy(walk.at, file[0] == '/' ? "/" : ".", 2);
    int rc = 1;
    while (rc == 1 && next_name(&walk, name)) {
        add_name(paths, span_of(name));
        rc = step(&walk, name);
    }
    return rc < 0 ? rc : 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

int tls_paths_open(struct tls_paths *paths, const galley_tls *tls)
{
    const char *file = NULL;
    int rc = 0;
    *paths = (struct tls_paths){.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    buf_init(&paths->names, 0);
    if (paths->fd < 0) {
        return -errno;
    }
    for (unsigned i = 0; rc == 0 && (file = galley_tls_file(tls, i)) != NULL; i++) {
        rc = watch_file(paths, file);
    }
    if (rc < 0) {
        tls_paths_close(paths);
    }
    return rc;
}

void tls_paths_close(struct tls_paths *paths)
{
    fd_close(&paths->fd);
    buf_finish(&paths->names);
}

static bool is_ours(const struct tls_paths *paths, const struct inotify_event *event)
{
    const uint32_t wholly = IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF;
    return (event->mask & wholly) != 0 || (event->len > 0 && has_name(paths, span_of(event->name)));
}

bool tls_paths_changed(struct tls_paths *paths)
{
    _Alignas(struct inotify_event) char bytes[4096];
    bool have_changed = false;
    ssize_t got = 1;
    for (int i = 0; got > 0 && i < READS_MAX; i++) {
        got = read(paths->fd, bytes, sizeof bytes);
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)(bytes + at);
            have_changed |= is_ours(paths, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
    return have_changed;
}

/* ---- without watching ------------------------------------------------------------------------ */

/* FNV-1a, by whole words. Who could make two stamps meet could leave the files as they are. */
static uint64_t mix(uint64_t stamp, uint64_t word)
{
    return (stamp ^ word) * UINT64_C(0x100000001b3);
}

static uint64_t mix_time(uint64_t stamp, struct timespec when)
{
    return mix(mix(stamp, (uint64_t)when.tv_sec), (uint64_t)when.tv_nsec);
}

uint64_t tls_paths_stamp(const galley_tls *tls)
{
    uint64_t stamp = UINT64_C(0xcbf29ce484222325);
    const char *file = NULL;
    for (unsigned i = 0; (file = galley_tls_file(tls, i)) != NULL; i++) {
        struct stat about;
        if (stat(file, &about) != 0) {
            stamp = mix(stamp, (uint64_t)errno);
            continue;
        }
        stamp = mix(mix(mix(stamp, about.st_dev), about.st_ino), (uint64_t)about.st_size);
        stamp = mix_time(mix_time(stamp, about.st_mtim), about.st_ctim);
    }
    return stamp;
}
