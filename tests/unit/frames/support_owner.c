/* tests/unit/frames/support_owner.c — see support_owner.h. */
#include "support_owner.h"

#include "base/alloc.h"

#include "test.h"

/* ---- bodies ---------------------------------------------------------------------------------- */

static uint8_t pattern(int32_t id, uint64_t at)
{
    return (uint8_t)((uint64_t)id * 37 + at * 7 + at / 251);
}

static bool add_body(struct owner *owner, struct owned *owned, uint32_t len)
{
    char *room = len > 0 ? chain_add_room(&owner->out, len) : NULL;
    if (len > 0 && !room) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        room[i] = (char)pattern(owned->stream.id, owned->produced + i);
    }
    owned->produced += len;
    owned->ready -= len;
    return true;
}

/* ---- events ---------------------------------------------------------------------------------- */

static struct owned *owned_of(struct frames_stream *stream)
{
    return CONTAINER_OF(stream, struct owned, stream);
}

static void note(struct owner *owner, const char *event, int64_t number)
{
    buf_append_text(&owner->log, owner->log.len > 0 ? "; " : "");
    buf_printf(&owner->log, "%s %" PRId64, event, number);
}

static void run(struct owner *owner, owner_hook_fn *hook, struct frames_stream *stream)
{
    if (hook) {
        hook(owner, owned_of(stream));
    }
}

static void on_input_ended(void *ctx, struct frames_stream *stream)
{
    struct owner *owner = ctx;
    note(owner, "input_ended", stream->id);
    run(owner, owner->on_input_ended, stream);
}

static void on_failed(void *ctx, uint32_t code)
{
    note(ctx, "failed", code);
}

static struct frames_ready on_body(void *ctx, struct frames_stream *stream)
{
    struct owner *owner = ctx;
    run(owner, owner->on_body, stream);
    owner->asked++;
    return (struct frames_ready){.bytes = owned_of(stream)->ready,
                                 .is_end = owned_of(stream)->is_end};
}

static int64_t on_send_data(void *ctx, struct frames_stream *stream,
                            const uint8_t head[FRAMES_HEAD_BYTES], uint32_t len)
{
    struct owner *owner = ctx;
    uint8_t own_head[FRAMES_HEAD_BYTES];
    memcpy(own_head, head, sizeof own_head);
    owner->cut = 0;
    run(owner, owner->on_data, stream);
    EXPECT(len <= owned_of(stream)->ready);
    if (owner->sends_none) {
        return 0;
    }
    if (owner->cut > 0 && owner->cut < len) {
        len = owner->cut;
        frames_shorten_head(own_head, len);
    }
    bool is_added = !owner->fails &&
                    chain_add_copy(&owner->out, own_head, FRAMES_HEAD_BYTES) == GALLEY_OK &&
                    add_body(owner, owned_of(stream), len);
    return is_added ? (int64_t)len : -1;
}

static void on_head_sent(void *ctx, struct frames_stream *stream)
{
    struct owner *owner = ctx;
    note(owner, "head", stream->id);
    run(owner, owner->on_head_sent, stream);
}

static void on_end_sent(void *ctx, struct frames_stream *stream)
{
    struct owner *owner = ctx;
    note(owner, "end", stream->id);
    run(owner, owner->on_end_sent, stream);
}

static void on_reset_sent(void *ctx, uint32_t code)
{
    note(ctx, "reset", code);
}

static void on_closed(void *ctx, struct frames_stream *stream, uint32_t code)
{
    struct owner *owner = ctx;
    EXPECT(stream->session == NULL);
    EXPECT(!frames_stream_find(&owner->session, stream->id));
    note(owner, "closed", stream->id);
    buf_printf(&owner->log, " %u", code);
    run(owner, owner->on_closed, stream);
    owner->streams[stream->id / 2] = NULL;
    mem_free(owned_of(stream)); /* whoever looks at it afterwards is seen by ASan */
}

static const struct frames_events events = {
    .input_ended = on_input_ended,
    .failed = on_failed,
    .body = on_body,
    .send_data = on_send_data,
    .head_sent = on_head_sent,
    .end_sent = on_end_sent,
    .reset_sent = on_reset_sent,
    .closed = on_closed,
};

/* ---- the owner ------------------------------------------------------------------------------- */

struct frames_options owner_options(void)
{
    return (struct frames_options){
        .max_streams = 100,
        .stream_window_bytes = FRAMES_FIRST_WINDOW,
        .conn_window_bytes = FRAMES_FIRST_WINDOW,
        .max_list_bytes = 16384,
        .max_string_bytes = 65536,
    };
}

int owner_init(struct owner *owner, const struct frames_options *options)
{
    *owner = (struct owner){.options = *options};
    chain_init(&owner->out, NULL);
    buf_init(&owner->scratch, 0);
    buf_init(&owner->log, 0);
    buf_init(&owner->text, 0);
    return frames_init(&owner->session, &owner->options, &events, owner, &owner->scratch);
}

void owner_start(struct owner *owner)
{
    struct frames_options options = owner_options();
    EXPECT_INT(owner_init(owner, &options), GALLEY_OK);
    EXPECT_SAID(owner_write_all(owner), "SETTINGS 30");
}

void owner_finish(struct owner *owner)
{
    frames_finish(&owner->session);
    chain_clear(&owner->out);
    buf_finish(&owner->scratch);
    buf_finish(&owner->log);
    buf_finish(&owner->text);
}

/* ---- streams --------------------------------------------------------------------------------- */

static struct owned *add_stream(struct owner *owner, int32_t id, bool input_ended)
{
    struct owned *owned = mem_alloc_zero(1, sizeof *owned);
    if (!owned) {
        return NULL;
    }
    EXPECT(id / 2 < OWNER_STREAMS);
    owner->streams[id / 2] = owned;
    owner->read[id / 2] = 0;
    owner->session.block.id = id;
    owner->session.block.length = -1;
    owner->session.last_id = owner->session.last_taken = id;
    frames_stream_open(&owner->session, &owned->stream, id, input_ended);
    return owned;
}

struct owned *owner_open(struct owner *owner, int32_t id, bool input_ended)
{
    owner->session.block.urgency = FRAMES_USUAL_URGENCY;
    owner->session.block.is_incremental = false;
    return add_stream(owner, id, input_ended);
}

struct owned *owner_open_as(struct owner *owner, int32_t id, uint8_t urgency, bool is_incremental)
{
    owner->session.block.urgency = urgency;
    owner->session.block.is_incremental = is_incremental;
    return add_stream(owner, id, true);
}

struct owned *owner_find(struct owner *owner, int32_t id)
{
    return owner->streams[id / 2];
}

int owner_head(struct owned *owned, enum frames_head_kind kind)
{
    struct hpack_line line = hpack_line_make(SPAN(":status"), SPAN("200"), HPACK_INDEX);
    frames_head_begin(&owned->stream);
    frames_head_line(&owned->stream, &line);
    return frames_head_end(&owned->stream, kind);
}

void owner_answer(struct owned *owned, uint64_t bytes)
{
    owned->ready = bytes;
    owned->is_end = true;
    EXPECT_INT(owner_head(owned, FRAMES_HEAD_WITH_BODY), GALLEY_OK);
}

/* ---- what was written ------------------------------------------------------------------------ */

static const char *name_of(uint8_t type)
{
    static const char *const names[] = {"DATA",          "HEADERS",      "PRIORITY", "RST_STREAM",
                                        "SETTINGS",      "PUSH_PROMISE", "PING",     "GOAWAY",
                                        "WINDOW_UPDATE", "CONTINUATION"};
    EXPECT(type < sizeof names / sizeof *names);
    return names[type];
}

static void compare_body(struct owner *owner, int32_t id, const uint8_t *payload, uint32_t len)
{
    uint64_t *at = &owner->read[id / 2];
    for (uint32_t i = 0; i < len; i++) {
        EXPECT_INT(payload[i], pattern(id, *at + i));
    }
    *at += len;
}

static void describe_numbers(struct owner *owner, uint8_t type, int32_t id, const uint8_t *payload,
                             uint32_t len)
{
    struct buf *text = &owner->text;
    switch (type) {
    case FRAMES_DATA:
        compare_body(owner, id, payload, len);
        buf_printf(text, " %u", len);
        break;
    case FRAMES_SETTINGS:
        buf_printf(text, " %u", len);
        break;
    case FRAMES_RST_STREAM:
    case FRAMES_WINDOW_UPDATE:
        EXPECT_INT(len, 4);
        buf_printf(text, " %u", frames_u32(payload));
        break;
    case FRAMES_GOAWAY:
        EXPECT_INT(len, 8);
        buf_printf(text, " %u %u", frames_u32(payload), frames_u32(payload + 4));
        break;
    default:
        break;
    }
}

static bool is_of_stream(uint8_t type)
{
    return type != FRAMES_SETTINGS && type != FRAMES_PING && type != FRAMES_GOAWAY;
}

/* RFC 9113 §4.1 */
static void describe(struct owner *owner, const uint8_t *frame, uint32_t len)
{
    struct buf *text = &owner->text;
    uint8_t type = frame[3];
    uint8_t flags = frame[4];
    int32_t id = (int32_t)frames_u32(frame + 5);
    bool has_head = type == FRAMES_HEADERS || type == FRAMES_CONTINUATION;
    EXPECT(len <= FRAMES_MAX_PAYLOAD);
    buf_append_text(text, text->len > 0 ? "; " : "");
    buf_append_text(text, name_of(type));
    if (is_of_stream(type)) {
        buf_printf(text, " %d", id);
    } else {
        EXPECT_INT(id, 0);
    }
    describe_numbers(owner, type, id, frame + FRAMES_HEAD_BYTES, len);
    if (owner->on_frame) {
        owner->on_frame(owner, type, flags, id, len);
    }
    bool is_more = has_head && !(flags & FRAMES_END_HEADERS);
    bool has_end = (type == FRAMES_DATA || type == FRAMES_HEADERS) && (flags & FRAMES_END_STREAM);
    bool is_ack = (type == FRAMES_SETTINGS || type == FRAMES_PING) && (flags & FRAMES_ACK);
    buf_append_text(text, is_more ? " more" : "");
    buf_append_text(text, has_end ? " end" : "");
    buf_append_text(text, is_ack ? " ack" : "");
}

static void describe_all(struct owner *owner, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        EXPECT(len >= FRAMES_HEAD_BYTES);
        uint32_t payload = (uint32_t)bytes[0] << 16 | frames_u16(bytes + 1);
        EXPECT(len - FRAMES_HEAD_BYTES >= payload);
        describe(owner, bytes, payload);
        bytes += FRAMES_HEAD_BYTES + payload;
        len -= FRAMES_HEAD_BYTES + payload;
    }
}

static void take_chain(struct chain *chain, struct buf *into)
{
    const struct chain_part *part;
    while ((part = chain_front(chain)) != NULL) {
        buf_append(into, part->ptr, part->len);
        chain_consume(chain, part->len);
    }
}

static const char *text_of(struct buf *buf)
{
    buf_append_char(buf, '\0');
    EXPECT(!buf->failed);
    buf->len--;
    return buf->data;
}

const char *owner_write(struct owner *owner, uint64_t max_bytes)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    buf_clear(&owner->text);
    EXPECT_INT(frames_write(&owner->session, &owner->out, max_bytes), FRAMES_OK);
    take_chain(&owner->out, &bytes);
    owner->written = bytes.len;
    describe_all(owner, (const uint8_t *)bytes.data, bytes.len);
    buf_finish(&bytes);
    return text_of(&owner->text);
}

const char *owner_write_all(struct owner *owner)
{
    return owner_write(owner, UINT64_MAX);
}

const char *owner_log(struct owner *owner)
{
    buf_clear(&owner->text);
    buf_append_span(&owner->text, buf_span(&owner->log));
    buf_clear(&owner->log);
    return text_of(&owner->text);
}
