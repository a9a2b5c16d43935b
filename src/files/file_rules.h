/* files/file_rules.h — values by pattern: Cache-Control, of which the first rule that matches a file's
 * name gives the value, and Link, of which all that match do (file_links.h). Made once by the site's
 * options, read by decorate on workers; immutable, any thread. */
#ifndef FILES_FILE_RULES_H
#define FILES_FILE_RULES_H

#include "base/arena.h"

struct file_rule {
    struct span pattern; /* without a leading slash */
    struct span value;
    bool
        is_for_whole_name; /* the pattern has a slash: it is compared with the name from the root on */
};

struct file_rules {
    struct file_rule *rules;
    size_t count;
};

/** `*`: any bytes but '/'; `**`: any bytes; `?`: one byte but '/'. Takes at most name.len *
 *  pattern.len steps for each kind of star, whatever the pattern. */
bool file_rules_glob(struct span pattern, struct span name);
/** Append; copies into the arena. The array must have been made large enough. 0 or
 * GALLEY_ENOMEM. */
int file_rules_add(struct file_rules *rules, struct arena *arena, struct span pattern,
                   struct span value);
/** The value for a name below the root ("guide/index.html"); ptr NULL: no rule. */
struct span file_rules_find(const struct file_rules *rules, struct span name);
/** The same where several rules may count: the next one from *at on, which is 0 at first. */
struct span file_rules_next(const struct file_rules *rules, struct span name, size_t *at);

#endif
