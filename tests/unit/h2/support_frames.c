/* tests/unit/h2/support_frames.c — see support_h2.h: frames by hand (RFC 9113 §4.1). */
#include "support_h2.h"

#include "test.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

void raw_send(struct world *world, struct sim_peer *peer, const void *data, size_t len)
{
    (void)sim_send(peer, data, len); /* fails once the server has closed */
    sim_run(world->loop);
}

void raw_add(struct buf *out, uint8_t type, uint8_t flags, int32_t id, const void *payload,
             size_t len)
{
    const uint8_t head[] = {
        (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,       type,       flags,
        (uint8_t)(id >> 24),  (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    buf_append(out, head, sizeof head);
    if (len > 0) {
        buf_append(out, payload, len);
    }
}

void raw_frame(struct world *world, struct sim_peer *peer, uint8_t type, uint8_t flags, int32_t id,
               const void *payload, size_t len)
{
    struct buf out;
    buf_init(&out, 0);
    raw_add(&out, type, flags, id, payload, len);
    raw_send(world, peer, out.data, out.len);
    buf_finish(&out);
}

/* RFC 7541 §6.2.2, names and values below 127 bytes. */
void raw_add_field(struct buf *block, const char *name, const char *value)
{
    EXPECT(strlen(name) < 127 && strlen(value) < 127);
    buf_append_char(block, 0);
    buf_append_char(block, (char)strlen(name));
    buf_append_text(block, name);
    buf_append_char(block, (char)strlen(value));
    buf_append_text(block, value);
}

void raw_add_request(struct buf *block, const char *method, const char *path)
{
    raw_add_field(block, ":method", method);
    raw_add_field(block, ":scheme", "http");
    raw_add_field(block, ":authority", "a");
    raw_add_field(block, ":path", path);
}

void raw_add_get(struct buf *out, int32_t id, const char *path, uint8_t flags)
{
    struct buf block;
    buf_init(&block, 0);
    raw_add_request(&block, "GET", path);
    raw_add(out, NGHTTP2_HEADERS, (uint8_t)(flags | NGHTTP2_FLAG_END_HEADERS), id, block.data,
            block.len);
    buf_finish(&block);
}

struct sim_peer *raw_open(struct world *world)
{
    struct sim_peer *peer = world_connect(world);
    EXPECT(peer);
    raw_send(world, peer, preface, sizeof preface - 1);
    raw_frame(world, peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    raw_frame(world, peer, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    return peer;
}

void raw_get_shut(struct world *world, struct sim_peer *peer, const char *path)
{
    static const uint8_t no_window[] = {0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0, 0, 0, 0};
    struct buf out;
    buf_init(&out, 0);
    raw_add(&out, NGHTTP2_SETTINGS, 0, 0, no_window, sizeof no_window);
    raw_add_get(&out, 1, path, NGHTTP2_FLAG_END_STREAM);
    raw_send(world, peer, out.data, out.len);
    buf_finish(&out);
}

bool raw_next(struct span *rest, struct frame *ret)
{
    const uint8_t *b = (const uint8_t *)rest->ptr;
    if (rest->len < 9) {
        return false;
    }
    size_t len = (size_t)b[0] << 16 | (size_t)b[1] << 8 | b[2];
    if (rest->len < 9 + len) {
        return false;
    }
    *ret = (struct frame){.type = b[3],
                          .flags = b[4],
                          .id = (int32_t)((uint32_t)(b[5] & 0x7f) << 24 | (uint32_t)b[6] << 16 |
                                          (uint32_t)b[7] << 8 | b[8]),
                          .payload = span_make(rest->ptr + 9, len)};
    *rest = span_from(*rest, 9 + len);
    return true;
}

static uint32_t number_at(struct span payload, size_t at)
{
    const uint8_t *b = (const uint8_t *)payload.ptr + at;
    EXPECT(payload.len >= at + 4);
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

unsigned raw_count(const struct sim_peer *peer, uint8_t type, int32_t id, uint32_t *ret_code)
{
    struct span rest = sim_received(peer);
    struct frame frame;
    unsigned count = 0;
    while (raw_next(&rest, &frame)) {
        if (frame.type != type || (id >= 0 && frame.id != id)) {
            continue;
        }
        count++;
        if (ret_code && (type == NGHTTP2_RST_STREAM || type == NGHTTP2_GOAWAY)) {
            *ret_code = number_at(frame.payload, type == NGHTTP2_GOAWAY ? 4 : 0);
        }
    }
    return count;
}

void raw_expect_end(struct world *world, struct sim_peer *peer, uint32_t code)
{
    uint32_t got = UINT32_MAX;
    sim_run(world->loop);
    EXPECT(raw_count(peer, NGHTTP2_GOAWAY, 0, &got) > 0);
    EXPECT_INT(got, code);
    EXPECT(sim_is_closed(peer));
    sim_advance(world->loop, 3000); /* lingering ends */
    EXPECT_INT(world->set.count, 0);
}
