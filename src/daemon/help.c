/* daemon/help.c — the facts that every form of the manual shares, and the choice of a form. Main
 * thread. */
#include "daemon/help.h"

#include "base/span.h"

#include <galley/base.h>

const char help_summary[] = "serve a folder over HTTP";
const char help_description[] =
    "Serves the files of DIRECTORY, the current one by default, on http://127.0.0.1:7878/ until it "
    "is told to stop. Nothing outside of the folder is ever served, whatever links say; dotfiles, "
    "private keys, what editors leave behind, and everything that is not a regular file do not "
    "exist for "
    "clients.";

const struct help_fact help_values[] = {
    {"SIZE", "bytes, or with k, M, G, T: powers of 1024, as in 64k"},
    {"TIME", "with ms, s, m, h, as in 500ms; without a unit: seconds"},
    {"off", "where the default or the range names it: no such limit"},
    {NULL, NULL},
};

const struct help_fact help_signals[] = {
    {"TERM, INT", "stop: take no more, finish what runs, for at most --drain-timeout; a second one "
                  "ends at once"},
    {"USR1", "open the access log again, after it was renamed"},
    {"HUP", "reserved; ignored"},
    {NULL, NULL},
};

const struct help_fact help_exit_statuses[] = {
    {"0", "stopped, and everything that ran was finished"},
    {"1", "could not start: the address is taken, no permission, no such folder"},
    {"2", "the command line is wrong"},
    {"3", "stopped, but requests were cut: the drain's deadline passed, or it was told to end at "
          "once"},
    {NULL, NULL},
};

const struct help_fact help_environment[] = {
    {"NO_COLOR", "when set and not empty: no colours, even on a terminal"},
    {"TZ", "time zone of the access log's dev format; the other formats are in UTC"},
    {NULL, NULL},
};

const struct help_fact help_examples[] = {
    {"galley", "the current folder on http://127.0.0.1:7878/"},
    {"galley --listen=:8080 --list /srv/files", "a folder for everybody, with lists of files"},
    {"galley --spa --cache-control='/assets/**=max-age=31536000, immutable' dist",
     "a single-page application with fingerprinted assets"},
    {"galley --access-log=/var/log/galley.log --log-format=json /srv/www",
     "with a log for machines"},
    {NULL, NULL},
};

void help_append_version(struct buf *out)
{
    uint32_t version = galley_version();
    buf_printf(out, "%u.%u.%u", version >> 16, (version >> 8) & 255, version & 255);
}

bool help_append(struct buf *out, const char *format)
{
    static const struct {
        struct span name;
        void (*append)(struct buf *out);
    } forms[] = {{SPAN(""), help_append_text},
                 {SPAN("text"), help_append_text},
                 {SPAN("man"), help_append_man},
                 {SPAN("markdown"), help_append_markdown},
                 {SPAN("bash"), help_append_bash}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (span_equal(forms[i].name, span_of(format))) {
            forms[i].append(out);
            return true;
        }
    }
    return false;
}
