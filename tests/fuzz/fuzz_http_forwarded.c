/* tests/fuzz/fuzz_http_forwarded.c — "WHAT A CLIENT WROTE\nWHAT PROXIES ADDED".
 * Holds: where a second reader, from the left, finds the list well-formed, both find the same elements
 * with the same nodes; whatever a client writes before them, they are read as if it had written
 * nothing; hosts are hosts and lie in the field or in the walk. */
#include "fuzz.h"
#include "http/chars.h"
#include "http/forwarded.h"
#include "http/host.h"

#include <stdio.h>
#include <strings.h>

/* rooms: http */

enum { BYTES_MAX = 2048, ELEMENTS_MAX = 2 * BYTES_MAX };

/* ---- the second reader: RFC 7239 §4 from the left, byte by byte ------------------------------- */

struct element {
    bool has_for, is_repeated;
    char node[BYTES_MAX];
    size_t node_len;
    unsigned pairs;
    struct span names[ELEMENTS_MAX];
};

static struct element elements[64];
static unsigned count;

struct reader {
    struct span text;
    size_t at;
};

static int peek(const struct reader *reader)
{
    return reader->at < reader->text.len ? (unsigned char)reader->text.ptr[reader->at] : -1;
}

static void skip(struct reader *reader)
{
    while (peek(reader) == ' ' || peek(reader) == '\t') {
        reader->at++;
    }
}

static struct span read_token(struct reader *reader)
{
    size_t begin = reader->at;
    while (peek(reader) >= 0 && chars_is((char)peek(reader), CHARS_TOKEN)) {
        reader->at++;
    }
    return span_make(reader->text.ptr + begin, reader->at - begin);
}

static bool read_quoted(struct reader *reader, char *out, size_t *len)
{
    reader->at++;
    while (peek(reader) >= 0) {
        int c = peek(reader);
        reader->at++;
        if (c == '"') {
            return true;
        }
        if (c == '\\') {
            c = peek(reader);
            reader->at++;
        }
        if (c < 0 || !chars_is((char)c, CHARS_VALUE)) {
            return false;
        }
        out[(*len)++] = (char)c;
    }
    return false;
}

static bool read_pair(struct reader *reader, struct element *element)
{
    char value[BYTES_MAX];
    size_t len = 0;
    struct span name = read_token(reader);
    if (name.len == 0 || peek(reader) != '=') {
        return false;
    }
    reader->at++;
    if (peek(reader) == '"') {
        if (!read_quoted(reader, value, &len)) {
            return false;
        }
    } else {
        struct span token = read_token(reader);
        memcpy(value, token.ptr, len = token.len);
        if (len == 0) {
            return false;
        }
    }
    for (unsigned i = 0; i < element->pairs; i++) {
        element->is_repeated |= span_equal_nocase(element->names[i], name);
    }
    element->names[element->pairs++] = name;
    if (name.len == 3 && strncasecmp(name.ptr, "for", 3) == 0) {
        element->has_for = true;
        memcpy(element->node, value, element->node_len = len);
    }
    return true;
}

static bool read_element(struct reader *reader, struct element *element, bool *is_empty)
{
    size_t begin = reader->at;
    element->pairs = 0;
    element->has_for = element->is_repeated = false;
    while (peek(reader) >= 0 && peek(reader) != ',') {
        if (peek(reader) != ';' && !read_pair(reader, element)) {
            return false;
        }
        skip(reader);
        if (peek(reader) == ';') {
            reader->at++;
            skip(reader);
        } else if (peek(reader) >= 0 && peek(reader) != ',') {
            return false;
        }
    }
    *is_empty = reader->at == begin;
    return true;
}

static bool read_list(struct span text)
{
    struct reader reader = {text, 0};
    count = 0;
    for (;;) {
        bool is_empty = false;
        skip(&reader);
        if (count == sizeof elements / sizeof *elements ||
            !read_element(&reader, &elements[count], &is_empty)) {
            return false;
        }
        count += !is_empty;
        if (peek(&reader) < 0) {
            return true;
        }
        reader.at++;
    }
}

/* By the parser of hosts, which knows nothing of names and of obfuscated ports. */
static void expect_node(const struct element *element, const struct forwarded_hop *hop)
{
    struct span node = span_make(element->node, element->node_len);
    struct host host;
    bool is_host =
        host_parse(node, &host) == 0 && host.kind != HOST_NAME && node.ptr[node.len - 1] != ':';
    bool is_address = hop->kind == FORWARDED_IPV4 || hop->kind == FORWARDED_IPV6;
    FUZZ_EXPECT(!is_host || is_address);
    FUZZ_EXPECT(!is_host || hop->port == (host.has_port ? host.port : 0));
    FUZZ_EXPECT(!is_address || is_host || memchr(node.ptr, '_', node.len));
    FUZZ_EXPECT(hop->kind != FORWARDED_NAME || node.ptr[0] == '_');
    FUZZ_EXPECT(hop->kind != FORWARDED_UNKNOWN || strncasecmp(node.ptr, "unknown", 7) == 0);
}

static void expect_element(const struct element *element, const struct forwarded_hop *hop)
{
    if (element->is_repeated || element->pairs > FORWARDED_PAIRS_MAX) {
        FUZZ_EXPECT(hop->kind == FORWARDED_MALFORMED);
    } else if (!element->has_for) {
        FUZZ_EXPECT(hop->kind == FORWARDED_UNKNOWN);
    } else {
        expect_node(element, hop);
    }
}

/* ---- what holds ------------------------------------------------------------------------------ */

static bool lies_in(struct span part, struct span whole)
{
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

static void expect_hop(const struct forwarded_walk *walk, const struct forwarded_hop *hop,
                       struct span value)
{
    struct span room = span_make(walk->room, sizeof walk->room);
    FUZZ_EXPECT(!hop->host.ptr || host_is_valid(hop->host));
    FUZZ_EXPECT(!hop->host.ptr || lies_in(hop->host, value) || lies_in(hop->host, room));
    FUZZ_EXPECT(hop->kind != FORWARDED_MALFORMED || (!hop->scheme && !hop->host.ptr));
    FUZZ_EXPECT((hop->kind == FORWARDED_NAME) == (hop->name_len > 0));
}

static struct fields line_of(enum field_id id, struct span value, struct field *entry)
{
    struct fields fields;
    fields_init(&fields, entry, 1);
    (void)fields_add_id(&fields, id, field_id_name(id), value);
    return fields;
}

static void expect_same(const struct forwarded_hop *a, const struct forwarded_hop *b)
{
    FUZZ_EXPECT(a->kind == b->kind && a->scheme == b->scheme && a->port == b->port);
    FUZZ_EXPECT(memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0 && a->name_len == b->name_len);
    FUZZ_EXPECT(!a->host.ptr == !b->host.ptr && span_equal(a->host, b->host));
}

/* As far as what proxies added is well-formed: the client's part is behind it. */
static void expect_same_behind(enum field_id id, enum forwarded_family family, struct span client,
                               struct span added)
{
    static char whole[2 * BYTES_MAX];
    struct field entries[2];
    struct forwarded_walk walks[2];
    struct forwarded_hop hops[2];
    int len = snprintf(whole, sizeof whole, "%.*s,%.*s", SPAN_ARGS(client), SPAN_ARGS(added));
    struct fields alone = line_of(id, added, &entries[0]);
    struct fields both = line_of(id, span_make(whole, (size_t)len), &entries[1]);
    forwarded_begin(&walks[0], &alone, family);
    forwarded_begin(&walks[1], &both, family);
    while (forwarded_next(&walks[0], &hops[0])) {
        expect_hop(&walks[0], &hops[0], added);
        if (hops[0].kind == FORWARDED_MALFORMED) {
            break;
        }
        FUZZ_EXPECT(forwarded_next(&walks[1], &hops[1]));
        expect_same(&hops[0], &hops[1]);
    }
}

static void expect_as_from_the_left(struct span value)
{
    struct field entry;
    struct forwarded_walk walk;
    struct forwarded_hop hop;
    struct fields fields = line_of(FIELD_FORWARDED, value, &entry);
    if (!read_list(value)) {
        return;
    }
    forwarded_begin(&walk, &fields, FORWARDED_RFC7239);
    while (count > 0) {
        FUZZ_EXPECT(forwarded_next(&walk, &hop));
        expect_element(&elements[--count], &hop);
    }
    FUZZ_EXPECT(!forwarded_next(&walk, &hop));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span client, added = span_cut(span_make((const char *)data, size), '\n', &client);
    if (size == 0 || size >= BYTES_MAX || !added.ptr || memchr(data, 0, size)) {
        return 0;
    }
    expect_as_from_the_left(client);
    expect_as_from_the_left(added);
    expect_same_behind(FIELD_FORWARDED, FORWARDED_RFC7239, client, added);
    expect_same_behind(FIELD_X_FORWARDED_FOR, FORWARDED_X, client, added);
    return 0;
}
