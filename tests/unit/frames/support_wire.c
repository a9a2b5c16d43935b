/* tests/unit/frames/support_wire.c — see support_reader.h: what a client sends, by hand. */
#include "support_reader.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

void wire_head(struct buf *out, uint32_t len, uint8_t type, uint8_t flags, int32_t id)
{
    const uint32_t u = (uint32_t)id;
    const uint8_t head[] = {
        (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,      type,       flags,
        (uint8_t)(u >> 24),   (uint8_t)(u >> 16),  (uint8_t)(u >> 8), (uint8_t)u,
    };
    buf_append(out, head, sizeof head);
}

void wire_frame(struct buf *out, uint8_t type, uint8_t flags, int32_t id, const void *payload,
                size_t len)
{
    wire_head(out, (uint32_t)len, type, flags, id);
    if (len > 0) {
        buf_append(out, payload, len);
    }
}

/* RFC 7541 §5.1 with a prefix of seven bits, the eighth is 0. */
static void add_length(struct buf *block, size_t len)
{
    if (len < 127) {
        buf_append_char(block, (char)len);
        return;
    }
    buf_append_char(block, 127);
    for (len -= 127; len >= 128; len >>= 7) {
        buf_append_char(block, (char)(len | 128));
    }
    buf_append_char(block, (char)len);
}

void wire_field(struct buf *block, const char *name, const char *value)
{
    buf_append_char(block, 0);
    add_length(block, strlen(name));
    buf_append_text(block, name);
    add_length(block, strlen(value));
    buf_append_text(block, value);
}

void wire_headers(struct buf *out, uint8_t flags, int32_t id, const char *const *lines)
{
    struct buf block;
    buf_init(&block, 0);
    for (; lines[0]; lines += 2) {
        wire_field(&block, lines[0], lines[1]);
    }
    wire_frame(out, FRAMES_HEADERS, (uint8_t)(flags | FRAMES_END_HEADERS), id, block.data,
               block.len);
    buf_finish(&block);
}

void wire_get_block(struct buf *block)
{
    static const char *const lines[] = {GET_LINES};
    for (int i = 0; i < 8; i += 2) {
        wire_field(block, lines[i], lines[i + 1]);
    }
}

void wire_get(struct buf *out, uint8_t flags, int32_t id)
{
    static const char *const lines[] = {GET_LINES, NULL};
    wire_headers(out, flags, id, lines);
}

void wire_begin(struct buf *out)
{
    buf_append(out, preface, sizeof preface - 1);
    wire_frame(out, FRAMES_SETTINGS, 0, 0, NULL, 0);
}
