/* tests/unit/files/test_cache.c — a loop's cache: hits, joined loads, staleness, giving up in the middle. */
#include "support_tree.h"
#include "test.h"

#include "base/alloc.h"
#include "files/file_cache.h"
#include "loop/sim.h"

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
    struct file_cache *cache = file_cache_create(store, loop, NULL);
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

TEST(test_a_cache_given_up_tells_its_waiters_and_frees_when_the_load_is_back)
{
    tree_make();
    tree_write("a", "1");
    struct loop *loop = make_loop();
    struct file_store *store = tree_store(NULL);
    struct file_cache *cache = file_cache_create(store, loop, NULL);
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
    struct file_cache *cache = file_cache_create(store, loop, pool);
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
    struct file_cache *cache = file_cache_create(store, loop, NULL);
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
        struct file_cache *cache = file_cache_create(store, loop, NULL);
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
