/* tests/stress/pool/stress_queue.c — the ring under many producers and consumers: nothing lost,
 * nothing twice, order kept, acceptance decided by the close. Most telling under ThreadSanitizer.
 * GALLEY_TEST_EFFORT lengthens it. */
#include "pool/job_queue.h"
#include "support_pool.h"

#include <sched.h>

enum { PRODUCERS = 4, CONSUMERS = 4 };

struct arena {
    struct job_queue queue;
    unsigned jobs_each;
    _Atomic unsigned char *seen; /* one for each job */
    _Atomic uint64_t accepted, taken;
    _Atomic bool is_order_broken;
};

struct producer {
    struct arena *arena;
    unsigned number;
    size_t batch;
};

static void nothing(void *arg)
{
    (void)arg;
}

static void publish_all(struct job_queue *queue, uint64_t ticket, size_t count, uintptr_t first)
{
    for (size_t i = 0; i < count; i++) {
        galley_job job = {.run = nothing, .arg = (void *)(first + i)};
        job_queue_publish(queue, ticket + i, &job, (int64_t)(first + i));
    }
}

static void *produce(void *arg)
{
    struct producer *producer = arg;
    struct arena *arena = producer->arena;
    unsigned done = 0;
    while (done < arena->jobs_each) {
        uint64_t ticket = 0;
        size_t left = arena->jobs_each - done;
        ptrdiff_t count = job_queue_claim(&arena->queue,
                                          left < producer->batch ? left : producer->batch, &ticket);
        if (count == GALLEY_ECLOSED) {
            break;
        }
        if (count == GALLEY_EFULL) {
            sched_yield();
            continue;
        }
        publish_all(&arena->queue, ticket, (size_t)count,
                    (uintptr_t)producer->number * arena->jobs_each + done);
        done += (unsigned)count;
    }
    atomic_fetch_add(&arena->accepted, done);
    return NULL;
}

static void *consume(void *arg)
{
    struct arena *arena = arg;
    uint64_t last_ticket = 0, taken = 0;
    while (!job_queue_is_ended(&arena->queue)) {
        struct queued_job job;
        if (!job_queue_take(&arena->queue, &job)) {
            sched_yield();
            continue;
        }
        if (taken > 0 && job.ticket <= last_ticket) {
            arena->is_order_broken = true;
        }
        last_ticket = job.ticket;
        taken++;
        arena->seen[(uintptr_t)job.job.arg]++;
    }
    atomic_fetch_add(&arena->taken, taken);
    return NULL;
}

static void run_arena(uint64_t capacity, size_t batch, unsigned jobs_each, bool close_early)
{
    static struct arena arena; /* not on the stack: gcc 12 misaligns it there under ASan */
    arena = (struct arena){.jobs_each = jobs_each};
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS + CONSUMERS];
    EXPECT_INT(job_queue_init(&arena.queue, capacity), 0);
    arena.seen = calloc((size_t)PRODUCERS * jobs_each, 1);
    for (unsigned i = 0; i < CONSUMERS; i++) {
        pthread_create(&threads[PRODUCERS + i], NULL, consume, &arena);
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){&arena, i, batch};
        pthread_create(&threads[i], NULL, produce, &producers[i]);
    }
    if (close_early) {
        AWAIT(job_queue_accepted(&arena.queue) > jobs_each / 2);
        EXPECT(job_queue_close(&arena.queue));
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        pthread_join(threads[i], NULL);
    }
    job_queue_close(&arena.queue);
    for (unsigned i = 0; i < CONSUMERS; i++) {
        pthread_join(threads[PRODUCERS + i], NULL);
    }
    EXPECT(!arena.is_order_broken);
    EXPECT_INT(arena.taken, arena.accepted);
    EXPECT_INT(arena.taken, job_queue_accepted(&arena.queue));
    uint64_t once = 0;
    for (size_t i = 0; i < (size_t)PRODUCERS * jobs_each; i++) {
        EXPECT(arena.seen[i] <= 1);
        once += arena.seen[i];
    }
    EXPECT_INT(once, arena.taken);
    free(arena.seen);
    job_queue_finish(&arena.queue);
}

TEST(test_no_job_is_lost_or_doubled_at_any_capacity)
{
    for (uint64_t capacity = 1; capacity <= 256; capacity *= 4) {
        run_arena(capacity, 1, test_rounds(4000), false);
    }
}

TEST(test_batches_are_as_safe_as_single_jobs)
{
    run_arena(16, 5, test_rounds(10000), false);
    run_arena(256, 100, test_rounds(10000), false);
}

TEST(test_a_close_in_the_middle_keeps_what_was_accepted)
{
    for (unsigned round = 0; round < test_rounds(20); round++) {
        run_arena(32, 1 + round % 7, 3000, true);
    }
}
