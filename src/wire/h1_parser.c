/* wire/h1_parser.c — the request line (RFC 9112 §3), and the head as a whole.
 * Called by the h1 driver on its loop. One small function a state; the field lines are
 * field_section's. Invariant: parser->pos bytes are judged and never read again, except a request
 * line that take_request_line() has not taken, the version's eight and, when the head came in pieces, one second pass over the complete head that
 * fills in the fields. */
#include "wire/h1_parser.h"

#include "base/check.h"
#include "wire/scan.h"

enum parser_state {
    START,    /* before the request line */
    START_LF, /* in an empty line before it */
    START_2,  /* after one */
    METHOD,
    TARGET,
    VERSION,
    LINE_LF, /* behind the CR of the request line */
    SECTION, /* the field lines */
    DONE,
    FAILED
};

enum {
    /* RFC 9112 §3: a method longer than any that is known is 501. */
    MAX_METHOD_BYTES = 64,
    VERSION_BYTES = 8 /* HTTP/1.1 */
};

struct cursor {
    struct h1_parser *parser;
    const struct http_limits *limits;
    struct h1_head *head;
    const char *data;
    const char *at;
    const char *end;
    const char *mark; /* where the current part of the request line starts */
};

static enum parser_state fail(struct cursor *c, enum h1_error error)
{
    c->parser->error = (uint8_t)error;
    return FAILED;
}

/* A byte that no line may hold has a reason of its own; `otherwise` is for those that are only
 * misplaced. */
static enum parser_state fail_at(struct cursor *c, enum h1_error otherwise)
{
    unsigned char byte = (unsigned char)*c->at;
    if (byte == '\n') {
        return fail(c, H1_BARE_LF); /* RFC 9112 §2.2: a MAY that galley does not use */
    }
    bool is_control = (byte < ' ' && byte != '\t' && byte != '\r') || byte == 0x7f;
    return fail(c, is_control ? H1_CONTROL_BYTE : otherwise);
}

/* RFC 9112 §2.2: a server SHOULD ignore at least one empty line before the request line. One it
 * is. */
static inline enum parser_state start(struct cursor *c, bool may_skip)
{
    if (*c->at == '\r') {
        c->at++;
        return may_skip ? START_LF : fail(c, H1_EMPTY_LINES);
    }
    c->parser->has_begun = true;
    c->mark = c->at;
    return METHOD;
}

static inline enum parser_state start_lf(struct cursor *c)
{
    if (*c->at != '\n') {
        return fail(c, H1_BARE_CR);
    }
    c->at++;
    return START_2;
}

static inline enum parser_state method(struct cursor *c)
{
    c->at = scan_token(c->at, c->end);
    size_t len = (size_t)(c->at - c->mark);
    if (len > MAX_METHOD_BYTES) {
        return fail(c, H1_METHOD_TOO_LONG);
    }
    if (c->at == c->end) {
        return METHOD;
    }
    if (*c->at != ' ' || len == 0) {
        return fail_at(c, H1_BAD_METHOD);
    }
    c->head->method_name = span_make(c->mark, len);
    c->mark = ++c->at;
    return TARGET;
}

static inline enum parser_state target(struct cursor *c)
{
    c->at = scan_target(c->at, c->end);
    size_t len = (size_t)(c->at - c->mark);
    if (len > c->limits->max_target_bytes) {
        return fail(c, H1_TARGET_TOO_LONG);
    }
    if (c->at == c->end) {
        return TARGET;
    }
    /* Exactly one space on either side; a second one makes the next part empty. */
    if (*c->at != ' ' || len == 0) {
        return fail_at(c, H1_BAD_TARGET);
    }
    c->head->target = span_make(c->mark, len);
    c->mark = ++c->at;
    return VERSION;
}

/* mark..at is "HTTP/d.d". */
static enum parser_state version_known(struct cursor *c)
{
    char major = c->mark[5];
    char minor = c->mark[7];
    if (major == '0') {
        return fail(c, H1_BAD_VERSION); /* 0.9 had no version in its request line */
    }
    if (major != '1') {
        return fail(c, H1_VERSION_UNKNOWN);
    }
    /* RFC 9110 §2.5: a higher minor version is processed as the highest one known. */
    c->head->version = minor == '0' ? 10 : 11;
    c->at++; /* the CR */
    return LINE_LF;
}

/* One byte at a time: the version arrives whole nearly always and takes the short cut in
 * version(). */
static enum parser_state version_slow(struct cursor *c)
{
    static const char shape[] = "HTTP/d.d\r";
    for (; c->at < c->end; c->at++) {
        char wanted = shape[c->at - c->mark];
        if (wanted == '\r' && *c->at == '\r') {
            return version_known(c);
        }
        bool is_digit = *c->at >= '0' && *c->at <= '9';
        if (wanted == 'd' ? !is_digit : *c->at != wanted) {
            /* Digits and dots of another shape name a version, if an odd one: HTTP/1.10, HTTP/11,
             * HTTP/2. */
            bool fits = is_digit || *c->at == '.' || *c->at == '\r';
            bool names_version = fits && c->at - c->mark > 5;
            return fail_at(c, names_version ? H1_VERSION_UNKNOWN : H1_BAD_VERSION);
        }
    }
    return VERSION;
}

static inline enum parser_state version(struct cursor *c)
{
    if (c->at == c->mark && c->end - c->at > VERSION_BYTES &&
        memcmp(c->at, "HTTP/1.1\r", VERSION_BYTES + 1) == 0) {
        c->head->version = 11;
        c->at += VERSION_BYTES + 1;
        return LINE_LF;
    }
    return version_slow(c);
}

static inline enum parser_state line_lf(struct cursor *c)
{
    if (*c->at != '\n') {
        return fail(c, H1_BARE_CR);
    }
    c->at++;
    return SECTION;
}

static inline enum parser_state section(struct cursor *c)
{
    struct fields *fields = c->head->fields;
    uint32_t max_fields =
        c->limits->max_fields < fields->capacity ? c->limits->max_fields : fields->capacity;
    struct field_section *lines = &c->parser->section;
    enum h1_result result = field_section_feed(lines, &c->at, c->end, max_fields,
                                               c->parser->is_resumed ? NULL : fields);
    if (result == H1_FAILED) {
        return fail(c, (enum h1_error)lines->error);
    }
    return result == H1_DONE ? DONE : SECTION;
}

/* A good line of HTTP/1.1 that lies here whole, as nearly all do, in one go. False: nothing is taken,
 * and the steps above find out why. */
static inline bool take_request_line(struct cursor *c)
{
    static const char behind[] = "HTTP/1.1\r\n";
    enum { BEHIND_BYTES = sizeof behind - 1 };
    const char *space = scan_token(c->at, c->end);
    size_t method_len = (size_t)(space - c->at);
    if (method_len == 0 || method_len > MAX_METHOD_BYTES || space == c->end || *space != ' ') {
        return false;
    }
    const char *target = space + 1;
    const char *target_end = scan_target(target, c->end);
    size_t target_len = (size_t)(target_end - target);
    if (target_len == 0 || target_len > c->limits->max_target_bytes ||
        c->end - target_end <= BEHIND_BYTES || *target_end != ' ' ||
        memcmp(target_end + 1, behind, BEHIND_BYTES) != 0) {
        return false;
    }
    c->parser->has_begun = true;
    c->head->method_name = span_make(c->at, method_len);
    c->head->target = span_make(target, target_len);
    c->head->version = 11;
    c->mark = target_end + 1;
    c->at = c->mark + BEHIND_BYTES;
    return true;
}

static inline enum parser_state step(struct cursor *c, enum parser_state state)
{
    switch (state) {
    case START:
        return start(c, true);
    case START_LF:
        return start_lf(c);
    case START_2:
        return start(c, false);
    case METHOD:
        return method(c);
    case TARGET:
        return target(c);
    case VERSION:
        return version(c);
    case LINE_LF:
        return line_lf(c);
    case SECTION:
        return section(c);
    case DONE:
    case FAILED:
        break;
    }
    return state;
}

/* From parser->pos to the end of the head, of the buffer or of what the limit allows. */
static enum parser_state run(struct h1_parser *parser, const char *data, size_t len,
                             const struct http_limits *limits, struct h1_head *head)
{
    size_t max_bytes = limits->max_head_bytes;
    struct cursor c = {.parser = parser,
                       .limits = limits,
                       .head = head,
                       .data = data,
                       .at = data + parser->pos,
                       .end = data + (len < max_bytes ? len : max_bytes),
                       .mark = data + parser->mark};
    enum parser_state state = (enum parser_state)parser->state;
    if (state == START && take_request_line(&c)) {
        state = SECTION;
    }
    while (c.at < c.end && state != DONE && state != FAILED) {
        state = step(&c, state);
    }
    if (state != DONE && state != FAILED && len >= max_bytes) {
        state = fail(&c, state < SECTION ? H1_TARGET_TOO_LONG : H1_HEAD_TOO_LARGE);
    }
    parser->pos = (uint32_t)(c.at - data);
    parser->mark = (uint32_t)(c.mark - data);
    parser->state = (uint8_t)state;
    return state;
}

void h1_parser_init(struct h1_parser *parser)
{
    *parser = (struct h1_parser){.state = START};
    field_section_init(&parser->section);
}

enum h1_result h1_parser_feed(struct h1_parser *parser, const char *data, size_t len,
                              const struct http_limits *limits, struct h1_head *head)
{
    DEBUG_CHECK(len >= parser->pos);
    struct h1_head found = {.fields = head->fields};
    fields_clear(found.fields);
    enum parser_state state = run(parser, data, len, limits, &found);
    if (state == DONE && parser->is_resumed) {
        /* The views of earlier calls are gone: once more, over a head that is known to be good. */
        h1_parser_init(parser);
        state = run(parser, data, len, limits, &found);
        CHECK(state == DONE);
    }
    if (state == FAILED) {
        return H1_FAILED;
    }
    if (state != DONE) {
        parser->is_resumed = parser->pos > 0;
        return H1_MORE;
    }
    found.method = method_of(found.method_name);
    found.len = parser->pos;
    *head = found;
    return H1_DONE;
}

static void terminate(char *data, struct span s)
{
    data[s.ptr - data + (ptrdiff_t)s.len] = '\0';
}

void h1_head_terminate(char *data, const struct h1_head *head)
{
    terminate(data, head->method_name);
    terminate(data, head->target);
    for (uint32_t i = 0; i < head->fields->count; i++) {
        terminate(data, head->fields->entries[i].name);
        terminate(data, head->fields->entries[i].value);
    }
}
