/* daemon/options.h — what the command line asked for. Made by options_parse(), read by everything
 * else in daemon/. Main thread. Texts point into argv; lists are owned. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_list {
    const char **items; /* ended by NULL; NULL: none */
    size_t count;
};

#define OPTION_TYPE_SWITCH   bool
#define OPTION_TYPE_COUNT    uint64_t
#define OPTION_TYPE_SIZE     uint64_t
#define OPTION_TYPE_TIME     uint64_t
#define OPTION_TYPE_CHOICE   uint64_t
#define OPTION_TYPE_TEXT     const char *
#define OPTION_TYPE_OPTIONAL const char *
#define OPTION_TYPE_LIST     struct text_list

enum option_id {
#define OPTION(kind, field, ...) OPTION_ID_##field,
#include "daemon/option_list.h"
#undef OPTION
    OPTION_COUNT
};

/** A number, in its unit, that was not given and has no fixed default is 0: the library's default,
 *  or computed. "off" is GALLEY_NO_LIMIT. A choice is the number of its word. An OPTIONAL text that
 *  was given without a value is "". */
struct options {
#define OPTION(kind, field, ...) OPTION_TYPE_##kind field;
#include "daemon/option_list.h"
#undef OPTION
    const char *directory;       /* "." unless given */
    bool has_directory;          /* it was given */
    bool is_given[OPTION_COUNT]; /* on the command line */
};

/** The defaults, then what argv says. 0, or -1 with one sentence in `complaint`: a usage error.
 *  options_finish() in both cases. */
int options_parse(struct options *options, int argc, char **argv, char *complaint,
                  size_t complaint_room);
void options_finish(struct options *options);

#endif
