/* http/forwarded.c — see forwarded.h. Elements are split off at the right end of the last line.
 *
 * Reading from the right is not only where the walk begins: a proxy appends its element to what it
 * was given, and a quote that a client left open would swallow it for who reads from the left. From
 * the right it cannot: a quoted string ends in a quote, and begins with the nearest one before it
 * that no backslash precedes, because inside it each quote has one (RFC 9110 §5.6.4) and before it
 * stands "=". So what the nearest proxy wrote is found whatever stands before it. */
#include "http/forwarded.h"

#include "http/forwarded_element.h"

void forwarded_begin(struct forwarded_walk *walk, const struct fields *fields,
                     enum forwarded_family family)
{
    walk->fields = fields;
    walk->id = family == FORWARDED_X ? FIELD_X_FORWARDED_FOR : FIELD_FORWARDED;
    walk->line = fields->count;
    walk->rest = SPAN("");
    walk->taken = 0;
    walk->used = 0;
}

/* Index of the quote that opens the string whose closing one stands at `close`; 0 if there is
 * none: the element reaches to the beginning, and is malformed. */
static size_t quote_before(struct span s, size_t close)
{
    size_t at = close;
    while (at > 0) {
        at--;
        if (s.ptr[at] == '"' && (at == 0 || s.ptr[at - 1] != '\\')) {
            return at;
        }
    }
    return 0;
}

/* Where the last member begins. */
static size_t last_begins(struct span s, bool has_quotes)
{
    size_t at = s.len;
    while (at > 0 && s.ptr[at - 1] != ',') {
        at--;
        if (has_quotes && s.ptr[at] == '"') {
            at = quote_before(s, at);
        }
    }
    return at;
}

/* Take the last member off *rest: trimmed and not empty (RFC 9110 §5.6.1.2: empty ones are passed
 * over). */
static bool take_last(struct span *rest, bool has_quotes, struct span *ret)
{
    while (rest->len > 0) {
        size_t begin = last_begins(*rest, has_quotes);
        struct span member = span_trim(span_from(*rest, begin));
        rest->len = begin > 0 ? begin - 1 : 0;
        if (member.len > 0) {
            *ret = member;
            return true;
        }
    }
    return false;
}

/* The line before those that were looked at. RFC 9110 §5.3: lines of a name are one list; but a
 * quoted string that goes on in the next line is two readings of one field. */
static bool take_line(struct forwarded_walk *walk)
{
    const struct fields *fields = walk->fields;
    uint32_t first = fields_has(fields, walk->id) ? fields->first[walk->id] : fields->count;
    while (walk->line > first) {
        walk->line--;
        if (fields->entries[walk->line].id == walk->id) {
            walk->rest = fields->entries[walk->line].value;
            return true;
        }
    }
    return false;
}

static bool take_member(struct forwarded_walk *walk, struct span *ret)
{
    bool has_quotes = walk->id == FIELD_FORWARDED;
    do {
        if (take_last(&walk->rest, has_quotes, ret)) {
            walk->taken++;
            return true;
        }
    } while (take_line(walk));
    return false;
}

bool forwarded_next(struct forwarded_walk *walk, struct forwarded_hop *ret)
{
    struct span member;
    if (!take_member(walk, &member)) {
        return false;
    }
    walk->used = 0;
    *ret = (struct forwarded_hop){.kind = FORWARDED_MALFORMED};
    if (walk->id == FIELD_FORWARDED) {
        forwarded_element_parse(walk, member, ret);
    } else {
        forwarded_node_parse(member, true, ret);
    }
    return true;
}

/* ---- X-Forwarded-Proto and -Host -------------------------------------------------------------- */

static void begin_at(struct forwarded_walk *walk, const struct fields *fields, enum field_id id)
{
    forwarded_begin(walk, fields, FORWARDED_X);
    walk->id = id;
}

static unsigned count_members(const struct fields *fields, enum field_id id)
{
    struct forwarded_walk walk;
    struct span member;
    begin_at(&walk, fields, id);
    while (take_member(&walk, &member)) {
    }
    return walk.taken;
}

static struct span value_of(const struct forwarded_walk *of, enum field_id id)
{
    struct span value = SPAN_NONE;
    if (!fields_has(of->fields, id)) {
        return value;
    }
    unsigned count = count_members(of->fields, id);
    bool is_parallel = count == count_members(of->fields, of->id) && of->taken > 0;
    if (count != 1 && !is_parallel) {
        return value;
    }
    struct forwarded_walk walk;
    unsigned wanted = count == 1 ? 1 : of->taken;
    begin_at(&walk, of->fields, id);
    while (walk.taken < wanted && take_member(&walk, &value)) {
    }
    return value;
}

void forwarded_complete(struct forwarded_walk *walk, struct forwarded_hop *hop)
{
    if (walk->id == FIELD_X_FORWARDED_FOR) {
        hop->scheme = forwarded_scheme_of(value_of(walk, FIELD_X_FORWARDED_PROTO));
        hop->host = forwarded_host_of(value_of(walk, FIELD_X_FORWARDED_HOST));
    }
}
