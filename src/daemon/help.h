/* daemon/help.h — the program explains itself, from the option table and a few facts: as text, as a
 * manual page, as docs/options.md, and as a completion for bash. Pure but for memory; main
 * thread. */
#ifndef DAEMON_HELP_H
#define DAEMON_HELP_H

#include "base/buf.h"

#include <stdbool.h>

/** format: "" or "text", "man", "markdown", "bash". False: none of these. */
bool help_append(struct buf *out, const char *format);
/** "0.1.0" */
void help_append_version(struct buf *out);

void help_append_text(struct buf *out);
void help_append_man(struct buf *out);
void help_append_markdown(struct buf *out);
void help_append_bash(struct buf *out);

/** What is no option but belongs into every manual. Each array ends with a NULL term. */
struct help_fact {
    const char *term;
    const char *text;
};
extern const struct help_fact help_values[];
extern const struct help_fact help_signals[];
extern const struct help_fact help_exit_statuses[];
extern const struct help_fact help_environment[];
extern const struct help_fact help_examples[];
extern const char help_summary[];     /* "serve a folder over HTTP" */
extern const char help_description[]; /* one paragraph */

#endif
