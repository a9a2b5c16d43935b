/* tests/unit/hpack/support_hpack.c — see support_hpack.h. */
#include "support_hpack.h"

#include "base/text.h"

#include "test.h"

static struct support_reader the_reader;

struct support_reader *support_reader_start(uint32_t max_table_bytes)
{
    the_reader.text_len = 0;
    the_reader.stop_at = 0;
    hpack_decoder_init(&the_reader.decoder, max_table_bytes, SUPPORT_MAX_STRING);
    buf_init(&the_reader.scratch, 0);
    return &the_reader;
}

void support_reader_end(struct support_reader *reader)
{
    hpack_decoder_finish(&reader->decoder);
    buf_finish(&reader->scratch);
}

static void put(struct support_reader *reader, struct span s)
{
    EXPECT(s.len < SUPPORT_TEXT_BYTES - reader->text_len);
    memcpy(reader->text + reader->text_len, s.ptr, s.len);
    reader->text_len += s.len;
    reader->text[reader->text_len] = '\0';
}

static bool take_field(void *arg, const struct hpack_field *field)
{
    struct support_reader *reader = arg;
    reader->fields++;
    reader->last = *field;
    put(reader, field->is_never_indexed ? SPAN("!") : SPAN(""));
    put(reader, field->name);
    put(reader, SPAN(": "));
    put(reader, field->value);
    put(reader, SPAN("\n"));
    return reader->fields != reader->stop_at;
}

static void begin(struct support_reader *reader)
{
    reader->text_len = 0;
    reader->text[0] = '\0';
    reader->fields = 0;
    hpack_decoder_begin(&reader->decoder);
}

enum hpack_result support_read(struct support_reader *reader, const void *bytes, size_t len)
{
    begin(reader);
    size_t consumed = 0;
    const struct hpack_taker taker = {take_field, reader, &reader->scratch};
    enum hpack_result result =
        hpack_decode(&reader->decoder, span_make(bytes, len), true, &taker, &consumed);
    EXPECT(consumed <= len);
    EXPECT(result != HPACK_OK || consumed == len);
    return result;
}

enum hpack_result support_read_cut(struct support_reader *reader, const void *bytes, size_t len,
                                   size_t cut)
{
    begin(reader);
    size_t first = 0;
    char *copy = malloc(cut + 1); /* so that a sanitizer sees who reads behind it */
    EXPECT(copy != NULL);
    memcpy(copy, bytes, cut);
    const struct hpack_taker taker = {take_field, reader, &reader->scratch};
    enum hpack_result result =
        hpack_decode(&reader->decoder, span_make(copy, cut), false, &taker, &first);
    free(copy);
    EXPECT(first <= cut);
    if (result != HPACK_OK) {
        return result;
    }
    size_t second = 0;
    return hpack_decode(&reader->decoder, span_make((const char *)bytes + first, len - first), true,
                        &taker, &second);
}

size_t support_hex(const char *hex, uint8_t *out)
{
    size_t digits = 0;
    for (; *hex; hex++) {
        if (*hex == ' ') {
            continue;
        }
        int value = text_hex_value(*hex);
        EXPECT(value >= 0);
        out[digits / 2] = (uint8_t)(digits % 2 ? out[digits / 2] | value : value << 4);
        digits++;
    }
    EXPECT(digits % 2 == 0);
    return digits / 2;
}

enum hpack_result support_read_hex(struct support_reader *reader, const char *hex)
{
    uint8_t bytes[1024];
    EXPECT(strlen(hex) / 2 < sizeof bytes);
    return support_read(reader, bytes, support_hex(hex, bytes));
}
