/* daemon/option_value.c — values as people write them: 64k, 10s, dev. Read strictly, with a
 * sentence for what is wrong, and written back in the same form. Main thread. */
#include "base/alloc.h"
#include "base/text.h"

#include "daemon/option_table.h"

#include <galley/server.h>

#include <stdio.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first: that is the order in which a number is written. The one with the empty name is for
 * bare numbers. */
static const struct unit size_units[] = {{"T", UINT64_C(1) << 40}, {"G", 1 << 30}, {"M", 1 << 20},
                                         {"k", 1 << 10},           {"", 1},        {NULL, 0}};
static const struct unit time_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000},
                                         {"ms", 1},      {"", 1000},   {NULL, 0}};
static const struct unit count_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum option_kind kind)
{
    return kind == OPTION_KIND_SIZE   ? size_units
           : kind == OPTION_KIND_TIME ? time_units
                                      : count_units;
}

static const char *kind_text(enum option_kind kind)
{
    return kind == OPTION_KIND_SIZE   ? "a size (512, 64k, 1M, 2G)"
           : kind == OPTION_KIND_TIME ? "a time (500ms, 10s, 2m, 1h)"
                                      : "a number";
}

static void *field_of(const struct option_row *row, struct options *options)
{
    return (char *)options + row->offset;
}

static const void *const_field_of(const struct option_row *row, const struct options *options)
{
    return (const char *)options + row->offset;
}

/* ---- reading --------------------------------------------------------------------------------- */

static const struct unit *find_unit(const struct unit *units, struct span name)
{
    for (const struct unit *unit = units; unit->name; unit++) {
        if (span_equal_nocase(span_of(unit->name), name)) {
            return unit;
        }
    }
    return NULL;
}

static bool parse_number(const struct unit *units, struct span text, uint64_t *ret)
{
    size_t digits = 0;
    while (digits < text.len && text_is_digit(text.ptr[digits])) {
        digits++;
    }
    const struct unit *unit = find_unit(units, span_from(text, digits));
    uint64_t number = 0;
    if (!unit || !text_parse_u64(span_make(text.ptr, digits), &number) ||
        number > UINT64_MAX / unit->factor) {
        return false;
    }
    *ret = number * unit->factor;
    return true;
}

static void print_number(struct buf *out, const struct option_row *row, uint64_t number)
{
    if (row->can_be_off && number == GALLEY_NO_LIMIT) {
        buf_append_text(out, "off");
        return;
    }
    const struct unit *unit = units_of(row->kind);
    while (unit->name[0] && (number < unit->factor || number % unit->factor != 0)) {
        unit++;
    }
    if (row->kind == OPTION_KIND_TIME && unit->name[0] == '\0') {
        unit--; /* 0ms, not seconds */
    }
    buf_printf(out, "%llu%s", (unsigned long long)(number / unit->factor), unit->name);
}

static int complain_range(const struct option_row *row, const char *value, char *complaint,
                          size_t room)
{
    struct buf least, most;
    buf_init(&least, 0);
    buf_init(&most, 0);
    print_number(&least, row, row->min);
    print_number(&most, row, row->max);
    snprintf(complaint, room, "'%s' is out of range: %.*s to %.*s%s", value,
             SPAN_ARGS(buf_span(&least)), SPAN_ARGS(buf_span(&most)),
             row->can_be_off ? ", or off" : "");
    buf_finish(&least);
    buf_finish(&most);
    return -1;
}

static int set_number(const struct option_row *row, uint64_t *field, const char *value,
                      char *complaint, size_t room)
{
    uint64_t number = 0;
    if (row->can_be_off && span_equal(span_of(value), SPAN("off"))) {
        *field = GALLEY_NO_LIMIT;
        return 0;
    }
    if (!parse_number(units_of(row->kind), span_of(value), &number)) {
        snprintf(complaint, room, "'%s' is not %s%s", value, kind_text(row->kind),
                 row->can_be_off ? ", nor off" : "");
        return -1;
    }
    if (number < row->min || number > row->max) {
        return complain_range(row, value, complaint, room);
    }
    *field = number;
    return 0;
}

/* Calls it a number: that of the first word is row->min. */
static int set_choice(const struct option_row *row, uint64_t *field, const char *value,
                      char *complaint, size_t room)
{
    struct span rest = span_of(row->argument);
    for (uint64_t number = row->min; rest.ptr; number++) {
        struct span word;
        rest = span_cut(rest, '|', &word);
        if (span_equal(word, span_of(value))) {
            *field = number;
            return 0;
        }
    }
    snprintf(complaint, room, "'%s' is not one of %s", value, row->argument);
    return -1;
}

static int add_to_list(struct text_list *list, const char *value, char *complaint, size_t room)
{
    const char **items = mem_resize(list->items, (list->count + 2) * sizeof *items);
    if (!items) {
        snprintf(complaint, room, "out of memory");
        return -1;
    }
    items[list->count++] = value;
    items[list->count] = NULL;
    list->items = items;
    return 0;
}

int option_set(const struct option_row *row, struct options *options, const char *value,
               char *complaint, size_t complaint_room)
{
    void *field = field_of(row, options);
    switch (row->kind) {
    case OPTION_KIND_SWITCH:
        *(bool *)field = true;
        return 0;
    case OPTION_KIND_TEXT:
    case OPTION_KIND_OPTIONAL:
        *(const char **)field = value;
        return 0;
    case OPTION_KIND_LIST:
        return add_to_list(field, value, complaint, complaint_room);
    case OPTION_KIND_CHOICE:
        return set_choice(row, field, value, complaint, complaint_room);
    default:
        return set_number(row, field, value, complaint, complaint_room);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static void print_choice(struct buf *out, const struct option_row *row, uint64_t number)
{
    struct span rest = span_of(row->argument);
    for (uint64_t at = row->min; rest.ptr; at++) {
        struct span word;
        rest = span_cut(rest, '|', &word);
        if (at == number) {
            buf_append_span(out, word);
        }
    }
}

static void print_list(struct buf *out, const struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        buf_append_text(out, i ? " " : "");
        buf_append_text(out, list->items[i]);
    }
}

void option_print_value(struct buf *out, const struct option_row *row,
                        const struct options *options)
{
    const void *field = const_field_of(row, options);
    switch (row->kind) {
    case OPTION_KIND_SWITCH:
        buf_append_text(out, *(const bool *)field ? "on" : "");
        break;
    case OPTION_KIND_TEXT:
    case OPTION_KIND_OPTIONAL: {
        const char *text = *(const char *const *)field;
        buf_append_text(out, text ? text : "");
        break;
    }
    case OPTION_KIND_LIST:
        print_list(out, field);
        break;
    case OPTION_KIND_CHOICE:
        print_choice(out, row, *(const uint64_t *)field);
        break;
    default:
        if (*(const uint64_t *)field != 0) {
            print_number(out, row, *(const uint64_t *)field);
        }
    }
}
