/* tests/unit/http/test_negotiate.c — codings by weight and preference; JSON against HTML. */
#include "http/negotiate.h"
#include "test.h"

static struct field storage[4];

static struct fields one_line(const char *name, const char *value)
{
    struct fields fields;
    fields_init(&fields, storage, 4);
    if (value) {
        EXPECT_INT(fields_add(&fields, span_of(name), span_of(value)), 0);
    }
    return fields;
}

enum {
    GZ = CODING_BIT(CODING_GZIP),
    ZS = CODING_BIT(CODING_ZSTD),
    BR = CODING_BIT(CODING_BR),
    EVERY = GZ | ZS | BR
};

struct coding_row {
    const char *value;
    unsigned available;
    enum coding expected;
};

/* RFC 9110 §12.5.3 */
static const struct coding_row codings[] = {
    {NULL, EVERY, CODING_IDENTITY},
    {"", EVERY, CODING_IDENTITY},
    {"gzip", EVERY, CODING_GZIP},
    {"GZIP", EVERY, CODING_GZIP},
    {"x-gzip", EVERY, CODING_GZIP}, /* RFC 9110 §8.4.1.3 */
    {"gzip", BR, CODING_IDENTITY},
    {"gzip, deflate, br", EVERY, CODING_BR},
    {"gzip, deflate, br, zstd", EVERY, CODING_BR},
    {"gzip, deflate, br, zstd", GZ | ZS, CODING_ZSTD},
    {"gzip;q=1.0, br;q=0.5", EVERY, CODING_GZIP},
    {"br;q=0.001, gzip;q=0", EVERY, CODING_BR},
    {"gzip;q=0", EVERY, CODING_IDENTITY},
    {"br;q=0, gzip", EVERY, CODING_GZIP},
    {"*", EVERY, CODING_BR},
    {"*;q=0.1", GZ, CODING_GZIP},
    {"*, br;q=0", EVERY, CODING_ZSTD},
    {"*;q=0", EVERY, CODING_IDENTITY},
    {"identity", EVERY, CODING_IDENTITY},
    {"identity;q=1, gzip;q=0.5", EVERY, CODING_IDENTITY},
    {"identity;q=0.5, gzip;q=0.5", EVERY, CODING_GZIP},
    {"identity;q=0.2, *;q=0.1", EVERY, CODING_IDENTITY},
    {"identity;q=0", EVERY, CODING_IDENTITY}, /* 406 is never sent */
    {"identity;q=0, *;q=0", EVERY, CODING_IDENTITY},
    {"identity;q=0, gzip;q=0.1", EVERY, CODING_GZIP},
    /* malformed members are ignored one by one */
    {"gzip;q=2, br", EVERY, CODING_BR},
    {"br;q=1.5, gzip", EVERY, CODING_GZIP},
    {"br;level=9, gzip", EVERY, CODING_GZIP},
    {"\"br\", gzip", EVERY, CODING_GZIP},
    {"br;;, ;q=1, gzip;q=0.1", EVERY, CODING_GZIP},
    {"brotli, gzipped", EVERY, CODING_IDENTITY},
    {"gzip;q=0, gzip", EVERY, CODING_IDENTITY}, /* the first counts */
    {",,gzip,,", EVERY, CODING_GZIP},
    {"gzip", 0, CODING_IDENTITY},
};

TEST(the_coding_is_chosen_by_weight_then_by_preference)
{
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        struct fields fields = one_line("Accept-Encoding", codings[i].value);
        enum coding got = negotiate_coding(&fields, codings[i].available);
        if (got != codings[i].expected) {
            test_fail(__FILE__, __LINE__, "'%s' gives %s", codings[i].value, coding_name(got).ptr);
        }
    }
}

/* RFC 9110 §5.3: several lines are one list */
TEST(several_lines_are_one_list)
{
    struct fields fields = one_line("Accept-Encoding", "gzip;q=0.5");
    EXPECT_INT(fields_add(&fields, SPAN("accept-encoding"), SPAN("br;q=0.7")), 0);
    EXPECT_INT(negotiate_coding(&fields, EVERY), CODING_BR);
    EXPECT_INT(negotiate_coding(&fields, GZ), CODING_GZIP);
}

TEST(codings_have_their_registered_names)
{
    EXPECT_SPAN(coding_name(CODING_IDENTITY), "identity");
    EXPECT_SPAN(coding_name(CODING_GZIP), "gzip");
    EXPECT_SPAN(coding_name(CODING_ZSTD), "zstd");
    EXPECT_SPAN(coding_name(CODING_BR), "br");
    EXPECT_SPAN(coding_name((enum coding)9), "");
}

struct accept_row {
    const char *value;
    bool prefers_json;
};

/* RFC 9110 §12.5.1 */
static const struct accept_row accepts[] = {
    {NULL, false},
    {"", false},
    {"*/*", false},
    {"application/json", true},
    {"Application/JSON", true},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
    {"application/json, */*;q=0.5", true},
    {"application/json, text/html", false},
    {"application/json;q=0.9, text/html;q=0.8", true},
    {"application/json;q=0.8, text/html;q=0.9", false},
    {"application/*, text/html;q=0.5", true},
    {"text/*;q=0.3, */*;q=0.9", true},
    {"application/json;q=0, */*", false},
    {"text/html;q=0, */*", true}, /* the most specific range gives the weight */
    {"*/*, text/html;q=0", true},
    {"application/json;v=2", false},
    {"application/json;q=7", false},
    {"application/jsonp", false},
    {"application/", false},
    {"application", false},
    {"*", false},
};

TEST(json_is_sent_to_those_who_weigh_it_higher)
{
    for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
        struct fields fields = one_line("Accept", accepts[i].value);
        if (negotiate_prefers_json(&fields) != accepts[i].prefers_json) {
            test_fail(__FILE__, __LINE__, "'%s' was judged wrongly", accepts[i].value);
        }
    }
}

/* The choice is always one that may be made, and the same for the same request. */
TEST(any_list_gives_a_stable_choice_among_what_there_is)
{
    static const char *const pieces[] = {
        "gzip", "br", "zstd", "identity", "*",   ";q=",   "0", "1",  ".",  "0.5", ",",  ", ",
        ";",    "\"", " ",    "\\",       "x=1", "q=0.1", "=", "\t", "0.", "1.0", "gz", "-"};
    for (unsigned round = 0; round < test_rounds(40000); round++) {
        char text[200];
        size_t len = 0;
        for (uint64_t i = test_random_below(20); i > 0; i--) {
            const char *piece = pieces[test_random_below(sizeof(pieces) / sizeof(pieces[0]))];
            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
        }
        struct fields fields = one_line("Accept-Encoding", "");
        fields.entries[0].value = span_make(text, len);
        unsigned available = (unsigned)test_random_below(16);
        enum coding got = negotiate_coding(&fields, available);
        EXPECT(got == CODING_IDENTITY || (available & CODING_BIT(got)));
        EXPECT_INT(negotiate_coding(&fields, available), got);
        if (got != CODING_IDENTITY) { /* what was not chosen may go without changing the choice */
            EXPECT_INT(negotiate_coding(&fields, CODING_BIT(got)), got);
        }
        fields = one_line("Accept", "");
        fields.entries[0].value = span_make(text, len);
        (void)negotiate_prefers_json(&fields);
    }
}
