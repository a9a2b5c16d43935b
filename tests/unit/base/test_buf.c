/* tests/unit/base/test_buf.c — the growing buffer.
 * Growth, the ceiling, sticky failure, handing over; a model of plain bytes that random steps are
 * compared with; the sweep of failing allocations. */
#include "test.h"

#include "base/alloc.h"
#include "base/buf.h"

TEST(test_everything_appended_stands_in_order)
{
    struct buf buf;
    buf_init(&buf, 0);
    EXPECT_SPAN(buf_span(&buf), "");
    EXPECT(buf_span(&buf).ptr != NULL);
    buf_append_text(&buf, "HTTP/1.1 ");
    buf_append_u64(&buf, 200);
    buf_append_char(&buf, ' ');
    buf_append_span(&buf, SPAN("OK"));
    buf_append_span(&buf, SPAN_NONE);
    buf_append(&buf, "\r\n", 2);
    buf_printf(&buf, "%s: %d", "Age", 5);
    EXPECT_SPAN(buf_span(&buf), "HTTP/1.1 200 OK\r\nAge: 5");
    buf_finish(&buf);
    buf_finish(&buf);
}

TEST(test_ceiling_is_exact_and_failure_is_sticky)
{
    struct buf buf;
    buf_init(&buf, 10);
    buf_append_text(&buf, "0123456789");
    EXPECT(!buf.failed);
    buf_append_char(&buf, 'x');
    EXPECT(buf.failed);
    EXPECT_SPAN(buf_span(&buf), "0123456789");
    buf_consume(&buf, 5);
    buf_append_char(&buf, 'x'); /* would fit now, but something is missing before it */
    EXPECT_SPAN(buf_span(&buf), "56789");
    EXPECT(buf_reserve(&buf, 1) == NULL);
    size_t len = 77;
    EXPECT(buf_take(&buf, &len) == NULL);
    EXPECT_INT(len, 77);
    buf_clear(&buf);
    EXPECT(!buf.failed);
    buf_printf(&buf, "%s", "0123456789");
    EXPECT_SPAN(buf_span(&buf), "0123456789");
    buf_printf(&buf, "%d", 1);
    EXPECT(buf.failed);
    buf_finish(&buf);
}

TEST(test_impossible_sizes_fail_cleanly)
{
    struct buf buf;
    buf_init(&buf, 0);
    buf_append_text(&buf, "x");
    EXPECT(buf_reserve(&buf, SIZE_MAX) == NULL);
    buf_clear(&buf);
    buf_append_text(&buf, "x");
    EXPECT(buf_reserve(&buf, SIZE_MAX - 2) == NULL);
    EXPECT(buf.failed);
    buf_finish(&buf);
}

TEST(test_reserved_room_can_be_written_and_counted)
{
    struct buf buf;
    buf_init(&buf, 0);
    for (size_t n = 0; n < 3000; n += 7) {
        size_t before = buf.len;
        char *room = buf_reserve(&buf, n);
        EXPECT(room != NULL);
        memset(room, 'r', n);
        buf.len += n;
        EXPECT_INT(buf.len, before + n);
    }
    buf_finish(&buf);
}

TEST(test_taken_memory_is_terminated_and_the_buffer_starts_anew)
{
    struct buf buf;
    size_t len = 0;
    buf_init(&buf, 100);
    char *nothing = buf_take(&buf, &len);
    EXPECT(nothing != NULL);
    EXPECT_INT(len, 0);
    EXPECT_TEXT(nothing, "");
    mem_free(nothing);
    buf_append_text(&buf, "kept");
    char *taken = buf_take(&buf, &len);
    EXPECT(taken != NULL);
    EXPECT_INT(len, 4);
    EXPECT_TEXT(taken, "kept");
    EXPECT_INT(buf.len, 0);
    EXPECT_INT(buf.max_bytes, 100);
    mem_free(taken);
    buf_finish(&buf);
}

enum { MODEL_BYTES = 5000 };

struct model {
    char bytes[MODEL_BYTES];
    size_t len;
};

static void random_step(struct buf *buf, struct model *model)
{
    char data[600];
    size_t n = (size_t)test_random_below(sizeof data);
    if (test_random_below(4) == 0) {
        n = n < model->len ? n : model->len;
        buf_consume(buf, n);
        memmove(model->bytes, model->bytes + n, model->len - n);
        model->len -= n;
        return;
    }
    memset(data, 'a' + (int)test_random_below(26), sizeof data);
    if (test_random_below(2) == 0) {
        buf_append(buf, data, n);
    } else {
        buf_printf(buf, "%.*s", (int)n, data);
    }
    if (n > MODEL_BYTES - model->len) {
        EXPECT(buf->failed);
        buf_clear(buf);
        model->len = 0;
        return;
    }
    memcpy(model->bytes + model->len, data, n);
    model->len += n;
}

TEST(test_buffer_does_what_plain_bytes_do)
{
    static struct model model;
    struct buf buf;
    buf_init(&buf, MODEL_BYTES);
    for (unsigned i = 0; i < test_rounds(5000); i++) {
        random_step(&buf, &model);
        EXPECT(!buf.failed);
        struct span have = buf_span(&buf);
        EXPECT(span_equal(have, span_make(model.bytes, model.len)));
        EXPECT(buf.capacity <= MODEL_BYTES);
    }
    buf_finish(&buf);
}

#ifdef GALLEY_FAULTS
TEST(test_each_failed_allocation_leaves_the_buffer_failed_and_whole)
{
    for (uint64_t n = 1;; n++) {
        struct buf buf;
        size_t len = 0;
        buf_init(&buf, 0);
        mem_fail_nth(n);
        buf_append_text(&buf, "first");
        buf_printf(&buf, "%01000d", 0);
        char *taken = buf_take(&buf, &len);
        bool happened = mem_fail_happened();
        EXPECT_INT(taken == NULL, happened);
        EXPECT_INT(buf.failed, happened);
        EXPECT_INT(len, happened ? 0 : 1005);
        mem_free(taken);
        buf_finish(&buf);
        if (!happened) {
            EXPECT(n > 1);
            return;
        }
    }
}
#endif
