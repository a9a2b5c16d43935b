/* base/table.c — open addressing with linear probing and tombstones; see table.h.
 * Invariants: capacity is a power of two with at least a quarter of the slots empty, so that every
 * probe ends; a slot is in use when value is not NULL; a free one has hash SLOT_EMPTY or
 * SLOT_DELETED. */
#include "base/table.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/random.h"

#include <galley/base.h>

enum { SLOT_EMPTY = 0, SLOT_DELETED = 1, TABLE_FIRST_CAPACITY = 8 };

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

/* Little-endian by definition, on every machine. */
static inline uint64_t load_le(const char *bytes, size_t count)
{
    uint64_t word = 0;
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
        memcpy(&word, bytes, count);
        return word;
    }
    for (size_t i = 0; i < count; i++) {
        word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    }
    return word;
}

/* 1 to 7 bytes, in loads that overlap instead of a loop. */
static inline uint64_t load_le_tail(const char *bytes, size_t count)
{
    if (count >= 4) {
        return load_le(bytes, 4) | load_le(bytes + count - 4, 4) << (8 * (count - 4));
    }
    return load_le(bytes, 1) | load_le(bytes + count / 2, 1) << (8 * (count / 2)) |
           load_le(bytes + count - 1, 1) << (8 * (count - 1));
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s); /* one round a word: the 1 of SipHash-1-3 */
    s->v0 ^= word;
}

/* SipHash (Aumasson, Bernstein 2012) with 1 and 3 rounds: not to be guessed without the seed. */
uint64_t table_hash(const uint64_t seed[2], struct span key)
{
    struct sip s = {
        .v0 = seed[0] ^ UINT64_C(0x736f6d6570736575),
        .v1 = seed[1] ^ UINT64_C(0x646f72616e646f6d),
        .v2 = seed[0] ^ UINT64_C(0x6c7967656e657261),
        .v3 = seed[1] ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = key.len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        sip_word(&s, load_le(key.ptr + i, 8));
    }
    uint64_t last = (uint64_t)key.len << 56;
    sip_word(&s, whole < key.len ? last | load_le_tail(key.ptr + whole, key.len - whole) : last);
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void table_init(struct table *table)
{
    *table = (struct table){0};
    random_bytes(table->seed, sizeof table->seed);
}

void table_finish(struct table *table)
{
    mem_free(table->slots);
    *table = (struct table){.seed = {table->seed[0], table->seed[1]}};
}

static bool is_slot_of(const struct table_slot *slot, uint64_t hash, struct span key)
{
    return slot->value && slot->hash == hash && span_equal(slot->key, key);
}

static struct table_slot *find(const struct table *table, struct span key, uint64_t hash)
{
    size_t mask = table->capacity - 1;
    for (size_t i = (size_t)hash & mask; table->capacity != 0; i = (i + 1) & mask) {
        struct table_slot *slot = &table->slots[i];
        if (is_slot_of(slot, hash, key)) {
            return slot;
        }
        if (!slot->value && slot->hash == SLOT_EMPTY) {
            break;
        }
    }
    return NULL;
}

void *table_get(const struct table *table, struct span key)
{
    if (table->count == 0) {
        return NULL;
    }
    const struct table_slot *slot = find(table, key, table_hash(table->seed, key));
    return slot ? slot->value : NULL;
}

static struct table_slot *first_free(struct table_slot *slots, size_t capacity, uint64_t hash)
{
    size_t i = (size_t)hash & (capacity - 1);
    while (slots[i].value) {
        i = (i + 1) & (capacity - 1);
    }
    return &slots[i];
}

/* At three quarters it doubles, if half of that is alive. */
uint64_t table_most_bytes(uint64_t entries)
{
    uint64_t capacity = TABLE_FIRST_CAPACITY;
    while (capacity / 2 <= entries) {
        capacity *= 2;
    }
    return mem_cost(capacity * sizeof(struct table_slot));
}

/* Into new slots, which also sweeps out the tombstones; larger only when the live entries need
 * it. */
static int rebuild(struct table *table)
{
    size_t capacity = table->capacity ? table->capacity : TABLE_FIRST_CAPACITY;
    if (table->count >= capacity / 2) {
        capacity *= 2;
    }
    struct table_slot *slots = mem_alloc_zero(capacity, sizeof *slots);
    if (!slots) {
        return GALLEY_ENOMEM;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->slots[i].value) {
            *first_free(slots, capacity, table->slots[i].hash) = table->slots[i];
        }
    }
    mem_free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    table->deleted = 0;
    return GALLEY_OK;
}

static bool has_room(const struct table *table)
{
    return table->count + table->deleted < table->capacity / 4 * 3;
}

int table_put(struct table *table, struct span key, void *value)
{
    CHECK(value != NULL);
    uint64_t hash = table_hash(table->seed, key);
    struct table_slot *slot = find(table, key, hash);
    if (slot) {
        *slot = (struct table_slot){key, value,
                                    hash}; /* the old key's bytes may die with the old value */
        return GALLEY_OK;
    }
    if (!has_room(table) && rebuild(table) != GALLEY_OK) {
        return GALLEY_ENOMEM;
    }
    slot = first_free(table->slots, table->capacity, hash);
    table->deleted -= slot->hash == SLOT_DELETED;
    *slot = (struct table_slot){key, value, hash};
    table->count++;
    return GALLEY_OK;
}

void *table_remove(struct table *table, struct span key)
{
    struct table_slot *slot = find(table, key, table_hash(table->seed, key));
    if (!slot) {
        return NULL;
    }
    void *value = slot->value;
    *slot = (struct table_slot){.hash = SLOT_DELETED};
    table->count--;
    table->deleted++;
    return value;
}

void *table_next(const struct table *table, size_t *it)
{
    while (*it < table->capacity) {
        void *value = table->slots[(*it)++].value;
        if (value) {
            return value;
        }
    }
    return NULL;
}
