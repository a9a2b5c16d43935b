/* hpack/hpack_table.h — the dynamic table of RFC 7541 §2.3.2. For decoder and encoder; nobody
 * outside of the room looks in. Pure; one owner.
 *
 * Entries stand in a ring, their text in one piece of memory behind each other: what is evicted
 * leaves room at its beginning, and when its end is reached, what lives is moved to the
 * beginning. Both grow with what is kept, up to what HPACK_TABLE_BYTES needs. Names and values
 * are spans into that memory until the next add. */
#ifndef HPACK_HPACK_TABLE_H
#define HPACK_HPACK_TABLE_H

#include "base/span.h"

enum {
    HPACK_TABLE_BYTES = 4096, /* RFC 9113 §6.5.2: what both sides begin with; we never want more */
    HPACK_ENTRY_OVERHEAD = 32, /* RFC 7541 §4.1 */
    HPACK_STATIC_COUNT = 61,   /* Appendix A */
    HPACK_BUCKETS = 32         /* a power of two */
};

struct hpack_line; /* hpack.h */

struct hpack_entry {
    uint32_t at;   /* of the name, the value behind it; counted from the first byte ever added */
    uint32_t hash; /* the encoder's, of both */
    uint16_t name_len;
    uint16_t value_len;
    uint8_t older;      /* the next in its bucket was added so many entries before it; 0: none */
    uint8_t name_index; /* these three as struct hpack_field has them */
    bool has_good_name;
    bool has_good_value;
};

struct hpack_entries {
    uint32_t last;       /* entries that were ever added; the newest has this number */
    uint32_t mask;       /* of the ring: entry number n is entries[n & mask] */
    uint32_t first_at;   /* `at` of text[0] */
    uint32_t end_at;     /* … behind the newest entry */
    uint32_t text_bytes; /* of memory */
    /* By hash: the number of the newest entry, which may be gone. */
    uint32_t buckets[HPACK_BUCKETS];
    char *text; /* behind the ring, in the same block */
    struct hpack_entry ring[];
};

/** The newest entry has index HPACK_STATIC_COUNT + 1, and age 0. */
struct hpack_table {
    struct hpack_entries *entries; /* NULL: nothing was ever added */
    uint32_t max_bytes;            /* in force */
    uint32_t bytes;                /* as RFC 7541 §4.1 counts */
    uint32_t count;
};

/** max_bytes is at most HPACK_TABLE_BYTES, here and below. Allocates nothing. */
void hpack_table_init(struct hpack_table *table, uint32_t max_bytes);
void hpack_table_finish(struct hpack_table *table);
/** Evicts what is too much; at 0 gives the memory back. */
void hpack_table_resize(struct hpack_table *table, uint32_t max_bytes);

/** What stands in an entry besides its text. */
struct hpack_marks {
    uint32_t hash;
    uint8_t name_index;
    bool has_good_name;
    bool has_good_value;
};

/** Evicts and adds (RFC 7541 §4.4); what is larger than the table empties it and is not added.
 *  The name may be one of the table's own, also of an entry that is evicted. False: no memory,
 *  nothing has changed. */
bool hpack_table_add(struct hpack_table *table, struct span name, struct span value,
                     const struct hpack_marks *marks);
/** The age of the entry with this name, value, hash and name_index, or -1. */
int hpack_table_find(const struct hpack_table *table, const struct hpack_line *line);
/** … of the newest with this name. */
int hpack_table_find_name(const struct hpack_table *table, struct span name);

/** age < table->count */
static inline const struct hpack_entry *hpack_table_at(const struct hpack_table *table,
                                                       uint32_t age)
{
    const struct hpack_entries *entries = table->entries;
    return &entries->ring[(entries->last - age) & entries->mask];
}

static inline struct span hpack_entry_name(const struct hpack_table *table,
                                           const struct hpack_entry *entry)
{
    const struct hpack_entries *entries = table->entries;
    return span_make(entries->text + (entry->at - entries->first_at), entry->name_len);
}

static inline struct span hpack_entry_value(const struct hpack_table *table,
                                            const struct hpack_entry *entry)
{
    return span_make(hpack_entry_name(table, entry).ptr + entry->name_len, entry->value_len);
}

#endif
