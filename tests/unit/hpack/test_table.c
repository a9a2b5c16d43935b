/* tests/unit/hpack/test_table.c — the dynamic table against a plain model: an array of strings. */
#include "base/alloc.h"
#include "hpack/hpack.h"

#include "test.h"

enum { MOST_ENTRIES = HPACK_TABLE_BYTES / HPACK_ENTRY_OVERHEAD, MOST_STRING = 5000 };

struct model {
    struct {
        char *text; /* name and value */
        size_t name_len;
        size_t value_len;
        uint32_t hash;
    } entries[MOST_ENTRIES + 1]; /* the oldest first */
    unsigned count;
    size_t bytes;
    size_t max_bytes;
};

static void model_evict(struct model *model, size_t bytes)
{
    while (model->bytes > bytes) {
        model->bytes -= model->entries[0].name_len + model->entries[0].value_len + 32;
        free(model->entries[0].text);
        model->count--;
        memmove(model->entries, model->entries + 1, model->count * sizeof model->entries[0]);
    }
}

static void model_add(struct model *model, struct span name, struct span value, uint32_t hash)
{
    size_t bytes = name.len + value.len + 32;
    char *text = malloc(name.len + value.len + 1);
    EXPECT(text != NULL);
    memcpy(text, name.ptr, name.len);
    memcpy(text + name.len, value.ptr, value.len);
    model_evict(model, bytes > model->max_bytes ? 0 : model->max_bytes - bytes);
    if (bytes > model->max_bytes) {
        free(text);
        return;
    }
    EXPECT(model->count < MOST_ENTRIES);
    model->entries[model->count].text = text;
    model->entries[model->count].name_len = name.len;
    model->entries[model->count].value_len = value.len;
    model->entries[model->count++].hash = hash;
    model->bytes += bytes;
}

static int find(const struct hpack_table *table, struct span name, struct span value, uint32_t hash)
{
    struct hpack_line line = {.name = name, .value = value, .hash = hash};
    return hpack_table_find(table, &line);
}

static void expect_same(const struct hpack_table *table, const struct model *model)
{
    EXPECT_INT(table->count, model->count);
    EXPECT_INT(table->bytes, model->bytes);
    EXPECT(table->bytes <= table->max_bytes);
    for (uint32_t age = 0; age < table->count; age++) {
        unsigned i = model->count - 1 - age;
        const struct hpack_entry *entry = hpack_table_at(table, age);
        struct span name = hpack_entry_name(table, entry);
        struct span value = hpack_entry_value(table, entry);
        test_equal_bytes(__FILE__, __LINE__, "name", name.ptr, name.len, model->entries[i].text,
                         model->entries[i].name_len);
        test_equal_bytes(__FILE__, __LINE__, "value", value.ptr, value.len,
                         model->entries[i].text + name.len, model->entries[i].value_len);
        int found = find(table, name, value, entry->hash);
        EXPECT(found >= 0 && (unsigned)found <= age); /* the same may be there twice */
        found = hpack_table_find_name(table, name);
        EXPECT(found >= 0 && (unsigned)found <= age);
    }
}

static size_t random_len(unsigned kind)
{
    static const unsigned below[] = {4, 40, 300, MOST_STRING};
    return test_random_below(below[kind % 16 == 0 ? 3 : kind % 5 == 0 ? 2 : kind % 2]);
}

/* Half of the names are those of entries, also of such that this addition evicts. */
static void add_random(struct hpack_table *table, struct model *model, char *text)
{
    struct span value = span_make(text, random_len((unsigned)test_random_below(48)));
    struct span name = span_make(text + MOST_STRING, random_len((unsigned)test_random_below(48)));
    for (size_t i = 0; i < value.len; i++) {
        text[i] = (char)test_random();
    }
    for (size_t i = 0; i < name.len; i++) {
        text[MOST_STRING + i] = (char)test_random();
    }
    if (table->count > 0 && test_random_below(2)) {
        uint32_t age =
            test_random_below(2) ? table->count - 1 : (uint32_t)test_random_below(table->count);
        name = hpack_entry_name(table, hpack_table_at(table, age));
    }
    struct hpack_marks marks = {.hash = (uint32_t)test_random_below(100)};
    model_add(model, name, value, marks.hash); /* first: the name moves with the table */
    EXPECT(hpack_table_add(table, name, value, &marks));
}

TEST(test_the_table_is_that_of_a_model)
{
    static char text[2 * MOST_STRING];
    for (unsigned round = 0; round < test_rounds(30); round++) {
        struct hpack_table table;
        struct model model = {.max_bytes = HPACK_TABLE_BYTES};
        hpack_table_init(&table, HPACK_TABLE_BYTES);
        for (unsigned i = 0; i < 150; i++) {
            if (test_random_below(40) == 0) {
                model.max_bytes = test_random_below(HPACK_TABLE_BYTES + 1);
                model_evict(&model, model.max_bytes);
                hpack_table_resize(&table, (uint32_t)model.max_bytes);
            }
            add_random(&table, &model, text);
            expect_same(&table, &model);
        }
        model_evict(&model, 0);
        hpack_table_finish(&table);
    }
}

TEST(test_a_table_holds_as_many_empty_entries_as_fit)
{
    struct hpack_table table;
    struct hpack_marks marks = {0};
    hpack_table_init(&table, HPACK_TABLE_BYTES);
    for (unsigned i = 0; i < 3 * MOST_ENTRIES; i++) {
        EXPECT(hpack_table_add(&table, SPAN(""), SPAN(""), &marks));
        EXPECT_INT(table.count, i < MOST_ENTRIES ? i + 1 : MOST_ENTRIES);
    }
    hpack_table_finish(&table);
}

TEST(test_what_is_not_there_is_not_found)
{
    struct hpack_table table;
    hpack_table_init(&table, 100);
    EXPECT_INT(find(&table, SPAN("a"), SPAN("b"), 7), -1);
    EXPECT_INT(hpack_table_find_name(&table, SPAN("a")), -1);
    EXPECT(hpack_table_add(&table, SPAN("a"), SPAN("b"), &(struct hpack_marks){.hash = 7}));
    EXPECT_INT(find(&table, SPAN("a"), SPAN("b"), 7), 0);
    EXPECT_INT(find(&table, SPAN("a"), SPAN("c"), 7), -1);
    EXPECT_INT(find(&table, SPAN("b"), SPAN("b"), 7), -1);
    EXPECT(hpack_table_add(&table, SPAN("c"), SPAN("d"), &(struct hpack_marks){.hash = 7}));
    EXPECT_INT(find(&table, SPAN("a"), SPAN("b"), 7), 1);
    EXPECT(hpack_table_add(&table, SPAN("e"), SPAN("f"), &(struct hpack_marks){.hash = 7}));
    EXPECT_INT(find(&table, SPAN("a"), SPAN("b"), 7), -1); /* evicted */
    hpack_table_finish(&table);
}

TEST(test_without_memory_nothing_changes)
{
    struct hpack_table table;
    struct hpack_marks marks = {.hash = 1};
    char big[1100];
    memset(big, 'x', sizeof big);
    hpack_table_init(&table, HPACK_TABLE_BYTES);
    mem_fail_nth(1);
    EXPECT(!hpack_table_add(&table, SPAN("a"), SPAN("b"), &marks));
    EXPECT_INT(table.count, 0);
    EXPECT(hpack_table_add(&table, SPAN("a"), SPAN("b"), &marks));
    mem_fail_nth(1);
    EXPECT(!hpack_table_add(&table, SPAN("a"), span_make(big, sizeof big), &marks));
    mem_fail_nth(0);
    EXPECT_INT(table.count, 1);
    EXPECT_INT(table.bytes, 34);
    EXPECT_INT(find(&table, SPAN("a"), SPAN("b"), 1), 0);
    EXPECT(hpack_table_add(&table, SPAN("a"), span_make(big, sizeof big), &marks));
    EXPECT_INT(find(&table, SPAN("a"), SPAN("b"), 1), 1);
    hpack_table_finish(&table);
}

/* An eviction that was made for an entry that then found no memory is taken back. */
TEST(test_without_memory_nothing_is_evicted)
{
    struct hpack_table table;
    struct hpack_marks marks = {.hash = 1};
    static char big[4000];
    memset(big, 'x', sizeof big);
    hpack_table_init(&table, HPACK_TABLE_BYTES);
    EXPECT(hpack_table_add(&table, SPAN("a"), span_make(big, 300), &marks));
    mem_fail_nth(1);
    EXPECT(!hpack_table_add(&table, SPAN("b"), span_make(big, sizeof big), &marks));
    mem_fail_nth(0);
    EXPECT_INT(table.count, 1);
    EXPECT_INT(find(&table, SPAN("a"), span_make(big, 300), 1), 0);
    hpack_table_finish(&table);
}

/* What hpack_most_bytes() promises is what the largest block costs. */
TEST(test_a_table_takes_no_more_than_is_said)
{
    struct hpack_table table;
    struct hpack_marks marks = {0};
    static char big[4000];
    hpack_table_init(&table, HPACK_TABLE_BYTES);
    for (unsigned i = 0; i < MOST_ENTRIES; i++) {
        EXPECT(hpack_table_add(&table, SPAN(""), SPAN(""), &marks));
    }
    EXPECT(hpack_table_add(&table, SPAN("b"), span_make(big, sizeof big), &marks));
    uint64_t slots = table.entries->mask + 1;
    uint64_t bytes =
        sizeof *table.entries + slots * sizeof(struct hpack_entry) + table.entries->text_bytes;
    EXPECT_INT(slots, MOST_ENTRIES);
    EXPECT_INT(mem_cost(bytes), hpack_most_bytes());
    EXPECT(hpack_most_bytes() < 9 * 1024);
    hpack_table_finish(&table);
}
