/* base/buf.c — a growing byte buffer with sticky failure; see buf.h.
 * The block behind data is always one byte larger than capacity: printf may end its text with a NUL
 * there, and buf_take hands out a terminated text, without either counting in len or max_bytes. */
#include "base/buf.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"

#include <stdio.h>

enum { BUF_FIRST_BYTES = 256, U64_DIGITS = 20 };

void buf_init(struct buf *buf, size_t max_bytes)
{
    *buf = (struct buf){.max_bytes = max_bytes};
}

void buf_finish(struct buf *buf)
{
    mem_free(buf->data);
    buf_init(buf, buf->max_bytes);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

static size_t highest_capacity(const struct buf *buf)
{
    /* One byte of SIZE_MAX is needed for the NUL. */
    return buf->max_bytes && buf->max_bytes < SIZE_MAX ? buf->max_bytes : SIZE_MAX - 1;
}

static bool grow(struct buf *buf, size_t need)
{
    size_t highest = highest_capacity(buf);
    size_t capacity = buf->capacity > highest / 2 ? highest : buf->capacity * 2;
    if (capacity < BUF_FIRST_BYTES) {
        capacity = BUF_FIRST_BYTES < highest ? BUF_FIRST_BYTES : highest;
    }
    if (capacity < need) {
        capacity = need;
    }
    char *data = mem_resize(buf->data, capacity + 1);
    if (!data) {
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

char *buf_reserve(struct buf *buf, size_t more)
{
    if (buf->failed) {
        return NULL;
    }
    bool fits = more <= highest_capacity(buf) && buf->len <= highest_capacity(buf) - more;
    if (fits && (!buf->data || buf->capacity - buf->len < more)) {
        fits = grow(buf, buf->len + more);
    }
    buf->failed = !fits;
    return fits ? buf->data + buf->len : NULL;
}

void buf_append(struct buf *buf, const void *data, size_t len)
{
    char *room = len ? buf_reserve(buf, len) : NULL;
    if (room) {
        memcpy(room, data, len);
        buf->len += len;
    }
}

void buf_append_span(struct buf *buf, struct span s)
{
    buf_append(buf, s.ptr, s.len);
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_append_char(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

void buf_append_u64(struct buf *buf, uint64_t number)
{
    char digits[U64_DIGITS];
    buf_append(buf, digits, text_write_u64(digits, number));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t room = buf->failed || !buf->data ? 0 : buf->capacity - buf->len + 1;
    int written = vsnprintf(room ? buf->data + buf->len : NULL, room, format, args);
    size_t len = written < 0 ? 0 : (size_t)written;
    if (written < 0) {
        buf->failed = true;
    } else if (len >= room && buf_reserve(buf, len)) {
        vsnprintf(buf->data + buf->len, len + 1, format, again);
    }
    va_end(again);
    buf->len += buf->failed ? 0 : len;
}

void buf_consume(struct buf *buf, size_t n)
{
    CHECK(n <= buf->len);
    if (n != 0 && n != buf->len) {
        memmove(buf->data, buf->data + n, buf->len - n);
    }
    buf->len -= n;
}

struct span buf_span(const struct buf *buf)
{
    return span_make(buf->data ? buf->data : "", buf->len);
}

char *buf_take(struct buf *buf, size_t *ret_len)
{
    if (!buf_reserve(buf, 0)) {
        return NULL;
    }
    char *data = buf->data;
    data[buf->len] = '\0';
    *ret_len = buf->len;
    buf_init(buf, buf->max_bytes);
    return data;
}
