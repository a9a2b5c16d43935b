/* http/precondition.c — see precondition.h. One function a field; the steps of RFC 9110 §13.2.2 in
 * one place. */
#include "http/precondition.h"

#include "http/date.h"
#include "http/etag.h"

/* The current tag, or NULL when there is none (or what the handler gave is none). */
static const struct etag *current_tag(const struct validators *current, struct etag *storage)
{
    return etag_parse(current->etag, storage) ? storage : NULL;
}

/* Over all lines of a field, as if they were one list. Any malformed line spoils the whole. */
static enum etag_match match_lines(const struct fields *fields, enum field_id id,
                                   const struct validators *current, bool is_strong)
{
    struct etag storage;
    const struct etag *tag = current->exists ? current_tag(current, &storage) : NULL;
    enum etag_match result = ETAG_NO_MATCH;
    uint32_t it = 0, lines = 0;
    const struct field *line;
    while ((line = fields_next(fields, id, &it)) != NULL) {
        enum etag_match match = etag_list_match(line->value, tag, is_strong);
        lines++;
        if (match == ETAG_MALFORMED || (match == ETAG_ANY && lines > 1) || result == ETAG_ANY) {
            return ETAG_MALFORMED;
        }
        result = match == ETAG_NO_MATCH ? result : match;
    }
    return result;
}

/* RFC 9110 §13.1.1. */
static bool if_match_is_true(const struct fields *fields, const struct validators *current)
{
    enum etag_match match = match_lines(fields, FIELD_IF_MATCH, current, true);
    return match == ETAG_ANY ? current->exists : match == ETAG_MATCH;
}

/* RFC 9110 §13.1.2. */
static bool if_none_match_is_true(enum method method, const struct fields *fields,
                                  const struct validators *current)
{
    enum etag_match match = match_lines(fields, FIELD_IF_NONE_MATCH, current, false);
    if (match == ETAG_MALFORMED) {
        return method == METHOD_GET || method == METHOD_HEAD;
    }
    return match == ETAG_ANY ? !current->exists : match != ETAG_MATCH;
}

/* The date of a field. False: none, not one line, not a date, or nothing to compare with: the field
 * is ignored (RFC 9110 §13.1.3, §13.1.4). */
static bool get_date(const struct fields *fields, enum field_id id,
                     const struct validators *current, int64_t now_s, int64_t *ret_s)
{
    return current->exists && current->has_modified && fields_count_of(fields, id) == 1 &&
           date_parse(fields_get(fields, id), now_s, ret_s);
}

/* Steps 1 and 2: may the request go on? */
static bool is_wanted_state(const struct fields *fields, const struct validators *current,
                            int64_t now_s)
{
    int64_t date_s;
    if (fields_has(fields, FIELD_IF_MATCH)) {
        return if_match_is_true(fields, current);
    }
    if (get_date(fields, FIELD_IF_UNMODIFIED_SINCE, current, now_s, &date_s)) {
        return current->modified_s <= date_s;
    }
    return true;
}

enum precondition precondition_check(enum method method, const struct fields *fields,
                                     const struct validators *current, int64_t now_s)
{
    /* RFC 9110 §13.2.1: methods that neither select nor modify have no conditions. */
    if (method == METHOD_CONNECT || method == METHOD_OPTIONS || method == METHOD_TRACE) {
        return PRECONDITION_PROCEED;
    }
    bool is_get = method == METHOD_GET || method == METHOD_HEAD;
    int64_t date_s;
    if (!is_wanted_state(fields, current, now_s)) {
        return PRECONDITION_FAILED;
    }
    /* Step 3; when the field is there, step 4 is left out even if the field says nothing. */
    if (fields_has(fields, FIELD_IF_NONE_MATCH)) {
        if (if_none_match_is_true(method, fields, current)) {
            return PRECONDITION_PROCEED;
        }
        return is_get ? PRECONDITION_NOT_MODIFIED : PRECONDITION_FAILED;
    }
    /* Step 4. */
    if (is_get && get_date(fields, FIELD_IF_MODIFIED_SINCE, current, now_s, &date_s) &&
        current->modified_s <= date_s) {
        return PRECONDITION_NOT_MODIFIED;
    }
    return PRECONDITION_PROCEED;
}

bool precondition_if_range(const struct fields *fields, const struct validators *current,
                           int64_t now_s)
{
    uint32_t lines = fields_count_of(fields, FIELD_IF_RANGE);
    if (lines != 1) {
        return lines == 0;
    }
    struct span value = fields_get(fields, FIELD_IF_RANGE);
    struct etag wanted, storage;
    if (etag_parse(value, &wanted)) {
        const struct etag *tag = current_tag(current, &storage);
        return tag && etag_equal_strong(wanted, *tag);
    }
    int64_t date_s;
    /* RFC 9110 §13.1.5: exactly the date, and §8.8.2.2: only if no further change can fall into its
     * second. */
    return get_date(fields, FIELD_IF_RANGE, current, now_s, &date_s) &&
           date_s == current->modified_s && now_s > date_s;
}
