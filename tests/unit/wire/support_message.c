/* tests/unit/wire/support_message.c — see support_message.h. */
#include "support_message.h"

#include "base/alloc.h"
#include "http/framing.h"
#include "http/target.h"
#include "test.h"

enum { COPY_LIMIT = 4096, FIELDS_ROOM = 100 };

struct reading {
    struct message *message;
    struct span bytes;
    size_t arrived;
    message_piece_fn *next_piece;
    void *arg;
};

static const struct http_limits limits = HTTP_LIMITS_DEFAULT;

static bool receive(struct reading *reading)
{
    size_t left = reading->bytes.len - reading->arrived;
    if (left == 0) {
        return false;
    }
    reading->arrived += reading->next_piece(left, reading->arg);
    return true;
}

static uint64_t digest(uint64_t so_far, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        so_far = (so_far ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
    }
    return (so_far ^ s.len) * UINT64_C(0x100000001b3);
}

static void note_head(struct message *message, const struct h1_head *head)
{
    snprintf(message->method, sizeof(message->method), "%.*s", SPAN_ARGS(head->method_name));
    message->version = head->version;
    message->field_count = head->fields->count;
    buf_append_span(&message->target, head->target);
    message->digest = digest(message->digest, head->target);
    for (uint32_t i = 0; i < head->fields->count; i++) {
        message->digest = digest(message->digest, head->fields->entries[i].name);
        message->digest = digest(message->digest, head->fields->entries[i].value);
    }
}

static void bad(struct message *message, enum message_end end, int status, unsigned reason)
{
    message->end = end;
    message->status = status;
    message->reason = reason;
}

static void read_chunked(struct reading *reading, size_t from)
{
    struct message *message = reading->message;
    struct chunked_decoder decoder;
    struct buf trailers;
    buf_init(&trailers, limits.max_trailer_bytes);
    chunked_decoder_init(&decoder, &trailers);
    enum chunked_event event = CHUNKED_MORE;
    do {
        size_t len = reading->arrived - from;
        char *copy = mem_alloc(len ? len : 1);
        memcpy(copy, reading->bytes.ptr + from, len);
        struct span in = span_make(copy, len);
        struct span piece;
        while ((event = chunked_decode(&decoder, &limits, &in, &piece)) == CHUNKED_DATA) {
            EXPECT(piece.len > 0 && piece.ptr >= copy && piece.ptr + piece.len <= copy + len);
            buf_append_span(&message->body, piece);
        }
        from += len - in.len;
        EXPECT(event != CHUNKED_MORE || in.len == 0);
        mem_free(copy);
    } while (event == CHUNKED_MORE && receive(reading));
    buf_finish(&trailers);
    message->used = from;
    if (event == CHUNKED_FAILED) {
        bad(message, MESSAGE_BAD_BODY, h1_error_status(chunked_error(&decoder)), decoder.error);
        return;
    }
    message->end = event == CHUNKED_END ? MESSAGE_COMPLETE : MESSAGE_INCOMPLETE;
}

static void read_length(struct reading *reading, size_t from, uint64_t length)
{
    struct message *message = reading->message;
    while (reading->arrived - from < length && receive(reading)) {
    }
    size_t have = reading->arrived - from;
    buf_append(&message->body, reading->bytes.ptr + from, have < length ? have : (size_t)length);
    message->used = from + (size_t)length;
    message->end = have < length ? MESSAGE_INCOMPLETE : MESSAGE_COMPLETE;
}

static bool judge_target(struct message *message, const struct h1_head *head)
{
    struct arena arena;
    struct target target;
    arena_init(&arena, 0);
    int result = target_parse(head->target, head->method, &arena, &target);
    arena_finish(&arena);
    if (result < 0) {
        bad(message, MESSAGE_BAD_TARGET, 400, 0);
    }
    return result == 0;
}

/* The head is complete: what follows, and whether. */
static void read_body(struct reading *reading, const struct h1_head *head)
{
    struct message *message = reading->message;
    struct framing framing = framing_judge(head->version, head->method, head->fields);
    size_t from = head->len;
    note_head(message, head);
    if (framing.reason != FRAMING_REASON_NONE) {
        bad(message, MESSAGE_BAD_FRAMING, framing_reason_status(framing.reason), framing.reason);
    } else if (!judge_target(message, head)) {
        return;
    } else if (framing.body == FRAMING_CHUNKED) {
        read_chunked(reading, from);
    } else {
        read_length(reading, from, framing.body == FRAMING_LENGTH ? framing.length : 0);
    }
}

/* One call of the parser, over a buffer of its own while that is cheap. */
static enum h1_result feed(struct reading *reading, struct h1_parser *parser, struct h1_head *head)
{
    size_t len = reading->arrived;
    char *copy = len <= COPY_LIMIT ? mem_alloc(len) : NULL;
    const char *data = reading->bytes.ptr;
    if (copy) {
        memcpy(copy, data, len);
        data = copy;
    }
    enum h1_result result = h1_parser_feed(parser, data, len, &limits, head);
    if (result == H1_DONE) {
        read_body(reading, head);
    }
    mem_free(copy);
    return result;
}

void message_read(struct span bytes, message_piece_fn *next_piece, void *arg, struct message *ret)
{
    struct reading reading = {.message = ret, .bytes = bytes, .next_piece = next_piece, .arg = arg};
    struct field entries[FIELDS_ROOM];
    struct fields fields;
    struct h1_head head = {.fields = &fields};
    struct h1_parser parser;
    enum h1_result result = H1_MORE;
    fields_init(&fields, entries, FIELDS_ROOM);
    *ret = (struct message){.end = MESSAGE_INCOMPLETE};
    buf_init(&ret->target, 0);
    buf_init(&ret->body, 0);
    h1_parser_init(&parser);
    while (result == H1_MORE && receive(&reading)) {
        result = feed(&reading, &parser, &head);
    }
    if (result == H1_FAILED) {
        enum h1_error error = h1_parser_error(&parser);
        bad(ret, MESSAGE_BAD_HEAD, h1_error_status(error), error);
    }
}

void message_finish(struct message *message)
{
    buf_finish(&message->target);
    buf_finish(&message->body);
}

static size_t all_of_it(size_t left, void *arg)
{
    (void)arg;
    return left;
}

void message_read_whole(struct span bytes, struct message *ret)
{
    message_read(bytes, all_of_it, NULL, ret);
}

size_t message_byte_by_byte(size_t left, void *arg)
{
    (void)left;
    (void)arg;
    return 1;
}

size_t message_two_parts(size_t left, void *arg)
{
    size_t *first = arg;
    size_t len = *first > 0 && *first < left ? *first : left;
    *first = 0;
    return len;
}

size_t message_random_parts(size_t left, void *arg)
{
    (void)arg;
    size_t most = test_random_below(3) ? 8 : left;
    size_t len = 1 + (size_t)test_random_below(most);
    return len < left ? len : left;
}

bool message_equal(const struct message *a, const struct message *b)
{
    bool same = a->end == b->end && a->status == b->status && a->reason == b->reason &&
                a->version == b->version && a->field_count == b->field_count &&
                a->digest == b->digest && strcmp(a->method, b->method) == 0;
    if (!same || a->end != MESSAGE_COMPLETE) {
        return same;
    }
    return a->used == b->used && span_equal(buf_span(&a->body), buf_span(&b->body));
}
