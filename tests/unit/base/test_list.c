/* tests/unit/base/test_list.c — what exists as headers only.
 * The intrusive list (order, removal twice), and the counter that one thread writes and others
 * read, which ThreadSanitizer watches. */
#include "test.h"

#include "base/counter.h"
#include "base/list.h"

#include <pthread.h>

struct item {
    int number;
    struct list link;
};

static struct item *pop(struct list *list)
{
    struct list *node = list_pop_front(list);
    return node ? CONTAINER_OF(node, struct item, link) : NULL;
}

TEST(test_items_come_out_in_order)
{
    struct list list;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&list);
    EXPECT(list_is_empty(&list));
    EXPECT(pop(&list) == NULL);
    list_push_back(&list, &items[1].link);
    list_push_back(&list, &items[3].link);
    list_push_front(&list, &items[0].link);
    list_insert_before(&items[3].link, &items[2].link);
    for (int i = 0; i < 4; i++) {
        struct item *item = pop(&list);
        EXPECT(item != NULL);
        EXPECT_INT(item->number, i);
    }
    EXPECT(list_is_empty(&list));
}

TEST(test_a_second_removal_does_no_harm)
{
    struct list list;
    struct item items[3];
    list_init(&list);
    for (int i = 0; i < 3; i++) {
        items[i].number = i;
        list_push_back(&list, &items[i].link);
    }
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    EXPECT(pop(&list) == &items[0]);
    EXPECT(pop(&list) == &items[2]);
    EXPECT(pop(&list) == NULL);
}

enum { COUNTED = 20000 };

static void *count_up(void *arg)
{
    struct counter *counters = arg;
    for (int i = 0; i < COUNTED; i++) {
        counter_add(&counters[0], 1);
        counter_add_shared(&counters[1], 2);
    }
    return NULL;
}

TEST(test_a_reader_sees_a_counter_only_rise)
{
    struct counter counters[2] = {0};
    pthread_t thread;
    uint64_t last = 0;
    EXPECT_INT(pthread_create(&thread, NULL, count_up, counters), 0);
    for (int i = 0; i < COUNTED; i++) {
        uint64_t now = counter_read(&counters[0]);
        EXPECT(now >= last);
        last = now;
        counter_add_shared(&counters[1], 1);
    }
    EXPECT_INT(pthread_join(thread, NULL), 0);
    EXPECT_INT(counter_read(&counters[0]), COUNTED);
    EXPECT_INT(counter_read(&counters[1]), 3 * COUNTED);
}
