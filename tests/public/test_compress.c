/* Compressed answers as a user sees them: by route, by server, over HTTP/1.1. What is in them is tested
 * beside the codings; here it is which answers are, and how they are framed. */
#include "support_test_client.h"

#include <stdlib.h>

enum { TEXT_BYTES = 100 * 1000 };

static char text[TEXT_BYTES + 1];

static void fill(void)
{
    for (size_t i = 0; i < TEXT_BYTES; i++) {
        text[i] = (char)('a' + i % 7);
    }
}

static int give_page(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_data(rs, 200, "text/html", text, *(size_t *)arg, NULL, NULL);
}

static ssize_t give_once(void *buf, size_t len, void *arg)
{
    size_t *left = arg;
    size_t n = *left < len ? *left : len;
    memcpy(buf, text, n);
    *left -= n;
    return (ssize_t)n;
}

static int give_source(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    size_t *left = arg;
    *left = TEXT_BYTES;
    return galley_res_source(rs, 200, "text/plain", TEXT_BYTES, give_once, NULL, arg);
}

static galley_route_options compressing(int compress, int run)
{
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    opt.compress = compress;
    opt.run = run;
    return opt;
}

static bool says(galley_test *t, const galley_test_reply *reply, const char *name,
                 const char *value)
{
    galley_str is = galley_test_header(t, reply, name);
    return is.ptr && strcmp(is.ptr, value) == 0;
}

static void ask(galley_test *t, const char *request, galley_test_reply *reply)
{
    EXPECT_INT(galley_test_call(t, request, NULL, 0, reply), 0);
    EXPECT_INT(reply->status, 200);
}

TEST(test_a_route_or_the_server_says_what_is_compressed)
{
    size_t page = 5000;
    fill();
    for (int of_server = 0; of_server < 3; of_server++) {
        galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
        opt.compress = of_server;
        galley_server *srv = make_with(&opt);
        galley_route_options on = compressing(GALLEY_COMPRESS_ON, GALLEY_ON_POOL);
        galley_route_options off = compressing(GALLEY_COMPRESS_OFF, GALLEY_ON_LOOP);
        galley_server_route(srv, "/usual", give_page, &page, NULL);
        galley_server_route(srv, "/on", give_page, &page, &on);
        galley_server_route(srv, "/off", give_page, &page, &off);
        galley_test *t = drive(srv);
        galley_test_reply r;
        ask(t, "GET /on\nAccept-Encoding: gzip", &r);
        EXPECT(says(t, &r, "Content-Encoding", "gzip") && r.body.len < page / 2);
        EXPECT(r.body.ptr[0] == '\x1f' && r.body.ptr[1] == '\x8b'); /* RFC 1952 §2.3.1 */
        ask(t, "GET /off\nAccept-Encoding: gzip", &r);
        EXPECT(!galley_test_header(t, &r, "Vary").ptr && r.body.len == page);
        ask(t, "GET /usual\nAccept-Encoding: gzip", &r);
        bool is_on = of_server == GALLEY_COMPRESS_ON;
        EXPECT(says(t, &r, "Content-Encoding", "gzip") == is_on && (r.body.len < page) == is_on);
        end(t, srv);
    }
}

TEST(test_a_server_says_which_types_and_from_which_size_on)
{
    size_t page = 200;
    fill();
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.compress = GALLEY_COMPRESS_ON;
    for (int i = 0; i < 3; i++) {
        opt.compress_types = i == 2 ? "application/json" : NULL;
        opt.compress_min_bytes = i == 0 ? 0 : 200;
        galley_server *srv = make_with(&opt);
        galley_server_route(srv, "/", give_page, &page, NULL);
        galley_test *t = drive(srv);
        galley_test_reply r;
        ask(t, "GET /\nAccept-Encoding: gzip", &r);
        EXPECT(says(t, &r, "Content-Encoding", "gzip") == (i == 1));
        end(t, srv);
    }
    opt.compress_types = "html";
    EXPECT(galley_server_new(&opt, NULL) == NULL);
}

/* RFC 9110 §9.3.2. */
TEST(test_head_and_get_say_the_same)
{
    size_t pages[] = {5000, TEXT_BYTES};
    fill();
    for (size_t i = 0; i < 2; i++) {
        galley_server *srv = make();
        galley_route_options on = compressing(GALLEY_COMPRESS_ON, GALLEY_ON_LOOP);
        galley_server_route(srv, "/", give_page, &pages[i], &on);
        galley_test *t = drive(srv);
        galley_test_reply r;
        char head[1024];
        ask(t, "GET /\nAccept-Encoding: br", &r);
        EXPECT(says(t, &r, "Content-Encoding", "br") && r.body.len < 1000);
        snprintf(head, sizeof head, "%s", r.head.ptr);
        ask(t, "HEAD /\nAccept-Encoding: br", &r);
        EXPECT_INT(r.body.len, 0);
        EXPECT_TEXT(strstr(r.head.ptr, "Content-"), strstr(head, "Content-"));
        end(t, srv);
    }
}

TEST(test_pieces_are_chunked_whatever_length_was_declared)
{
    fill();
    for (int run = GALLEY_ON_POOL; run <= GALLEY_ON_LOOP; run++) {
        size_t left = 0;
        galley_server *srv = make();
        galley_route_options on = compressing(GALLEY_COMPRESS_ON, run);
        galley_server_route(srv, "/", give_source, &left, &on);
        galley_test *t = drive(srv);
        galley_test_reply r;
        for (int i = 0; i < 3; i++) {
            ask(t, "GET /\nAccept-Encoding: zstd", &r);
            EXPECT(says(t, &r, "Content-Encoding", "zstd"));
            EXPECT(says(t, &r, "Transfer-Encoding", "chunked"));
            EXPECT(!galley_test_header(t, &r, "Content-Length").ptr);
            EXPECT(r.body.len > 0 && r.body.len < TEXT_BYTES / 10 && !r.closed);
            ask(t, "GET /", &r);
            EXPECT(says(t, &r, "Content-Length", "100000") && r.body.len == TEXT_BYTES);
            EXPECT(says(t, &r, "Vary", "Accept-Encoding"));
        }
        end(t, srv);
    }
}

/* ---- request bodies ---- */

static int give_size(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str body = galley_req_body(rq);
    return galley_res_printf(rs, 200, NULL, "%zu %llu %s", body.len,
                             (unsigned long long)galley_req_body_size(rq), body.ptr);
}

TEST(test_a_route_may_have_request_bodies_decoded)
{
    /* "hello hello hello\n" as RFC 1952 has it. */
    static const char hello[] = {'\x1f', '\x8b', '\x08', '\x00', '\x00', '\x00', '\x00', '\x00',
                                 '\x02', '\x03', '\xcb', '\x48', '\xcd', '\xc9', '\xc9', '\x57',
                                 '\xc8', '\x40', '\x90', '\x5c', '\x00', '\x3b', '\x7c', '\x8a',
                                 '\xdf', '\x12', '\x00', '\x00', '\x00'};
    galley_server *srv = make();
    galley_route_options on = GALLEY_ROUTE_OPTIONS_INIT;
    on.decode = GALLEY_DECODE_ON;
    galley_server_route(srv, "POST /decoded", give_size, NULL, &on);
    galley_server_route(srv, "POST /raw", give_size, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    const char *request = "POST /decoded\nContent-Encoding: gzip";
    EXPECT_INT(galley_test_call(t, request, hello, sizeof hello, &r), 0);
    EXPECT_INT(r.status, 200);
    EXPECT_TEXT(r.body.ptr, "18 18 hello hello hello\n");
    EXPECT_INT(galley_test_call(t, request, hello, sizeof hello - 1, &r), 0);
    EXPECT_INT(r.status, 400);
    EXPECT_INT(galley_test_call(t, "POST /raw\nContent-Encoding: gzip", hello, 5, &r), 0);
    EXPECT_INT(r.status, 200);
    EXPECT(strncmp(r.body.ptr, "5 5 ", 4) == 0);
    /* RFC 9110 §15.5.16 */
    EXPECT_INT(galley_test_call(t, "POST /decoded\nContent-Encoding: lzma", "x", 1, &r), 0);
    EXPECT_INT(r.status, 415);
    EXPECT(says(t, &r, "Accept-Encoding", "br, zstd, gzip"));
    end(t, srv);
}

TEST(test_options_that_make_no_sense_are_refused)
{
    for (int i = 0; i < 2; i++) {
        galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
        opt.compress = i == 0 ? 3 : 0;
        opt.decode = i == 1 ? 2 : 0;
        galley_server *srv = make();
        EXPECT_INT(galley_server_route(srv, "/", give_size, NULL, &opt), GALLEY_EINVAL);
        galley_server_free(srv);
    }
}
