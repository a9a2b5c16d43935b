/* A field section while it comes: rows of HPACK's static table are known without a search. */
#include "h2/h2_head.h"

#include "test.h"

static const struct http_limits limits = HTTP_LIMITS_DEFAULT;

static struct hpack_field field_of(uint8_t name_index, const char *name, const char *value)
{
    return (struct hpack_field){.name = span_of(name),
                                .value = span_of(value),
                                .name_index = name_index,
                                .has_good_name = true,
                                .has_good_value = true};
}

/* RFC 7541 Appendix A */
TEST(test_rows_of_the_static_table_have_the_numbers_of_their_names)
{
    struct span name;
    for (uint8_t row = 0; row < UINT8_MAX; row++) {
        enum field_id id = h2_head_known(row, &name);
        EXPECT(!!name.ptr == (row >= 15 && row <= 61));
        EXPECT_INT(id, name.ptr ? field_id_of(name) : FIELD_OTHER);
    }
    static const struct {
        uint8_t row;
        const char *name;
    } some[] = {{15, "accept-charset"}, {19, "accept"},     {28, "content-length"},
                {32, "cookie"},         {38, "host"},       {46, "location"},
                {55, "set-cookie"},     {58, "user-agent"}, {61, "www-authenticate"}};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        (void)h2_head_known(some[i].row, &name);
        EXPECT_SPAN(name, some[i].name);
        struct hpack_line line = hpack_line_make(name, SPAN("?"), HPACK_LITERAL);
        EXPECT_INT(line.name_index, some[i].row);
    }
}

TEST(test_fields_are_kept_by_row_and_by_name)
{
    struct h2_driver driver = {.options = {.limits = &limits}};
    list_init(&driver.free_heads);
    struct h2_head *head = h2_head_take(&driver);
    EXPECT(head);
    const struct hpack_field fields[] = {
        field_of(2, ":method", "GET"),
        field_of(4, ":path", "/a"),
        field_of(6, ":scheme", "https"),
        field_of(1, ":authority", "h"),
        field_of(0, ":protocol", "tea"),
        field_of(58, "user-agent", "me"),
        field_of(0, "x-request-id", "7"),
        field_of(32, "cookie", "a=1"),
        field_of(0, "x", "y"),
        field_of(32, "cookie", "b=2"),
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        EXPECT(h2_head_add(head, &limits, &fields[i]));
    }
    EXPECT(h2_head_finish(head));
    EXPECT_SPAN(head->method, "GET");
    EXPECT_SPAN(head->path, "/a");
    EXPECT_SPAN(head->scheme, "https");
    EXPECT_SPAN(head->protocol, "tea");
    EXPECT_SPAN(fields_get(&head->fields, FIELD_HOST), "h");
    EXPECT_SPAN(fields_get(&head->fields, FIELD_USER_AGENT), "me");
    EXPECT_SPAN(fields_get(&head->fields, FIELD_X_REQUEST_ID), "7");
    EXPECT_SPAN(fields_get(&head->fields, FIELD_COOKIE), "a=1; b=2");
    EXPECT_SPAN(fields_find(&head->fields, SPAN("X")), "y");
    EXPECT_INT(head->fields.count, 5);
    h2_head_free(head);
}
