/* base/buf.h — an owned buffer that grows, with a ceiling.
 * Failure is sticky: after an append that did not fit (memory or max_bytes), `failed` stays set and
 * further appends do nothing, so a writer checks once at the end. One owner. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

#include <stdarg.h>

struct buf {
    char *data;
    size_t len;
    size_t capacity;
    size_t max_bytes; /* 0: none */
    bool failed;
};

/** Allocates nothing yet. */
void buf_init(struct buf *buf, size_t max_bytes);
void buf_finish(struct buf *buf);
/** Forget the content and the failure; keep the memory. */
void buf_clear(struct buf *buf);
/** Room for `more` bytes behind len; NULL (and failed) if there cannot be. Add to len what you
 * used. */
char *buf_reserve(struct buf *buf, size_t more);
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_append_span(struct buf *buf, struct span s);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_char(struct buf *buf, char c);
void buf_append_u64(struct buf *buf, uint64_t number);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/** Drop the first n bytes (n <= len). */
void buf_consume(struct buf *buf, size_t n);
/** What is in it, borrowed until the next call; never a missing span. */
struct span buf_span(const struct buf *buf);
/** Hand the memory over (free with mem_free), with a NUL behind it; the buffer is empty afterwards,
 *  its ceiling stays. NULL if failed; then *ret_len is untouched. */
char *buf_take(struct buf *buf, size_t *ret_len);

#endif
