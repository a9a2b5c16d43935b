/* tests/unit/files/test_cache.c — a loop's cache: hits, joined loads, staleness, giving up in the
 * middle. */
#include "support_tree.h"
#include "test.h"

#include "base/alloc.h"
#include "files/file_cache.h"
#include "loop/sim.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

struct waiting {
    struct file_waiter waiter;
    struct file_entry *entry; /* borrowed: compared only */
    enum file_kind kind;
    int error;
    int calls;
};

static void on_loaded(struct file_waiter *waiter, struct file_entry *entry, int error)
{
    struct waiting *waiting = CONTAINER_OF(waiter, struct waiting, waiter);
    waiting->entry = entry;
    waiting->kind = entry ? entry->kind : FILE_MISSING;
    waiting->error = error;
    waiting->calls++;
}

static struct loop *make_loop(void)
{
    struct loop_options options = {.backend = LOOP_BACKEND_SIM};
    struct loop *loop = loop_create(&options, NULL);
    EXPECT(loop != NULL);
    return loop;
}

TEST(test_a_cold_path_is_loaded_and_then_hit)
{
    tree_make();
    tree_write("a", "1");
    struct loop *loop = make_loop();
    struct file_store *store = tree_store(NULL);
    struct file_cache *cache = file_cache_create(store, loop, (struct file_pools){0});
    EXPECT(file_cache_find(cache, SPAN("/a")) == NULL);
    struct waiting first = {.waiter.loaded = on_loaded}, second = {.waiter.loaded = on_loaded};
    EXPECT_INT(file_cache_load(cache, SPAN("/a"), &first.waiter), 0);
    EXPECT_INT(first.calls, 0); /* never inside the call */
    EXPECT_INT(file_cache_load(cache, SPAN("/a"), &second.waiter), 0);
    sim_run(loop);
    EXPECT_INT(first.calls, 1);
    EXPECT_INT(second.calls, 1);
    EXPECT_INT(counter_read(&file_store_get_counters(store)->loads), 1);
    struct file_entry *entry = file_cache_find(cache, SPAN("/a"));
    EXPECT(entry != NULL && entry == first.entry && entry == second.entry);
    tree_write("a", "22");
    file_store_watch_ready(store);
    EXPECT(file_cache_find(cache, SPAN("/a")) == NULL);
    file_cache_destroy(cache);
    sim_run(loop);
    file_store_destroy(store);
    loop_destroy(loop);
    tree_remove();
}

static struct file_entry *load_into(struct file_cache *cache, struct loop *loop, struct span path)
{
    struct waiting waiting = {.waiter.loaded = on_loaded};
    EXPECT_INT(file_cache_load(cache, path, &waiting.waiter), 0);
    sim_run(loop);
    return waiting.entry;
}

/* Paths of one length with the same end share a place before the table. */
TEST(test_entries_that_share_a_place_are_told_apart)
{
    static const struct span paths[] = {SPAN("/a/long-name"), SPAN("/b/long-name"),
                                        SPAN("/c/long-name")};
    tree_make();
    tree_write("a/long-name", "1");
    tree_write("b/long-name", "22");
    tree_write("c/long-name", "333");
    struct loop *loop = make_loop();
    struct file_store *store = tree_store(NULL);
    struct file_cache *cache = file_cache_create(store, loop, (struct file_pools){0});
    struct file_entry *entries[3];
    for (int i = 0; i < 3; i++) {
        entries[i] = load_into(cache, loop, paths[i]);
        EXPECT(entries[i] != NULL);
    }
    for (int i = 0; i < 9; i++) {
        EXPECT(file_cache_find(cache, paths[i % 3]) == entries[i % 3]);
        EXPECT(file_cache_find(cache, paths[i % 3]) == entries[i % 3]);
        EXPECT(file_cache_find(cache, SPAN("/d/long-name")) == NULL);
    }
    tree_write("b/long-name", "changed");
    file_store_watch_ready(store);
    EXPECT(file_cache_find(cache, paths[0]) == entries[0]);
    EXPECT(file_cache_find(cache, paths[1]) == NULL);
    EXPECT(file_cache_find(cache, paths[1]) == NULL);
    EXPECT(file_cache_find(cache, paths[2]) == entries[2]);
    file_cache_destroy(cache);
    sim_run(loop);
    file_store_destroy(store);
    loop_destroy(loop);
    tree_remove();
}

TEST(test_an_unwatched_entry_is_looked_at_again_after_a_second)
{
    tree_make();
    tree_write("real/a", "1");
    tree_link("real", "link");
    struct file_store *store = tree_store(NULL);
    struct file_entry *entry = tree_load(store, "/link/a");
    EXPECT(file_store_is_fresh(entry, atomic_load(&entry->checked_ms) + 999));
    EXPECT(!file_store_is_fresh(entry, atomic_load(&entry->checked_ms) + 1000));
    file_entry_unref(entry);
    file_store_destroy(store);
    tree_remove();
}

/* As a send of what was found; several at once, and one whose file has gone meanwhile. */
TEST(test_a_send_of_what_was_found_writes_nothing_that_loops_share)
{
    tree_make();
    tree_write("a", "1");
    struct loop *loop = make_loop();
    struct file_store *store = tree_store(NULL);
    struct file_cache *cache = file_cache_create(store, loop, (struct file_pools){0});
    struct waiting first = {.waiter.loaded = on_loaded};
    EXPECT_INT(file_cache_load(cache, SPAN("/a"), &first.waiter), 0);
    sim_run(loop);
    struct file_entry *entry = file_cache_find(cache, SPAN("/a"));
    unsigned refs = atomic_load(&entry->refs);
    struct file_use one = file_cache_use(cache, entry), two = file_cache_use(cache, entry);
    EXPECT_INT(atomic_load(&entry->refs), refs);
    one.release(one.arg);
    EXPECT_INT(atomic_load(&entry->refs), refs);

    tree_write("a", "22");
    file_store_watch_ready(store);
    EXPECT(file_cache_find(cache, SPAN("/a")) == NULL); /* out of the cache, not out of the send */
    EXPECT_INT(atomic_load(&entry->refs), 1);
    struct file_use other = file_cache_use(cache, entry); /* no longer found: a reference */
    EXPECT_INT(atomic_load(&entry->refs), 2);
    other.release(other.arg);
    file_cache_destroy(cache);
    sim_run(loop);
    file_store_destroy(store);
    EXPECT_SPAN(entry->path, "/a");
    two.release(two.arg); /* the last of all; the harness looks for leaks */
    loop_destroy(loop);
    tree_remove();
}

TEST(test_a_cache_given_up_tells_its_waiters_and_frees_when_the_load_is_back)
{
    tree_make();
    tree_write("a", "1");
    struct loop *loop = make_loop();
    struct file_store *store = tree_store(NULL);
    struct file_cache *cache = file_cache_create(store, loop, (struct file_pools){0});
    struct waiting waiting = {.waiter.loaded = on_loaded};
    EXPECT_INT(file_cache_load(cache, SPAN("/a"), &waiting.waiter), 0);
    file_cache_destroy(cache);
    EXPECT_INT(waiting.calls, 1);
    EXPECT_INT(waiting.error, GALLEY_ECANCELED);
    sim_run(loop);
    EXPECT_INT(waiting.calls, 1);
    file_store_destroy(store);
    loop_destroy(loop);
    tree_remove();
}

TEST(test_a_closed_pool_refuses_the_load_and_keeps_nothing)
{
    tree_make();
    tree_write("a", "1");
    struct loop *loop = make_loop();
    struct file_store *store = tree_store(NULL);
    galley_pool *pool = galley_pool_new(1, NULL);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    struct file_cache *cache = file_cache_create(store, loop, (struct file_pools){.file = pool});
    struct waiting waiting = {.waiter.loaded = on_loaded};
    EXPECT_INT(file_cache_load(cache, SPAN("/a"), &waiting.waiter), GALLEY_ECLOSED);
    file_cache_destroy(cache);
    EXPECT_INT(waiting.calls, 0);
    galley_pool_free(pool);
    file_store_destroy(store);
    loop_destroy(loop);
    tree_remove();
}

TEST(test_the_cache_is_bounded)
{
    tree_make();
    struct loop *loop = make_loop();
    struct file_store *store = tree_store(NULL);
    struct file_cache *cache = file_cache_create(store, loop, (struct file_pools){0});
    for (int i = 0; i < 5000;
         i++) { /* paths that are not there: an attacker has as many as he likes */
        char path[32];
        snprintf(path, sizeof(path), "/none-%d", i);
        struct waiting waiting = {.waiter.loaded = on_loaded};
        EXPECT_INT(file_cache_load(cache, span_of(path), &waiting.waiter), 0);
        sim_run(loop);
        EXPECT_INT(waiting.kind, FILE_MISSING);
    }
    EXPECT(mem_live_blocks() < 30000);
    EXPECT(file_cache_find(cache, SPAN("/none-0")) == NULL);
    EXPECT(file_cache_find(cache, SPAN("/none-4999")) != NULL);
    file_cache_destroy(cache);
    file_store_destroy(store);
    loop_destroy(loop);
    tree_remove();
}

TEST(test_every_failing_allocation_of_a_load_reaches_the_waiter)
{
    tree_make();
    tree_write("a", "1");
    for (uint64_t n = 1;; n++) {
        struct loop *loop = make_loop();
        struct file_store *store = tree_store(NULL);
        struct file_cache *cache = file_cache_create(store, loop, (struct file_pools){0});
        struct waiting waiting = {.waiter.loaded = on_loaded};
        mem_fail_nth(n);
        int result = file_cache_load(cache, SPAN("/a"), &waiting.waiter);
        sim_run(loop);
        bool has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(waiting.calls, result == 0 ? 1 : 0);
        EXPECT(waiting.error == 0 || waiting.error == GALLEY_EFULL);
        file_cache_destroy(cache);
        file_store_destroy(store);
        loop_destroy(loop);
        if (!has_failed) {
            break;
        }
    }
    tree_remove();
}

/* ---- budgets ---- */

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void load_numbered(struct file_cache *cache, struct loop *loop, unsigned number)
{
    char path[16];
    snprintf(path, sizeof(path), "/f%u", number);
    struct waiting waiting = {.waiter.loaded = on_loaded};
    EXPECT_INT(file_cache_load(cache, span_of(path), &waiting.waiter), 0);
    sim_run(loop);
    EXPECT_INT(waiting.kind, FILE_REGULAR);
}

static void write_numbered(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char path[16];
        snprintf(path, sizeof(path), "f%u", i);
        tree_write(path, "more than one byte");
    }
}

TEST(test_what_the_store_puts_out_the_cache_lets_go_of)
{
    tree_make();
    write_numbered(200);
    struct file_store_options options = {.max_open_files = 4, .max_memory_file = 1};
    struct loop *loop = make_loop();
    struct file_store *store = tree_store(&options);
    struct file_cache *cache = file_cache_create(store, loop, (struct file_pools){0});
    unsigned before = open_descriptors();
    for (unsigned i = 0; i < 200; i++) {
        load_numbered(cache, loop, i);
        EXPECT(open_descriptors() <= before + 5);
    }
    EXPECT(open_descriptors() >= before + 4);
    file_cache_destroy(cache);
    file_store_destroy(store);
    sim_run(loop);
    EXPECT_INT(open_descriptors(), before - 2); /* the store's root and its watch */
    loop_destroy(loop);
    tree_remove();
}

TEST(test_a_deleted_file_is_let_go_of_though_nobody_asks_for_it)
{
    tree_make();
    write_numbered(100);
    struct file_store_options options = {.max_memory_file = 1, .max_open_files = 100};
    struct loop *loop = make_loop();
    struct file_store *store = tree_store(&options);
    struct file_cache *cache = file_cache_create(store, loop, (struct file_pools){0});
    unsigned before = open_descriptors();
    for (unsigned i = 0; i < 100; i++) {
        load_numbered(cache, loop, i);
    }
    EXPECT_INT(open_descriptors(), before + 100);
    tree_unlink("f5");
    tree_unlink("f6");
    file_store_watch_ready(store);
    sim_run(loop);
    EXPECT_INT(open_descriptors(), before + 98);
    file_cache_destroy(cache);
    sim_run(loop);
    file_store_destroy(store);
    loop_destroy(loop);
    tree_remove();
}

TEST(test_without_descriptors_those_kept_for_files_are_given_back)
{
    tree_make();
    write_numbered(40);
    struct file_store_options options = {.max_memory_file = 1, .max_open_files = 100};
    struct loop *loop = make_loop();
    struct file_store *store = tree_store(&options);
    struct file_cache *cache = file_cache_create(store, loop, (struct file_pools){0});
    for (unsigned i = 0; i < 20; i++) {
        load_numbered(cache, loop, i);
    }
    int next = fcntl(0, F_DUPFD, 0);
    close(next);
    struct rlimit limit = {(rlim_t)next, 256}; /* not one more */
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct waiting waiting = {.waiter.loaded = on_loaded};
    EXPECT_INT(file_cache_load(cache, SPAN("/f30"), &waiting.waiter), 0);
    sim_run(loop);
    EXPECT_INT(waiting.error, GALLEY_EFULL);
    for (unsigned i = 30; i < 40; i++) {
        load_numbered(cache, loop, i);
    }
    file_cache_destroy(cache);
    sim_run(loop);
    file_store_destroy(store);
    loop_destroy(loop);
    tree_remove();
}
