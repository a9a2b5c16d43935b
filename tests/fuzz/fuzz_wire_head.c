/* tests/fuzz/fuzz_wire_head.c — any bytes as a request head: in one piece and in two, the answers
 * must be the same, and every view must lie in the head and be made of allowed bytes. RFC 9112 §3,
 * §5. */
/* rooms: wire */
#include "fuzz.h"

#include "base/check.h"
#include "http/chars.h"
#include "wire/h1_parser.h"

enum { MAX_FIELDS = 100 };

struct run {
    struct h1_parser parser;
    struct h1_head head;
    struct fields fields;
    struct field entries[MAX_FIELDS];
};

static const struct http_limits limits = HTTP_LIMITS_DEFAULT;

static void begin(struct run *run)
{
    fields_init(&run->fields, run->entries, MAX_FIELDS);
    run->head = (struct h1_head){.fields = &run->fields};
    h1_parser_init(&run->parser);
}

static enum h1_result feed(struct run *run, const char *data, size_t len)
{
    return h1_parser_feed(&run->parser, data, len, &limits, &run->head);
}

static void check_view(struct span view, const char *text, size_t len, enum chars_class wanted)
{
    CHECK(view.ptr >= text && view.len < len && view.ptr + view.len < text + len);
    CHECK(chars_all(view, wanted));
}

static void check_head(const struct run *run, const char *text)
{
    const struct h1_head *head = &run->head;
    check_view(head->method_name, text, head->len, CHARS_TOKEN);
    check_view(head->target, text, head->len, CHARS_TARGET);
    CHECK(head->version == 10 || head->version == 11);
    CHECK(memcmp(text + head->len - 4, "\r\n\r\n", 4) == 0);
    for (uint32_t i = 0; i < run->fields.count; i++) {
        check_view(run->entries[i].name, text, head->len, CHARS_TOKEN);
        check_view(run->entries[i].value, text, head->len, CHARS_VALUE);
        CHECK(run->entries[i].name.len > 0);
    }
}

/* Somewhere, the same place for the same bytes. */
static size_t cut_of(const char *text, size_t len)
{
    size_t hash = 5381;
    for (size_t i = 0; i < len; i++) {
        hash = hash * 33 + (unsigned char)text[i];
    }
    return hash % (len + 1);
}

static enum h1_result feed_in_two(struct run *run, const char *text, size_t len)
{
    size_t cut = cut_of(text, len);
    char *first = malloc(cut + 1); /* gone before the second call: no view may survive */
    CHECK(first);
    memcpy(first, text, cut);
    enum h1_result result = feed(run, first, cut);
    free(first);
    return result == H1_MORE ? feed(run, text, len) : result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole;
    static struct run cut;
    char *text = malloc(size + 1);
    CHECK(text);
    memcpy(text, data, size);
    begin(&whole);
    begin(&cut);
    enum h1_result result = feed(&whole, text, size);
    enum h1_result other = feed_in_two(&cut, text, size);
    CHECK(result == other && whole.parser.error == cut.parser.error);
    if (result == H1_DONE) {
        check_head(&whole, text);
        CHECK(whole.head.len == cut.head.len || other != H1_DONE);
        h1_head_terminate(text, &whole.head);
    }
    free(text);
    return 0;
}
