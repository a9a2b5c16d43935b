/* Requests over HTTP/2: what a handler sees of them, and which are refused, with a status or a stream
 * error. */
#include "support_h2.h"

#include "test.h"

/* ---- what a handler sees --------------------------------------------------------------------- */

static void expect_fields(const char *const *lines, const char *text)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_request(&client, lines, NULL, true);
    EXPECT_INT(stream->status, 200);
    EXPECT_SPAN(buf_span(&stream->body), text);
    client_close(&client);
    world_close(&world);
}

TEST(test_authority_is_what_handlers_know_as_host)
{
    /* RFC 9113 §8.3.1 */
    static const char *const lines[] = {":method",    "GET",  ":scheme", "http",
                                        ":authority", "h:80", ":path",   "/fields",
                                        "x",          "y",    NULL};
    expect_fields(lines, "2 GET host=h:80 cookie=(null) x=y");
    static const char *const same[] = {":method", "GET",     ":scheme", "http", ":authority", "h",
                                       ":path",   "/fields", "host",    "H",    NULL};
    expect_fields(same, "1 GET host=H cookie=(null) x=(null)");
    static const char *const host_alone[] = {":method", "GET",  ":scheme", "http", ":path",
                                             "/fields", "host", "h",       NULL};
    expect_fields(host_alone, "1 GET host=h cookie=(null) x=(null)");
}

/* RFC 9113 §8.3.1, RFC 3986 §6.2.3: compared as what they mean; a scheme's own port says nothing. */
TEST(test_authority_and_host_name_the_same_or_the_request_is_malformed)
{
    static const struct {
        const char *scheme;
        const char *authority;
        const char *host;
        bool is_same;
    } cases[] = {
        {"http", "h", "H", true},           {"http", "h", "h:80", true},
        {"http", "h:80", "h", true},        {"http", "h:80", "H:80", true},
        {"http", "h", "h:", true},          {"https", "h:443", "h", true},
        {"HTTPS", "h", "h:443", true},      {"http", "[::1]", "[::1]:80", true},
        {"http", "h:8080", "h:8080", true}, {"http", "h", "g", false},
        {"http", "h", "h:443", false},      {"https", "h", "h:80", false},
        {"http", "h", "h:8080", false},     {"http", "h:80", "h:8080", false},
        {"http", "h", "h:80:80", false},    {"http", "h", "h:080", false},
        {"http", "h", "h.", false},         {"http", "h:80", "g:80", false},
    };
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const lines[] = {
            ":method", "GET", ":scheme", cases[i].scheme, ":authority", cases[i].authority,
            ":path",   "/",   "host",    cases[i].host,   NULL};
        const struct client_stream *stream = client_request(&client, lines, NULL, true);
        EXPECT_INT(stream->status, cases[i].is_same ? 200 : 0);
        EXPECT_INT(stream->error, cases[i].is_same ? NGHTTP2_NO_ERROR : NGHTTP2_PROTOCOL_ERROR);
    }
    client_close(&client);
    world_close(&world);
}

TEST(test_cookie_crumbs_are_joined)
{
    /* RFC 9113 §8.2.3 */
    static const char *const lines[] = {":method", "GET",     ":scheme", "http", ":authority", "h",
                                        ":path",   "/fields", "cookie",  "a=1",  "x",          "y",
                                        "cookie",  "b=2",     "cookie",  "c=3",  NULL};
    expect_fields(lines, "3 GET host=h cookie=a=1; b=2; c=3 x=y");
}

/* ---- refused with a status ------------------------------------------------------------------- */

static int status_of(const char *const *lines)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_request(&client, lines, NULL, true);
    int status = stream->status;
    EXPECT_INT(client_get(&client, "/")->status, 200); /* the connection goes on */
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
    return status;
}

TEST(test_bad_targets_and_hosts_get_400)
{
    static const char *const paths[] = {"/%zz", "/a%00", "/../.."};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const char *const lines[] = {":method", "GET",   ":scheme", "http", ":authority",
                                     "a",       ":path", paths[i],  NULL};
        EXPECT_INT(status_of(lines), 400);
    }
    static const char *const scheme[] = {":method", "GET",   ":scheme", "ftp", ":authority",
                                         "a",       ":path", "/",       NULL};
    EXPECT_INT(status_of(scheme), 400);
    static const char *const host[] = {":method", "GET",   ":scheme", "http", ":authority",
                                       "u@a",     ":path", "/",       NULL};
    EXPECT_INT(status_of(host), 400);
    static const char *const expect[] = {":method", "GET", ":scheme", "http", ":authority", "a",
                                         ":path",   "/",   "expect",  "tea",  NULL};
    EXPECT_INT(status_of(expect), 417);
}

TEST(test_heads_over_the_limits_get_431_and_414)
{
    struct world world;
    struct h2_client client;
    world_init(&world);
    world.http_limits.max_fields = 5;
    world.http_limits.max_head_bytes = 300;
    world.http_limits.max_target_bytes = 50;
    world_start(&world);
    client_open(&client, &world, 0);
    char path[61];
    memset(path, 'p', 60);
    path[0] = '/';
    path[60] = '\0';
    EXPECT_INT(client_get(&client, path)->status, 414);
    static const char *const many[] = {
        ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/", "x", "1", "x",
        "2",       "x",   "3",       "x",    "4",          "x", "5",     "x", "6", NULL};
    EXPECT_INT(client_request(&client, many, NULL, true)->status, 431);
    char value[301];
    memset(value, 'v', 300);
    value[300] = '\0';
    const char *const large[] = {":method", "GET", ":scheme", "http", ":authority", "a",
                                 ":path",   "/",   "x",       value,  NULL};
    EXPECT_INT(client_request(&client, large, NULL, true)->status, 431);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->heads_too_large), 3);
    EXPECT_INT(client_get(&client, "/")->status, 200);
    client_close(&client);
    world_close(&world);
}

/* RFC 9110 §9.3.6: routes decide; a plain CONNECT has no path. */
TEST(test_connect_is_for_nobody)
{
    static const char *const lines[] = {":method", "CONNECT", ":authority", "a:443", NULL};
    EXPECT_INT(status_of(lines), 404);
    static const char *const options[] = {":method", "OPTIONS", ":scheme", "http", ":authority",
                                          "a",       ":path",   "*",       NULL};
    EXPECT_INT(status_of(options), 404);
}

/* ---- stream errors: RFC 9113 §8.1.1 ---------------------------------------------------------- */

static void expect_stream_error(const char *const *lines, uint8_t flags, uint32_t code)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf block;
    struct buf out;
    buf_init(&block, 0);
    buf_init(&out, 0);
    for (; lines[0]; lines += 2) {
        raw_add_field(&block, lines[0], lines[1]);
    }
    raw_add(&out, NGHTTP2_HEADERS, (uint8_t)(flags | NGHTTP2_FLAG_END_HEADERS), 1, block.data,
            block.len);
    raw_send(&world, peer, out.data, out.len);
    uint32_t got = UINT32_MAX;
    EXPECT_INT(raw_count(peer, NGHTTP2_RST_STREAM, 1, &got), 1);
    EXPECT_INT(got, code);
    EXPECT_INT(raw_count(peer, NGHTTP2_HEADERS, 1, NULL), 0);
    EXPECT_INT(world.handled, 0);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->malformed), 1);
    buf_clear(&out);
    raw_add_get(&out, 3, "/", NGHTTP2_FLAG_END_STREAM); /* the connection goes on */
    raw_send(&world, peer, out.data, out.len);
    EXPECT_INT(world.handled, 1);
    EXPECT_INT(raw_count(peer, NGHTTP2_HEADERS, 3, NULL), 1);
    buf_finish(&block);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

#define GET_LINES ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/"

TEST(test_malformed_heads_are_stream_errors)
{
    static const char *const cases[][14] = {
        /* RFC 9113 §8.2.1: upper case; bytes that none may have */
        {GET_LINES, "X-Upper", "1", NULL},
        {GET_LINES, "x y", "1", NULL},
        {GET_LINES, "x", "a\nb", NULL},
        {GET_LINES, "x", " a", NULL},
        /* §8.2.2: fields of a connection */
        {GET_LINES, "connection", "close", NULL},
        {GET_LINES, "keep-alive", "5", NULL},
        {GET_LINES, "proxy-connection", "close", NULL},
        {GET_LINES, "transfer-encoding", "chunked", NULL},
        {GET_LINES, "upgrade", "h2c", NULL},
        {GET_LINES, "te", "gzip", NULL},
        /* §8.3: pseudo-fields: unknown, of answers, twice, behind others, missing, empty */
        {GET_LINES, ":unknown", "1", NULL},
        {GET_LINES, ":status", "200", NULL},
        {GET_LINES, ":path", "/", NULL},
        {":method", "GET", ":scheme", "http", "x", "1", ":path", "/", NULL},
        {":scheme", "http", ":path", "/", ":authority", "a", NULL},
        {":method", "GET", ":path", "/", ":authority", "a", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "x", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/a b", NULL},
        {":method", "G T", ":scheme", "http", ":authority", "a", ":path", "/", NULL},
        {":method", "GET", ":scheme", "http", ":path", "http://a/", NULL},
        /* §8.3.1: no Host at all, or one of another entity */
        {":method", "GET", ":scheme", "http", ":path", "/", NULL},
        {GET_LINES, "host", "b", NULL},
        /* §8.5: CONNECT has no scheme and no path; RFC 8441 §4: but the extended one has */
        {":method", "CONNECT", ":scheme", "http", ":authority", "a", ":path", "/", NULL},
        {":method", "CONNECT", ":protocol", "websocket", ":authority", "a", NULL},
        {GET_LINES, ":protocol", "websocket", NULL},
        /* §8.1.1: Content-Length of a body that is not there; RFC 9110 §8.6 */
        {GET_LINES, "content-length", "5", NULL},
        {GET_LINES, "content-length", "+0", NULL},
        {GET_LINES, "content-length", "0", "content-length", "1", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_stream_error(cases[i], NGHTTP2_FLAG_END_STREAM, NGHTTP2_PROTOCOL_ERROR);
    }
}

TEST(test_te_trailers_is_allowed)
{
    /* RFC 9113 §8.2.2 */
    static const char *const lines[] = {GET_LINES, "te", "trailers", NULL};
    EXPECT_INT(status_of(lines), 200);
}

/* ---- whatever the cut ------------------------------------------------------------------------ */

TEST(test_requests_may_come_byte_by_byte)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    buf_init(&out, 0);
    struct buf block;
    buf_init(&block, 0);
    raw_add_request(&block, "POST", "/echo");
    raw_add_field(&block, "content-length", "5");
    raw_add(&out, NGHTTP2_HEADERS, 0, 1, block.data, 20);
    raw_add(&out, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, block.data + 20,
            block.len - 20);
    raw_add(&out, NGHTTP2_DATA, 0, 1, "ab", 2);
    raw_add(&out, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "cde", 3);
    raw_add_get(&out, 3, "/", NGHTTP2_FLAG_END_STREAM);
    for (size_t i = 0; i < out.len; i++) {
        raw_send(&world, peer, out.data + i, 1);
    }
    EXPECT_INT(raw_count(peer, NGHTTP2_HEADERS, -1, NULL), 2);
    EXPECT_INT(world.logged[0].status, 200);
    EXPECT_INT(world.logged[0].bytes_sent, 5);
    EXPECT_INT(world.logged[1].status, 200);
    buf_finish(&out);
    buf_finish(&block);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_what_is_not_http2_is_told_so)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    raw_send(&world, peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
    raw_expect_end(&world, peer, NGHTTP2_PROTOCOL_ERROR); /* RFC 9113 §3.4 */
    EXPECT_INT(world_closed(&world, CLOSE_PROTOCOL_ERROR), 1);
    sim_peer_free(peer);
    world_close(&world);
}

/* RFC 9218 §7.1, §10 */
TEST(test_a_priority_ahead_of_its_stream_decides_who_is_sent_first)
{
    static const uint8_t first[] = {0, 0, 0, 3, 'u', '=', '0'};
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    buf_init(&out, 0);
    raw_add(&out, 0x10, 0, 0, first, sizeof first);
    raw_add_get(&out, 1, "/big", NGHTTP2_FLAG_END_STREAM);
    raw_add_get(&out, 3, "/big", NGHTTP2_FLAG_END_STREAM);
    raw_send(&world, peer, out.data, out.len);
    EXPECT(raw_count(peer, NGHTTP2_DATA, 3, NULL) > 0); /* all of the connection's first window */
    EXPECT_INT(raw_count(peer, NGHTTP2_DATA, 1, NULL), 0);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

/* RFC 9110 §6.5.1, RFC 9113 §8.1: trailers end the body, and whatever they are called they are no fields of
 * the request: the same as over HTTP/1.1. Two kinds are malformed all the same: pseudo-fields (§8.1), and fields
 * of the connection (§8.2.2), which HTTP/1.1 has. L8 */
TEST(test_trailers_are_never_taken_for_fields)
{
    static const char *const dropped[][2] = {
        {"host", "evil"},
        {"content-length", "9"},
        {"content-length", "x"},
        {"cookie", "a=b"},
        {"authorization", "x"},
        {"x-forwarded-for", "1.2.3.4"},
        {"expect", "x"},
        {"content-encoding", "x"},
        {"x-mine", "1"},
        {"priority", "u=0, \""},
        {"host", ""},
    };
    static const char *const malformed[][2] = {
        {":path", "/x"},    {":status", "200"}, {"transfer-encoding", "chunked"},
        {"connection", ""}, {"te", "gzip"},     {"upgrade", "h2c"},
    };
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    enum { DROPPED = sizeof dropped / sizeof *dropped };
    enum { ALL = DROPPED + sizeof malformed / sizeof *malformed };
    for (int32_t i = 0; i < ALL; i++) {
        const char *const *line = i < DROPPED ? dropped[i] : malformed[i - DROPPED];
        uint32_t code = 0;
        struct buf head, trailer, out;
        buf_init(&head, 0);
        buf_init(&trailer, 0);
        buf_init(&out, 0);
        raw_add_request(&head, "POST", "/later");
        raw_add_field(&trailer, line[0], line[1]);
        raw_add(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 2 * i + 1, head.data, head.len);
        raw_add(&out, NGHTTP2_DATA, 0, 2 * i + 1, "abc", 3);
        raw_add(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
                2 * i + 1, trailer.data, trailer.len);
        raw_send(&world, peer, out.data, out.len);
        EXPECT_INT(raw_count(peer, NGHTTP2_RST_STREAM, 2 * i + 1, &code), i < DROPPED ? 0 : 1);
        EXPECT_INT(code, i < DROPPED ? 0 : NGHTTP2_PROTOCOL_ERROR);
        const struct exchange *exchange = i < DROPPED ? world.later[world.later_count - 1] : NULL;
        EXPECT_INT(exchange ? exchange->request.fields->count : 1, 1); /* Host, of :authority */
        EXPECT_SPAN(exchange ? fields_get(exchange->request.fields, FIELD_HOST) : SPAN("a"), "a");
        buf_finish(&head);
        buf_finish(&trailer);
        buf_finish(&out);
    }
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 0);
    sim_peer_free(peer);
    world_close(&world);
}
