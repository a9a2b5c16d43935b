/* tests/fuzz/fuzz_http_framing.c — any field lines as the head of a request. First byte: version
 * and method. Holds: never both a length and chunks; what two parsers could read in two ways is
 * refused; a refusal yields nothing that could be used. */
#include "fuzz.h"
#include "fuzz_lines.h"
#include "http/framing.h"
#include "http/host.h"

/* rooms: http */

static void expect_refused(const struct framing *framing)
{
    int status = framing_reason_status(framing->reason);
    FUZZ_EXPECT(status == 400 || status == 417 || status == 501);
    FUZZ_EXPECT(framing->body == FRAMING_NO_BODY && framing->length == 0);
    FUZZ_EXPECT(!framing->wants_keep_alive && !framing->wants_continue);
}

static void expect_clear(int version, const struct framing *framing, const struct fields *fields)
{
    bool has_length = fields_has(fields, FIELD_CONTENT_LENGTH);
    bool has_coding = fields_has(fields, FIELD_TRANSFER_ENCODING);
    FUZZ_EXPECT(!(has_length && has_coding));
    FUZZ_EXPECT(fields_count_of(fields, FIELD_HOST) == 1 || version == 10);
    FUZZ_EXPECT((framing->body == FRAMING_CHUNKED) == has_coding);
    FUZZ_EXPECT(!has_coding || version == 11);
    FUZZ_EXPECT(framing->body != FRAMING_LENGTH || (has_length && framing->length > 0));
    FUZZ_EXPECT(framing->length <= UINT64_C(999999999999999999));
    FUZZ_EXPECT(!framing->wants_continue || framing->body != FRAMING_NO_BODY);
}

static void judge_host(struct span value)
{
    struct host host;
    if (host_parse(value, &host) == 0) {
        FUZZ_EXPECT(host.name.len > 0 && host.name.len <= value.len);
        FUZZ_EXPECT(!memchr(host.name.ptr, '/', host.name.len));
        FUZZ_EXPECT(!memchr(host.name.ptr, '@', host.name.len));
        FUZZ_EXPECT(host.kind != HOST_IPV6 || host.name.ptr[0] == '[');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct field entries[FUZZ_LINES_MAX];
    struct fields fields = fuzz_lines(span_make((const char *)data + 1, size - 1), entries);
    int version = data[0] & 0x80 ? 10 : 11;
    enum method method = (enum method)(data[0] % METHOD_COUNT);
    struct framing framing = framing_judge(version, method, &fields);
    if (framing.reason != FRAMING_REASON_NONE) {
        expect_refused(&framing);
    } else {
        expect_clear(version, &framing, &fields);
    }
    uint32_t it = 0;
    const struct field *line;
    while ((line = fields_next_any(&fields, &it)) != NULL) {
        judge_host(line->value);
    }
    return 0;
}
