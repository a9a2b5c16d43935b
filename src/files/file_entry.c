/* files/file_entry.c — entries: memory, references, look-up of variants. */
#include "files/file_entry.h"

#include "base/alloc.h"
#include "base/fd.h"

struct file_block {
    struct file_block *next;
    char bytes[];
};

struct file_entry *file_entry_create(struct span path)
{
    struct file_entry *entry = mem_alloc_zero(1, sizeof(*entry));
    if (!entry) {
        return NULL;
    }
    atomic_init(&entry->refs, 1);
    list_init(&entry->store_link);
    list_init(&entry->missing_link);
    list_init(&entry->watch_link);
    for (unsigned i = 0; i < FILE_MAX_VARIANTS; i++) {
        entry->variants[i].fd = -1;
    }
    entry->memory_bytes = sizeof(*entry);
    entry->path = file_entry_text(entry, path);
    if (!entry->path.ptr) {
        file_entry_unref(entry);
        return NULL;
    }
    return entry;
}

char *file_entry_room(struct file_entry *entry, size_t bytes)
{
    struct file_block *block =
        bytes < SIZE_MAX - sizeof(*block) ? mem_alloc(sizeof(*block) + bytes) : NULL;
    if (!block) {
        return NULL;
    }
    block->next = entry->blocks;
    entry->blocks = block;
    entry->memory_bytes += bytes;
    return block->bytes;
}

struct span file_entry_text(struct file_entry *entry, struct span text)
{
    char *copy = file_entry_room(entry, text.len + 1);
    if (!copy) {
        return SPAN_NONE;
    }
    if (text.len) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = '\0';
    return span_make(copy, text.len);
}

struct file_entry *file_entry_ref(struct file_entry *entry)
{
    atomic_fetch_add_explicit(&entry->refs, 1, memory_order_relaxed);
    return entry;
}

static void destroy(struct file_entry *entry)
{
    for (unsigned i = 0; i < FILE_MAX_VARIANTS; i++) {
        fd_close(&entry->variants[i].fd);
    }
    while (entry->blocks) {
        struct file_block *next = entry->blocks->next;
        mem_free(entry->blocks);
        entry->blocks = next;
    }
    mem_free(entry);
}

void file_entry_unref(struct file_entry *entry)
{
    if (entry && atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) == 1) {
        destroy(entry);
    }
}

void file_entry_release(void *entry)
{
    file_entry_unref(entry);
}

const struct file_variant *file_entry_variant(const struct file_entry *entry, enum coding coding)
{
    for (unsigned i = 0; i < entry->variant_count; i++) {
        if (entry->variants[i].coding == coding) {
            return &entry->variants[i];
        }
    }
    return NULL;
}

unsigned file_entry_codings(const struct file_entry *entry)
{
    unsigned codings = 0;
    for (unsigned i = 0; i < entry->variant_count; i++) {
        codings |= CODING_BIT(entry->variants[i].coding);
    }
    return codings;
}
