/* files/file_audit.c — galley_static_audit(): one bounded walk over the root, looking as a client
 * could, and telling what an owner would want to know. On the caller's thread; blocks. Nothing is
 * changed, no link is followed but to see where it leads. */
#include "base/fd.h"

#include "files/file_site_state.h"
#include "files/path_guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum {
    MAX_NAMES = 10000,
    MAX_DEPTH = 16,
    MAX_FINDINGS = 32, /* of a kind */
    KINDS = GALLEY_FOUND_MORE + 1,
    KEY_BYTES = 4096,  /* of a file that may hold a key */
    MAY_BE_OLDER_S = 2 /* as file_resolve.c has it */
};

struct audit {
    const galley_static *site;
    void (*found)(void *ctx, const galley_static_finding *finding);
    void *ctx;
    uint64_t files;
    uint64_t precompressed;
    uint64_t left_out;
    unsigned names;
    unsigned findings[KINDS];
    char path[PATH_MAX]; /* of the name being looked at, below the root */
    size_t path_len;
};

/* A name in an open directory. */
struct candidate {
    int dir_fd;
    const char *name;
    struct stat stat;
    bool is_hidden;
};

static void tell(struct audit *audit, galley_static_finding_kind kind, bool is_served)
{
    if (audit->findings[kind]++ >= (unsigned)MAX_FINDINGS) {
        audit->left_out++;
        return;
    }
    galley_static_finding finding = {kind, is_served, audit->path, 1};
    audit->found(audit->ctx, &finding);
}

static void tell_count(const struct audit *audit, galley_static_finding_kind kind, uint64_t count)
{
    if (count > 0) {
        galley_static_finding finding = {kind, kind != GALLEY_FOUND_MORE, NULL, count};
        audit->found(audit->ctx, &finding);
    }
}

/* ---- what a name says ------------------------------------------------------------------------ */

static bool is_one_of(struct span name, const char *const *names)
{
    for (; *names; names++) {
        if (span_equal_nocase(name, span_of(*names))) {
            return true;
        }
    }
    return false;
}

static bool is_secret_name(struct span name)
{
    static const char *const secrets[] = {".env",      ".git",    ".hg",    ".svn", ".htpasswd",
                                          ".htaccess", ".netrc",  ".npmrc", ".ssh", ".aws",
                                          ".pgpass",   ".pypirc", NULL};
    return is_one_of(name, secrets) || span_starts_with(name, SPAN(".env."));
}

static bool may_hold_key(struct span name)
{
    static const char *const keys[] = {"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", NULL};
    static const char *const suffixes[] = {".pem", ".key", ".ppk", ".p8", NULL};
    for (const char *const *suffix = suffixes; *suffix; suffix++) {
        if (span_ends_with(name, span_of(*suffix))) {
            return true;
        }
    }
    return is_one_of(name, keys);
}

/* A certificate may lie there for everybody; a private key may not. */
static bool holds_private_key(const struct candidate *candidate)
{
    char head[KEY_BYTES];
    int fd =
        openat(candidate->dir_fd, candidate->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : fd_read_at(fd, head, sizeof head, 0);
    fd_close(&fd);
    return got > 0 && (memmem(head, (size_t)got, "PRIVATE KEY-----", 16) != NULL ||
                       memmem(head, (size_t)got, "PuTTY-User-Key-File", 19) != NULL);
}

static bool is_backup_name(struct span name)
{
    return name.len > 0 && name.ptr[0] != '.';
}

/* Length of the name without .br, .zst or .gz; 0: has none of them. */
static size_t base_len(struct span name)
{
    static const char *const suffixes[] = {".br", ".zst", ".gz", NULL};
    for (const char *const *suffix = suffixes; *suffix; suffix++) {
        struct span end = span_of(*suffix);
        if (name.len > end.len && span_ends_with(name, end)) {
            return name.len - end.len;
        }
    }
    return 0;
}

/* ---- kinds of names -------------------------------------------------------------------------- */

static bool is_served(const struct audit *audit, const struct candidate *candidate)
{
    return !candidate->is_hidden || (audit->site->flags & GALLEY_STATIC_HIDDEN);
}

static bool is_readable(const struct candidate *candidate, int mode)
{
    return faccessat(candidate->dir_fd, candidate->name, mode, AT_EACCESS) == 0;
}

static void look_at_neighbour(struct audit *audit, const struct candidate *candidate)
{
    struct span name = span_of(candidate->name);
    size_t len = base_len(name);
    char base[NAME_MAX + 1];
    struct stat stat;
    if (len == 0 || len > NAME_MAX || (audit->site->flags & GALLEY_STATIC_NO_PRECOMPRESSED)) {
        return;
    }
    memcpy(base, name.ptr, len);
    base[len] = '\0';
    if (fstatat(candidate->dir_fd, base, &stat, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(stat.st_mode)) {
        return;
    }
    if (candidate->stat.st_mtim.tv_sec + MAY_BE_OLDER_S < stat.st_mtim.tv_sec) {
        tell(audit, GALLEY_FOUND_OLD_NEIGHBOUR, false);
    } else {
        audit->precompressed++;
    }
}

static void look_at_file(struct audit *audit, const struct candidate *candidate)
{
    struct span name = span_of(candidate->name);
    bool can_be_had = is_served(audit, candidate) && is_readable(candidate, R_OK);
    if (is_secret_name(name) || (may_hold_key(name) && holds_private_key(candidate))) {
        tell(audit, GALLEY_FOUND_SECRET, can_be_had);
    } else if (candidate->is_hidden) {
        tell(audit, is_backup_name(name) ? GALLEY_FOUND_BACKUP : GALLEY_FOUND_HIDDEN, can_be_had);
    } else if (!can_be_had) {
        tell(audit, GALLEY_FOUND_UNREADABLE, false);
    }
    if (can_be_had) {
        audit->files++;
        look_at_neighbour(audit, candidate);
    }
}

static void look_at_link(struct audit *audit, const struct candidate *candidate)
{
    struct stat stat;
    int fd = path_guard_open(file_store_root_fd(audit->site->store),
                             span_make(audit->path, audit->path_len), &stat);
    if (fd < 0) {
        tell(audit, GALLEY_FOUND_LINK_OUT, false);
        return;
    }
    fd_close(&fd);
    if (S_ISREG(stat.st_mode) && is_served(audit, candidate)) {
        audit->files++;
    }
}

static void walk(struct audit *audit, int dir_fd, unsigned depth);

static void look_at_directory(struct audit *audit, const struct candidate *candidate,
                              unsigned depth)
{
    bool can_be_had = is_served(audit, candidate);
    if (candidate->is_hidden) {
        bool is_secret = is_secret_name(span_of(candidate->name));
        tell(audit, is_secret ? GALLEY_FOUND_SECRET : GALLEY_FOUND_HIDDEN, can_be_had);
    }
    if (!can_be_had) {
        return;
    }
    int fd = depth < (unsigned)MAX_DEPTH ? openat(candidate->dir_fd, candidate->name,
                                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                         : -1;
    if (fd >= 0) {
        walk(audit, fd, depth + 1);
    } else if (depth >= (unsigned)MAX_DEPTH) {
        audit->left_out++;
    } else {
        tell(audit, GALLEY_FOUND_UNREADABLE, false);
    }
}

static void look_at(struct audit *audit, const struct candidate *candidate, unsigned depth)
{
    switch (candidate->stat.st_mode & S_IFMT) {
    case S_IFREG:
        look_at_file(audit, candidate);
        break;
    case S_IFDIR:
        look_at_directory(audit, candidate, depth);
        break;
    case S_IFLNK:
        look_at_link(audit, candidate);
        break;
    default:
        tell(audit, GALLEY_FOUND_SPECIAL, false);
    }
}

/* ---- the walk -------------------------------------------------------------------------------- */

/* Sets audit->path; false: too long, so that no client can ask for it. */
static bool enter(struct audit *audit, size_t dir_len, const char *name)
{
    size_t room = sizeof audit->path - dir_len;
    int len = snprintf(audit->path + dir_len, room, "%s%s", dir_len > 0 ? "/" : "", name);
    if (len <= 0 || (size_t)len >= room) {
        return false;
    }
    audit->path_len = dir_len + (size_t)len;
    return true;
}

static void look_at_name(struct audit *audit, int dir_fd, const char *name, unsigned depth)
{
    struct candidate candidate = {.dir_fd = dir_fd, .name = name};
    if (fstatat(dir_fd, name, &candidate.stat, AT_SYMLINK_NOFOLLOW) == 0) {
        candidate.is_hidden = path_guard_is_hidden(span_make(audit->path, audit->path_len));
        look_at(audit, &candidate, depth);
    }
}

/* Takes over dir_fd. At most MAX_DEPTH deep. */
static void walk(struct audit *audit, int dir_fd, unsigned depth)
{
    size_t dir_len = audit->path_len;
    DIR *dir = fdopendir(dir_fd);
    if (!dir) {
        fd_close(&dir_fd);
        return;
    }
    const struct dirent *found;
    while ((found = readdir(dir)) != NULL) {
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) {
            continue;
        }
        if (audit->names >= (unsigned)MAX_NAMES) {
            audit
                ->left_out++; /* at least one: counting them all would take the time that this bounds */
            break;
        }
        audit->names++;
        if (enter(audit, dir_len, found->d_name)) {
            look_at_name(audit, dirfd(dir), found->d_name, depth);
        }
    }
    closedir(dir);
    audit->path_len = dir_len;
    audit->path[dir_len] = '\0';
}

/* ---- what is picked up ----------------------------------------------------------------------- */

static bool tell_if_there(struct audit *audit, galley_static_finding_kind kind, struct span name)
{
    struct stat stat;
    int fd = path_guard_open(file_store_root_fd(audit->site->store), name, &stat);
    bool is_there = fd >= 0 && S_ISREG(stat.st_mode);
    fd_close(&fd);
    int len = snprintf(audit->path, sizeof audit->path, "%.*s", SPAN_ARGS(name));
    if (is_there && len > 0 && (size_t)len < sizeof audit->path) {
        tell(audit, kind, true);
    }
    return is_there;
}

static void look_for_pages(struct audit *audit)
{
    struct span rest = span_of(file_store_get_options(audit->site->store)->index);
    while (rest.ptr) {
        struct span name;
        rest = span_cut(rest, ' ', &name);
        if (name.len > 0 && tell_if_there(audit, GALLEY_FOUND_INDEX, name)) {
            break;
        }
    }
    if (audit->site->not_found_path.ptr) {
        tell_if_there(audit, GALLEY_FOUND_ERROR_PAGE, span_from(audit->site->not_found_path, 1));
    }
    audit->path[0] = '\0';
}

int galley_static_audit(const galley_static *st,
                        void (*found)(void *ctx, const galley_static_finding *finding), void *ctx)
{
    if (!st || !found || st->is_for_replies) {
        return GALLEY_EINVAL;
    }
    struct stat stat;
    int fd = path_guard_open(file_store_root_fd(st->store), SPAN(""), &stat);
    if (fd < 0) {
        return GALLEY_ESYS;
    }
    struct audit audit = {.site = st, .found = found, .ctx = ctx};
    look_for_pages(&audit);
    walk(&audit, fd, 1);
    tell_count(&audit, GALLEY_FOUND_FILES, audit.files);
    tell_count(&audit, GALLEY_FOUND_PRECOMPRESSED, audit.precompressed);
    tell_count(&audit, GALLEY_FOUND_MORE, audit.left_out);
    return GALLEY_OK;
}
