/* tests/unit/base/test_table.c — the hash table.
 * The keyed hash against known values, the table against a plain array in random steps, removal
 * during a walk, the sweep of failing allocations. */
#include "test.h"

#include "base/alloc.h"
#include "base/table.h"

#include <galley/base.h>

TEST(test_hash_is_siphash_1_3)
{
    static const uint64_t counted[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    static const uint64_t zero[2] = {0, 0};
    char bytes[31];
    for (int i = 0; i < 31; i++) {
        bytes[i] = (char)i;
    }
    /* two published vectors of SipHash-1-3, then what CPython 3.11 computes with a zero key */
    EXPECT(table_hash(counted, SPAN("")) == UINT64_C(0xabac0158050fc4dc));
    EXPECT(table_hash(counted, span_make(bytes, 1)) == UINT64_C(0xc9f49bf37d57ca93));
    EXPECT(table_hash(zero, SPAN("a")) == UINT64_C(0x407448d2b89b1813));
    EXPECT(table_hash(zero, SPAN("abcdefg")) == UINT64_C(0x6db12aae9070f506));
    EXPECT(table_hash(zero, SPAN("abcdefgh")) == UINT64_C(0x3f7b849c0b8e35ea));
    EXPECT(table_hash(zero, SPAN("content-length")) == UINT64_C(0x236a70d12a318422));
    EXPECT(table_hash(zero, span_make(bytes, 31)) == UINT64_C(0x169739443111d49b));
}

TEST(test_each_table_has_a_key_of_its_own)
{
    struct table a, b;
    table_init(&a);
    table_init(&b);
    EXPECT(memcmp(a.seed, b.seed, sizeof a.seed) != 0);
    table_finish(&a);
    table_finish(&b);
}

TEST(test_empty_table_answers_everything)
{
    struct table table;
    size_t it = 0;
    table_init(&table);
    EXPECT(table_get(&table, SPAN("x")) == NULL);
    EXPECT(table_remove(&table, SPAN("x")) == NULL);
    EXPECT(table_next(&table, &it) == NULL);
    table_finish(&table);
    table_finish(&table);
}

TEST(test_keys_are_bytes_of_any_kind)
{
    struct table table;
    int values[4];
    table_init(&table);
    EXPECT_INT(table_put(&table, SPAN(""), &values[0]), 0);
    EXPECT_INT(table_put(&table, SPAN("\0"), &values[1]), 0);
    EXPECT_INT(table_put(&table, SPAN("\0\0"), &values[2]), 0);
    EXPECT_INT(table_put(&table, SPAN("a"), &values[3]), 0);
    EXPECT(table_get(&table, SPAN_NONE) == &values[0]);
    EXPECT(table_get(&table, SPAN("\0")) == &values[1]);
    EXPECT(table_get(&table, SPAN("\0\0")) == &values[2]);
    EXPECT(table_get(&table, SPAN("A")) == NULL);
    table_finish(&table);
}

TEST(test_replacing_also_borrows_the_new_key)
{
    struct table table;
    int values[2];
    char old_key[] = "key";
    table_init(&table);
    EXPECT_INT(table_put(&table, span_of(old_key), &values[0]), 0);
    EXPECT_INT(table_put(&table, SPAN("key"), &values[1]), 0);
    memset(old_key, 'x', 3); /* the old owner is gone */
    EXPECT_INT(table.count, 1);
    EXPECT(table_get(&table, SPAN("key")) == &values[1]);
    table_finish(&table);
}

TEST(test_adding_and_removing_for_ever_does_not_grow_the_table)
{
    struct table table;
    static char keys[1000][12];
    table_init(&table);
    for (int i = 0; i < 1000; i++) {
        snprintf(keys[i], sizeof keys[i], "%d", i);
        EXPECT_INT(table_put(&table, span_of(keys[i]), keys[i]), 0);
        EXPECT(i < 5 || table_remove(&table, span_of(keys[i - 5])) == keys[i - 5]);
    }
    EXPECT_INT(table.count, 5);
    EXPECT(table.capacity <= 32);
    table_finish(&table);
}

TEST(test_one_key_put_and_removed_for_ever_allocates_nothing)
{
    struct table table;
    int value;
    table_init(&table);
    EXPECT_INT(table_put(&table, SPAN("key"), &value), 0);
    mem_fail_nth(1);
    for (int i = 0; i < 100; i++) {
        EXPECT(table_remove(&table, SPAN("key")) == &value);
        EXPECT_INT(table_put(&table, SPAN("key"), &value), 0);
    }
    table_finish(&table);
}

TEST(test_everything_can_be_removed_during_a_walk)
{
    struct table table;
    static char keys[200][12];
    table_init(&table);
    for (int i = 0; i < 200; i++) {
        snprintf(keys[i], sizeof keys[i], "%d", i);
        EXPECT_INT(table_put(&table, span_of(keys[i]), keys[i]), 0);
    }
    size_t it = 0;
    int seen = 0;
    for (char *key = table_next(&table, &it); key; key = table_next(&table, &it)) {
        EXPECT(table_remove(&table, span_of(key)) == key);
        seen++;
    }
    EXPECT_INT(seen, 200);
    EXPECT_INT(table.count, 0);
    table_finish(&table);
}

/* The model: value of key number i, or NULL. */
enum { MODEL_KEYS = 300 };

struct model {
    char keys[MODEL_KEYS][24];
    void *values[MODEL_KEYS];
    size_t count;
};

static void random_step(struct table *table, struct model *model)
{
    static int things[50];
    size_t i = (size_t)test_random_below(MODEL_KEYS);
    struct span key = span_of(model->keys[i]);
    void *thing = &things[test_random_below(50)];
    switch (test_random_below(3)) {
    case 0:
        EXPECT_INT(table_put(table, key, thing), 0);
        model->count += model->values[i] == NULL;
        model->values[i] = thing;
        break;
    case 1:
        EXPECT(table_remove(table, key) == model->values[i]);
        model->count -= model->values[i] != NULL;
        model->values[i] = NULL;
        break;
    default:
        EXPECT(table_get(table, key) == model->values[i]);
    }
    EXPECT_INT(table->count, model->count);
}

static void expect_same_content(const struct table *table, const struct model *model)
{
    size_t walked = 0;
    size_t it = 0;
    while (table_next(table, &it)) {
        walked++;
    }
    EXPECT_INT(walked, model->count);
    for (size_t i = 0; i < MODEL_KEYS; i++) {
        EXPECT(table_get(table, span_of(model->keys[i])) == model->values[i]);
    }
}

TEST(test_table_does_what_a_plain_array_does)
{
    static struct model model;
    for (int i = 0; i < MODEL_KEYS; i++) {
        snprintf(model.keys[i], sizeof model.keys[i], "%.*sk%d", i % 9, "xxxxxxxxx", i);
    }
    struct table table;
    table_init(&table);
    for (unsigned i = 0; i < test_rounds(100); i++) {
        for (int k = 0; k < 200; k++) {
            random_step(&table, &model);
        }
        expect_same_content(&table, &model);
    }
    table_finish(&table);
}

#ifdef GALLEY_FAULTS
TEST(test_each_failed_allocation_leaves_the_table_as_it_was)
{
    static char keys[100][12];
    for (uint64_t n = 1;; n++) {
        struct table table;
        size_t added = 0;
        table_init(&table);
        mem_fail_nth(n);
        for (int i = 0; i < 100; i++) {
            snprintf(keys[i], sizeof keys[i], "%d", i);
            int rc = table_put(&table, span_of(keys[i]), keys[i]);
            EXPECT(rc == 0 || rc == GALLEY_ENOMEM);
            EXPECT(table_get(&table, span_of(keys[i])) == (rc ? NULL : keys[i]));
            added += rc == 0;
        }
        bool happened = mem_fail_happened();
        EXPECT_INT(added, happened ? 99 : 100);
        EXPECT_INT(table.count, added);
        table_finish(&table);
        if (!happened) {
            EXPECT(n > 3);
            return;
        }
    }
}
#endif

TEST(test_a_table_takes_no_more_than_it_says)
{
    static char names[1000][12];
    struct table table;
    table_init(&table);
    for (int i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof names[i], "%d", i);
        EXPECT_INT(table_put(&table, span_of(names[i]), names[i]), 0);
        EXPECT(table.capacity * 32 <= table_most_bytes((uint64_t)i + 1));
    }
    table_finish(&table);
}
