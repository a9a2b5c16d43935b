/* tests/unit/wire/test_properties.c — mutated requests: the same answer however they are cut, and
 * never taken when a slow reference reader says no. RFC 9112 §2.2, §3, §5, §7.1. */
#include "test.h"

#include "base/alloc.h"
#include "support_message.h"
#include "support_reference.h"

enum { ROOM = 1024 };

struct draft {
    char bytes[ROOM];
    size_t len;
};

static const char *const seeds[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET /index.html?q=1 HTTP/1.1\r\nHost: www.example.org:8080\r\nAccept: */*\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX:  b\t\r\n\r\nhello",
    "PUT /x HTTP/1.0\r\nUser-Agent: some/agent (with; words) and/more words to be long\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nConnection: keep-alive, x\r\nEmpty:\r\n\r\n",
};

static const char chunked_head[] =
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

static const char *const chunked_seeds[] = {
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "a;b=c\r\n0123456789\r\n1\r\n\n\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n",
    "3;a=\"b;c\"\r\n\r\n0\r\n0010\r\n0123456789abcdef\r\n000;z\r\n\r\n",
};

/* What breaks line-based readers. */
static const char *const splinters[] = {
    "\r",   "\n",   "\r\n", "\r\n\r\n", " ",  "\t",       ":",     ";",    "\x7f",
    "\x01", "\xff", "#",    "0",        "\"", "HTTP/1.1", "\r\n ", "\n\n", "GET / HTTP/1.1\r\n",
    "=",    ","};

static void insert(struct draft *draft, size_t at, const char *bytes, size_t len)
{
    if (draft->len + len > ROOM) {
        return;
    }
    memmove(draft->bytes + at + len, draft->bytes + at, draft->len - at);
    memcpy(draft->bytes + at, bytes, len);
    draft->len += len;
}

static void mutate(struct draft *draft)
{
    size_t at = (size_t)test_random_below(draft->len);
    size_t len = 1 + (size_t)test_random_below(3);
    switch (test_random_below(5)) {
    case 0:
        draft->bytes[at] = (char)test_random();
        break;
    case 1:
        len = len < draft->len - at ? len : draft->len - at;
        memmove(draft->bytes + at, draft->bytes + at + len, draft->len - at - len);
        draft->len -= len;
        break;
    case 2:
        insert(draft, at, "\0", 1);
        break;
    default: {
        const char *piece = splinters[test_random_below(sizeof(splinters) / sizeof(splinters[0]))];
        insert(draft, at, piece, strlen(piece));
        break;
    }
    }
    if (draft->len == 0) {
        insert(draft, 0, "x", 1);
    }
}

static void mutate_some(struct draft *draft)
{
    for (uint64_t count = test_random_below(4); count > 0; count--) {
        mutate(draft);
    }
}

static void expect_same_when_cut(struct span bytes, const struct message *whole)
{
    for (int i = 0; i < 3; i++) {
        struct message cut;
        message_read(bytes, i == 0 ? message_byte_by_byte : message_random_parts, NULL, &cut);
        if (!message_equal(whole, &cut)) {
            test_fail(__FILE__, __LINE__, "cut %d: end %d and %d, reason %u and %u: %.*s", i,
                      whole->end, cut.end, whole->reason, cut.reason, SPAN_ARGS(bytes));
        }
        message_finish(&cut);
    }
}

/* The parser takes a head exactly when the reference does. */
static void check_head(const struct draft *draft)
{
    struct span bytes = span_make(draft->bytes, draft->len);
    struct message whole;
    size_t len = 0;
    unsigned field_count = 0;
    bool is_good = reference_head(bytes, &len, &field_count);
    message_read_whole(bytes, &whole);
    bool is_taken = whole.end != MESSAGE_BAD_HEAD && whole.method[0] != '\0';
    if (is_taken != is_good || (is_taken && whole.field_count != field_count)) {
        test_fail(__FILE__, __LINE__, "the parser says %d, the reference %d: %.*s", is_taken,
                  is_good, SPAN_ARGS(bytes));
    }
    expect_same_when_cut(bytes, &whole);
    message_finish(&whole);
}

TEST(test_mutated_heads_are_taken_exactly_when_the_reference_takes_them)
{
    for (unsigned round = test_rounds(40000); round > 0; round--) {
        struct draft draft = {.len = 0};
        const char *seed = seeds[test_random_below(sizeof(seeds) / sizeof(seeds[0]))];
        insert(&draft, 0, seed, strlen(seed));
        mutate_some(&draft);
        check_head(&draft);
    }
}

static void check_chunked(const struct draft *body)
{
    struct draft all = {.len = 0};
    struct message whole;
    size_t body_bytes = 0;
    insert(&all, 0, chunked_head, sizeof(chunked_head) - 1);
    insert(&all, all.len, body->bytes, body->len);
    struct span bytes = span_make(all.bytes, all.len);
    message_read_whole(bytes, &whole);
    if (whole.end == MESSAGE_COMPLETE) {
        struct span used = span_make(body->bytes, whole.used - (sizeof(chunked_head) - 1));
        bool is_good = reference_chunked(used, &body_bytes);
        if (!is_good || body_bytes != whole.body.len) {
            test_fail(__FILE__, __LINE__, "taken, but the reference says no: %.*s",
                      SPAN_ARGS(used));
        }
    }
    expect_same_when_cut(bytes, &whole);
    message_finish(&whole);
}

TEST(test_mutated_chunked_bodies_are_never_taken_when_the_reference_refuses)
{
    for (unsigned round = test_rounds(40000); round > 0; round--) {
        struct draft draft = {.len = 0};
        const char *seed =
            chunked_seeds[test_random_below(sizeof(chunked_seeds) / sizeof(chunked_seeds[0]))];
        insert(&draft, 0, seed, strlen(seed));
        mutate_some(&draft);
        check_chunked(&draft);
    }
}

TEST(test_random_bytes_are_no_request)
{
    for (unsigned round = test_rounds(5000); round > 0; round--) {
        struct draft draft = {.len = 1 + (size_t)test_random_below(200)};
        for (size_t i = 0; i < draft.len; i++) {
            draft.bytes[i] = (char)test_random();
        }
        check_head(&draft);
    }
}
