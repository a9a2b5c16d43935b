/* tests/fuzz/fuzz_http_conditional.c — any field lines as conditions and preferences. First byte:
 * method and whether the file exists; second: the available codings.
 * Holds: a 304 only for GET and HEAD, nothing fails without a condition, a chosen coding was
 * available, and the same lines give the same answer. */
#include "fuzz.h"
#include "fuzz_lines.h"
#include "http/etag.h"
#include "http/field_list.h"
#include "http/negotiate.h"
#include "http/precondition.h"

/* rooms: http */

enum { NOW_S = 1800000000, MODIFIED_S = 784111777 };

static bool has_condition(const struct fields *fields)
{
    return fields_has(fields, FIELD_IF_MATCH) || fields_has(fields, FIELD_IF_NONE_MATCH) ||
           fields_has(fields, FIELD_IF_MODIFIED_SINCE) ||
           fields_has(fields, FIELD_IF_UNMODIFIED_SINCE);
}

static void judge_conditions(enum method method, const struct fields *fields,
                             const struct validators *current)
{
    enum precondition got = precondition_check(method, fields, current, NOW_S);
    FUZZ_EXPECT(got == precondition_check(method, fields, current, NOW_S));
    FUZZ_EXPECT(got != PRECONDITION_NOT_MODIFIED || method == METHOD_GET || method == METHOD_HEAD);
    FUZZ_EXPECT(got == PRECONDITION_PROCEED || has_condition(fields));
    bool may_range = precondition_if_range(fields, current, NOW_S);
    FUZZ_EXPECT(may_range || fields_has(fields, FIELD_IF_RANGE));
}

static void judge_preferences(const struct fields *fields, unsigned available)
{
    enum coding coding = negotiate_coding(fields, available);
    FUZZ_EXPECT(coding == CODING_IDENTITY || (available & CODING_BIT(coding)));
    FUZZ_EXPECT(coding == negotiate_coding(fields, available));
    FUZZ_EXPECT(coding == negotiate_coding(fields, CODING_BIT(coding)));
    FUZZ_EXPECT(!negotiate_prefers_json(fields) || fields_has(fields, FIELD_ACCEPT));
}

/* Every value as a list: members lie inside it, in order, and end. */
static void walk_lists(const struct fields *fields)
{
    uint32_t it = 0;
    const struct field *line;
    while ((line = fields_next_any(fields, &it)) != NULL) {
        struct span rest = line->value, member;
        const char *last = line->value.ptr;
        while (field_list_next(&rest, &member)) {
            struct weighted weighted;
            struct etag tag;
            FUZZ_EXPECT(member.len > 0 && member.ptr >= last);
            last = member.ptr + member.len;
            FUZZ_EXPECT(last <= line->value.ptr + line->value.len);
            FUZZ_EXPECT(!weighted_parse(member, &weighted) || weighted.weight <= 1000);
            FUZZ_EXPECT(!etag_parse(member, &tag) || tag.opaque.len >= 2);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct field entries[FUZZ_LINES_MAX];
    struct fields fields = fuzz_lines(span_make((const char *)data + 2, size - 2), entries);
    struct validators current = {
        .exists = data[0] & 0x80, .has_modified = true, .modified_s = MODIFIED_S};
    current.etag = data[0] & 0x40 ? SPAN("W/\"a\"") : SPAN("\"a\"");
    judge_conditions((enum method)(data[0] % METHOD_COUNT), &fields, &current);
    judge_preferences(&fields, data[1] % (1u << CODING_COUNT));
    walk_lists(&fields);
    return 0;
}
