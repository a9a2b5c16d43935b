/* Handles: found while they are held, never again afterwards, whatever was done to them. */
#include "test.h"

#include "exchange/handles.h"

#include "base/alloc.h"
#include "base/list.h"

#include <pthread.h>

struct thing {
    struct handle handle;
    unsigned *freed;
};

static void free_thing(struct handle *handle)
{
    struct thing *thing = CONTAINER_OF(handle, struct thing, handle);
    ++*thing->freed;
    mem_free(thing);
}

static const struct handle_kind kind = {.free = free_thing};
static const struct handle_kind other_kind = {.free = free_thing};

static struct thing *make(unsigned *freed)
{
    struct thing *thing = mem_alloc(sizeof *thing);
    EXPECT(thing);
    handle_init(&thing->handle, &kind);
    thing->freed = freed;
    return thing;
}

static void *publish(unsigned *freed)
{
    struct thing *thing = make(freed);
    void *name = handle_publish(&thing->handle);
    handle_unpin(&thing->handle); /* the registry's remains */
    return name;
}

static void drop(void *name)
{
    struct handle *last = NULL;
    EXPECT(handle_drop(name, &kind, &last));
    EXPECT(last);
    handle_unpin(last);
}

TEST(test_a_handle_is_found_until_its_last_holder_drops_it)
{
    unsigned freed = 0;
    void *name = publish(&freed);
    EXPECT(name);
    struct handle *handle = handle_find(name, &kind);
    EXPECT(handle);
    EXPECT(handle_name(handle) == name);
    EXPECT(handle_hold(name, &kind));
    struct handle *last = NULL;
    EXPECT(handle_drop(name, &kind, &last));
    EXPECT(!last);
    EXPECT(handle_drop(name, &kind, &last));
    EXPECT(last == handle);
    EXPECT(!handle_find(name, &kind));
    EXPECT(!handle_hold(name, &kind));
    handle_unpin(last);
    EXPECT_INT(freed, 0); /* one user is left */
    handle_unpin(handle);
    EXPECT_INT(freed, 1);
    EXPECT(!handle_drop(name, &kind, &last));
    EXPECT(!last);
}

TEST(test_a_handle_of_another_kind_is_not_found)
{
    unsigned freed = 0;
    void *name = publish(&freed);
    struct handle *last = NULL;
    EXPECT(!handle_find(name, &other_kind));
    EXPECT(!handle_hold(name, &other_kind));
    EXPECT(!handle_drop(name, &other_kind, &last));
    EXPECT(!handle_find(NULL, &kind));
    EXPECT(!handle_find(&freed, &kind)); /* a real pointer */
    drop(name);
    EXPECT_INT(freed, 1);
}

TEST(test_numbers_are_not_given_out_again)
{
    unsigned freed = 0;
    void *before = NULL;
    for (int i = 0; i < 100; i++) {
        void *name = publish(&freed);
        EXPECT((uintptr_t)name > (uintptr_t)before);
        drop(name);
        before = name;
    }
    EXPECT_INT(freed, 100);
}

TEST(test_ten_thousand_handles_are_found_and_leave_no_memory)
{
    enum { COUNT = 10000 };
    unsigned freed = 0;
    int64_t blocks = mem_live_blocks();
    void **names = mem_alloc(COUNT * sizeof *names);
    for (int i = 0; i < COUNT; i++) {
        names[i] = publish(&freed);
    }
    for (int i = 0; i < COUNT; i++) {
        struct handle *handle = handle_find(names[i], &kind);
        EXPECT(handle && handle_name(handle) == names[i]);
        handle_unpin(handle);
    }
    for (int i = 0; i < COUNT; i++) {
        drop(names[(i * 7919) % COUNT]);
    }
    EXPECT_INT(freed, COUNT);
    mem_free(names);
    EXPECT_INT(mem_live_blocks(), blocks);
}

TEST(test_without_memory_for_more_buckets_handles_are_found_all_the_same)
{
    enum { COUNT = 2000 };
    unsigned freed = 0;
    void **names = mem_alloc(COUNT * sizeof *names);
    for (int i = 0; i < COUNT; i++) {
        struct thing *thing = make(&freed);
        mem_fail_nth(1);
        names[i] = handle_publish(&thing->handle);
        mem_fail_nth(0);
        handle_unpin(&thing->handle);
    }
    for (int i = 0; i < COUNT; i++) {
        drop(names[i]);
    }
    EXPECT_INT(freed, COUNT);
    mem_free(names);
}

/* ---- many threads ---- */

struct crowd {
    void *name;
    _Atomic unsigned found, dropped, last;
};

static void *use_and_drop(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < 2000; i++) {
        struct handle *handle = handle_find(crowd->name, &kind);
        if (handle) {
            EXPECT(((struct thing *)(void *)handle)->freed);
            crowd->found++;
            handle_unpin(handle);
        }
        if (i == 1000) { /* one of these is one too many: whoever comes last is told so */
            struct handle *last = NULL;
            crowd->dropped += handle_drop(crowd->name, &kind, &last);
            if (last) {
                crowd->last++;
                handle_unpin(last);
            }
        }
    }
    return NULL;
}

TEST(test_threads_that_use_and_drop_one_handle)
{
    enum { THREADS = 4 };
    unsigned freed = 0;
    struct crowd crowd = {.name = publish(&freed)};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS - 2; i++) {
        EXPECT(handle_hold(crowd.name, &kind));
    }
    for (int i = 0; i < THREADS; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, use_and_drop, &crowd), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    EXPECT_INT(crowd.dropped, THREADS - 1);
    EXPECT_INT(crowd.last, 1);
    EXPECT_INT(freed, 1);
}
