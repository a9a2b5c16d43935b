/* tests/unit/pool/test_job_queue.c — the ring by itself, on one thread. Races are in
 * tests/stress/pool. */
#include "pool/job_queue.h"
#include "support_pool.h"

static void nothing(void *arg)
{
    (void)arg;
}

static void push(struct job_queue *queue, uintptr_t value)
{
    uint64_t ticket = 0;
    galley_job job = {.run = nothing, .arg = (void *)value};
    EXPECT_INT(job_queue_claim(queue, 1, &ticket), 1);
    job_queue_publish(queue, ticket, &job, (int64_t)value);
}

static void expect_take(struct job_queue *queue, uintptr_t value)
{
    struct queued_job job;
    EXPECT(job_queue_take(queue, &job));
    EXPECT_INT((uintptr_t)job.job.arg, value);
    EXPECT_INT(job.stamp_ns, value);
}

TEST(test_a_slot_is_one_cache_line_and_a_job_is_48_bytes)
{
    EXPECT_INT(sizeof(struct job_slot), 64);
    EXPECT_INT(sizeof(galley_job), 48);
}

TEST(test_the_capacity_is_exact_for_every_power_of_two_down_to_one)
{
    for (uint64_t capacity = 1; capacity <= 64; capacity *= 2) {
        static struct job_queue queue; /* not on the stack: gcc 12 misaligns it there under ASan */
        uint64_t ticket = 0;
        EXPECT_INT(job_queue_init(&queue, capacity), 0);
        for (unsigned lap = 0; lap < 3; lap++) {
            for (uint64_t i = 0; i < capacity; i++) {
                EXPECT(job_queue_has_room(&queue));
                push(&queue, lap * capacity + i);
            }
            EXPECT(!job_queue_has_room(&queue));
            EXPECT_INT(job_queue_claim(&queue, 1, &ticket), GALLEY_EFULL);
            EXPECT_INT(job_queue_length(&queue), capacity);
            for (uint64_t i = 0; i < capacity; i++) {
                EXPECT(job_queue_has_job(&queue));
                expect_take(&queue, lap * capacity + i);
            }
            struct queued_job job;
            EXPECT(!job_queue_has_job(&queue));
            EXPECT(!job_queue_take(&queue, &job));
        }
        job_queue_finish(&queue);
    }
}

TEST(test_tickets_count_from_zero_and_jobs_come_out_in_their_order)
{
    static struct job_queue queue; /* not on the stack: gcc 12 misaligns it there under ASan */
    EXPECT_INT(job_queue_init(&queue, 4), 0);
    for (uint64_t i = 0; i < 40; i++) {
        struct queued_job job;
        push(&queue, i);
        EXPECT(job_queue_take(&queue, &job));
        EXPECT_INT(job.ticket, i);
        EXPECT_INT((uintptr_t)job.job.arg, i);
    }
    EXPECT_INT(job_queue_accepted(&queue), 40);
    job_queue_finish(&queue);
}

TEST(test_a_claim_of_many_gets_the_free_slots_in_a_row)
{
    static struct job_queue queue; /* not on the stack: gcc 12 misaligns it there under ASan */
    uint64_t ticket = 99;
    galley_job job = {.run = nothing};
    EXPECT_INT(job_queue_init(&queue, 8), 0);
    push(&queue, 0);
    push(&queue, 1);
    expect_take(&queue, 0);
    EXPECT_INT(job_queue_claim(&queue, 100, &ticket), 7); /* one is still in */
    EXPECT_INT(ticket, 2);
    EXPECT_INT(job_queue_claim(&queue, 1, &ticket), GALLEY_EFULL);
    for (uint64_t i = 2; i < 9; i++) {
        job_queue_publish(&queue, i, &job, 0);
    }
    EXPECT_INT(job_queue_length(&queue), 8);
    job_queue_finish(&queue);
}

TEST(test_a_job_behind_an_unpublished_one_waits_for_its_turn)
{
    static struct job_queue queue; /* not on the stack: gcc 12 misaligns it there under ASan */
    struct queued_job taken;
    uint64_t first = 0, second = 0;
    galley_job job = {.run = nothing};
    EXPECT_INT(job_queue_init(&queue, 4), 0);
    EXPECT_INT(job_queue_claim(&queue, 1, &first), 1);
    EXPECT_INT(job_queue_claim(&queue, 1, &second), 1);
    job_queue_publish(&queue, second, &job, 0);
    EXPECT(!job_queue_has_job(&queue));
    EXPECT(!job_queue_take(&queue, &taken));
    EXPECT_INT(job_queue_length(&queue), 2);
    job_queue_publish(&queue, first, &job, 0);
    EXPECT(job_queue_take(&queue, &taken));
    EXPECT_INT(taken.ticket, first);
    EXPECT(job_queue_take(&queue, &taken));
    EXPECT_INT(taken.ticket, second);
    job_queue_finish(&queue);
}

TEST(test_after_the_close_nothing_is_claimed_and_the_end_comes_when_all_is_taken)
{
    static struct job_queue queue; /* not on the stack: gcc 12 misaligns it there under ASan */
    uint64_t first = 0, ticket = 0;
    galley_job job = {.run = nothing};
    EXPECT_INT(job_queue_init(&queue, 4), 0);
    EXPECT_INT(job_queue_claim(&queue, 1, &first), 1);
    EXPECT(!job_queue_is_ended(&queue));
    EXPECT(job_queue_close(&queue));
    EXPECT(!job_queue_close(&queue)); /* only one closes */
    EXPECT_INT(job_queue_claim(&queue, 1, &ticket), GALLEY_ECLOSED);
    EXPECT(!job_queue_has_room(&queue));
    EXPECT(!job_queue_is_ended(&queue)); /* the ticket of before is good */
    job_queue_publish(&queue, first, &job, 0);
    struct queued_job taken;
    EXPECT(job_queue_take(&queue, &taken));
    EXPECT(job_queue_is_ended(&queue));
    EXPECT_INT(job_queue_accepted(&queue), 1);
    job_queue_finish(&queue);
}

TEST(test_closed_is_told_before_full)
{
    static struct job_queue queue; /* not on the stack: gcc 12 misaligns it there under ASan */
    uint64_t ticket = 0;
    EXPECT_INT(job_queue_init(&queue, 1), 0);
    push(&queue, 1);
    job_queue_close(&queue);
    EXPECT_INT(job_queue_claim(&queue, 1, &ticket), GALLEY_ECLOSED);
    job_queue_finish(&queue);
}

TEST(test_a_capacity_beyond_memory_is_an_error)
{
    static struct job_queue queue; /* not on the stack: gcc 12 misaligns it there under ASan */
    EXPECT_INT(job_queue_init(&queue, UINT64_C(1) << 62), GALLEY_ENOMEM);
    job_queue_finish(&queue);
}
