/* http/fields.c — see fields.h. */
#include "http/fields.h"

#include "base/check.h"

#include <galley/base.h>

void fields_init(struct fields *fields, struct field *entries, uint32_t capacity)
{
    fields->entries = entries;
    fields->capacity = capacity;
    fields_clear(fields);
}

void fields_clear(struct fields *fields)
{
    fields->count = 0;
    fields->present[0] = 0;
    fields->present[1] = 0;
    fields->repeated = 0;
}

/* The index of its first line, or that it is not the only one. */
static inline void note(struct fields *fields, enum field_id id)
{
    uint64_t bit = UINT64_C(1) << ((unsigned)id % 64);
    uint64_t *present = &fields->present[(unsigned)id / 64];
    if (*present & bit) {
        fields->repeated |= bit;
    } else {
        *present |= bit;
        fields->first[id] = (uint16_t)fields->count;
    }
}

static inline int add(struct fields *fields, enum field_id id, struct span name, struct span value)
{
    if (fields->count >= fields->capacity || fields->count > UINT16_MAX) {
        return GALLEY_EFULL;
    }
    if (!value.ptr) {
        value = SPAN("");
    }
    note(fields, id);
    fields->entries[fields->count++] = (struct field){.name = name, .value = value, .id = id};
    return 0;
}

int fields_add_id(struct fields *fields, enum field_id id, struct span name, struct span value)
{
    return add(fields, id, name, value);
}

int fields_add(struct fields *fields, struct span name, struct span value)
{
    return add(fields, field_id_of(name), name, value);
}

const struct field *fields_next_any(const struct fields *fields, uint32_t *it)
{
    return *it < fields->count ? &fields->entries[(*it)++] : NULL;
}

const struct field *fields_next(const struct fields *fields, enum field_id id, uint32_t *it)
{
    DEBUG_CHECK(id != FIELD_OTHER);
    if (!fields_has(fields, id)) {
        return NULL;
    }
    uint32_t first = fields->first[id];
    bool is_only = !((fields->repeated >> ((unsigned)id % 64)) & 1);
    if (*it <= first) {
        *it = first + 1;
        return &fields->entries[first];
    }
    if (is_only) {
        *it = fields->count;
        return NULL;
    }
    const struct field *field;
    while ((field = fields_next_any(fields, it)) != NULL) {
        if (field->id == id) {
            return field;
        }
    }
    return NULL;
}

struct span fields_get(const struct fields *fields, enum field_id id)
{
    uint32_t it = 0;
    const struct field *field = fields_next(fields, id, &it);
    return field ? field->value : SPAN_NONE;
}

uint32_t fields_count_of(const struct fields *fields, enum field_id id)
{
    uint32_t it = 0, count = 0;
    while (fields_next(fields, id, &it)) {
        count++;
    }
    return count;
}

/* The next line of a name that may or may not be known by number. */
static const struct field *next_by_name(const struct fields *fields, enum field_id id,
                                        struct span name, uint32_t *it)
{
    if (id != FIELD_OTHER) {
        return fields_next(fields, id, it);
    }
    const struct field *field;
    while ((field = fields_next_any(fields, it)) != NULL) {
        if (field->id == FIELD_OTHER && span_equal_nocase(field->name, name)) {
            return field;
        }
    }
    return NULL;
}

struct span fields_find(const struct fields *fields, struct span name)
{
    uint32_t it = 0;
    const struct field *field = next_by_name(fields, field_id_of(name), name, &it);
    return field ? field->value : SPAN_NONE;
}

/* Append s at text + *len. */
static void put(char *text, size_t *len, struct span s)
{
    memcpy(text + *len, s.ptr, s.len);
    *len += s.len;
}

int fields_join(const struct fields *fields, struct span name, struct arena *arena,
                struct span *ret_value)
{
    enum field_id id = field_id_of(name);
    struct span separator = id == FIELD_COOKIE ? SPAN("; ") : SPAN(", ");
    struct span first = SPAN_NONE;
    uint32_t it = 0, lines = 0;
    size_t room = 1;
    const struct field *field;
    while ((field = next_by_name(fields, id, name, &it)) != NULL) {
        first = lines++ ? first : field->value;
        room += field->value.len + separator.len;
    }
    if (lines <= 1) {
        *ret_value = lines ? first : *ret_value;
        return lines ? 0 : GALLEY_ENOTFOUND;
    }
    char *text = arena_alloc(arena, room);
    if (!text) {
        return GALLEY_ENOMEM;
    }
    size_t len = 0;
    it = 0;
    for (uint32_t line = 0; line < lines; line++) {
        field = next_by_name(fields, id, name, &it);
        put(text, &len, line ? separator : SPAN(""));
        put(text, &len, field->value);
    }
    text[len] = '\0';
    *ret_value = span_make(text, len);
    return 0;
}
