/* tests/unit/hpack/test_static.c — the static table against nghttp2's, and how its rows are
 * found. */
#include "hpack/hpack_static.h"

#include "test.h"

#include <nghttp2/nghttp2.h>

/* RFC 7541 Appendix A */
TEST(test_every_row_is_that_of_nghttp2)
{
    nghttp2_hd_inflater *inflater;
    EXPECT_INT(nghttp2_hd_inflate_new(&inflater), 0);
    for (unsigned i = 1; i <= HPACK_STATIC_COUNT; i++) {
        const nghttp2_nv *row = nghttp2_hd_inflate_get_table_entry(inflater, i);
        const struct hpack_field *field = &hpack_static[i];
        test_equal_bytes(__FILE__, __LINE__, "name", field->name.ptr, field->name.len, row->name,
                         row->namelen);
        test_equal_bytes(__FILE__, __LINE__, "value", field->value.ptr, field->value.len,
                         row->value, row->valuelen);
        EXPECT(field->has_good_name && field->has_good_value && !field->is_never_indexed);
    }
    nghttp2_hd_inflate_del(inflater);
}

TEST(test_a_name_is_found_at_its_first_row)
{
    for (unsigned i = 1; i <= HPACK_STATIC_COUNT; i++) {
        unsigned first = 1;
        while (!span_equal(hpack_static[first].name, hpack_static[i].name)) {
            first++;
        }
        EXPECT_INT(hpack_static[i].name_index, first);
        EXPECT_INT(hpack_static_name(hpack_static[i].name), first);
    }
}

TEST(test_a_field_is_found_at_its_row)
{
    for (unsigned i = 1; i <= HPACK_STATIC_COUNT; i++) {
        EXPECT_INT(hpack_static_exact(hpack_static[i].name_index, hpack_static[i].value), i);
    }
}

TEST(test_other_names_are_not_found)
{
    static const char *const names[] = {
        "",         ":",         "x",      "Date",   "dat",
        "date ",    "datf",      ":state", "agf",    "content-lengtg",
        "priority", ":protocol", "te",     "alt-svc"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        EXPECT_INT(hpack_static_name(span_of(names[i])), 0);
    }
    EXPECT_INT(hpack_static_exact(0, SPAN("")), 0);
    EXPECT_INT(hpack_static_exact(8, SPAN("201")), 0);
    EXPECT_INT(hpack_static_exact(8, SPAN("")), 0); /* row 15 has this value, and another name */
    EXPECT_INT(hpack_static_exact(61, SPAN("x")), 0);
}
