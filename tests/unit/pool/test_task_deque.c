/* tests/unit/pool/test_task_deque.c — the deque of tasks, one thread at a time; the model and the
 * stress programs have the others. */
#include "pool/task_deque.h"

#include "pool/seat.h"
#include "test.h"

static struct task tasks[TASK_DEQUE_ROOM + 1];
static struct task_deque deque;

static struct task *steal(void)
{
    int64_t index = 0;
    struct task *task = task_deque_look(&deque, &index);
    return task && task_deque_take(&deque, index) ? task : NULL;
}

TEST(test_the_owner_takes_the_newest_and_thieves_take_the_oldest)
{
    for (int i = 0; i < 5; i++) {
        EXPECT(task_deque_push(&deque, &tasks[i]));
    }
    EXPECT(steal() == &tasks[0]);
    EXPECT(task_deque_pop(&deque) == &tasks[4]);
    EXPECT(steal() == &tasks[1]);
    EXPECT(task_deque_pop(&deque) == &tasks[3]);
    EXPECT(task_deque_has_task(&deque));
    EXPECT(task_deque_pop(&deque) == &tasks[2]);
    EXPECT(!task_deque_has_task(&deque));
    EXPECT(task_deque_pop(&deque) == NULL);
    EXPECT(task_deque_pop(&deque) == NULL);
    EXPECT(steal() == NULL);
}

TEST(test_a_full_deque_takes_no_more_until_one_is_gone)
{
    for (unsigned lap = 0; lap < 3; lap++) { /* the ring goes round */
        for (int i = 0; i < TASK_DEQUE_ROOM; i++) {
            EXPECT(task_deque_push(&deque, &tasks[i]));
        }
        EXPECT(!task_deque_push(&deque, &tasks[TASK_DEQUE_ROOM]));
        EXPECT(steal() == &tasks[0]);
        EXPECT(task_deque_push(&deque, &tasks[TASK_DEQUE_ROOM]));
        EXPECT(!task_deque_push(&deque, &tasks[0]));
        EXPECT(task_deque_pop(&deque) == &tasks[TASK_DEQUE_ROOM]);
        for (int i = TASK_DEQUE_ROOM - 1; i > 0; i--) {
            EXPECT(task_deque_pop(&deque) == &tasks[i]);
        }
        EXPECT(task_deque_pop(&deque) == NULL);
        EXPECT(task_deque_push(&deque, &tasks[1])); /* moves the laps apart from the ring */
        EXPECT(steal() == &tasks[1]);
    }
}

TEST(test_a_task_that_was_looked_at_and_is_gone_cannot_be_taken)
{
    int64_t index = -1;
    EXPECT(task_deque_push(&deque, &tasks[0]));
    EXPECT(task_deque_look(&deque, &index) == &tasks[0]);
    EXPECT(task_deque_pop(&deque) == &tasks[0]);
    EXPECT(!task_deque_take(&deque, index));
    EXPECT(task_deque_push(&deque, &tasks[1])); /* behind the old place: nothing comes twice */
    EXPECT(!task_deque_take(&deque, index));
    EXPECT(steal() == &tasks[1]);
}
