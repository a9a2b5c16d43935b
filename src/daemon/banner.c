/* daemon/banner.c — the first lines of a start, made of what the library found. Main thread. */
#include "daemon/banner.h"

#include "base/fd.h"
#include "base/text.h"

#include "daemon/say.h"
#include "daemon/tls.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char warning_colour[] = "\033[33m";
static const char bold[] = "\033[1m";
static const char normal[] = "\033[0m";

/* ---- where ----------------------------------------------------------------------------------- */

void banner_url(struct buf *out, const char *scheme, struct span address)
{
    struct span port = span_from(address, address.len);
    for (size_t at = address.len; at > 0 && !port.len; at--) {
        if (address.ptr[at - 1] == ':') {
            port = span_from(address, at);
        }
    }
    uint64_t number = 0;
    if (!text_parse_u64(port, &number)) {
        buf_append_span(out, address); /* unix:/run/x.sock */
        return;
    }
    struct span host = span_make(address.ptr, address.len - port.len - 1);
    if (span_equal(host, SPAN("0.0.0.0"))) {
        buf_printf(out, "%s://127.0.0.1:%.*s/ (and every other IPv4 address)", scheme,
                   SPAN_ARGS(port));
    } else if (span_equal(host, SPAN("[::]"))) {
        buf_printf(out, "%s://[::1]:%.*s/ (and every other address)", scheme, SPAN_ARGS(port));
    } else {
        buf_printf(out, "%s://%.*s:%.*s/", scheme, SPAN_ARGS(host), SPAN_ARGS(port));
    }
}

/* Addresses stand in the order in which they were given. */
static void print_addresses(struct buf *out, galley_server *server, const struct options *options,
                            bool has_colours)
{
    char plain[TLS_ADDRESS_MAX];
    for (unsigned i = 0; i < options->listen.count; i++) {
        galley_str address = galley_server_address(server, i);
        if (!address.ptr) {
            return;
        }
        buf_append_text(out, "  ");
        buf_append_text(out, has_colours ? bold : "");
        bool is_tls = tls_address(options->listen.items[i], plain);
        banner_url(out, is_tls ? "https" : "http", span_make(address.ptr, address.len));
        buf_append_text(out, has_colours ? normal : "");
        buf_append_char(out, '\n');
    }
}

/* ---- what ------------------------------------------------------------------------------------ */

enum { NOTES_SHOWN = 12 };

struct audit {
    struct buf *out;
    struct buf extras; /* ", index.html, 404.html" */
    struct buf notes;  /* a line for each thing that is not served, or should not be */
    uint64_t files, precompressed, more;
    unsigned notes_count;
    bool has_index;
    bool has_colours;
};

static const char *why_not(galley_static_finding_kind kind)
{
    switch (kind) {
    case GALLEY_FOUND_SECRET:
        return "holds secrets";
    case GALLEY_FOUND_HIDDEN:
        return "begins with a dot";
    case GALLEY_FOUND_BACKUP:
        return "left behind by an editor";
    case GALLEY_FOUND_SPECIAL:
        return "not a regular file";
    case GALLEY_FOUND_LINK_OUT:
        return "a link that leads out, or nowhere";
    case GALLEY_FOUND_UNREADABLE:
        return "may not be read";
    case GALLEY_FOUND_OLD_NEIGHBOUR:
        return "older than the file it was made of";
    default:
        return "";
    }
}

/* File names may hold anything. */
static void append_path(struct buf *out, const char *path)
{
    size_t before = out->len;
    buf_append_text(out, path ? path : "");
    if (!out->failed) {
        text_mask_controls(out->data + before, out->len - before);
    }
}

static void note(struct audit *audit, const galley_static_finding *finding)
{
    bool is_warning = finding->kind == GALLEY_FOUND_SECRET && finding->is_served;
    if (++audit->notes_count > NOTES_SHOWN && !is_warning) {
        return;
    }
    buf_append_text(&audit->notes, audit->has_colours && is_warning ? warning_colour : "");
    buf_append_text(&audit->notes, finding->is_served ? "  served, be warned: " : "  not served: ");
    append_path(&audit->notes, finding->path);
    buf_printf(&audit->notes, " (%s)%s\n", why_not(finding->kind),
               audit->has_colours && is_warning ? normal : "");
}

static void found(void *ctx, const galley_static_finding *finding)
{
    struct audit *audit = ctx;
    switch (finding->kind) {
    case GALLEY_FOUND_FILES:
        audit->files += finding->count;
        break;
    case GALLEY_FOUND_PRECOMPRESSED:
        audit->precompressed += finding->count;
        break;
    case GALLEY_FOUND_MORE:
        audit->more += finding->count;
        break;
    case GALLEY_FOUND_INDEX:
    case GALLEY_FOUND_ERROR_PAGE:
        buf_append_text(&audit->extras, ", ");
        append_path(&audit->extras, finding->path);
        audit->has_index |= finding->kind == GALLEY_FOUND_INDEX;
        break;
    default:
        if (!finding->is_served || finding->kind == GALLEY_FOUND_SECRET) {
            note(audit, finding);
        }
    }
}

static void print_summary(struct audit *audit)
{
    struct buf *out = audit->out;
    buf_printf(out, "  found %llu file%s", (unsigned long long)audit->files,
               audit->files == 1 ? "" : "s");
    buf_append_span(out, buf_span(&audit->extras));
    if (audit->precompressed > 0) {
        buf_printf(out, ", %llu precompressed", (unsigned long long)audit->precompressed);
    }
    buf_append_text(out, audit->has_index ? "\n" : "; no index file at the top\n");
    buf_append_span(out, buf_span(&audit->notes));
    if (audit->notes_count > NOTES_SHOWN) {
        buf_printf(out, "  and %u more that are not served\n", audit->notes_count - NOTES_SHOWN);
    }
    if (audit->more > 0) {
        buf_printf(out, "  at least %llu more were not looked at\n",
                   (unsigned long long)audit->more);
    }
}

void banner_folder(struct buf *out, const galley_static *site, const char *directory,
                   bool has_colours)
{
    char whole[PATH_MAX];
    const char *shown = realpath(directory, whole);
    buf_append_text(out, "  serving ");
    append_path(out, shown ? shown : directory);
    buf_append_char(out, '\n');

    struct audit audit = {.out = out, .has_colours = has_colours};
    buf_init(&audit.extras, 0);
    buf_init(&audit.notes, 0);
    if (galley_static_audit(site, found, &audit) == GALLEY_OK) {
        print_summary(&audit);
    } else {
        buf_append_text(out, "  the folder cannot be listed; files are served by name\n");
    }
    buf_finish(&audit.extras);
    buf_finish(&audit.notes);
}

void banner_print(const struct service *service, const struct options *options)
{
    struct buf out;
    bool has_colours = say_has_colours(STDOUT_FILENO);
    buf_init(&out, 0);
    print_addresses(&out, service->server, options, has_colours);
    if (service->tls) {
        tls_append_report(&out, service->tls);
    }
    /* At once: whoever waits for the address need not wait for the walk through the folder. */
    (void)fd_write_all(STDOUT_FILENO, buf_span(&out).ptr, out.len);
    buf_clear(&out);
    banner_folder(&out, service->site, options->directory, has_colours);
    (void)fd_write_all(STDOUT_FILENO, buf_span(&out).ptr, out.len);
    buf_finish(&out);
}
