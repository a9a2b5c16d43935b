/* wire/field_section.c — the machine behind field_section.h: one small function a state.
 * Called for each head (fast path: the whole section in one call) and for trailers. Invariant: a
 * byte that `at` has passed is never looked at again, except white space at the ends of a value and
 * a line that take_line() has not taken, once. Pure; any thread. */
#include "wire/field_section.h"

#include "base/check.h"
#include "wire/scan.h"

enum section_state { LINE_START, NAME, VALUE, VALUE_LF, END_LF, DONE, FAILED };

struct cursor {
    struct field_section *section;
    const char *at;
    const char *end;
    const char *name;  /* where the line's name starts */
    const char *colon; /* and ends */
    struct fields *fields;
    uint32_t max_fields;
};

static enum section_state fail(struct cursor *c, enum h1_error error)
{
    c->section->error = (uint8_t)error;
    return FAILED;
}

/* A byte that no line may hold has a reason of its own; `otherwise` is for those that are only
 * misplaced. */
static enum section_state fail_at(struct cursor *c, enum h1_error otherwise)
{
    unsigned char byte = (unsigned char)*c->at;
    if (byte == '\n') {
        return fail(c, H1_BARE_LF); /* RFC 9112 §2.2: a MAY that galley does not use */
    }
    bool is_control = (byte < ' ' && byte != '\t' && byte != '\r') || byte == 0x7f;
    return fail(c, is_control ? H1_CONTROL_BYTE : otherwise);
}

static inline enum section_state line_start(struct cursor *c)
{
    if (*c->at == '\r') {
        c->at++;
        return END_LF;
    }
    if (*c->at == ' ' || *c->at == '\t') {
        /* RFC 9112 §5.2, and §2.2 for the first line. */
        return fail(c, H1_OBS_FOLD);
    }
    if (c->section->count >= c->max_fields) {
        return fail(c, H1_TOO_MANY_FIELDS);
    }
    c->section->count++;
    c->name = c->at;
    return *c->at == ':' ? fail(c, H1_BAD_FIELD_NAME) : NAME;
}

static inline enum section_state name(struct cursor *c)
{
    c->at = scan_token(c->at, c->end);
    if (c->at == c->end) {
        return NAME;
    }
    if (*c->at != ':') {
        /* RFC 9112 §5.1: no white space between name and colon. */
        return fail_at(c, *c->at == '\r' ? H1_NO_COLON : H1_BAD_FIELD_NAME);
    }
    c->colon = c->at++;
    return VALUE;
}

static inline enum section_state value(struct cursor *c)
{
    c->at = scan_value(c->at, c->end);
    if (c->at == c->end) {
        return VALUE;
    }
    if (*c->at != '\r') {
        return fail_at(c, H1_CONTROL_BYTE);
    }
    c->at++;
    return VALUE_LF;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* at stands on the LF; the line lies whole in this call. */
static inline void collect(const struct cursor *c)
{
    const char *first = c->colon + 1;
    const char *last = c->at - 1; /* the CR */
    while (is_blank(*first)) {
        first++;
    }
    while (last > first && is_blank(last[-1])) {
        last--;
    }
    int result = fields_add(c->fields, span_make(c->name, (size_t)(c->colon - c->name)),
                            span_make(first, (size_t)(last - first)));
    CHECK(result == 0); /* max_fields is at most the room in fields */
}

static inline enum section_state value_lf(struct cursor *c)
{
    if (*c->at != '\n') {
        return fail(c, H1_BARE_CR);
    }
    if (c->fields) {
        collect(c);
    }
    c->at++;
    return LINE_START;
}

static inline enum section_state end_lf(struct cursor *c)
{
    if (*c->at != '\n') {
        return fail(c, H1_BARE_CR);
    }
    c->at++;
    return DONE;
}

/* A good line that lies here whole, as most do, in one go. False: nothing is taken, the steps above
 * find out what is wrong with it, or take what is there of it. */
static inline bool take_line(struct cursor *c)
{
    const char *name = c->at;
    const char *colon = scan_token(name, c->end);
    if (colon == name || colon == c->end || *colon != ':' || c->section->count >= c->max_fields) {
        return false;
    }
    const char *cr = scan_value(colon + 1, c->end);
    if (c->end - cr < 2 || cr[0] != '\r' || cr[1] != '\n') {
        return false;
    }
    c->section->count++;
    c->name = name;
    c->colon = colon;
    c->at = cr + 1;
    if (c->fields) {
        collect(c);
    }
    c->at++;
    return true;
}

static inline enum section_state step(struct cursor *c, enum section_state state)
{
    switch (state) {
    case LINE_START:
        return line_start(c);
    case NAME:
        return name(c);
    case VALUE:
        return value(c);
    case VALUE_LF:
        return value_lf(c);
    case END_LF:
        return end_lf(c);
    case DONE:
    case FAILED:
        break;
    }
    return state;
}

void field_section_init(struct field_section *section)
{
    *section = (struct field_section){.state = LINE_START};
}

enum h1_result field_section_feed(struct field_section *section, const char **at, const char *end,
                                  uint32_t max_fields, struct fields *fields)
{
    struct cursor c = {.section = section, .at = *at, .end = end, .max_fields = max_fields};
    enum section_state state = (enum section_state)section->state;
    if (state == LINE_START && section->count == 0) {
        c.fields = fields; /* fresh: every line begins in this call */
    }
    while (c.at < end && state != DONE && state != FAILED) {
        if (state != LINE_START || !take_line(&c)) {
            state = step(&c, state);
        }
    }
    section->state = (uint8_t)state;
    *at = c.at;
    if (state == DONE) {
        return H1_DONE;
    }
    return state == FAILED ? H1_FAILED : H1_MORE;
}
