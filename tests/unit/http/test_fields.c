/* tests/unit/http/test_fields.c — field names by number, lines in order, lookup, joining. */
#include "base/alloc.h"
#include "http/field_value.h"
#include "http/fields.h"
#include "test.h"

#include <galley/base.h>

TEST(every_known_name_is_found_in_any_case)
{
    for (int i = FIELD_OTHER + 1; i < FIELD_ID_COUNT; i++) {
        struct span name = field_id_name((enum field_id)i);
        char other[64];
        EXPECT(name.len > 0 && name.len < sizeof(other));
        for (size_t at = 0; at < name.len; at++) {
            bool is_letter = (name.ptr[at] | 0x20) >= 'a' && (name.ptr[at] | 0x20) <= 'z';
            bool flip = is_letter && test_random_below(2);
            other[at] = (char)(flip ? name.ptr[at] ^ 0x20 : name.ptr[at]);
        }
        EXPECT_INT(field_id_of(name), i);
        EXPECT_INT(field_id_of(span_make(other, name.len)), i); /* RFC 9110 §5.1 */
    }
}

TEST(the_letters_of_the_table_are_those_of_the_names)
{
#define FIELD(id, name, a, b, c)                                                                   \
    EXPECT_INT(name[0] | 0x20, (a) | 0x20);                                                        \
    EXPECT_INT(name[(sizeof(name) - 1) / 2] | 0x20, (b) | 0x20);                                   \
    EXPECT_INT(name[(sizeof(name) - 1) * 3 / 4] | 0x20, (c) | 0x20);
#include "http/field_name_list.h"
#undef FIELD
}

TEST(names_close_to_known_ones_are_not_known)
{
    for (int i = FIELD_OTHER + 1; i < FIELD_ID_COUNT; i++) {
        struct span name = field_id_name((enum field_id)i);
        char other[64];
        memcpy(other, name.ptr, name.len);
        for (size_t at = 0; at < name.len; at++) {
            other[at] = '_';
            EXPECT_INT(field_id_of(span_make(other, name.len)), FIELD_OTHER);
            other[at] = name.ptr[at];
        }
    }
    EXPECT_INT(field_id_of(SPAN("")), FIELD_OTHER);
    EXPECT_INT(field_id_of(SPAN_NONE), FIELD_OTHER);
    EXPECT_INT(field_id_of(SPAN("Content_Length")), FIELD_OTHER);
    EXPECT_INT(field_id_of(SPAN("x")), FIELD_OTHER);
    EXPECT_SPAN(field_id_name(FIELD_OTHER), "");
}

TEST(random_names_never_confuse_the_lookup)
{
    for (unsigned round = 0; round < test_rounds(100000); round++) {
        char name[40];
        size_t len = test_random_below(sizeof(name) + 1);
        for (size_t i = 0; i < len; i++) {
            name[i] = (char)test_random();
        }
        enum field_id id = field_id_of(span_make(name, len));
        EXPECT(id == FIELD_OTHER || span_equal_nocase(field_id_name(id), span_make(name, len)));
    }
}

static struct field storage[8];

static struct fields four_lines(void)
{
    struct fields fields;
    fields_init(&fields, storage, 8);
    EXPECT_INT(fields_add(&fields, SPAN("Host"), SPAN("a")), 0);
    EXPECT_INT(fields_add(&fields, SPAN("accept"), SPAN("x")), 0);
    EXPECT_INT(fields_add(&fields, SPAN("X-Mine"), SPAN("1")), 0);
    EXPECT_INT(fields_add(&fields, SPAN("ACCEPT"), SPAN("y, z")), 0);
    return fields;
}

TEST(the_first_line_of_a_name_is_found_by_number_and_by_name)
{
    struct fields fields = four_lines();
    EXPECT_SPAN(fields_get(&fields, FIELD_ACCEPT), "x");
    EXPECT_SPAN(fields_find(&fields, SPAN("aCCept")), "x");
    EXPECT_SPAN(fields_find(&fields, SPAN("x-mine")), "1");
    EXPECT(!fields_get(&fields, FIELD_RANGE).ptr);
    EXPECT(!fields_find(&fields, SPAN("X-Other")).ptr);
    EXPECT(!fields_find(&fields, SPAN("")).ptr);
    EXPECT_INT(fields_count_of(&fields, FIELD_ACCEPT), 2);
    EXPECT_INT(fields_count_of(&fields, FIELD_RANGE), 0);
}

TEST(lines_keep_their_order)
{
    struct fields fields = four_lines();
    uint32_t it = 0;
    static const char *const names[] = {"Host", "accept", "X-Mine", "ACCEPT"};
    for (size_t i = 0; i < 4; i++) {
        const struct field *line = fields_next_any(&fields, &it);
        EXPECT(line != NULL);
        EXPECT_SPAN(line->name, names[i]);
    }
    EXPECT(!fields_next_any(&fields, &it));
    EXPECT(!fields_next_any(&fields, &it));
}

TEST(a_full_array_refuses_the_next_line_and_stays_as_it_was)
{
    struct field one[1];
    struct fields fields;
    fields_init(&fields, one, 1);
    EXPECT_INT(fields_add(&fields, SPAN("Host"), SPAN("a")), 0);
    EXPECT_INT(fields_add(&fields, SPAN("Range"), SPAN("b")), GALLEY_EFULL);
    EXPECT_INT(fields.count, 1);
    EXPECT(!fields_has(&fields, FIELD_RANGE));
    fields_clear(&fields);
    EXPECT(!fields_has(&fields, FIELD_HOST));
    fields_init(&fields, NULL, 0);
    EXPECT_INT(fields_add(&fields, SPAN("Host"), SPAN("a")), GALLEY_EFULL);
}

TEST(an_empty_value_is_not_a_missing_one)
{
    struct fields fields;
    fields_init(&fields, storage, 8);
    EXPECT_INT(fields_add(&fields, SPAN("Host"), SPAN_NONE), 0);
    EXPECT(fields_get(&fields, FIELD_HOST).ptr);
    EXPECT_SPAN(fields_get(&fields, FIELD_HOST), "");
}

/* RFC 9110 §5.3: joined in order, with comma and space */
TEST(lines_of_one_name_are_joined_in_order)
{
    struct fields fields = four_lines();
    struct arena arena;
    struct span value = SPAN_NONE;
    arena_init(&arena, 0);
    EXPECT_INT(fields_join(&fields, SPAN("Accept"), &arena, &value), 0);
    EXPECT_SPAN(value, "x, y, z");
    EXPECT_INT(value.ptr[value.len], 0);
    EXPECT_INT(fields_join(&fields, SPAN("x-mine"), &arena, &value), 0);
    EXPECT_SPAN(value, "1");
    EXPECT_INT(fields_join(&fields, SPAN("X-None"), &arena, &value), GALLEY_ENOTFOUND);
    EXPECT_SPAN(value, "1"); /* written on success only */
    EXPECT_INT(fields_add(&fields, SPAN("X-MINE"), SPAN("")), 0);
    EXPECT_INT(fields_join(&fields, SPAN("x-mine"), &arena, &value), 0);
    EXPECT_SPAN(value, "1, ");
    arena_finish(&arena);
}

/* RFC 9113 §8.2.3: Cookie is no list; its lines are joined with a semicolon */
TEST(cookie_lines_are_joined_with_a_semicolon)
{
    struct fields fields;
    struct arena arena;
    struct span value = SPAN_NONE;
    fields_init(&fields, storage, 8);
    arena_init(&arena, 0);
    EXPECT_INT(fields_add(&fields, SPAN("Cookie"), SPAN("a=1")), 0);
    EXPECT_INT(fields_add(&fields, SPAN("cookie"), SPAN("b=2")), 0);
    EXPECT_INT(fields_join(&fields, SPAN("Cookie"), &arena, &value), 0);
    EXPECT_SPAN(value, "a=1; b=2");
    arena_finish(&arena);
}

TEST(a_join_without_memory_says_so_and_leaks_nothing)
{
    struct fields fields = four_lines();
    for (uint64_t n = 1;; n++) {
        struct arena arena;
        struct span value = SPAN("before");
        arena_init(&arena, 0);
        mem_fail_nth(n);
        int code = fields_join(&fields, SPAN("Accept"), &arena, &value);
        bool has_failed = mem_fail_happened() != 0;
        mem_fail_nth(0);
        EXPECT_INT(code, has_failed ? GALLEY_ENOMEM : 0);
        EXPECT_SPAN(value, has_failed ? "before" : "x, y, z");
        arena_finish(&arena);
        if (!has_failed) {
            break;
        }
    }
}

/* RFC 9110 §5.5; lesson: nothing that ends a line early gets out */
TEST(values_with_line_ends_nul_or_control_bytes_are_not_valid)
{
    EXPECT(field_value_is_valid(SPAN("")));
    EXPECT(field_value_is_valid(SPAN("max-age=60, public")));
    EXPECT(field_value_is_valid(SPAN("a\tb")));
    EXPECT(field_value_is_valid(SPAN("gr\xc3\xbc\xc3\x9f")));
    EXPECT(!field_value_is_valid(SPAN(" a")));
    EXPECT(!field_value_is_valid(SPAN("a ")));
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool is_control = (c < 0x20 && c != '\t') || c == 0x7F;
        EXPECT_INT(field_value_is_valid(span_make(text, 3)), !is_control);
    }
}

/* RFC 9110 §5.1 */
TEST(names_are_tokens)
{
    EXPECT(field_name_is_valid(SPAN("X-A_b.c")));
    EXPECT(!field_name_is_valid(SPAN("")));
    EXPECT(!field_name_is_valid(SPAN("a b")));
    EXPECT(!field_name_is_valid(SPAN("a:")));
    EXPECT(!field_name_is_valid(SPAN("a\r\nb")));
    EXPECT(!field_name_is_valid(SPAN("\xc3\xbc")));
}
