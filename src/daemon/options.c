/* daemon/options.c — reads the command line by the table: --name=value, --name value, -n value,
 * -abc, --. Main thread. */
#include "daemon/options.h"

#include "base/alloc.h"
#include "base/text.h"

#include "daemon/option_table.h"

#include <galley/server.h>

#include <stdio.h>

/* What is left of argv, and where to complain. */
struct walk {
    struct options *options;
    char **next; /* ended by NULL */
    bool options_ended;
    char *complaint;
    size_t room;
};

static int set_defaults(struct options *options, char *complaint, size_t room)
{
    *options = (struct options){.directory = "."};
    options->log_format = UINT64_MAX; /* depends on where the log goes */
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        /* The default of a list holds only while nothing was given, see set(). */
        if (row->usual[0] && option_set(row, options, row->usual, complaint, room) < 0) {
            return -1;
        }
    }
    return 0;
}

static void forget_usual_list(struct walk *walk, const struct option_row *row)
{
    size_t id = (size_t)(row - option_rows);
    if (row->kind == OPTION_KIND_LIST && !walk->options->is_given[id]) {
        struct text_list *list = (struct text_list *)(void *)((char *)walk->options + row->offset);
        list->count = 0;
    }
}

static int set(struct walk *walk, const struct option_row *row, const char *value)
{
    char what[256];
    forget_usual_list(walk, row);
    if (option_set(row, walk->options, value, what, sizeof what) < 0) {
        snprintf(walk->complaint, walk->room, "--%s: %s", row->name, what);
        return -1;
    }
    walk->options->is_given[row - option_rows] = true;
    return 0;
}

static bool wants_value(const struct option_row *row)
{
    return row->kind != OPTION_KIND_SWITCH && row->kind != OPTION_KIND_OPTIONAL;
}

/* The value is the next argument. */
static int set_from_next(struct walk *walk, const struct option_row *row)
{
    if (!*walk->next) {
        snprintf(walk->complaint, walk->room, "--%s needs a value: --%s=%s", row->name, row->name,
                 row->argument);
        return -1;
    }
    return set(walk, row, *walk->next++);
}

static int complain_unknown(struct walk *walk, struct span name)
{
    const struct option_row *guess = option_guess(name);
    if (guess) {
        snprintf(walk->complaint, walk->room, "unknown option --%.*s: did you mean --%s?",
                 SPAN_ARGS(name), guess->name);
    } else {
        snprintf(walk->complaint, walk->room, "unknown option --%.*s", SPAN_ARGS(name));
    }
    return -1;
}

static int take_long(struct walk *walk, const char *argument)
{
    struct span name;
    struct span value = span_cut(span_of(argument), '=', &name);
    const struct option_row *row = option_find(name);
    if (!row) {
        return complain_unknown(walk, name);
    }
    if (value.ptr && row->kind == OPTION_KIND_SWITCH) {
        snprintf(walk->complaint, walk->room, "--%s takes no value", row->name);
        return -1;
    }
    if (value.ptr || !wants_value(row)) {
        return set(walk, row, value.ptr ? value.ptr : ""); /* the end of the argument: NUL behind */
    }
    return set_from_next(walk, row);
}

/* -qV, -l8080, -l 8080 */
static int take_short(struct walk *walk, const char *letters)
{
    for (; *letters; letters++) {
        const struct option_row *row = option_find_short(*letters);
        if (!row) {
            snprintf(walk->complaint, walk->room, "unknown option -%c", *letters);
            return -1;
        }
        if (wants_value(row)) {
            return letters[1] ? set(walk, row, letters + 1) : set_from_next(walk, row);
        }
        if (set(walk, row, "") < 0) {
            return -1;
        }
    }
    return 0;
}

static int take_directory(struct walk *walk, const char *argument)
{
    if (walk->options->has_directory) {
        snprintf(walk->complaint, walk->room, "two folders to serve: %s and %s",
                 walk->options->directory, argument);
        return -1;
    }
    walk->options->directory = argument;
    walk->options->has_directory = true;
    return 0;
}

static int take_next(struct walk *walk)
{
    const char *argument = *walk->next++;
    if (walk->options_ended || argument[0] != '-' || argument[1] == '\0') {
        return take_directory(walk, argument);
    }
    if (argument[1] != '-') {
        return take_short(walk, argument + 1);
    }
    if (argument[2] == '\0') {
        walk->options_ended = true;
        return 0;
    }
    return take_long(walk, argument + 2);
}

/* Things that are right one by one. */
static int check_together(struct walk *walk)
{
    const struct options *options = walk->options;
    const char *wrong = NULL;
    if (options->is_given[OPTION_ID_server_name] && options->no_server_name) {
        wrong = "--server-name and --no-server-name exclude each other";
    } else if (options->max_target_bytes > options->max_head_bytes &&
               options->is_given[OPTION_ID_max_target_bytes]) {
        wrong = "--max-target is more than --max-head";
    }
    if (wrong) {
        snprintf(walk->complaint, walk->room, "%s", wrong);
    }
    return wrong ? -1 : 0;
}

static int check_rules(struct walk *walk)
{
    const struct text_list *rules = &walk->options->cache_control;
    for (size_t i = 0; i < rules->count; i++) {
        struct span pattern;
        struct span value = span_cut(span_of(rules->items[i]), '=', &pattern);
        if (pattern.len == 0 || value.len == 0) {
            snprintf(walk->complaint, walk->room, "--cache-control: '%s' is not PATTERN=VALUE",
                     rules->items[i]);
            return -1;
        }
    }
    return 0;
}

int options_parse(struct options *options, int argc, char **argv, char *complaint,
                  size_t complaint_room)
{
    struct walk walk = {.options = options,
                        .next = argv + (argc > 0 ? 1 : 0),
                        .complaint = complaint,
                        .room = complaint_room};
    int rc = set_defaults(options, complaint, complaint_room);
    while (rc == 0 && *walk.next) {
        rc = take_next(&walk);
    }
    /* The usual limit of the target gives way to a smaller one of the head. */
    if (!options->is_given[OPTION_ID_max_target_bytes] &&
        options->max_target_bytes > options->max_head_bytes) {
        options->max_target_bytes = options->max_head_bytes;
    }
    if (rc == 0) {
        rc = check_together(&walk);
    }
    return rc == 0 ? check_rules(&walk) : rc;
}

void options_finish(struct options *options)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (option_rows[i].kind == OPTION_KIND_LIST) {
            struct text_list *list =
                (struct text_list *)(void *)((char *)options + option_rows[i].offset);
            mem_free(list->items);
            *list = (struct text_list){0};
        }
    }
}
