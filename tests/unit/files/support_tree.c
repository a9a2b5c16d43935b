/* tests/unit/files/support_tree.c — see the header. */
#include "support_tree.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree_path[PATH_MAX];

const char *tree_make(void)
{
    snprintf(tree_path, sizeof(tree_path), "/tmp/galley-test-XXXXXX");
    EXPECT(mkdtemp(tree_path) != NULL);
    EXPECT_INT(chdir(tree_path), 0);
    return tree_path;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat;
    (void)flag;
    (void)walk;
    return remove(path);
}

void tree_remove(void)
{
    EXPECT_INT(chdir("/"), 0);
    EXPECT_INT(nftw(tree_path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void tree_directory(const char *path)
{
    char part[PATH_MAX];
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] == '/' || path[i] == '\0') {
            snprintf(part, sizeof(part), "%.*s", (int)i, path);
            EXPECT(mkdir(part, 0755) == 0 || errno == EEXIST);
        }
    }
}

void tree_write_bytes(const char *path, const void *bytes, size_t len)
{
    const char *slash = strrchr(path, '/');
    if (slash) {
        char parent[PATH_MAX];
        snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
        tree_directory(parent);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    EXPECT(fd >= 0);
    EXPECT_INT(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

void tree_write(const char *path, const char *content)
{
    tree_write_bytes(path, content, strlen(content));
}

void tree_link(const char *target, const char *path)
{
    EXPECT_INT(symlink(target, path), 0);
}

void tree_rename(const char *from, const char *to)
{
    EXPECT_INT(rename(from, to), 0);
}

void tree_unlink(const char *path)
{
    EXPECT_INT(remove(path), 0);
}

void tree_touch(const char *path, int64_t mtime_s)
{
    struct timespec times[2] = {{.tv_sec = mtime_s}, {.tv_sec = mtime_s}};
    EXPECT_INT(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

struct file_store *tree_store(const struct file_store_options *options)
{
    struct file_store_options mine = {.uses_precompressed = true};
    if (options) {
        mine = *options;
    }
    mine.root = tree_path;
    galley_error err = {0};
    struct file_store *store = file_store_create(&mine, &err);
    if (!store) {
        test_fail(__FILE__, __LINE__, "%s", err.message);
    }
    return store;
}

struct file_entry *tree_load(struct file_store *store, const char *path)
{
    int error = 0;
    struct file_entry *entry = file_store_load(store, span_of(path), &error);
    if (!entry) {
        test_fail(__FILE__, __LINE__, "load %s: error %d", path, error);
    }
    return entry;
}

void tree_expect(struct file_store *store, const char *path, enum file_kind kind,
                 const char *content)
{
    struct file_entry *entry = tree_load(store, path);
    EXPECT_INT(entry->kind, kind);
    if (content) {
        EXPECT_SPAN(entry->variants[0].bytes, content);
    }
    file_entry_unref(entry);
}
