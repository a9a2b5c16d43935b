/* tests/fuzz/support_answers.c — see the header. */
#include "support_answers.h"

#include "base/text.h"
#include "fuzz.h"
#include "http/chars.h"

static bool is_token_byte(char c)
{
    return c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

/* Up to CRLF; false: cut. A line holds no other control byte. */
static bool take_line(struct span *rest, struct span *ret_line)
{
    for (size_t i = 0; i < rest->len; i++) {
        unsigned char c = (unsigned char)rest->ptr[i];
        if (c == '\r') {
            if (i + 1 == rest->len) {
                return false;
            }
            FUZZ_EXPECT(rest->ptr[i + 1] == '\n');
            *ret_line = span_make(rest->ptr, i);
            *rest = span_from(*rest, i + 2);
            return true;
        }
        FUZZ_EXPECT((c >= 0x20 && c != 0x7f) || c == '\t');
    }
    return false;
}

/* RFC 9112 §4: HTTP-version SP 3DIGIT SP reason. */
static int read_status(struct span line)
{
    uint64_t status = 0;
    FUZZ_EXPECT(line.len >= 13 && span_starts_with(line, SPAN("HTTP/1.1 ")));
    FUZZ_EXPECT(line.ptr[12] == ' ' && text_parse_u64(span_make(line.ptr + 9, 3), &status));
    FUZZ_EXPECT(status >= 100 && status <= 599);
    return (int)status;
}

struct seen {
    unsigned date, length, coding, connection, type, nosniff;
};

static void read_field(struct span line, struct seen *seen, struct fuzz_answer *answer)
{
    struct span name;
    struct span value = span_cut(line, ':', &name);
    FUZZ_EXPECT(value.ptr && name.len > 0);
    for (size_t i = 0; i < name.len; i++) {
        FUZZ_EXPECT(is_token_byte(name.ptr[i]));
    }
    FUZZ_EXPECT(value.len == 0 || value.ptr[0] == ' ');
    value = span_trim(value);
    if (span_equal_nocase(name, SPAN("Date"))) {
        seen->date++;
        FUZZ_EXPECT(value.len == 29);
    } else if (span_equal_nocase(name, SPAN("Content-Length"))) {
        seen->length++;
        FUZZ_EXPECT(text_parse_u64(value, &answer->length));
    } else if (span_equal_nocase(name, SPAN("Transfer-Encoding"))) {
        seen->coding++;
        FUZZ_EXPECT(span_equal(value, SPAN("chunked")));
    } else if (span_equal_nocase(name, SPAN("Connection"))) {
        seen->connection++;
        answer->says_close = span_equal(value, SPAN("close"));
        FUZZ_EXPECT(answer->says_close || span_equal(value, SPAN("keep-alive")));
    } else if (span_equal_nocase(name, SPAN("Content-Type"))) {
        seen->type++;
    } else if (span_equal_nocase(name, SPAN("X-Content-Type-Options"))) {
        seen->nosniff++;
    }
}

static void judge_head(const struct seen *seen, struct fuzz_answer *answer)
{
    bool is_final = answer->status >= 200;
    answer->has_length = seen->length > 0;
    answer->is_chunked = seen->coding > 0;
    FUZZ_EXPECT(seen->date == (is_final ? 1 : 0)); /* RFC 9110 §6.6.1 */
    FUZZ_EXPECT(seen->length + seen->coding <= 1); /* RFC 9112 §6.2 */
    FUZZ_EXPECT(seen->connection <= 1 && seen->type <= 1);
    FUZZ_EXPECT(seen->nosniff == (is_final ? 1 : 0));
    if (!is_final || answer->status == 204) { /* RFC 9110 §8.6, RFC 9112 §6.1 */
        FUZZ_EXPECT(!answer->has_length && !answer->is_chunked);
    }
}

static enum fuzz_take take_chunks(struct span *rest, struct fuzz_answer *answer)
{
    for (;;) {
        struct span line;
        uint64_t size = 0;
        if (!take_line(rest, &line)) {
            return FUZZ_TAKE_CUT;
        }
        FUZZ_EXPECT(line.len > 0 && line.len < 16);
        for (size_t i = 0; i < line.len; i++) {
            FUZZ_EXPECT(text_hex_value(line.ptr[i]) >= 0);
            size = size * 16 + (unsigned)text_hex_value(line.ptr[i]);
        }
        if (rest->len < size) {
            return FUZZ_TAKE_CUT;
        }
        *rest = span_from(*rest, (size_t)size);
        answer->body_bytes += size;
        if (!take_line(rest, &line)) {
            return FUZZ_TAKE_CUT;
        }
        FUZZ_EXPECT(line.len == 0);
        if (size == 0) {
            return FUZZ_TAKE_WHOLE;
        }
    }
}

static enum fuzz_take take_body(struct span *rest, bool for_head, bool is_eof,
                                struct fuzz_answer *answer)
{
    if (for_head || answer->status < 200 || answer->status == 204 || answer->status == 304) {
        return FUZZ_TAKE_WHOLE;
    }
    if (answer->is_chunked) {
        return take_chunks(rest, answer);
    }
    if (answer->has_length) {
        bool is_whole = answer->length <= rest->len;
        answer->body_bytes = is_whole ? answer->length : rest->len;
        *rest = span_from(*rest, (size_t)answer->body_bytes);
        return is_whole ? FUZZ_TAKE_WHOLE : FUZZ_TAKE_CUT;
    }
    FUZZ_EXPECT(answer->says_close); /* RFC 9112 §6.3: it ends with the connection */
    answer->body_bytes = rest->len;
    *rest = span_from(*rest, rest->len);
    return is_eof ? FUZZ_TAKE_WHOLE : FUZZ_TAKE_CUT;
}

enum fuzz_take fuzz_answer_take(struct span *rest, bool for_head, bool is_eof,
                                struct fuzz_answer *ret)
{
    struct span at = *rest, line;
    struct seen seen = {0};
    *ret = (struct fuzz_answer){0};
    if (!take_line(&at, &line)) {
        return FUZZ_TAKE_CUT;
    }
    ret->status = read_status(line);
    for (;;) {
        if (!take_line(&at, &line)) {
            return FUZZ_TAKE_CUT;
        }
        if (line.len == 0) {
            break;
        }
        read_field(line, &seen, ret);
    }
    judge_head(&seen, ret);
    enum fuzz_take take = take_body(&at, for_head, is_eof, ret);
    if (take == FUZZ_TAKE_WHOLE) {
        *rest = at;
    }
    return take;
}
