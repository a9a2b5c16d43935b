/* http/range.c — see range.h. All numbers saturate at 2^64 - 1, which lies behind the end of every
 * file. */
#include "http/range.h"

#include "base/text.h"
#include "http/field_list.h"

/* Digits only, any number of them; too large a number is UINT64_MAX. */
static bool parse_saturating(struct span s, uint64_t *ret)
{
    uint64_t number = 0;
    if (s.len == 0) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!text_is_digit(s.ptr[i])) {
            return false;
        }
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');
        bool is_over = number > (UINT64_MAX - digit) / 10;
        number = is_over ? UINT64_MAX : number * 10 + digit;
    }
    *ret = number;
    return true;
}

static struct span without_zeros(struct span digits)
{
    size_t zeros = 0;
    while (zeros < digits.len && digits.ptr[zeros] == '0') {
        zeros++;
    }
    return span_from(digits, zeros);
}

/* By the digits, because two numbers that saturate look the same. */
static bool is_smaller(struct span digits, struct span than)
{
    struct span a = without_zeros(digits);
    struct span b = without_zeros(than);
    return a.len != b.len ? a.len < b.len : a.len > 0 && memcmp(a.ptr, b.ptr, a.len) < 0;
}

enum spec { SPEC_BAD, SPEC_OUTSIDE, SPEC_INSIDE, SPEC_EMPTY_SUFFIX };

/* RFC 9110 §14.1.2: "-500", the last bytes. */
static enum spec parse_suffix(struct span digits, uint64_t size, struct byte_range *ret)
{
    uint64_t wanted;
    if (!parse_saturating(digits, &wanted)) {
        return SPEC_BAD;
    }
    if (wanted == 0) {
        return SPEC_OUTSIDE;
    }
    ret->len = wanted < size ? wanted : size;
    ret->from = size - ret->len;
    return size > 0 ? SPEC_INSIDE : SPEC_EMPTY_SUFFIX;
}

/* RFC 9110 §14.1.1, §14.1.2: one range-spec. */
static enum spec parse_spec(struct span spec, uint64_t size, struct byte_range *ret)
{
    size_t dash = span_find(spec, '-');
    if (dash == spec.len) {
        return SPEC_BAD;
    }
    struct span first_digits = span_make(spec.ptr, dash);
    struct span last_digits = span_from(spec, dash + 1);
    if (dash == 0) {
        return parse_suffix(last_digits, size, ret);
    }
    uint64_t first, last = UINT64_MAX;
    if (!parse_saturating(first_digits, &first) ||
        (last_digits.len > 0 &&
         (!parse_saturating(last_digits, &last) || is_smaller(last_digits, first_digits)))) {
        return SPEC_BAD;
    }
    if (first >= size) {
        return SPEC_OUTSIDE;
    }
    ret->from = first;
    ret->len = (last < size - 1 ? last : size - 1) - first + 1;
    return SPEC_INSIDE;
}

/* Overlap, or stand side by side. No sum can overflow: both lie inside the size. */
static bool touches(struct byte_range a, struct byte_range b)
{
    return a.from <= b.from + b.len && b.from <= a.from + a.len;
}

static struct byte_range join(struct byte_range a, struct byte_range b)
{
    uint64_t from = a.from < b.from ? a.from : b.from;
    uint64_t a_end = a.from + a.len, b_end = b.from + b.len;
    return (struct byte_range){from, (a_end > b_end ? a_end : b_end) - from};
}

/* Adds a piece, joined with all that it touches, at the place of the first of them; so the pieces
 * stay disjoint. False: there would be too many. */
static bool add_piece(struct range_set *set, struct byte_range piece)
{
    unsigned place = set->count, kept = 0;
    for (unsigned i = 0; i < set->count; i++) {
        if (touches(set->ranges[i], piece)) {
            piece = join(set->ranges[i], piece);
            place = place < kept ? place : kept;
        } else {
            set->ranges[kept++] = set->ranges[i];
        }
    }
    if (kept == RANGE_MAX) {
        return false;
    }
    place = place < kept ? place : kept;
    memmove(&set->ranges[place + 1], &set->ranges[place], (kept - place) * sizeof(set->ranges[0]));
    set->ranges[place] = piece;
    set->count = kept + 1;
    return true;
}

/* What stands behind "bytes=", the unit in any case (RFC 9110 §14.1); ptr NULL: another unit. */
static struct span range_specs(struct span value)
{
    static const struct span unit = {"bytes=", 6};
    if (value.len <= unit.len || !span_equal_nocase(span_make(value.ptr, unit.len), unit)) {
        return SPAN_NONE;
    }
    return span_from(value, unit.len);
}

enum range_result range_parse(struct span value, uint64_t size, struct range_set *ret)
{
    struct range_set set = {.count = 0};
    struct span rest = range_specs(value), spec;
    bool has_spec = false, is_refused = false;
    while (field_list_next(&rest, &spec)) {
        struct byte_range piece = {0, 0};
        has_spec = true;
        switch (parse_spec(spec, size, &piece)) {
        case SPEC_BAD:
            return RANGE_IGNORE; /* §14.2: an invalid ranges-specifier is ignored as a whole */
        case SPEC_EMPTY_SUFFIX:
            is_refused = true; /* satisfiable, but a Content-Range cannot say it */
            break;
        case SPEC_INSIDE:
            is_refused = is_refused || !add_piece(&set, piece);
            break;
        case SPEC_OUTSIDE:
            break;
        }
    }
    if (!has_spec || is_refused) {
        return RANGE_IGNORE;
    }
    if (set.count == 0) {
        return RANGE_UNSATISFIABLE;
    }
    *ret = set;
    return RANGE_SATISFIABLE;
}

size_t range_write_content_range(char *out, struct byte_range range, uint64_t size)
{
    size_t len = 6;
    memcpy(out, "bytes ", 6);
    len += text_write_u64(out + len, range.from);
    out[len++] = '-';
    len += text_write_u64(out + len, range.from + range.len - 1);
    out[len++] = '/';
    return len + text_write_u64(out + len, size);
}

size_t range_write_unsatisfied(char *out, uint64_t size)
{
    memcpy(out, "bytes */", 8);
    return 8 + text_write_u64(out + 8, size);
}
