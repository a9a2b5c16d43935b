/* daemon/option_table.c — the table itself, and looking things up in it. Constant; main thread. */
#include "daemon/option_table.h"

#include "base/text.h"

#include <stddef.h>

const struct option_row option_rows[OPTION_COUNT] = {
#define OPTION(a_kind, field, where, a_name, a_short, an_argument, a_usual, a_min, a_max, off,     \
               a_group, a_help)                                                                    \
    [OPTION_ID_##field] = {.name = a_name,                                                         \
                           .argument = an_argument,                                                \
                           .usual = a_usual,                                                       \
                           .help = a_help,                                                         \
                           .min = a_min,                                                           \
                           .max = a_max,                                                           \
                           .offset = offsetof(struct options, field),                              \
                           .kind = OPTION_KIND_##a_kind,                                           \
                           .group = OPTION_GROUP_##a_group,                                        \
                           .short_name = a_short,                                                  \
                           .can_be_off = off},
#include "daemon/option_list.h"
#undef OPTION
};

const char *option_group_title(enum option_group group)
{
    static const char *const titles[OPTION_GROUP_COUNT] = {
        [OPTION_GROUP_SERVING] = "What is served",
        [OPTION_GROUP_TLS] = "TLS",
        [OPTION_GROUP_HEADERS] = "Headers of answers",
        [OPTION_GROUP_LOGS] = "Logs",
        [OPTION_GROUP_MACHINE] = "Threads and memory",
        [OPTION_GROUP_LIMITS] = "Limits and deadlines of clients",
        [OPTION_GROUP_ENDING] = "The end",
        [OPTION_GROUP_ABOUT] = "About galley",
    };
    return titles[group];
}

const struct option_row *option_find(struct span name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (span_equal(span_of(option_rows[i].name), name)) {
            return &option_rows[i];
        }
    }
    return NULL;
}

const struct option_row *option_find_short(char name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (name && option_rows[i].short_name == name) {
            return &option_rows[i];
        }
    }
    return NULL;
}

/* What other servers call it. */
static const struct {
    const char *wish;
    const char *name;
} other_names[] = {{"port", "listen"},       {"bind", "listen"},           {"address", "listen"},
                   {"host", "listen"},       {"threads", "workers"},       {"log", "access-log"},
                   {"verbose", "log-level"}, {"directory-listing", "list"}};

/* A beginning is near whatever is missing; else one slip in three letters is allowed, and two where
 * at least the first letter is right. */
static unsigned far_from(struct span name, const struct option_row *row)
{
    struct span known = span_of(row->name);
    if (name.len >= 3 && span_starts_with(known, name)) {
        return 1;
    }
    unsigned distance = text_distance(name, known);
    unsigned allowed = (unsigned)name.len / 3;
    if (name.len > 2 && allowed < 2 && name.ptr[0] == known.ptr[0]) {
        allowed = 2;
    }
    return distance <= allowed ? distance : UINT32_MAX;
}

const struct option_row *option_guess(struct span name)
{
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++) {
        if (span_equal(name, span_of(other_names[i].wish))) {
            return option_find(span_of(other_names[i].name));
        }
    }
    const struct option_row *nearest = NULL;
    unsigned nearest_distance = UINT32_MAX;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        unsigned distance = far_from(name, &option_rows[i]);
        if (distance < nearest_distance) {
            nearest_distance = distance;
            nearest = &option_rows[i];
        }
    }
    return nearest;
}

void option_print_usage(struct buf *out, const struct option_row *row)
{
    buf_printf(out, "--%s", row->name);
    if (row->kind == OPTION_KIND_OPTIONAL) {
        buf_printf(out, "[=%s]", row->argument);
    } else if (row->kind != OPTION_KIND_SWITCH) {
        buf_printf(out, "=%s", row->argument);
    }
}
