/* hpack/hpack_table.c — the dynamic table; see hpack_table.h. Numbers of entries and places of
 * text only grow and are compared by their differences, so that nothing is written anew when
 * entries are evicted: an entry is gone when its age is not below count, and text lives from the
 * oldest entry's place on. */
#include "hpack/hpack_table.h"

#include "base/alloc.h"
#include "base/check.h"
#include "hpack/hpack.h"

enum {
    FIRST_SLOTS = 32,
    MOST_SLOTS = HPACK_TABLE_BYTES / HPACK_ENTRY_OVERHEAD, /* entries without text */
    FIRST_TEXT = 1024,
    MOST_TEXT = HPACK_TABLE_BYTES * 3 / 2
};

_Static_assert((MOST_SLOTS & (MOST_SLOTS - 1)) == 0, "the ring's mask");
_Static_assert((HPACK_BUCKETS & (HPACK_BUCKETS - 1)) == 0, "the buckets' mask");
_Static_assert(HPACK_TABLE_BYTES <= UINT16_MAX, "lengths of names and values");

static size_t block_bytes(uint32_t slots, uint32_t text_bytes)
{
    return sizeof(struct hpack_entries) + slots * sizeof(struct hpack_entry) + text_bytes;
}

uint64_t hpack_most_bytes(void)
{
    return mem_cost(block_bytes(MOST_SLOTS, MOST_TEXT));
}

void hpack_table_init(struct hpack_table *table, uint32_t max_bytes)
{
    CHECK(max_bytes <= HPACK_TABLE_BYTES);
    *table = (struct hpack_table){.max_bytes = max_bytes};
}

void hpack_table_finish(struct hpack_table *table)
{
    mem_free(table->entries);
    hpack_table_init(table, table->max_bytes);
}

static void evict_until(struct hpack_table *table, uint32_t bytes)
{
    while (table->bytes > bytes) {
        const struct hpack_entry *oldest = hpack_table_at(table, table->count - 1);
        table->bytes -= (uint32_t)oldest->name_len + oldest->value_len + HPACK_ENTRY_OVERHEAD;
        table->count--;
    }
}

void hpack_table_resize(struct hpack_table *table, uint32_t max_bytes)
{
    CHECK(max_bytes <= HPACK_TABLE_BYTES);
    evict_until(table, max_bytes);
    table->max_bytes = max_bytes;
    if (max_bytes == 0) {
        hpack_table_finish(table);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Where living text begins. */
static uint32_t oldest_at(const struct hpack_table *table)
{
    return table->count ? hpack_table_at(table, table->count - 1)->at : table->entries->end_at;
}

static void compact(struct hpack_table *table)
{
    struct hpack_entries *entries = table->entries;
    uint32_t from = oldest_at(table);
    memmove(entries->text, entries->text + (from - entries->first_at), entries->end_at - from);
    entries->first_at = from;
}

/* A larger block with what lives; the old one stays whole when there is none. */
static bool grow(struct hpack_table *table, uint32_t slots, uint32_t text_bytes)
{
    struct hpack_entries *old = table->entries;
    struct hpack_entries *entries = mem_alloc(block_bytes(slots, text_bytes));
    if (!entries) {
        return false;
    }
    *entries = (struct hpack_entries){.mask = slots - 1, .text_bytes = text_bytes};
    entries->text = (char *)(entries->ring + slots);
    if (old) {
        entries->last = old->last;
        entries->first_at = oldest_at(table);
        entries->end_at = old->end_at;
        memcpy(entries->buckets, old->buckets, sizeof old->buckets);
        for (uint32_t age = 0; age < table->count; age++) {
            entries->ring[(entries->last - age) & entries->mask] = *hpack_table_at(table, age);
        }
        memcpy(entries->text, old->text + (entries->first_at - old->first_at),
               entries->end_at - entries->first_at);
    }
    mem_free(old);
    table->entries = entries;
    return true;
}

/* Room for one entry more, and for so many bytes of text more. A quarter of the text stays free,
 * so that moving it costs no more than a few bytes for each that was added. */
static bool make_room(struct hpack_table *table, uint32_t more)
{
    struct hpack_entries *entries = table->entries;
    uint32_t slots = entries ? entries->mask + 1 : FIRST_SLOTS;
    uint32_t text_bytes = entries ? entries->text_bytes : FIRST_TEXT;
    uint32_t text = table->bytes - table->count * HPACK_ENTRY_OVERHEAD + more;
    while (slots < table->count + 1) {
        slots *= 2;
    }
    while (text > text_bytes / 4 * 3 && text_bytes < MOST_TEXT) {
        text_bytes = text_bytes * 2 < MOST_TEXT ? text_bytes * 2 : MOST_TEXT;
    }
    if (!entries || slots > entries->mask + 1 || text_bytes > entries->text_bytes) {
        return grow(table, slots, text_bytes);
    }
    compact(table);
    return true;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static bool has_room(const struct hpack_table *table, uint32_t more)
{
    const struct hpack_entries *entries = table->entries;
    return entries && table->count <= entries->mask &&
           entries->end_at - entries->first_at + more <= entries->text_bytes;
}

/* How far back the newest living entry of the bucket is. */
static uint8_t distance(const struct hpack_table *table, uint32_t number)
{
    uint32_t age = table->entries->last - number;
    return age < table->count ? (uint8_t)(age + 1) : 0;
}

/* There is room. */
static void place(struct hpack_table *table, struct span name, struct span value,
                  const struct hpack_marks *marks)
{
    struct hpack_entries *entries = table->entries;
    uint32_t *bucket = &entries->buckets[marks->hash & (HPACK_BUCKETS - 1)];
    char *text = entries->text + (entries->end_at - entries->first_at);
    uint32_t number = entries->last + 1;
    entries->ring[number & entries->mask] = (struct hpack_entry){
        .at = entries->end_at,
        .hash = marks->hash,
        .name_len = (uint16_t)name.len,
        .value_len = (uint16_t)value.len,
        .older = distance(table, *bucket),
        .name_index = marks->name_index,
        .has_good_name = marks->has_good_name,
        .has_good_value = marks->has_good_value,
    };
    memcpy(text, name.ptr, name.len);
    memcpy(text + name.len, value.ptr, value.len);
    *bucket = number;
    entries->last = number;
    entries->end_at += (uint32_t)(name.len + value.len);
    table->bytes += (uint32_t)(name.len + value.len) + HPACK_ENTRY_OVERHEAD;
    table->count++;
}

/* Text moves, and the name may be a part of it that does not live any more. */
static __attribute__((noinline)) bool place_moved(struct hpack_table *table, struct span name,
                                                  struct span value,
                                                  const struct hpack_marks *marks)
{
    char copy[HPACK_TABLE_BYTES];
    memcpy(copy, name.ptr, name.len);
    if (!make_room(table, (uint32_t)(name.len + value.len))) {
        return false;
    }
    place(table, span_make(copy, name.len), value, marks);
    return true;
}

bool hpack_table_add(struct hpack_table *table, struct span name, struct span value,
                     const struct hpack_marks *marks)
{
    uint32_t most = table->max_bytes;
    if (name.len > most || value.len > most || name.len + value.len + HPACK_ENTRY_OVERHEAD > most) {
        evict_until(table, 0);
        return true;
    }
    uint32_t bytes = table->bytes;
    uint32_t count = table->count;
    evict_until(table, most - (uint32_t)(name.len + value.len) - HPACK_ENTRY_OVERHEAD);
    if (has_room(table, (uint32_t)(name.len + value.len))) {
        place(table, name, value, marks);
        return true;
    }
    if (place_moved(table, name, value, marks)) {
        return true;
    }
    table->bytes = bytes; /* no memory: who was evicted is back */
    table->count = count;
    return false;
}

/* ---- finding --------------------------------------------------------------------------------- */

/* memcmp() for what is mostly short: a call costs more than the few words. The last word may
 * have bytes of the one before it. */
static inline bool is_same(const char *a, const char *b, size_t len)
{
    uint64_t x, y;
    uint32_t u, v;
    size_t i = 0;
    if (len >= sizeof x) {
        for (; i < len - sizeof x; i += sizeof x) {
            memcpy(&x, a + i, sizeof x);
            memcpy(&y, b + i, sizeof y);
            if (x != y) {
                return false;
            }
        }
        memcpy(&x, a + len - sizeof x, sizeof x);
        memcpy(&y, b + len - sizeof y, sizeof y);
        return x == y;
    }
    if (len >= sizeof u) {
        memcpy(&u, a, sizeof u);
        memcpy(&v, b, sizeof v);
        if (u != v) {
            return false;
        }
        i = sizeof u;
    }
    while (i < len && a[i] == b[i]) {
        i++;
    }
    return i == len;
}

/* Names of the static table are the same when their rows are. */
static inline bool is_entry(const struct hpack_table *table, const struct hpack_entry *entry,
                            const struct hpack_line *line)
{
    const char *text = hpack_entry_name(table, entry).ptr;
    return entry->hash == line->hash && entry->name_index == line->name_index &&
           entry->name_len == line->name.len && entry->value_len == line->value.len &&
           (line->name_index != 0 || is_same(text, line->name.ptr, line->name.len)) &&
           is_same(text + entry->name_len, line->value.ptr, line->value.len);
}

int hpack_table_find(const struct hpack_table *table, const struct hpack_line *line)
{
    if (table->count == 0) {
        return -1;
    }
    const struct hpack_entries *entries = table->entries;
    uint32_t age = entries->last - entries->buckets[line->hash & (HPACK_BUCKETS - 1)];
    while (age < table->count) {
        const struct hpack_entry *entry = hpack_table_at(table, age);
        if (is_entry(table, entry, line)) {
            return (int)age;
        }
        if (entry->older == 0) {
            break;
        }
        age += entry->older;
    }
    return -1;
}

int hpack_table_find_name(const struct hpack_table *table, struct span name)
{
    for (uint32_t age = 0; age < table->count; age++) {
        const struct hpack_entry *entry = hpack_table_at(table, age);
        if (entry->name_len == name.len && span_equal(hpack_entry_name(table, entry), name)) {
            return (int)age;
        }
    }
    return -1;
}
