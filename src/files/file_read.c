/* files/file_read.c — reading and hashing. A file that changes while it is read is read again, a
 * few times. */
#include "files/file_read.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "http/date.h"
#include "http/etag.h"

#include <errno.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wcast-align"
#include <xxhash.h>
#pragma GCC diagnostic pop

enum { READ_ATTEMPTS = 4, HASH_PIECE_BYTES = 256 * 1024 };

/* 1990-01-01: earlier times are made up by tools that build reproducible images, and no use as
 * validators. */
static const int64_t first_believable_mtime_s = 631152000;

struct file_stamp file_stamp_of(const struct stat *stat)
{
    const int64_t ns = 1000000000;
    return (struct file_stamp){
        .device = stat->st_dev,
        .inode = stat->st_ino,
        .size = (uint64_t)stat->st_size,
        .mtime_ns = (int64_t)stat->st_mtim.tv_sec * ns + stat->st_mtim.tv_nsec,
        .ctime_ns = (int64_t)stat->st_ctim.tv_sec * ns + stat->st_ctim.tv_nsec,
    };
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* Reads all of the file into room of the entry; -EAGAIN when it is not as long as it was. */
static int read_content(struct file_entry *entry, struct file_variant *variant)
{
    char *room = file_entry_room(entry, (size_t)variant->size + 1);
    if (!room) {
        return -ENOMEM;
    }
    ssize_t got = fd_read_at(variant->fd, room, (size_t)variant->size, 0);
    if (got < 0) {
        return (int)got;
    }
    room[got] = '\0';
    variant->bytes = span_make(room, (size_t)got);
    return (uint64_t)got == variant->size ? 0 : -EAGAIN;
}

static int hash_by_pieces(const struct file_variant *variant, XXH128_hash_t *ret_hash)
{
    char *piece = mem_alloc(HASH_PIECE_BYTES);
    XXH3_state_t *state = mem_alloc_aligned(64, sizeof(*state));
    int result = piece && state ? 0 : -ENOMEM;
    uint64_t at = 0;
    if (result == 0) {
        XXH3_128bits_reset(state);
    }
    while (result == 0 && at < variant->size) {
        uint64_t left = variant->size - at;
        size_t wanted = left < HASH_PIECE_BYTES ? (size_t)left : HASH_PIECE_BYTES;
        ssize_t got = fd_read_at(variant->fd, piece, wanted, (off_t)at);
        if (got < 0) {
            result = (int)got;
        } else if ((size_t)got < wanted) {
            result = -EAGAIN;
        } else {
            XXH3_128bits_update(state, piece, wanted);
            at += wanted;
        }
    }
    if (result == 0) {
        *ret_hash = XXH3_128bits_digest(state);
    }
    mem_free(piece);
    mem_free(state);
    return result;
}

static int take_tag(struct file_entry *entry, struct file_variant *variant, struct span text)
{
    variant->etag = file_entry_text(entry, text);
    return variant->etag.ptr ? 0 : -ENOMEM;
}

static int take_hash(struct file_entry *entry, struct file_variant *variant, XXH128_hash_t hash)
{
    char text[ETAG_MAX_LEN];
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    return take_tag(entry, variant, span_make(text, etag_write_hash(text, canonical.digest)));
}

int file_read_tag(struct file_entry *entry, struct file_variant *variant)
{
    return take_hash(entry, variant, XXH3_128bits(variant->bytes.ptr, variant->bytes.len));
}

/* Strong from the content up to the limit, weak from what stat says above it. */
static int make_etag(struct file_entry *entry, const struct file_store_options *options,
                     struct file_variant *variant, const struct file_stamp *stamp)
{
    if (variant->size > options->max_hash_file) {
        char text[ETAG_MAX_LEN];
        size_t len = etag_write_weak(text, stamp->inode, stamp->size, stamp->mtime_ns);
        return take_tag(entry, variant, span_make(text, len));
    }
    if (variant->bytes.ptr) {
        return file_read_tag(entry, variant);
    }
    XXH128_hash_t hash;
    int result = hash_by_pieces(variant, &hash);
    return result < 0 ? result : take_hash(entry, variant, hash);
}

static int make_last_modified(struct file_entry *entry, struct file_variant *variant)
{
    variant->last_modified = SPAN_NONE;
    if (variant->mtime_s < first_believable_mtime_s) {
        variant->mtime_s = INT64_MIN;
        return 0;
    }
    char text[DATE_LEN];
    date_write(text, variant->mtime_s);
    variant->last_modified = file_entry_text(entry, span_make(text, DATE_LEN));
    return variant->last_modified.ptr ? 0 : -ENOMEM;
}

static int read_once(struct file_entry *entry, const struct file_store_options *options,
                     struct file_variant *variant, const struct stat *stat)
{
    struct file_stamp stamp = file_stamp_of(stat);
    variant->size = stamp.size;
    variant->mtime_s = stat->st_mtim.tv_sec;
    variant->bytes = SPAN_NONE;
    int result = 0;
    if (variant->size <= options->max_memory_file) {
        result = read_content(entry, variant);
    }
    if (result == 0) {
        result = make_etag(entry, options, variant, &stamp);
    }
    if (result == 0) {
        result = make_last_modified(entry, variant);
    }
    if (result < 0) {
        return result;
    }
    struct stat after;
    if (fstat(variant->fd, &after) != 0) {
        return -errno;
    }
    struct file_stamp stamp_after = file_stamp_of(&after);
    return stamp_after.size == stamp.size && stamp_after.mtime_ns == stamp.mtime_ns ? 0 : -EAGAIN;
}

/* A file that never stands still (a log being written) is sent from its descriptor, without a claim
 * about its content beyond a weak tag. */
static int read_moving(struct file_entry *entry, const struct file_store_options *options,
                       struct file_variant *variant, const struct stat *stat)
{
    struct file_store_options moving = *options;
    moving.max_memory_file = 0;
    moving.max_hash_file = 0;
    int result = read_once(entry, &moving, variant, stat);
    return result == -EAGAIN && variant->etag.ptr ? 0 : result;
}

static int read_steady(struct file_entry *entry, const struct file_store_options *options,
                       struct file_variant *variant, struct stat *stat)
{
    int result = -EAGAIN;
    for (int attempt = 0; attempt < READ_ATTEMPTS && result == -EAGAIN; attempt++) {
        if (attempt > 0 && fstat(variant->fd, stat) != 0) {
            return -errno;
        }
        result = read_once(entry, options, variant, stat);
    }
    return result == -EAGAIN ? read_moving(entry, options, variant, stat) : result;
}

int file_read_variant(struct file_entry *entry, const struct file_store_options *options,
                      enum coding coding, int fd, const struct stat *stat)
{
    struct file_variant *variant = &entry->variants[entry->variant_count];
    struct stat now = *stat;
    *variant = (struct file_variant){.coding = coding, .fd = fd};
    int result = read_steady(entry, options, variant, &now);
    if (result < 0) {
        fd_close(&variant->fd);
        return result;
    }
    if (variant->bytes.ptr) {
        fd_close(&variant->fd);
    } else {
        entry->open_fds++;
    }
    entry->stamps[entry->variant_count] = file_stamp_of(&now);
    entry->variant_count++;
    return 0;
}
