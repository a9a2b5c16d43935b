/* Requests that are changed at random, judged by us and by nghttp2 as a server: who takes what, and what is
 * said to the client (RFC 9113 §8). nghttp2 must be told to refuse fields that it would leave out. */
#include "support_reader.h"

#include <nghttp2/nghttp2.h>

#include "test.h"

enum { MAX_FIELDS = 12, VERDICT_BYTES = 64 };

/* ---- nghttp2 --------------------------------------------------------------------------------- */

struct oracle {
    nghttp2_session *ng;
    bool has_request;
};

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    struct oracle *oracle = ctx;
    (void)ng;
    oracle->has_request |= frame->hd.type == NGHTTP2_HEADERS;
    return 0;
}

/* Else it would leave such fields out. */
static int on_invalid(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                      nghttp2_rcbuf *value, uint8_t flags, void *ctx)
{
    (void)ng, (void)frame, (void)name, (void)value, (void)flags, (void)ctx;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void open_oracle(struct oracle *oracle)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    *oracle = (struct oracle){NULL, false};
    EXPECT_INT(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid);
    EXPECT_INT(nghttp2_session_server_new(&oracle->ng, callbacks, oracle), 0);
    nghttp2_session_callbacks_del(callbacks);
    EXPECT_INT(nghttp2_submit_settings(oracle->ng, 0, &entry, 1), 0);
}

static void said_by(struct oracle *oracle, char *ret)
{
    const uint8_t *data = NULL;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(oracle->ng, &data)) > 0) {
        bool is_reset = data[3] == NGHTTP2_RST_STREAM;
        if (is_reset || data[3] == NGHTTP2_GOAWAY) {
            (void)snprintf(ret, VERDICT_BYTES, "%s %d", is_reset ? "reset" : "goaway",
                           data[is_reset ? 12 : 16]);
        }
    }
}

static void judged_by_nghttp2(const struct buf *bytes, char *ret)
{
    struct oracle oracle;
    struct buf begin;
    buf_init(&begin, 0);
    wire_begin(&begin);
    open_oracle(&oracle);
    ret[0] = '\0';
    EXPECT(nghttp2_session_mem_recv(oracle.ng, (const uint8_t *)begin.data, begin.len) > 0);
    said_by(&oracle, ret);
    EXPECT(nghttp2_session_mem_recv(oracle.ng, (const uint8_t *)bytes->data, bytes->len) > 0);
    (void)snprintf(ret, VERDICT_BYTES, "%s", oracle.has_request ? "taken" : "silence");
    said_by(&oracle, ret);
    nghttp2_session_del(oracle.ng);
    buf_finish(&begin);
}

/* ---- we -------------------------------------------------------------------------------------- */

static void judged_by_us(const struct buf *bytes, char *ret)
{
    static const char *const codes[] = {"NO_ERROR", "PROTOCOL_ERROR"};
    struct habits habits = {.hides_fields = true};
    struct reader reader;
    EXPECT_INT(reader_open(&reader, &habits, true), 0);
    EXPECT_INT(reader_feed(&reader, bytes, 0), FRAMES_OK);
    const char *said = reader_said(&reader);
    bool is_taken = strstr(reader_told(&reader), "request") != NULL;
    (void)snprintf(ret, VERDICT_BYTES, "%s", is_taken ? "taken" : "silence");
    for (int i = 0; i < 2; i++) {
        char text[VERDICT_BYTES];
        (void)snprintf(text, sizeof text, "RST_STREAM 1 %s", codes[i]);
        if (strcmp(said, text) == 0) {
            (void)snprintf(ret, VERDICT_BYTES, "reset %d", i);
            said = "";
        }
    }
    EXPECT_TEXT(said, "");
    reader_close(&reader);
}

/* ---- requests -------------------------------------------------------------------------------- */

struct line {
    const char *name;
    const char *value;
};

static const struct line pool[] = {
    {":method", "GET"},
    {":method", "CONNECT"},
    {":method", "OPTIONS"},
    {":method", ""},
    {":method", "G T"},
    {":method", "x"},
    {":scheme", "http"},
    {":scheme", "https"},
    {":scheme", "ftp"},
    {":scheme", ""},
    {":scheme", "1"},
    {":path", "/"},
    {":path", "*"},
    {":path", ""},
    {":path", "x"},
    {":path", "/a b"},
    {":path", "/x?y"},
    {":authority", "a"},
    {":authority", ""},
    {":authority", "b:80"},
    {":protocol", "websocket"},
    {":protocol", ""},
    {":status", "200"},
    {":unknown", "x"},
    {":", "x"},
    {"host", "a"},
    {"host", ""},
    {"content-length", "0"},
    {"content-length", "5"},
    {"content-length", "-1"},
    {"content-length", ""},
    {"te", "trailers"},
    {"te", "gzip"},
    {"connection", "close"},
    {"keep-alive", "1"},
    {"proxy-connection", "x"},
    {"upgrade", "h2c"},
    {"transfer-encoding", "x"},
    {"x", "y"},
    {"x", ""},
    {"x", " y"},
    {"x", "y\t"},
    {"x", "a\nb"},
    {"x", "a\rb"},
    {"x", "\303\274"},
    {"X", "y"},
    {"x y", "z"},
    {"", "x"},
    {"priority", "u=1, i"},
    {"priority", "?"},
    {"cookie", "a=b"},
    {"accept", "*/*"},
    {"user-agent", "test"},
    {"content-type", "text/plain"},
};

enum { POOL = sizeof pool / sizeof *pool };

static size_t change(struct line *lines, size_t count)
{
    size_t at = (size_t)test_random_below(count + 1);
    struct line other = pool[test_random_below(POOL)];
    switch (test_random_below(4)) {
    case 0: /* one less */
        if (at < count) {
            memmove(lines + at, lines + at + 1, (count - at - 1) * sizeof *lines);
            return count - 1;
        }
        return count;
    case 1: /* another value, or another field */
        if (at < count) {
            lines[at] = other;
        }
        return count;
    case 2: /* two change places */
        if (at < count) {
            struct line first = lines[0];
            lines[0] = lines[at];
            lines[at] = first;
        }
        return count;
    default: /* one more */
        memmove(lines + at + 1, lines + at, (count - at) * sizeof *lines);
        lines[at] = other;
        return count + 1;
    }
}

static size_t make_lines(struct line *lines)
{
    static const struct line get[] = {
        {":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}, {"x", "y"}};
    static const struct line connect[] = {{":method", "CONNECT"},
                                          {":protocol", "websocket"},
                                          {":scheme", "https"},
                                          {":authority", "a"},
                                          {":path", "/"}};
    size_t count = sizeof get / sizeof *get;
    memcpy(lines, test_random_below(3) == 0 ? connect : get, sizeof get);
    for (uint64_t left = test_random_below(5); left > 0; left--) {
        count = change(lines, count);
    }
    return count;
}

static void print_lines(const struct line *lines, size_t count, char *ret, size_t len)
{
    ret[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(ret);
        (void)snprintf(ret + used, len - used, "{%s: %s} ", lines[i].name, lines[i].value);
    }
}

static void expect_same(const struct buf *bytes, const struct line *lines, size_t count)
{
    char ours[VERDICT_BYTES];
    char theirs[VERDICT_BYTES];
    judged_by_us(bytes, ours);
    judged_by_nghttp2(bytes, theirs);
    if (strcmp(ours, theirs) != 0) {
        char text[500];
        print_lines(lines, count, text, sizeof text);
        test_fail(__FILE__, __LINE__, "%s by us, %s by nghttp2: %s", ours, theirs, text);
    }
}

static void add_head(struct buf *bytes, uint8_t flags, const struct line *lines, size_t count)
{
    const char *pairs[2 * MAX_FIELDS + 1];
    for (size_t i = 0; i < count; i++) {
        pairs[2 * i] = lines[i].name;
        pairs[2 * i + 1] = lines[i].value;
    }
    pairs[2 * count] = NULL;
    wire_headers(bytes, flags, 1, pairs);
}

TEST(test_requests_are_judged_as_nghttp2_judges_them)
{
    for (unsigned round = 0; round < test_rounds(4000); round++) {
        struct line lines[MAX_FIELDS];
        struct buf bytes;
        size_t count = make_lines(lines);
        buf_init(&bytes, 0);
        add_head(&bytes, test_random_below(2) ? FRAMES_END_STREAM : 0, lines, count);
        expect_same(&bytes, lines, count);
        buf_finish(&bytes);
    }
}

/* RFC 9110 §6.5.1: these two mean nothing there, say we, and are dropped with the others. */
static struct line a_trailer(void)
{
    for (;;) {
        struct line line = pool[test_random_below(POOL)];
        if (strcmp(line.name, "content-length") != 0 && strcmp(line.name, "host") != 0) {
            return line;
        }
    }
}

/* RFC 9113 §8.1, §8.1.1: content of some length, perhaps what was said, and perhaps trailers. */
TEST(test_content_and_trailers_are_judged_as_nghttp2_judges_them)
{
    static const char *const lengths[] = {"0", "1", "2", "3", "4"};
    for (unsigned round = 0; round < test_rounds(2000); round++) {
        struct line lines[MAX_FIELDS] = {{":method", "POST"},
                                         {":scheme", "http"},
                                         {":authority", "a"},
                                         {":path", "/"},
                                         {"content-length", lengths[test_random_below(5)]}};
        struct buf bytes;
        buf_init(&bytes, 0);
        add_head(&bytes, 0, lines, test_random_below(4) == 0 ? 4 : 5);
        uint64_t frames = test_random_below(3);
        bool has_trailer = test_random_below(2) || frames == 0;
        for (uint64_t i = 1; i <= frames; i++) {
            bool is_end = i == frames && !has_trailer;
            uint8_t flags = (uint8_t)((is_end ? FRAMES_END_STREAM : 0) |
                                      (test_random_below(3) ? 0 : FRAMES_PADDED));
            wire_frame(&bytes, FRAMES_DATA, flags, 1, "\1xyz", 2 + test_random_below(3));
        }
        if (has_trailer) {
            lines[5] = a_trailer();
            add_head(&bytes, test_random_below(8) ? FRAMES_END_STREAM : 0, lines + 5, 1);
        }
        expect_same(&bytes, lines, has_trailer ? 6 : 5);
        buf_finish(&bytes);
    }
}
