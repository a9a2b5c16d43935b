/* tests/unit/files/test_untold.c — changes that inotify on a directory does not tell of: by another
 * name of the same file, and of a file that is mounted over a name. Such entries must age, and not
 * be believed for ever. */
#include "support_tree.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

enum { LONGER_THAN_FRESH_MS = 1001 };

static void expect_ages(struct file_store *store, const char *path)
{
    struct file_entry *entry = tree_load(store, path);
    EXPECT_INT(entry->kind, FILE_REGULAR);
    EXPECT(!entry->is_watched);
    EXPECT(!file_store_is_fresh(entry, galley_now_ms() + LONGER_THAN_FRESH_MS));
    file_entry_unref(entry);
}

/* In place, as a program that has it open would. */
static void overwrite(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    EXPECT_INT(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

TEST(test_a_file_with_a_second_name_ages_because_it_may_be_changed_by_that)
{
    tree_make();
    tree_write("elsewhere/b", "old");
    EXPECT_INT(link("elsewhere/b", "a.css"), 0);
    struct file_store *store = tree_store(NULL);
    expect_ages(store, "/a.css");
    overwrite("elsewhere/b", "new");
    file_store_watch_ready(store); /* nothing was told */
    usleep(LONGER_THAN_FRESH_MS * 1000);
    tree_expect(store, "/a.css", FILE_REGULAR, "new");
    file_store_destroy(store);
    tree_remove();
}

TEST(test_a_neighbour_with_a_second_name_lets_its_entry_age)
{
    tree_make();
    tree_write("a.css", "plain");
    tree_write("elsewhere/b", "coded");
    EXPECT_INT(link("elsewhere/b", "a.css.gz"), 0);
    struct file_store *store = tree_store(NULL);
    expect_ages(store, "/a.css");
    file_store_destroy(store);
    tree_remove();
}

/* A name space of mounts for this test alone; not everybody may have one. */
static bool can_mount(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

TEST(test_a_file_mounted_over_a_name_ages)
{
    tree_make();
    tree_write("outside/config.json", "old");
    tree_write("site/config.json", "");
    if (!can_mount() ||
        mount("outside/config.json", "site/config.json", NULL, MS_BIND, NULL) != 0) {
        test_skip("no right to mount");
    }
    struct file_store *store = tree_store(NULL);
    expect_ages(store, "/site/config.json");
    EXPECT_INT(umount("site/config.json"), 0);
    file_store_destroy(store);
    tree_remove();
}
