/* files/file_fields.c — which fields a 200, a 304 and a 206 carry. */
#include "files/file_fields.h"

#include "base/buf.h"
#include "coding/compressible.h"
#include "http/media_type.h"

#include "files/file_links.h"
#include "files/file_site_state.h"

static void append_field(struct buf *out, const char *name, struct span value)
{
    buf_append_text(out, name);
    buf_append_text(out, ": ");
    buf_append_span(out, value);
    buf_append_text(out, "\r\n");
}

/* RFC 9110 §15.4.5: what a 304 carries of the 200: here ETag, Vary, Cache-Control, and the owner's
 * own (Expires among them). The same lines begin the other two. */
static void append_shared(struct buf *out, const galley_static *site,
                          const struct file_entry *entry, const struct file_variant *variant)
{
    append_field(out, "ETag", variant->etag);
    if (file_entry_varies(entry)) {
        /* RFC 9110 §12.5.5: on every variant, also on the plain one. */
        append_field(out, "Vary", SPAN("Accept-Encoding"));
    }
    struct span cache_control = file_rules_find(&site->rules, entry->file_name);
    if (cache_control.ptr) {
        append_field(out, "Cache-Control", cache_control);
    }
    buf_append_span(out, site->common_lines);
}

static void append_description(struct buf *out, const struct file_variant *variant)
{
    if (variant->last_modified.ptr) {
        append_field(out, "Last-Modified", variant->last_modified);
    }
    append_field(out, "Accept-Ranges", SPAN("bytes"));
    if (variant->coding != CODING_IDENTITY) {
        append_field(out, "Content-Encoding", coding_name(variant->coding));
    }
}

static struct span keep(struct file_entry *entry, const struct buf *lines)
{
    return lines->failed ? SPAN_NONE : file_entry_text(entry, buf_span(lines));
}

static bool decorate_variant(const galley_static *site, struct file_entry *entry,
                             struct file_variant *variant, struct buf *lines)
{
    buf_clear(lines);
    append_shared(lines, site, entry, variant);
    variant->fields_304 = keep(entry, lines);
    append_description(lines, variant);
    variant->fields_206 = keep(entry, lines);
    if (!site->is_for_replies) { /* there the handler may have set the type */
        append_field(lines, "Content-Type", entry->type);
    }
    /* RFC 9110 §15.4.5: not on a 304, whose client has them; nor on a part, which is no page. */
    file_links_append(lines, site, entry->file_name);
    buf_append_text(lines, "Content-Length: ");
    buf_append_u64(lines, variant->size);
    buf_append_text(lines, "\r\n");
    variant->fields_200 = keep(entry, lines);
    return variant->fields_304.ptr && variant->fields_206.ptr && variant->fields_200.ptr;
}

static void leave_as_it_is(const galley_static *site, struct file_entry *entry)
{
    struct span cache_control = file_rules_find(&site->rules, entry->file_name);
    if (entry->may_be_coded && cache_control.ptr && compressible_forbidden(cache_control)) {
        entry->may_be_coded = false;
        atomic_store_explicit(&entry->makeable, 0, memory_order_relaxed);
    }
}

int file_fields_decorate(void *site, struct file_entry *entry)
{
    leave_as_it_is(site, entry);
    entry->type = media_type_of_path(entry->file_name)->type;
    struct buf lines;
    buf_init(&lines, 0);
    bool is_whole = true;
    for (unsigned i = 0; i < entry->variant_count && is_whole; i++) {
        is_whole = decorate_variant(site, entry, &entry->variants[i], &lines);
    }
    buf_finish(&lines);
    return is_whole ? GALLEY_OK : GALLEY_ENOMEM;
}
