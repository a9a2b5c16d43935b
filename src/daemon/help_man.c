/* daemon/help_man.c — the manual page galley(1), for man(7) macros; the build writes it to
 * galley.1. Main thread. */
#include "daemon/help.h"
#include "daemon/option_table.h"

/* roff takes a minus for a hyphen, a backslash for an escape, and . and ' at the start of a line
 * for requests. */
static void append_escaped(struct buf *out, struct span text)
{
    bool at_line_start = out->len == 0 || out->data[out->len - 1] == '\n';
    if (at_line_start && text.len > 0 && (text.ptr[0] == '.' || text.ptr[0] == '\'')) {
        buf_append_text(out, "\\&");
    }
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '-':
            buf_append_text(out, "\\-");
            break;
        case '\\':
            buf_append_text(out, "\\e");
            break;
        case '\'':
            buf_append_text(out, "\\(aq");
            break;
        default:
            buf_append_char(out, text.ptr[i]);
        }
    }
}

static void append_paragraph(struct buf *out, const char *text)
{
    append_escaped(out, span_of(text));
    buf_append_char(out, '\n');
}

static void append_option(struct buf *out, const struct option_row *row)
{
    struct buf usage;
    buf_init(&usage, 0);
    option_print_usage(&usage, row);
    buf_append_text(out, ".TP\n\\fB");
    if (row->short_name) {
        buf_printf(out, "\\-%c\\fR, \\fB", row->short_name);
    }
    append_escaped(out, buf_span(&usage));
    buf_append_text(out, "\\fR\n");
    append_escaped(out, span_of(row->help));
    if (row->usual[0]) {
        buf_append_text(out, ". Default: ");
        append_escaped(out, span_of(row->usual));
    }
    buf_append_text(out, ".\n");
    buf_finish(&usage);
}

static void append_facts(struct buf *out, const char *title, const struct help_fact *facts)
{
    buf_printf(out, ".SH %s\n", title);
    for (; facts->term; facts++) {
        buf_append_text(out, ".TP\n\\fB");
        append_escaped(out, span_of(facts->term));
        buf_append_text(out, "\\fR\n");
        append_paragraph(out, facts->text);
    }
}

void help_append_man(struct buf *out)
{
    buf_append_text(out, ".\\\" Made by galley \\-\\-help=man; change src/daemon/option_list.h.\n"
                         ".TH GALLEY 1 \"\" \"galley ");
    help_append_version(out);
    buf_append_text(out, "\" \"User Commands\"\n.SH NAME\n");
    buf_printf(out, "galley \\- %s\n", help_summary);
    buf_append_text(out, ".SH SYNOPSIS\n.B galley\n[\\fIOPTIONS\\fR] [\\fIDIRECTORY\\fR]\n"
                         ".SH DESCRIPTION\n");
    append_paragraph(out, help_description);
    buf_append_text(out, ".SH OPTIONS\n");
    for (int group = 0; group < OPTION_GROUP_COUNT; group++) {
        buf_printf(out, ".SS %s\n", option_group_title((enum option_group)group));
        for (size_t i = 0; i < OPTION_COUNT; i++) {
            if ((int)option_rows[i].group == group) {
                append_option(out, &option_rows[i]);
            }
        }
    }
    append_facts(out, "VALUES", help_values);
    append_facts(out, "SIGNALS", help_signals);
    append_facts(out, "EXIT STATUS", help_exit_statuses);
    append_facts(out, "ENVIRONMENT", help_environment);
    append_facts(out, "EXAMPLES", help_examples);
}
