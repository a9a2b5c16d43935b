/* tests/unit/files/test_watch.c — changes are seen, whatever changes: content, names, directories,
 * links, lost events (L22). The store is told to read its events where a loop would be. */
#include "support_tree.h"
#include "test.h"

#include "files/file_watch.h"

#include <sys/stat.h>
#include <unistd.h>

/* Load once so that it is cached, change, and expect the new state at once. */
static void expect_seen(struct file_store *store, const char *path, enum file_kind kind,
                        const char *content)
{
    file_store_watch_ready(store);
    tree_expect(store, path, kind, content);
}

TEST(test_a_rewritten_file_is_seen_at_once)
{
    tree_make();
    tree_write("dir/a.css", "old");
    struct file_store *store = tree_store(NULL);
    struct file_entry *entry = tree_load(store, "/dir/a.css");
    EXPECT(entry->is_watched);
    tree_write("dir/a.css", "new");
    file_store_watch_ready(store);
    EXPECT(atomic_load(&entry->is_stale));
    EXPECT_SPAN(entry->variants[0].bytes, "old"); /* an answer under way stays whole */
    file_entry_unref(entry);
    tree_expect(store, "/dir/a.css", FILE_REGULAR, "new");
    file_store_destroy(store);
    tree_remove();
}

TEST(test_files_that_come_go_and_are_replaced_are_seen_at_once)
{
    tree_make();
    struct file_store *store = tree_store(NULL);
    tree_expect(store, "/a", FILE_MISSING, NULL);
    tree_expect(store, "/deep/down/a", FILE_MISSING, NULL);
    tree_write("a", "1");
    expect_seen(store, "/a", FILE_REGULAR, "1");
    tree_write("b", "2");
    tree_rename("b", "a");
    expect_seen(store, "/a", FILE_REGULAR, "2");
    tree_unlink("a");
    expect_seen(store, "/a", FILE_MISSING, NULL);
    tree_write("deep/down/a", "3");
    expect_seen(store, "/deep/down/a", FILE_REGULAR, "3");
    file_store_destroy(store);
    tree_remove();
}

TEST(test_index_neighbour_and_clean_url_that_appear_are_seen_at_once)
{
    tree_make();
    tree_write("dir/x", "");
    tree_write("a.css", "css");
    struct file_store_options options = {.uses_precompressed = true, .has_clean_urls = true};
    struct file_store *store = tree_store(&options);
    tree_expect(store, "/dir/", FILE_MISSING, NULL);
    tree_write("dir/index.html", "index");
    expect_seen(store, "/dir/", FILE_REGULAR, "index");
    tree_expect(store, "/a.css", FILE_REGULAR, "css");
    tree_write("a.css.gz", "gz");
    file_store_watch_ready(store);
    struct file_entry *entry = tree_load(store, "/a.css");
    EXPECT_INT(entry->variant_count, 2);
    file_entry_unref(entry);
    tree_expect(store, "/about", FILE_MISSING, NULL);
    tree_write("about.html", "about");
    expect_seen(store, "/about", FILE_REGULAR, "about");
    file_store_destroy(store);
    tree_remove();
}

TEST(test_a_renamed_directory_takes_everything_below_along)
{
    tree_make();
    tree_write("v1/a/b/c", "one");
    tree_write("v2/a/b/c", "two");
    struct file_store *store = tree_store(NULL);
    tree_expect(store, "/v1/a/b/c", FILE_REGULAR, "one");
    tree_rename("v1", "old");
    expect_seen(store, "/v1/a/b/c", FILE_MISSING, NULL);
    tree_rename("v2", "v1");
    expect_seen(store, "/v1/a/b/c", FILE_REGULAR, "two");
    tree_write("v1/a/b/c", "three");
    expect_seen(store, "/v1/a/b/c", FILE_REGULAR, "three");
    file_store_destroy(store);
    tree_remove();
}

TEST(test_a_directory_swapped_for_a_link_is_seen_and_nothing_leaks) /* L10 */
{
    tree_make();
    tree_write("site/d/page", "inside");
    tree_write("outside/page", "secret");
    EXPECT_INT(chdir("site"), 0);
    struct file_store_options options = {.root = "."};
    galley_error err;
    struct file_store *store = file_store_create(&options, &err);
    tree_expect(store, "/d/page", FILE_REGULAR, "inside");
    for (int i = 0; i < 50; i++) {
        tree_rename("d", "kept");
        tree_link("../outside", "d");
        expect_seen(store, "/d/page", FILE_MISSING, NULL);
        tree_unlink("d");
        tree_rename("kept", "d");
        expect_seen(store, "/d/page", FILE_REGULAR, "inside");
    }
    file_store_destroy(store);
    tree_remove();
}

TEST(test_behind_a_link_entries_are_unwatched_and_age)
{
    tree_make();
    tree_write("v1/page", "one");
    tree_write("v2/page", "two");
    tree_link("v1", "current");
    struct file_store *store = tree_store(NULL);
    struct file_entry *entry = tree_load(store, "/current/page");
    EXPECT(!entry->is_watched);
    EXPECT(file_store_is_fresh(entry, galley_now_ms()));
    EXPECT(!file_store_is_fresh(entry, galley_now_ms() + 1001));
    file_entry_unref(entry);
    tree_link("v2", "next");
    tree_rename("next", "current");
    expect_seen(store, "/current/page", FILE_REGULAR, "two"); /* the link's directory is watched */
    file_store_destroy(store);
    tree_remove();
}

TEST(test_an_unchanged_unwatched_entry_is_kept_and_a_changed_one_replaced)
{
    tree_make();
    tree_write("v1/page", "one");
    tree_link("v1", "current");
    struct file_store *store = tree_store(NULL);
    struct file_entry *entry = tree_load(store, "/current/page");
    atomic_store(&entry->checked_ms, galley_now_ms() - 5000);
    struct file_entry *again = tree_load(store, "/current/page");
    EXPECT(again == entry);
    EXPECT_INT(counter_read(&file_store_get_counters(store)->unchanged), 1);
    file_entry_unref(again);
    tree_write("v1/page", "two, longer");
    atomic_store(&entry->checked_ms, galley_now_ms() - 5000);
    tree_expect(store, "/current/page", FILE_REGULAR, "two, longer");
    file_entry_unref(entry);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_lost_events_make_everything_stale)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    unsigned long limit = 0;
    EXPECT(file && fscanf(file, "%lu", &limit) == 1);
    fclose(file);
    if (limit > 200000) {
        test_skip("the event queue of this system is too long to fill");
    }
    tree_make();
    tree_write("a", "1");
    tree_write("b", "1");
    struct file_store *store = tree_store(NULL);
    struct file_entry *a = tree_load(store, "/a");
    tree_expect(store, "/b", FILE_REGULAR, "1");
    for (unsigned long i = 0; i < limit; i++) {
        tree_rename("b", "x");
        tree_rename("x", "b");
    }
    for (int i = 0; i < 100000 && !atomic_load(&a->is_stale); i++) {
        file_store_watch_ready(store);
    }
    EXPECT(atomic_load(&a->is_stale));
    EXPECT(counter_read(&file_store_get_counters(store)->overflows) > 0);
    file_entry_unref(a);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_the_same_directory_under_two_names_is_watched_once_and_tells_both)
{
    tree_make();
    tree_write("real/a", "1");
    tree_link("real", "also");
    struct file_store *store = tree_store(NULL);
    tree_expect(store, "/real/a", FILE_REGULAR, "1");
    tree_expect(store, "/also/a", FILE_REGULAR, "1");
    tree_write("real/a", "2");
    expect_seen(store, "/real/a", FILE_REGULAR, "2");
    tree_unlink("also");
    expect_seen(store, "/also/a", FILE_MISSING, NULL);
    tree_expect(store, "/real/a", FILE_REGULAR, "2");
    tree_write("real/a", "3");
    expect_seen(store, "/real/a", FILE_REGULAR, "3");
    file_store_destroy(store);
    tree_remove();
}

/* The root of it all: whatever is done to the tree, what is answered after the events were read is
 * what a naive look at the disk would give. */
TEST(test_random_changes_are_always_seen)
{
    static const char *const names[] = {"a", "b", "a/x", "a/y", "b/x", "a/x/z", "b/x/z"};
    enum { NAMES = sizeof(names) / sizeof(*names) };
    tree_make();
    struct file_store *store = tree_store(NULL);
    unsigned rounds = test_rounds(3000);
    for (unsigned round = 0; round < rounds; round++) {
        const char *name = names[test_random_below(NAMES)];
        const char *other = names[test_random_below(NAMES)];
        char content[32];
        snprintf(content, sizeof(content), "content %u", round);
        struct stat stat;
        switch (test_random_below(4)) {
        case 0: {
            FILE *file = fopen(name, "w");
            if (file) {
                fputs(content, file);
                fclose(file);
            }
            break;
        }
        case 1:
            (void)!mkdir(name, 0755);
            break;
        case 2:
            (void)!remove(name);
            break;
        default:
            (void)!rename(name, other);
        }
        file_store_watch_ready(store);
        for (int look = 0; look < 3; look++) {
            const char *path = names[test_random_below(NAMES)];
            char request[32];
            snprintf(request, sizeof(request), "/%s", path);
            enum file_kind kind = lstat(path, &stat) != 0 ? FILE_MISSING
                                  : S_ISDIR(stat.st_mode) ? FILE_REDIRECT
                                                          : FILE_REGULAR;
            char now[64] = "";
            if (kind == FILE_REGULAR) {
                FILE *file = fopen(path, "r");
                now[fread(now, 1, sizeof(now) - 1, file)] = '\0';
                fclose(file);
            }
            tree_expect(store, request, kind, kind == FILE_REGULAR ? now : NULL);
        }
    }
    file_store_destroy(store);
    tree_remove();
}
