/* files/file_resolve.c — one function a question: a directory? its index? the name itself? its
 * neighbours? */
#include "files/file_resolve.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "files/file_coded.h"
#include "files/file_read.h"
#include "files/file_told.h"
#include "files/path_guard.h"
#include "http/media_type.h"
#include "http/target_encode.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* What a resolution works with: one on the stack of each load. */
struct resolution {
    struct file_entry *entry;
    const struct file_root *root;
    const struct file_store_options *options;
    struct file_store_counters *counters;
    char name[PATH_MAX]; /* of the file looked at */
    bool is_direct;
};

static const struct {
    enum coding coding;
    const char *suffix;
} neighbours[] = {{CODING_BR, ".br"}, {CODING_ZSTD, ".zst"}, {CODING_GZIP, ".gz"}};

/* A neighbour older than its file by more than this was made from something else. */
enum { NEIGHBOUR_MAY_BE_OLDER_S = 2 };

static bool is_mark(const char *at, const char *end)
{
    return end - at >= 3 && ((at[1] == '2' && (at[2] == 'F' || at[2] == 'f' || at[2] == '5')));
}

int file_name_of_path(char *out, size_t room, struct span path)
{
    const char *at = path.ptr + (path.len && path.ptr[0] == '/');
    const char *end = path.ptr + path.len;
    size_t len = 0;
    while (at < end) {
        if (len + 1 >= room) {
            return -1;
        }
        char c = *at;
        if (c == '%' && is_mark(at, end)) {
            if (at[2] != '5') {
                return -1; /* a slash inside a name: no file has it */
            }
            at += 2;
        }
        out[len++] = c;
        at++;
    }
    out[len] = '\0';
    return (int)len;
}

/* 0 for what a client is told as "not there"; else the code of an answer that is not the client's
 * doing. */
static int code_of_errno(struct resolution *r, int sys_errno)
{
    switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return 0;
    case EXDEV:
    case ELOOP:
    case EACCES:
    case EPERM:
    case EINVAL:
        counter_add_shared(&r->counters->refused, 1);
        return 0;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return GALLEY_EFULL;
    default:
        return GALLEY_ESYS;
    }
}

static int open_name(struct resolution *r, struct stat *ret_stat)
{
    return path_guard_open(r->root->fd, span_of(r->name), ret_stat);
}

/* Do the directories of the name, watched, tell of all changes? */
static bool is_told(const struct resolution *r, int fd, struct span name)
{
    return path_guard_is_direct(fd, r->root->path, name) && file_told_of(r->root->fd, fd);
}

static int add_neighbour(struct resolution *r, unsigned index, size_t name_len,
                         const struct stat *identity)
{
    size_t room = sizeof(r->name) - name_len;
    if ((size_t)snprintf(r->name + name_len, room, "%s", neighbours[index].suffix) >= room) {
        return 0;
    }
    struct stat stat;
    int fd = open_name(r, &stat);
    if (fd < 0) {
        return fd == -EMFILE || fd == -ENFILE ? fd : 0;
    }
    if (!S_ISREG(stat.st_mode) ||
        stat.st_mtim.tv_sec + NEIGHBOUR_MAY_BE_OLDER_S < identity->st_mtim.tv_sec) {
        fd_close(&fd);
        return 0;
    }
    if (r->is_direct && r->root->path.ptr) {
        r->is_direct = r->is_direct && is_told(r, fd, span_of(r->name));
    }
    int result = file_read_variant(r->entry, r->options, neighbours[index].coding, fd, &stat);
    if (result == 0) {
        /* RFC 9110 §8.8.2.1: the representation changed when its source did. */
        struct file_variant *variants = r->entry->variants;
        struct file_variant *added = &variants[r->entry->variant_count - 1];
        added->mtime_s = variants[0].mtime_s;
        added->last_modified = variants[0].last_modified;
    }
    return result;
}

static int add_neighbours(struct resolution *r, const struct stat *identity)
{
    struct span name = r->entry->file_name;
    if (!r->options->uses_precompressed || !media_type_of_path(name)->is_compressible) {
        return 0;
    }
    int result = 0;
    for (unsigned i = 0; i < sizeof(neighbours) / sizeof(*neighbours) && result == 0; i++) {
        result = add_neighbour(r, i, name.len, identity);
    }
    r->name[name.len] = '\0';
    return result;
}

static int fill_regular(struct resolution *r, int fd, const struct stat *stat)
{
    struct file_entry *entry = r->entry;
    entry->kind = FILE_REGULAR;
    entry->file_name = file_entry_text(entry, span_of(r->name));
    r->is_direct = r->root->path.ptr && is_told(r, fd, entry->file_name);
    int result = file_read_variant(entry, r->options, CODING_IDENTITY, fd, stat);
    if (result == 0 && !entry->file_name.ptr) {
        result = -ENOMEM;
    }
    if (result == 0) {
        result = add_neighbours(r, stat);
    }
    if (result < 0) {
        return code_of_errno(r, -result) == 0 ? GALLEY_ESYS : code_of_errno(r, -result);
    }
    file_coded_prepare(entry, r->options);
    if (r->options->decorate && r->options->decorate(r->options->ctx, entry) != 0) {
        return GALLEY_EFULL;
    }
    return 0;
}

static int fill_missing(struct resolution *r, int sys_errno)
{
    r->entry->kind = FILE_MISSING;
    int code = code_of_errno(r, sys_errno);
    if (code == 0) {
        counter_add_shared(&r->counters->missing, 1);
    }
    return code;
}

enum { NOT_REGULAR = 1 }; /* beside 0 and the negative codes */

/* The file called r->name, if it is one; else NOT_REGULAR, and *ret_errno says why. */
static int try_regular(struct resolution *r, int *ret_errno)
{
    struct stat stat;
    int fd = open_name(r, &stat);
    if (fd >= 0 && S_ISREG(stat.st_mode)) {
        return fill_regular(r, fd, &stat);
    }
    *ret_errno = fd < 0 ? -fd : ENOENT;
    fd_close(&fd);
    return NOT_REGULAR;
}

static int fill_redirect(struct resolution *r)
{
    struct buf location;
    buf_init(&location, 0);
    target_encode_path(&location, r->entry->path);
    buf_append_char(&location, '/');
    if (!location.failed) {
        r->entry->location = file_entry_text(r->entry, buf_span(&location));
    }
    buf_finish(&location);
    r->entry->kind = FILE_REDIRECT;
    return r->entry->location.ptr ? 0 : GALLEY_EFULL;
}

static int resolve_clean_url(struct resolution *r)
{
    size_t len = strlen(r->name);
    const char *slash = strrchr(r->name, '/');
    bool has_dot = strchr(slash ? slash : r->name, '.') != NULL;
    if (!r->options->has_clean_urls || has_dot || len + sizeof(".html") > sizeof(r->name)) {
        return fill_missing(r, ENOENT);
    }
    memcpy(r->name + len, ".html", sizeof(".html"));
    int sys_errno = 0;
    int result = try_regular(r, &sys_errno);
    return result == NOT_REGULAR ? fill_missing(r, sys_errno) : result;
}

static int resolve_name(struct resolution *r)
{
    struct stat stat;
    int fd = open_name(r, &stat);
    if (fd == -ENOENT) {
        return resolve_clean_url(r);
    }
    if (fd < 0) {
        return fill_missing(r, -fd);
    }
    if (S_ISREG(stat.st_mode)) {
        return fill_regular(r, fd, &stat);
    }
    fd_close(&fd);
    return fill_redirect(r);
}

/* The index files one after the other. 1: none of them is there. */
static int resolve_index(struct resolution *r, size_t dir_len)
{
    struct span rest = span_of(r->options->index);
    while (rest.ptr) {
        struct span name;
        rest = span_cut(rest, ' ', &name);
        size_t room = sizeof(r->name) - dir_len;
        if (name.len == 0 || name.len + 2 > room) {
            continue;
        }
        snprintf(r->name + dir_len, room, "%s%.*s", dir_len ? "/" : "", SPAN_ARGS(name));
        int sys_errno = 0;
        int result = try_regular(r, &sys_errno);
        if (result != NOT_REGULAR) {
            return result;
        }
        if (sys_errno != ENOENT) {
            return fill_missing(r, sys_errno);
        }
    }
    r->name[dir_len] = '\0';
    return 1;
}

static int resolve_directory(struct resolution *r, size_t name_len)
{
    size_t dir_len = name_len;
    while (dir_len > 0 && r->name[dir_len - 1] == '/') {
        dir_len--;
    }
    r->name[dir_len] = '\0';
    r->entry->is_index = true;
    int result = resolve_index(r, dir_len);
    if (result != 1) {
        return result;
    }
    r->entry->is_index = false;
    struct stat stat;
    int fd = open_name(r, &stat);
    bool is_directory = fd >= 0 && S_ISDIR(stat.st_mode);
    int sys_errno = fd < 0 ? -fd : ENOENT;
    fd_close(&fd);
    if (!is_directory || !r->options->sends_directories) {
        return fill_missing(r, sys_errno);
    }
    r->entry->kind = FILE_DIRECTORY;
    r->entry->file_name = file_entry_text(r->entry, span_of(r->name));
    return r->entry->file_name.ptr ? 0 : GALLEY_EFULL;
}

/* A path of the program's own: the name as it is, a regular file or nothing. */
static int resolve_trusted(struct resolution *r)
{
    struct span path = r->entry->path;
    if (path.len >= sizeof(r->name)) {
        return fill_missing(r, ENAMETOOLONG);
    }
    memcpy(r->name, path.ptr, path.len + 1);
    int sys_errno = 0;
    int result = try_regular(r, &sys_errno);
    return result == NOT_REGULAR ? fill_missing(r, sys_errno) : result;
}

int file_resolve(struct file_entry *entry, const struct file_root *root,
                 const struct file_store_options *options, struct file_store_counters *counters,
                 bool *ret_is_direct)
{
    struct resolution r = {.entry = entry, .root = root, .options = options, .counters = counters};
    int result;
    if (root->fd == AT_FDCWD) {
        result = resolve_trusted(&r);
    } else {
        int len = file_name_of_path(r.name, sizeof(r.name), entry->path);
        bool is_hidden = !options->serves_hidden && path_guard_is_hidden(entry->path);
        if (len < 0 || is_hidden) {
            result = fill_missing(&r, ENOENT);
        } else if (len == 0 || r.name[len - 1] == '/') {
            result = resolve_directory(&r, (size_t)len);
        } else {
            result = resolve_name(&r);
        }
        if (entry->kind != FILE_REGULAR) {
            r.is_direct = true; /* the watched directories tell when something appears or goes */
        }
    }
    *ret_is_direct = r.is_direct;
    return result;
}

static bool is_same_file(const struct file_root *root, const char *name,
                         const struct file_stamp *stamp)
{
    struct stat stat;
    int fd = path_guard_open(root->fd, span_of(name), &stat);
    if (fd < 0) {
        return false;
    }
    fd_close(&fd);
    struct file_stamp now = file_stamp_of(&stat);
    return file_stamp_equal(&now, stamp);
}

static bool is_missing(const struct file_root *root, const char *name)
{
    struct stat stat;
    int fd = path_guard_open(root->fd, span_of(name), &stat);
    bool is_there = fd >= 0;
    fd_close(&fd);
    return !is_there;
}

static bool are_neighbours_unchanged(const struct file_entry *entry, const struct file_root *root)
{
    for (unsigned i = 0; i < sizeof(neighbours) / sizeof(*neighbours); i++) {
        char name[PATH_MAX];
        int len = snprintf(name, sizeof(name), "%s%s", entry->file_name.ptr, neighbours[i].suffix);
        if (len < 0 || (size_t)len >= sizeof(name)) {
            continue;
        }
        const struct file_variant *variant = file_entry_variant(entry, neighbours[i].coding);
        bool is_there = variant && !variant->is_made;
        bool is_same = is_there
                           ? is_same_file(root, name, &entry->stamps[variant - entry->variants])
                           : is_missing(root, name);
        if (!is_same) {
            return false;
        }
    }
    return true;
}

bool file_resolve_is_unchanged(const struct file_entry *entry, const struct file_root *root,
                               const struct file_store_options *options)
{
    if (entry->kind != FILE_REGULAR || entry->is_index ||
        !is_same_file(root, entry->file_name.ptr, &entry->stamps[0])) {
        return false;
    }
    bool has_neighbours =
        options->uses_precompressed && media_type_of_path(entry->file_name)->is_compressible;
    return !has_neighbours || are_neighbours_unchanged(entry, root);
}
