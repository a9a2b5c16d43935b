/* tests/fuzz/fuzz_wire_writer.c — any name and value ("name NUL value") into a response head:
 * either it is refused, or the head has exactly the lines that were meant. RFC 9110 §5.5; response
 * splitting. */
/* rooms: wire */
#include "fuzz.h"

#include "base/check.h"
#include "wire/h1_writer.h"

enum { ROOM = 4096 };

static unsigned count_of(struct span s, char c)
{
    unsigned count = 0;
    for (size_t i = 0; i < s.len; i++) {
        count += s.ptr[i] == c;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[ROOM];
    struct span name;
    struct h1_writer writer;
    struct span value = span_cut(span_make((const char *)data, size), '\0', &name);
    h1_writer_init(&writer, out, size % ROOM);
    h1_write_status(&writer, 100 + (int)(size % 500));
    h1_write_field(&writer, name, value);
    size_t len = h1_write_end(&writer);
    CHECK(writer.len <= size % ROOM);
    if (len == 0) {
        CHECK(writer.fault != H1_WRITE_OK);
        return 0;
    }
    struct span head = span_make(out, len);
    CHECK(count_of(head, '\r') == 3 && count_of(head, '\n') == 3 && count_of(head, '\0') == 0);
    CHECK(span_ends_with(head, SPAN("\r\n\r\n")) && name.len > 0);
    return 0;
}
