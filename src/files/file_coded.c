/* files/file_coded.c — see file_coded.h. On a worker, without locks but for the exchange at the end. */
#include "files/file_coded.h"

#include "files/file_read.h"
#include "files/file_store_state.h"
#include "http/media_type.h"

#include <galley/pool.h>

enum { PIECE_BYTES = 16 * 1024 }; /* between two looks whether to stop */

void file_coded_prepare(struct file_entry *entry, const struct file_store_options *options)
{
    const struct file_variant *identity = &entry->variants[0];
    const struct compressible *rules = &options->compressible;
    const struct media_type *type = media_type_of_path(entry->file_name);
    entry->may_be_coded = options->compresses && entry->variant_count == 1 && identity->bytes.ptr &&
                          identity->size >= compressible_least(rules) &&
                          compressible_is_wanted(rules, type->type, type->is_compressible);
    unsigned codings = CODING_BIT(CODING_GZIP) | CODING_BIT(CODING_ZSTD) | CODING_BIT(CODING_BR);
    atomic_store_explicit(&entry->makeable, entry->may_be_coded ? (uint8_t)codings : 0,
                          memory_order_relaxed);
}

/* A missing span stays missing. */
static bool copy_text(struct file_entry *to, struct span *ret, struct span text)
{
    *ret = text.ptr ? file_entry_text(to, text) : SPAN_NONE;
    return !text.ptr || ret->ptr;
}

/* The ready lines are made anew. */
static bool copy_variant(struct file_entry *to, const struct file_variant *variant,
                         const struct file_stamp *stamp)
{
    struct file_variant *copy = &to->variants[to->variant_count];
    *copy = (struct file_variant){.coding = variant->coding,
                                  .size = variant->size,
                                  .mtime_s = variant->mtime_s,
                                  .is_made = variant->is_made,
                                  .fd = -1};
    to->stamps[to->variant_count] = *stamp;
    to->variant_count++;
    return copy_text(to, &copy->bytes, variant->bytes) &&
           copy_text(to, &copy->etag, variant->etag) &&
           copy_text(to, &copy->last_modified, variant->last_modified);
}

static bool copy_entry(struct file_entry *to, const struct file_entry *from, enum coding without)
{
    to->kind = from->kind;
    to->is_watched = from->is_watched;
    to->is_index = from->is_index;
    to->may_be_coded = true;
    unsigned makeable = atomic_load_explicit(&from->makeable, memory_order_relaxed);
    atomic_init(&to->makeable, (uint8_t)(makeable & ~CODING_BIT(without)));
    atomic_init(&to->was_used, true);
    atomic_init(&to->checked_ms, atomic_load_explicit(&from->checked_ms, memory_order_relaxed));
    bool is_whole = copy_text(to, &to->file_name, from->file_name) &&
                    copy_text(to, &to->watch_name, from->watch_name);
    for (unsigned i = 0; i < from->variant_count && is_whole; i++) {
        is_whole = from->variants[i].coding == without ||
                   copy_variant(to, &from->variants[i], &from->stamps[i]);
    }
    return is_whole;
}

/* RFC 9110 §8.8.3.3: the tag is of these bytes, for another level makes others. */
static bool add_variant(struct file_entry *entry, enum coding coding, struct span bytes)
{
    const struct file_variant *identity = &entry->variants[0];
    struct file_variant *variant = &entry->variants[entry->variant_count];
    *variant = (struct file_variant){.coding = coding,
                                     .size = bytes.len,
                                     .mtime_s = identity->mtime_s,
                                     .last_modified = identity->last_modified,
                                     .is_made = true,
                                     .fd = -1};
    entry->variant_count++;
    variant->bytes = file_entry_text(entry, bytes);
    return variant->bytes.ptr && file_read_tag(entry, variant) == 0;
}

static struct file_entry *make_entry(const struct file_store_options *options,
                                     const struct file_entry *old, enum coding coding,
                                     struct span bytes)
{
    struct file_entry *entry = file_entry_create(old->path);
    bool is_whole = entry && copy_entry(entry, old, coding) && add_variant(entry, coding, bytes) &&
                    (!options->decorate || options->decorate(options->ctx, entry) == 0);
    if (!is_whole) {
        file_entry_unref(entry);
        return NULL;
    }
    return entry;
}

static int encode_pieces(struct encoder *encoder, struct span text, struct buf *out)
{
    int rc = GALLEY_OK;
    for (size_t at = 0; rc == GALLEY_OK && at < text.len; at += PIECE_BYTES) {
        size_t len = text.len - at < PIECE_BYTES ? text.len - at : PIECE_BYTES;
        rc = galley_should_stop()
                 ? GALLEY_ECANCELED
                 : encoder_append(encoder, ENCODER_GO_ON, span_make(text.ptr + at, len), out);
    }
    return rc != GALLEY_OK ? rc : encoder_append(encoder, ENCODER_FINISH, SPAN_NONE, out);
}

/* Smaller than what is there by more than the larger head would cost? */
int file_coded_encode(const struct file_entry *entry, enum coding coding, enum encoder_level level,
                      struct buf *out)
{
    const struct file_variant *there = file_entry_variant(entry, coding);
    struct span text = entry->variants[0].bytes;
    size_t most = there ? there->bytes.len - 1 : text.len - text.len / 16;
    buf_init(out, most);
    struct encoder_options options = {.level = level, .size_bytes = text.len};
    struct encoder *encoder = encoder_create(coding, &options);
    int rc = encoder ? encode_pieces(encoder, text, out) : GALLEY_ENOMEM;
    encoder_destroy(encoder);
    return rc;
}

struct file_entry *file_coded_place(struct file_store *store, struct file_entry *old,
                                    enum coding coding, struct span bytes)
{
    struct file_entry *entry = make_entry(&store->options, old, coding, bytes);
    if (entry && !file_store_replace(store, old, entry)) {
        file_entry_unref(entry);
        return NULL;
    }
    if (entry) {
        counter_add_shared(&store->counters.compressed, 1);
    }
    return entry;
}
