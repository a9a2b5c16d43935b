/* http/field_name.c — see field_name.h. The hash is a constant expression of four numbers of each
 * name, so the compiler lays the slots out; its factors were searched so that all names of the list
 * stand alone. */
#include "http/field_name.h"

enum { SLOTS = 256 };

#define HASH(len, a, b, c) (((len)*25u + (a)*11u + (b)*2u + (c)*23u) % SLOTS)
#define LETTER(c)          ((unsigned)(unsigned char)(c))

static const struct span names[FIELD_ID_COUNT] = {
    [FIELD_OTHER] = {"", 0},
#define FIELD(id, name, a, b, c) [FIELD_##id] = {name, sizeof(name) - 1},
#include "http/field_name_list.h"
#undef FIELD
};

static const uint8_t slots[SLOTS] = {
#define FIELD(id, name, a, b, c)                                                                   \
    [HASH(sizeof(name) - 1, LETTER(a), LETTER(b), LETTER(c))] = FIELD_##id,
#include "http/field_name_list.h"
#undef FIELD
};

_Static_assert(FIELD_ID_COUNT <= 128, "struct fields has a bit for each name in two words");

enum field_id field_id_of(struct span name)
{
    if (name.len == 0) {
        return FIELD_OTHER;
    }
    /* Letters in lower case; the other bytes of known names, digits and '-', have the bit anyway. */
    size_t hash =
        HASH(name.len, LETTER(name.ptr[0]) | 0x20u, LETTER(name.ptr[name.len / 2]) | 0x20u,
             LETTER(name.ptr[name.len * 3 / 4]) | 0x20u);
    enum field_id id = (enum field_id)slots[hash];
    return span_equal_nocase(name, names[id]) ? id : FIELD_OTHER;
}

struct span field_id_name(enum field_id id)
{
    return (unsigned)id < FIELD_ID_COUNT ? names[id] : names[FIELD_OTHER];
}
