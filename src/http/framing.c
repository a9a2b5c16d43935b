/* http/framing.c — see framing.h. The order of the checks is part of the contract: what can smuggle
 * comes first, what merely is not supported later. */
#include "http/framing.h"

#include "http/connection_options.h"
#include "http/content_length.h"
#include "http/host.h"
#include "http/transfer_encoding.h"

static const struct reason_row {
    struct span text;
    int status;
} rows[FRAMING_REASON_COUNT] = {
#define FRAMING_REASON(id, status, sentence)                                                       \
    [FRAMING_REASON_##id] = {{sentence, sizeof(sentence) - 1}, status},
#include "http/framing_reason_list.h"
#undef FRAMING_REASON
};

/* RFC 9112 §6.3. Fills body and length. */
static enum framing_reason judge_body(int version, const struct fields *fields, struct framing *ret)
{
    enum transfer_encoding coding = transfer_encoding_of(fields);
    bool has_length = fields_has(fields, FIELD_CONTENT_LENGTH);
    if (coding != TRANSFER_NONE && has_length) {
        return FRAMING_REASON_LENGTH_AND_TRANSFER; /* RFC 9112 §6.1: may be refused, and is */
    }
    if (coding != TRANSFER_NONE && version < 11) {
        return FRAMING_REASON_TRANSFER_IN_1_0; /* RFC 9112 §6.1: the framing is faulty */
    }
    if (coding == TRANSFER_BAD) {
        return FRAMING_REASON_TRANSFER_BAD;
    }
    if (coding == TRANSFER_UNSUPPORTED) {
        return FRAMING_REASON_TRANSFER_UNSUPPORTED;
    }
    if (coding == TRANSFER_CHUNKED) {
        ret->body = FRAMING_CHUNKED;
        return FRAMING_REASON_NONE;
    }
    if (!has_length) {
        return FRAMING_REASON_NONE; /* RFC 9112 §6.3: a request without both has no body */
    }
    if (fields_count_of(fields, FIELD_CONTENT_LENGTH) > 1) {
        return FRAMING_REASON_LENGTH_TWICE; /* RFC 9110 §8.6: also equal ones may be refused */
    }
    if (content_length_parse(fields_get(fields, FIELD_CONTENT_LENGTH), &ret->length) != 0) {
        return FRAMING_REASON_LENGTH_BAD;
    }
    ret->body = ret->length ? FRAMING_LENGTH : FRAMING_NO_BODY;
    return FRAMING_REASON_NONE;
}

/* RFC 9112 §3.2: Host once and valid; HTTP/1.0 may do without. */
static enum framing_reason judge_host(int version, const struct fields *fields, struct span known)
{
    if (!fields_has(fields, FIELD_HOST)) {
        return version >= 11 ? FRAMING_REASON_HOST_MISSING : FRAMING_REASON_NONE;
    }
    if (fields_count_of(fields, FIELD_HOST) > 1) {
        return FRAMING_REASON_HOST_TWICE;
    }
    struct span value = fields_get(fields, FIELD_HOST);
    bool is_valid = (known.ptr && span_equal(value, known)) || host_is_valid(value);
    return is_valid ? FRAMING_REASON_NONE : FRAMING_REASON_HOST_BAD;
}

static enum framing_reason judge(int version, enum method method, const struct fields *fields,
                                 struct span known_host, struct framing *ret)
{
    enum framing_reason reason = judge_body(version, fields, ret);
    if (reason == FRAMING_REASON_NONE) {
        reason = judge_host(version, fields, known_host);
    }
    if (reason != FRAMING_REASON_NONE) {
        return reason;
    }
    if (method == METHOD_CONNECT && ret->body != FRAMING_NO_BODY) {
        return FRAMING_REASON_CONNECT_BODY; /* RFC 9110 §9.3.6: what follows would be the tunnel */
    }
    enum expectation expectation = expectation_of(version, fields);
    if (expectation == EXPECT_UNKNOWN) {
        return FRAMING_REASON_EXPECTATION;
    }
    ret->wants_continue = expectation == EXPECT_CONTINUE && ret->body != FRAMING_NO_BODY;
    ret->wants_keep_alive = connection_wants_keep_alive(version, fields);
    return FRAMING_REASON_NONE;
}

struct framing framing_judge(int version, enum method method, const struct fields *fields)
{
    return framing_judge_again(version, method, fields, SPAN_NONE);
}

struct framing framing_judge_again(int version, enum method method, const struct fields *fields,
                                   struct span known_host)
{
    struct framing got = {.body = FRAMING_NO_BODY};
    enum framing_reason reason = judge(version, method, fields, known_host, &got);
    if (reason != FRAMING_REASON_NONE) {
        return (struct framing){.reason = reason}; /* nothing of a refused head is used */
    }
    return got;
}

int framing_reason_status(enum framing_reason reason)
{
    return (unsigned)reason < FRAMING_REASON_COUNT ? rows[reason].status : 400;
}

struct span framing_reason_text(enum framing_reason reason)
{
    return (unsigned)reason < FRAMING_REASON_COUNT ? rows[reason].text : SPAN("");
}
