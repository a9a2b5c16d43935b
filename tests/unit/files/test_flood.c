/* tests/unit/files/test_flood.c — a flood of names that are not there: what is known to be missing
 * is bounded, because each change of a directory walks through what hangs on it, on a loop. Files
 * that are there stay. */
#include "support_tree.h"
#include "test.h"

enum { NAMES = 5000, MOST_KEPT = 1024 };

static void ask_for_nothing(struct file_store *store, unsigned index)
{
    char path[32];
    snprintf(path, sizeof path, "/nothing-%u", index);
    tree_expect(store, path, FILE_MISSING, NULL);
}

TEST(test_only_so_many_missing_names_are_kept_and_no_file_goes_for_them)
{
    tree_make();
    tree_write("a", "x");
    struct file_store *store = tree_store(NULL);
    const struct file_store_counters *counters = file_store_get_counters(store);
    tree_expect(store, "/a", FILE_REGULAR, "x");
    for (unsigned i = 0; i < NAMES; i++) {
        ask_for_nothing(store, i);
    }
    EXPECT_INT(counter_read(&counters->evicted), NAMES - MOST_KEPT);
    uint64_t loads = counter_read(&counters->loads);
    tree_expect(store, "/a", FILE_REGULAR, "x");
    ask_for_nothing(store, NAMES - 1);
    EXPECT_INT(counter_read(&counters->loads), loads); /* both are still known */
    ask_for_nothing(store, 0);
    EXPECT_INT(counter_read(&counters->loads), loads + 1);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_missing_names_are_told_when_they_appear_and_when_events_are_lost)
{
    tree_make();
    struct file_store *store = tree_store(NULL);
    tree_expect(store, "/dir/a", FILE_MISSING, NULL);
    tree_write("other/a", "x");
    tree_rename("other", "dir");
    file_store_watch_ready(store);
    tree_expect(store, "/dir/a", FILE_REGULAR, "x");
    tree_expect(store, "/dir/b", FILE_MISSING, NULL);
    tree_rename("dir", "gone");
    file_store_watch_ready(store);
    tree_expect(store, "/dir/a", FILE_MISSING, NULL);
    tree_expect(store, "/gone/b", FILE_MISSING, NULL);
    file_store_destroy(store);
    tree_remove();
}
