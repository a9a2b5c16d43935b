/* frames/frames_judge.c — is a request well-formed (RFC 9113 §8.2, §8.3; RFC 8441 §4)? Pure; for
 * frames_block.c.
 *
 * Each field is judged once, when it comes, by the row of HPACK's static table that its name has; what the
 * end must know of it is kept as a fact, a bit in block->facts. Nothing of the fields themselves is kept. */
#include "frames/frames_receive.h"

#include "http/chars.h"
#include "http/content_length.h"

enum fact {
    HAS_METHOD = 1 << 0,
    HAS_SCHEME = 1 << 1,
    HAS_AUTHORITY = 1 << 2,
    HAS_PATH = 1 << 3,
    HAS_PROTOCOL = 1 << 4,
    HAS_HOST = 1 << 5,
    HAS_REGULAR = 1 << 6, /* a field that is no pseudo-field */
    IS_CONNECT = 1 << 7,
    IS_OPTIONS = 1 << 8,
    IS_WEB = 1 << 9, /* http or https */
    IS_ABSOLUTE = 1 << 10,
    IS_ASTERISK = 1 << 11,
};

static bool has_all(const struct frames_block *block, unsigned facts)
{
    return (block->facts & facts) == facts;
}

static bool has_any(const struct frames_block *block, unsigned facts)
{
    return (block->facts & facts) != 0;
}

static void note(struct frames_block *block, unsigned fact, bool is_so)
{
    block->facts = (uint16_t)(block->facts | (is_so ? fact : 0));
}

/* False if it has come before. */
static bool note_once(struct frames_block *block, enum fact fact)
{
    bool is_first = !has_any(block, fact);
    note(block, fact, true);
    return is_first;
}

/* ---- pseudo-fields (§8.3, §8.3.1) ------------------------------------------------------------ */

static bool judge_method(struct frames_block *block, struct span value)
{
    note(block, IS_CONNECT, span_equal(value, SPAN("CONNECT")));
    note(block, IS_OPTIONS, span_equal(value, SPAN("OPTIONS")));
    return chars_is_token(value) && note_once(block, HAS_METHOD);
}

/* RFC 3986 §3.1 */
static bool is_scheme(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!is_letter && (i == 0 || !is_other)) {
            return false;
        }
    }
    return s.len > 0;
}

static bool judge_scheme(struct frames_block *block, struct span value)
{
    bool is_web = span_equal_nocase(value, SPAN("https")) || span_equal_nocase(value, SPAN("http"));
    note(block, IS_WEB, is_web);
    return (is_web || is_scheme(value)) && note_once(block, HAS_SCHEME);
}

/* A blank would end a target in HTTP/1.1 (§10.3); what else a path may have is the owner's to judge. */
static bool judge_path(struct frames_block *block, struct span value)
{
    note(block, IS_ABSOLUTE, value.ptr[0] == '/');
    note(block, IS_ASTERISK, span_equal(value, SPAN("*")));
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == ' ' || value.ptr[i] == '\t') {
            return false;
        }
    }
    return note_once(block, HAS_PATH);
}

/* RFC 8441 §4 */
static bool judge_protocol(struct frames_block *block, const struct hpack_field *field)
{
    return span_equal(field->name, SPAN(":protocol")) && chars_is_token(field->value) &&
           note_once(block, HAS_PROTOCOL);
}

/* §8.3: each once, before other fields, never in trailers, none that is not defined for requests. None
 * of them may be empty: §8.3.1 says so of two, and the others' grammars do. */
static bool judge_pseudo(struct frames_block *block, const struct hpack_field *field)
{
    struct span value = field->value;
    if (block->is_trailer || has_any(block, HAS_REGULAR) || value.len == 0) {
        return false;
    }
    switch (field->name_index) {
    case HPACK_ROW_AUTHORITY:
        return note_once(block, HAS_AUTHORITY);
    case HPACK_ROW_METHOD:
        return judge_method(block, value);
    case HPACK_ROW_PATH:
        return judge_path(block, value);
    case HPACK_ROW_SCHEME:
        return judge_scheme(block, value);
    case HPACK_ROW_NONE:
        return judge_protocol(block, field);
    default:
        return false;
    }
}

/* ---- other fields (§8.2) --------------------------------------------------------------------- */

/* RFC 9110 §8.6. A trailer's says nothing of the content (§6.5.1). */
static bool judge_length(struct frames_block *block, struct span value)
{
    uint64_t length = 0;
    if (block->is_trailer) {
        return true;
    }
    if (block->length >= 0 || content_length_parse(value, &length) != GALLEY_OK) {
        return false;
    }
    block->length = (int64_t)length;
    return true;
}

/* A value that cannot be read is as good as none (RFC 9218 §4). What PRIORITY_UPDATE has said is newer (§7). */
static bool take_priority(struct frames_block *block, struct span value)
{
    uint8_t urgency = block->urgency;
    bool is_incremental = block->is_incremental;
    bool is_heeded = !block->is_trailer && !block->is_prioritized;
    if (is_heeded && frames_priority_parse(value, &urgency, &is_incremental)) {
        block->urgency = urgency;
        block->is_incremental = is_incremental;
    }
    return true;
}

/* §8.2.2: fields of a connection; none of these names is in the static table. */
static bool judge_unlisted(struct frames_block *block, const struct hpack_field *field)
{
    struct span name = field->name;
    switch (name.len) {
    case 2:
        return !span_equal(name, SPAN("te")) || span_equal_nocase(field->value, SPAN("trailers"));
    case 7:
        return !span_equal(name, SPAN("upgrade"));
    case 8:
        return !span_equal(name, SPAN("priority")) || take_priority(block, field->value);
    case 10:
        return !span_equal(name, SPAN("connection")) && !span_equal(name, SPAN("keep-alive"));
    case 16:
        return !span_equal(name, SPAN("proxy-connection"));
    default:
        return true;
    }
}

bool frames_judge_field(struct frames_block *block, const struct hpack_field *field)
{
    if (!field->has_good_name || !field->has_good_value) { /* §8.2.1 */
        return false;
    }
    if (field->name.ptr[0] == ':') {
        return judge_pseudo(block, field);
    }
    note(block, HAS_REGULAR, true);
    switch (field->name_index) {
    case HPACK_ROW_NONE:
        return judge_unlisted(block, field);
    case HPACK_ROW_CONTENT_LENGTH:
        return judge_length(block, field->value);
    case HPACK_ROW_HOST: /* §8.3.1: not empty, and a second one would be another's */
        return block->is_trailer || (field->value.len > 0 && note_once(block, HAS_HOST));
    case HPACK_ROW_TRANSFER_ENCODING:
        return false;
    default:
        return true;
    }
}

/* ---- a request is whole ---------------------------------------------------------------------- */

/* §8.3.1: a path, or "*" of OPTIONS. Of other schemes the owner judges. */
static bool has_good_path(const struct frames_block *block)
{
    return !has_any(block, IS_WEB) || has_any(block, IS_ABSOLUTE) ||
           has_all(block, IS_ASTERISK | IS_OPTIONS);
}

/* §8.5: CONNECT says to whom, and nothing else; it has no content whose length could be told (RFC 9110
 * §9.3.6). */
static bool judge_connect(struct frames_block *block)
{
    block->length = -1;
    return has_all(block, HAS_AUTHORITY) && !has_any(block, HAS_SCHEME | HAS_PATH);
}

/* RFC 8441 §4: only a CONNECT has :protocol, and must have :authority itself. */
static bool judge_to_whom(const struct frames_block *block)
{
    if (has_any(block, HAS_PROTOCOL)) {
        return has_all(block, IS_CONNECT | HAS_AUTHORITY);
    }
    return has_any(block, HAS_AUTHORITY | HAS_HOST);
}

bool frames_judge_request(struct frames_block *block)
{
    if (has_any(block, IS_CONNECT) && !has_any(block, HAS_PROTOCOL)) {
        return judge_connect(block);
    }
    bool is_whole = has_all(block, HAS_METHOD | HAS_SCHEME | HAS_PATH) && judge_to_whom(block);
    /* §8.1.1: content was said, and none comes */
    bool is_short = block->is_end && block->length > 0;
    return is_whole && has_good_path(block) && !is_short;
}
