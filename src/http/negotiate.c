/* http/negotiate.c — see negotiate.h. */
#include "http/negotiate.h"

#include "http/field_list.h"

enum { WEIGHT_UNSAID = -1 };

static const struct span coding_names[CODING_COUNT] = {
    [CODING_IDENTITY] = {"identity", 8},
    [CODING_GZIP] = {"gzip", 4},
    [CODING_ZSTD] = {"zstd", 4},
    [CODING_BR] = {"br", 2},
};

struct span coding_name(enum coding coding)
{
    return (unsigned)coding < CODING_COUNT ? coding_names[coding] : SPAN("");
}

/* RFC 9110 §12.5.3: weights that were said; `other` is that of "*". */
struct coding_weights {
    int coding[CODING_COUNT];
    int other;
};

/* Where the weight of a coding goes; NULL for codings galley does not have. */
static int *weight_place(struct coding_weights *weights, struct span name)
{
    if (span_equal(name, SPAN("*"))) {
        return &weights->other;
    }
    for (unsigned i = 0; i < CODING_COUNT; i++) {
        if (span_equal_nocase(name, coding_names[i])) {
            return &weights->coding[i];
        }
    }
    /* RFC 9110 §8.4.1.3 */
    return span_equal_nocase(name, SPAN("x-gzip")) ? &weights->coding[CODING_GZIP] : NULL;
}

static void add_codings(struct coding_weights *weights, struct span value)
{
    struct span member;
    struct weighted weighted;
    while (field_list_next(&value, &member)) {
        if (!weighted_parse(member, &weighted) || weighted.parameters.len > 0) {
            continue; /* codings have no parameters */
        }
        int *place = weight_place(weights, weighted.value);
        if (place && *place == WEIGHT_UNSAID) {
            *place = (int)weighted.weight;
        }
    }
}

static int weight_of(const struct coding_weights *weights, enum coding coding)
{
    int said = weights->coding[coding];
    if (said == WEIGHT_UNSAID) {
        said = weights->other;
    }
    /* Identity that nobody speaks of is acceptable, but anything that was asked for is better. */
    return said == WEIGHT_UNSAID ? 0 : said;
}

enum coding negotiate_coding(const struct fields *fields, unsigned available)
{
    struct coding_weights weights = {.other = WEIGHT_UNSAID};
    for (unsigned i = 0; i < CODING_COUNT; i++) {
        weights.coding[i] = WEIGHT_UNSAID;
    }
    uint32_t it = 0;
    const struct field *line;
    while ((line = fields_next(fields, FIELD_ACCEPT_ENCODING, &it)) != NULL) {
        add_codings(&weights, line->value);
    }
    enum coding best = CODING_IDENTITY; /* also when it was refused: 406 helps nobody */
    int best_weight = weight_of(&weights, CODING_IDENTITY);
    for (unsigned i = CODING_IDENTITY + 1; i < CODING_COUNT; i++) {
        int weight = weight_of(&weights, (enum coding)i);
        if ((available & CODING_BIT(i)) && weight > 0 && weight >= best_weight) {
            best = (enum coding)i;
            best_weight = weight;
        }
    }
    return best;
}

/* ---- Accept ---------------------------------------------------------------------------------- */

/* RFC 9110 §12.5.1: how well the most specific matching range fits, and its weight. */
struct type_weight {
    struct span type; /* "text/html" */
    int precision;    /* 0: nothing matched; 1: any type; 2: type/any; 3: the type itself */
    unsigned weight;
};

static int precision_of(struct span range, struct span type)
{
    if (span_equal_nocase(range, type)) {
        return 3;
    }
    if (span_equal(range, SPAN("*/*"))) {
        return 1;
    }
    size_t slash = span_find(type, '/') + 1;
    bool is_same_tree = range.len == slash + 1 && range.ptr[slash] == '*' &&
                        span_equal_nocase(span_make(range.ptr, slash), span_make(type.ptr, slash));
    return is_same_tree ? 2 : 0;
}

static void add_range(struct type_weight *best, const struct weighted *range)
{
    int precision = precision_of(range->value, best->type);
    if (precision > best->precision) {
        best->precision = precision;
        best->weight = range->weight;
    }
}

bool negotiate_prefers_json(const struct fields *fields)
{
    struct type_weight json = {SPAN("application/json"), 0, 0};
    struct type_weight html = {SPAN("text/html"), 0, 0};
    uint32_t it = 0;
    const struct field *line;
    while ((line = fields_next(fields, FIELD_ACCEPT, &it)) != NULL) {
        struct span rest = line->value, member;
        struct weighted range;
        while (field_list_next(&rest, &member)) {
            if (weighted_parse(member, &range) && range.parameters.len == 0) {
                add_range(&json, &range);
                add_range(&html, &range);
            }
        }
    }
    return json.weight > html.weight;
}
