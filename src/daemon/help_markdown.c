/* daemon/help_markdown.c — docs/options.md; and the completion for bash, which needs the names
 * only. Main thread. */
#include "daemon/help.h"
#include "daemon/option_table.h"

/* ---- markdown -------------------------------------------------------------------------------- */

/* What would end a cell of a table, or begin something. */
static void append_cell(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '|' || text.ptr[i] == '*' || text.ptr[i] == '[') {
            buf_append_char(out, '\\');
        }
        buf_append_char(out, text.ptr[i]);
    }
}

/* In a code span of a table only the bar needs it. */
static void append_code(struct buf *out, struct span text)
{
    buf_append_char(out, '`');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '|') {
            buf_append_char(out, '\\');
        }
        buf_append_char(out, text.ptr[i]);
    }
    buf_append_char(out, '`');
}

static void append_row(struct buf *out, const struct option_row *row)
{
    struct buf usage;
    buf_init(&usage, 0);
    option_print_usage(&usage, row);
    buf_append_text(out, "| ");
    if (row->short_name) {
        buf_printf(out, "`-%c`, ", row->short_name);
    }
    append_code(out, buf_span(&usage));
    buf_append_text(out, " | ");
    append_cell(out, span_of(row->usual));
    buf_append_text(out, row->usual[0] ? " | " : "| ");
    append_cell(out, span_of(row->help));
    buf_append_text(out, " |\n");
    buf_finish(&usage);
}

static void append_facts(struct buf *out, const char *title, const struct help_fact *facts)
{
    buf_printf(out, "\n## %s\n\n| | |\n|---|---|\n", title);
    for (; facts->term; facts++) {
        buf_append_text(out, "| ");
        append_code(out, span_of(facts->term));
        buf_append_text(out, " | ");
        append_cell(out, span_of(facts->text));
        buf_append_text(out, " |\n");
    }
}

void help_append_markdown(struct buf *out)
{
    buf_append_text(out, "# Options of galley\n\nMade by `galley --help=markdown` from "
                         "src/daemon/option_list.h; do not edit.\n\n"
                         "`galley [OPTIONS] [DIRECTORY]`\n\n");
    buf_printf(out, "%s\n", help_description);
    for (int group = 0; group < OPTION_GROUP_COUNT; group++) {
        buf_printf(out, "\n## %s\n\n| Option | Default | |\n|---|---|---|\n",
                   option_group_title((enum option_group)group));
        for (size_t i = 0; i < OPTION_COUNT; i++) {
            if ((int)option_rows[i].group == group) {
                append_row(out, &option_rows[i]);
            }
        }
    }
    append_facts(out, "Values", help_values);
    append_facts(out, "Signals", help_signals);
    append_facts(out, "Exit status", help_exit_statuses);
    append_facts(out, "Environment", help_environment);
    append_facts(out, "Examples", help_examples);
}

/* ---- bash ------------------------------------------------------------------------------------ */

void help_append_bash(struct buf *out)
{
    buf_append_text(out, "# bash completion for galley, made by galley --help=bash\n"
                         "_galley() {\n"
                         "    local word=${COMP_WORDS[COMP_CWORD]}\n"
                         "    if [[ $word == -* ]]; then\n"
                         "        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        bool has_value = row->kind != OPTION_KIND_SWITCH && row->kind != OPTION_KIND_OPTIONAL;
        buf_printf(out, "%s--%s%s", i ? " " : "", row->name, has_value ? "=" : "");
    }
    buf_append_text(out, "' -- \"$word\"))\n"
                         "        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
                         "    else\n"
                         "        COMPREPLY=($(compgen -d -- \"$word\"))\n"
                         "        compopt -o filenames\n"
                         "    fi\n"
                         "}\n"
                         "complete -F _galley galley\n");
}
