/* daemon/help_text.c — --help for a terminal of 80 columns. Main thread. */
#include "daemon/help.h"
#include "daemon/option_table.h"

#include <stdio.h>

enum { WIDTH = 80, HELP_COLUMN = 30, FACT_COLUMN = 14 };

static void append_spaces(struct buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_append_char(out, ' ');
    }
}

/* Words between `indent` and WIDTH; `column` is where the cursor stands. */
static void append_wrapped(struct buf *out, const char *text, size_t indent, size_t column)
{
    struct span rest = span_of(text);
    bool is_first = true;
    while (rest.ptr) {
        struct span word;
        rest = span_cut(rest, ' ', &word);
        if (!is_first && column + 1 + word.len > WIDTH) {
            buf_append_char(out, '\n');
            append_spaces(out, indent);
            column = indent;
        } else if (!is_first) {
            buf_append_char(out, ' ');
            column++;
        }
        buf_append_span(out, word);
        column += word.len;
        is_first = false;
    }
    buf_append_char(out, '\n');
}

/* What has been written since `line` stands left; the text begins at `indent`, on the next line if
 * it must. */
static void go_to_column(struct buf *out, size_t line, size_t indent)
{
    size_t used = out->len - line;
    if (used + 1 > indent) {
        buf_append_char(out, '\n');
        used = 0;
    }
    append_spaces(out, indent - used);
}

static void append_option(struct buf *out, const struct option_row *row)
{
    char help[512];
    size_t line = out->len;
    buf_append_text(out, "  ");
    if (row->short_name) {
        buf_printf(out, "-%c, ", row->short_name);
    } else {
        buf_append_text(out, "    ");
    }
    option_print_usage(out, row);
    go_to_column(out, line, HELP_COLUMN);
    snprintf(help, sizeof help, "%s%s%s%s", row->help, row->usual[0] ? " [" : "", row->usual,
             row->usual[0] ? "]" : "");
    append_wrapped(out, help, HELP_COLUMN, HELP_COLUMN);
}

static void append_facts(struct buf *out, const char *title, const struct help_fact *facts)
{
    buf_printf(out, "\n%s\n", title);
    for (; facts->term; facts++) {
        size_t line = out->len;
        buf_printf(out, "  %s", facts->term);
        go_to_column(out, line, FACT_COLUMN);
        append_wrapped(out, facts->text, FACT_COLUMN, FACT_COLUMN);
    }
}

static void append_examples(struct buf *out)
{
    buf_append_text(out, "\nExamples\n");
    for (const struct help_fact *fact = help_examples; fact->term; fact++) {
        buf_printf(out, "  %s\n      %s\n", fact->term, fact->text);
    }
}

void help_append_text(struct buf *out)
{
    buf_printf(out, "Usage: galley [OPTIONS] [DIRECTORY]\n\n");
    append_wrapped(out, help_description, 0, 0);
    for (int group = 0; group < OPTION_GROUP_COUNT; group++) {
        buf_printf(out, "\n%s\n", option_group_title((enum option_group)group));
        for (size_t i = 0; i < OPTION_COUNT; i++) {
            if ((int)option_rows[i].group == group) {
                append_option(out, &option_rows[i]);
            }
        }
    }
    append_facts(out, "Values", help_values);
    append_facts(out, "Signals", help_signals);
    append_facts(out, "Exit status", help_exit_statuses);
    append_facts(out, "Environment", help_environment);
    append_examples(out);
}
