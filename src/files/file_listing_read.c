/* files/file_listing_read.c — a directory becomes a sorted array of names. On a worker.
 * Opened beneath the root like everything else; names are looked at by the open directory, without
 * following links; a link is listed as what a client would get by it, or not at all. */
#include "files/file_listing.h"

#include "base/fd.h"
#include "base/text.h"

#include "files/path_guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 64 };

struct reading {
    struct listing *listing;
    const galley_static *site;
    DIR *dir;
    char path[PATH_MAX]; /* of the name being looked at, below the root */
};

static int code_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return GALLEY_EFULL;
    case EIO:
        return GALLEY_ESYS;
    default:
        return GALLEY_ENOTFOUND;
    }
}

/* Its path below the root; false: too long, so that nobody can ask for it. */
static bool make_path(struct reading *reading, const char *name)
{
    struct span dir = reading->listing->dir;
    int len = snprintf(reading->path, sizeof reading->path, "%.*s%s%s", SPAN_ARGS(dir),
                       dir.len > 0 ? "/" : "", name);
    return len > 0 && (size_t)len < sizeof reading->path;
}

static bool is_wanted_name(const struct reading *reading, const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return false;
    }
    return (reading->site->flags & GALLEY_STATIC_HIDDEN) ||
           !path_guard_is_hidden(span_of(reading->path));
}

/* What a client would get. False: nothing. */
static bool look_at(const struct reading *reading, const char *name, struct stat *ret_stat)
{
    if (fstatat(dirfd(reading->dir), name, ret_stat, AT_SYMLINK_NOFOLLOW) != 0) {
        return false; /* gone in between */
    }
    if (S_ISLNK(ret_stat->st_mode)) {
        int fd = path_guard_open(file_store_root_fd(reading->site->store), span_of(reading->path),
                                 ret_stat);
        if (fd < 0) {
            return false;
        }
        fd_close(&fd);
    }
    return S_ISREG(ret_stat->st_mode) || S_ISDIR(ret_stat->st_mode);
}

/* The old array stays in the arena: at most as much again. */
static bool grow(struct listing *listing)
{
    if (listing->count < listing->capacity) {
        return true;
    }
    size_t capacity = listing->capacity ? listing->capacity * 2 : FIRST_CAPACITY;
    struct listing_name *names = arena_alloc(&listing->memory, capacity * sizeof *names);
    if (!names) {
        return false;
    }
    if (listing->count > 0) {
        memcpy(names, listing->names, listing->count * sizeof *names);
    }
    listing->names = names;
    listing->capacity = capacity;
    return true;
}

static int add(struct listing *listing, const char *name, const struct stat *stat)
{
    struct span copy = grow(listing) ? arena_copy(&listing->memory, span_of(name)) : SPAN_NONE;
    if (!copy.ptr) {
        return GALLEY_EFULL;
    }
    listing->names[listing->count++] = (struct listing_name){
        .name = copy.ptr,
        .size = (uint64_t)stat->st_size,
        .mtime_s = stat->st_mtim.tv_sec,
        .is_directory = S_ISDIR(stat->st_mode),
    };
    return GALLEY_OK;
}

static int read_names(struct reading *reading)
{
    struct listing *listing = reading->listing;
    const struct dirent *found;
    int rc = GALLEY_OK;
    while (rc == GALLEY_OK && (found = readdir(reading->dir)) != NULL) {
        struct stat stat;
        if (!make_path(reading, found->d_name) || !is_wanted_name(reading, found->d_name) ||
            !look_at(reading, found->d_name, &stat)) {
            continue;
        }
        if (listing->count >= LISTING_MAX_NAMES) {
            listing->is_cut = true;
            break;
        }
        rc = add(listing, found->d_name, &stat);
    }
    return rc;
}

/* Directories first; then as people look for names: without regard to case, and by bytes where that
 * says nothing. */
static int compare(const void *a, const void *b)
{
    const struct listing_name *left = a;
    const struct listing_name *right = b;
    if (left->is_directory != right->is_directory) {
        return left->is_directory ? -1 : 1;
    }
    const char *l = left->name;
    const char *r = right->name;
    while (*l && text_lower(*l) == text_lower(*r)) {
        l++;
        r++;
    }
    int order = (unsigned char)text_lower(*l) - (unsigned char)text_lower(*r);
    return order ? order : strcmp(left->name, right->name);
}

int file_listing_read(struct listing *listing, const galley_static *site, struct span dir)
{
    *listing = (struct listing){.dir = dir};
    arena_init(&listing->memory, 0);
    struct stat stat;
    int fd = path_guard_open(file_store_root_fd(site->store), dir, &stat);
    if (fd < 0) {
        return code_of_errno(-fd);
    }
    struct reading reading = {.listing = listing, .site = site, .dir = fdopendir(fd)};
    if (!reading.dir) {
        int sys_errno = errno;
        fd_close(&fd);
        return code_of_errno(sys_errno);
    }
    int rc = read_names(&reading);
    closedir(reading.dir);
    if (rc == GALLEY_OK && listing->count > 1) {
        qsort(listing->names, listing->count, sizeof *listing->names, compare);
    }
    return rc;
}

void file_listing_finish(struct listing *listing)
{
    arena_finish(&listing->memory);
}
