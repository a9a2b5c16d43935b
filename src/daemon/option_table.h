/* daemon/option_table.h — the rows of option_list.h as data, and how the values of each kind are
 * read and written. Constant; main thread. */
#ifndef DAEMON_OPTION_TABLE_H
#define DAEMON_OPTION_TABLE_H

#include "base/buf.h"

#include "daemon/options.h"

/* 30 days: any more is a mistake, and everything fits 32 bits of milliseconds. */
#define OPTION_TIME_MAX (UINT64_C(30) * 24 * 3600 * 1000)
#define OPTION_SIZE_MAX (UINT64_C(1) << 40)

enum option_kind {
    OPTION_KIND_SWITCH,   /* --name */
    OPTION_KIND_COUNT,    /* 100 */
    OPTION_KIND_SIZE,     /* 512, 64k, 1M, 2G: powers of 1024 */
    OPTION_KIND_TIME,     /* 500ms, 10s, 2m, 1h; without a unit: seconds */
    OPTION_KIND_TEXT,     /* anything */
    OPTION_KIND_OPTIONAL, /* --name or --name=anything */
    OPTION_KIND_LIST,     /* anything, several times */
    OPTION_KIND_CHOICE,   /* one of the words in `argument` */
};

enum option_group {
    OPTION_GROUP_SERVING,
    OPTION_GROUP_TLS,
    OPTION_GROUP_HEADERS,
    OPTION_GROUP_LOGS,
    OPTION_GROUP_MACHINE,
    OPTION_GROUP_LIMITS,
    OPTION_GROUP_ENDING,
    OPTION_GROUP_ABOUT,
    OPTION_GROUP_COUNT
};

struct option_row {
    const char *name; /* without the dashes */
    const char *argument;
    const char *usual;
    const char *help;
    uint64_t min, max;
    size_t offset; /* in struct options */
    enum option_kind kind;
    enum option_group group;
    char short_name; /* 0: none */
    bool can_be_off;
};

extern const struct option_row option_rows[OPTION_COUNT];
/** "What is served" */
const char *option_group_title(enum option_group group);

/** NULL: no such option. */
const struct option_row *option_find(struct span name);
const struct option_row *option_find_short(char name);
/** The option that was probably meant; NULL: nothing is near. */
const struct option_row *option_guess(struct span name);

/** Read a value into its field. 0, or -1 with what is wrong with it ("'x' is not a time (500ms,
 * 10s, 2m, 1h)"). */
int option_set(const struct option_row *row, struct options *options, const char *value,
               char *complaint, size_t complaint_room);
/** As it could be written on the command line; "" for nothing. LIST: items separated by spaces. */
void option_print_value(struct buf *out, const struct option_row *row,
                        const struct options *options);
/** "--name=ARGUMENT" */
void option_print_usage(struct buf *out, const struct option_row *row);

#endif
