/* frames/frames_priority.c — the text of a priority (RFC 9218 §4): a dictionary of structured fields
 * (RFC 8941 §3.2, read as §4.2.2 says) of which two keys are known, u and i. Pure; for the Priority field
 * of requests and for PRIORITY_UPDATE.
 *
 * Forward over the text, once. What has no meaning for us must be well-formed all the same: else the whole
 * text is nothing. */
#include "frames/frames_receive.h"

#include "base/text.h"
#include "http/chars.h"

enum { MAX_INTEGER_DIGITS = 15, MAX_DECIMAL_DIGITS = 12, MAX_FRACTION_DIGITS = 3 };

enum kind { KIND_OTHER, KIND_INTEGER, KIND_BOOLEAN };

struct item {
    enum kind kind;
    int64_t number; /* KIND_BOOLEAN: 0 or 1 */
};

/* ---- characters ------------------------------------------------------------------------------ */

/* '\0' at the end: no character of a structured field. */
static char peek(const struct span *at)
{
    return at->len > 0 ? at->ptr[0] : '\0';
}

static void skip(struct span *at)
{
    *at = span_from(*at, 1);
}

static bool take(struct span *at, char c)
{
    if (peek(at) != c || at->len == 0) {
        return false;
    }
    skip(at);
    return true;
}

static void skip_spaces(struct span *at)
{
    while (take(at, ' ')) {
    }
}

static void skip_blanks(struct span *at)
{
    while (take(at, ' ') || take(at, '\t')) {
    }
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
    return is_lower(text_lower(c));
}

/* ---- bare items (RFC 8941 §4.2.3.1) ---------------------------------------------------------- */

static unsigned take_digits(struct span *at, int64_t *number, unsigned most)
{
    unsigned count = 0;
    while (text_is_digit(peek(at)) && count <= most) {
        *number = *number * 10 + (peek(at) - '0');
        skip(at);
        count++;
    }
    return count;
}

static bool take_number(struct span *at, struct item *ret)
{
    int64_t number = 0;
    int64_t fraction = 0;
    bool is_negative = take(at, '-');
    unsigned digits = take_digits(at, &number, MAX_INTEGER_DIGITS);
    *ret = (struct item){KIND_INTEGER, is_negative ? -number : number};
    if (!take(at, '.')) {
        return digits > 0 && digits <= MAX_INTEGER_DIGITS;
    }
    unsigned behind = take_digits(at, &fraction, MAX_FRACTION_DIGITS);
    ret->kind = KIND_OTHER;
    return digits > 0 && digits <= MAX_DECIMAL_DIGITS && behind > 0 &&
           behind <= MAX_FRACTION_DIGITS;
}

static bool take_string(struct span *at)
{
    skip(at);
    while (at->len > 0) {
        char c = peek(at);
        skip(at);
        if (c == '"') {
            return true;
        }
        if (c == '\\' && !take(at, '"') && !take(at, '\\')) {
            return false;
        }
        if (c < ' ' || c > '~') {
            return false;
        }
    }
    return false;
}

static bool take_bytes(struct span *at)
{
    skip(at);
    while (is_letter(peek(at)) || text_is_digit(peek(at)) || peek(at) == '+' || peek(at) == '/' ||
           peek(at) == '=') {
        skip(at);
    }
    return take(at, ':');
}

static bool take_token(struct span *at)
{
    while (at->len > 0 && (chars_is(peek(at), CHARS_TOKEN) || peek(at) == ':' || peek(at) == '/')) {
        skip(at);
    }
    return true;
}

static bool take_boolean(struct span *at, struct item *ret)
{
    skip(at);
    *ret = (struct item){KIND_BOOLEAN, peek(at) == '1'};
    return take(at, '0') || take(at, '1');
}

static bool take_item(struct span *at, struct item *ret)
{
    char c = peek(at);
    *ret = (struct item){KIND_OTHER, 0};
    if (c == '-' || text_is_digit(c)) {
        return take_number(at, ret);
    }
    if (c == '*' || is_letter(c)) {
        return take_token(at);
    }
    switch (c) {
    case '"':
        return take_string(at);
    case ':':
        return take_bytes(at);
    case '?':
        return take_boolean(at, ret);
    default:
        return false;
    }
}

/* ---- members (§4.2.2) ------------------------------------------------------------------------ */

static bool take_key(struct span *at, struct span *ret)
{
    const char *begin = at->ptr;
    if (!is_lower(peek(at)) && peek(at) != '*') {
        return false;
    }
    while (is_lower(peek(at)) || text_is_digit(peek(at)) || peek(at) == '_' || peek(at) == '-' ||
           peek(at) == '.' || peek(at) == '*') {
        skip(at);
    }
    *ret = span_make(begin, (size_t)(at->ptr - begin));
    return true;
}

static bool take_parameters(struct span *at)
{
    struct span key;
    struct item item;
    while (take(at, ';')) {
        skip_spaces(at);
        if (!take_key(at, &key) || (take(at, '=') && !take_item(at, &item))) {
            return false;
        }
    }
    return true;
}

static bool take_inner_list(struct span *at)
{
    struct item item;
    skip_spaces(at);
    while (!take(at, ')')) {
        if (!take_item(at, &item) || !take_parameters(at)) {
            return false;
        }
        if (peek(at) != ' ' && peek(at) != ')') {
            return false;
        }
        skip_spaces(at);
    }
    return true;
}

static bool take_value(struct span *at, struct item *ret)
{
    *ret = (struct item){KIND_BOOLEAN, true}; /* a key alone */
    if (!take(at, '=')) {
        return true;
    }
    if (take(at, '(')) {
        ret->kind = KIND_OTHER;
        return take_inner_list(at);
    }
    return take_item(at, ret);
}

/* A comma and what must follow it, or the end. */
static bool take_separator(struct span *at)
{
    skip_blanks(at);
    if (at->len == 0) {
        return true;
    }
    bool is_comma = take(at, ',');
    skip_blanks(at);
    return is_comma && at->len > 0;
}

/* ---- the meaning (RFC 9218 §4.1, §4.2) ------------------------------------------------------- */

/* Of several with one key the last counts. */
static void apply(struct span key, const struct item *item, uint8_t *urgency, bool *is_incremental)
{
    if (span_equal(key, SPAN("u"))) {
        bool is_good =
            item->kind == KIND_INTEGER && item->number >= 0 && item->number < FRAMES_URGENCIES;
        *urgency = is_good ? (uint8_t)item->number : FRAMES_USUAL_URGENCY;
    } else if (span_equal(key, SPAN("i"))) {
        *is_incremental = item->kind == KIND_BOOLEAN && item->number == 1;
    }
}

bool frames_priority_parse(struct span text, uint8_t *urgency, bool *is_incremental)
{
    struct span at = text;
    uint8_t new_urgency = *urgency;
    bool new_incremental = *is_incremental;
    skip_spaces(&at);
    while (at.len > 0) {
        struct span key;
        struct item value;
        if (!take_key(&at, &key) || !take_value(&at, &value) || !take_parameters(&at) ||
            !take_separator(&at)) {
            return false;
        }
        apply(key, &value, &new_urgency, &new_incremental);
    }
    *urgency = new_urgency;
    *is_incremental = new_incremental;
    return true;
}
