/* bench/micro/micro_wire.c — request heads in, response heads out. See micro.h. */
#include "micro.h"

#include "wire/h1_parser.h"
#include "wire/h1_writer.h"
#include "wire/scan.h"

#include <stddef.h>

enum { MAX_FIELDS = 100, OUT_BYTES = 2048, NOW_S = 1700000000 };

static const char small_head[] = "GET /small.html HTTP/1.1\r\nHost: 127.0.0.1:7878\r\n\r\n";

static const char browser_head[] =
    "GET /assets/app.js?v=17 HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "Connection: keep-alive\r\n"
    "sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "Accept: */*\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: no-cors\r\n"
    "Sec-Fetch-Dest: script\r\n"
    "Referer: https://www.example.com/guide/index.html\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "\r\n";

static void parse(const char *data, size_t len, unsigned rounds)
{
    static struct field lines[MAX_FIELDS];
    static const struct http_limits limits = HTTP_LIMITS_DEFAULT;
    struct fields fields;
    fields_init(&fields, lines, MAX_FIELDS);
    for (unsigned i = 0; i < rounds; i++) {
        struct h1_parser parser;
        struct h1_head head = {.fields = &fields};
        h1_parser_init(&parser);
        micro_need(h1_parser_feed(&parser, data, len, &limits, &head) == H1_DONE, "parse");
        micro_keep(head.len);
    }
}

static void parse_small(unsigned rounds)
{
    parse(small_head, sizeof small_head - 1, rounds);
}

static void parse_browser(unsigned rounds)
{
    parse(browser_head, sizeof browser_head - 1, rounds);
}

/* Half of a head, then all of it: what a client costs whose head comes in two pieces. */
static void parse_in_two(unsigned rounds)
{
    static struct field lines[MAX_FIELDS];
    static const struct http_limits limits = HTTP_LIMITS_DEFAULT;
    size_t len = sizeof browser_head - 1;
    struct fields fields;
    fields_init(&fields, lines, MAX_FIELDS);
    for (unsigned i = 0; i < rounds; i++) {
        struct h1_parser parser;
        struct h1_head head = {.fields = &fields};
        h1_parser_init(&parser);
        micro_need(h1_parser_feed(&parser, browser_head, len / 2, &limits, &head) == H1_MORE,
                   "more");
        micro_need(h1_parser_feed(&parser, browser_head, len, &limits, &head) == H1_DONE, "parse");
        micro_keep(head.len);
    }
}

static const char agent[] =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\n";

static void scan_a_value(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        micro_keep((uintptr_t)scan_value(agent, agent + sizeof agent - 1));
    }
}

static void scan_a_token(unsigned rounds)
{
    static const char name[] = "sec-ch-ua-platform: ";
    for (unsigned i = 0; i < rounds; i++) {
        micro_keep((uintptr_t)scan_token(name, name + sizeof name - 1));
    }
}

static void scan_a_target(unsigned rounds)
{
    static const char target[] = "/assets/fonts/text-regular.woff2?v=0123456789abcdef HTTP/1.1";
    for (unsigned i = 0; i < rounds; i++) {
        micro_keep((uintptr_t)scan_target(target, target + sizeof target - 1));
    }
}

/* What a cached file's answer consists of: see h1/h1_head.c. */
static void write_file_head(unsigned rounds)
{
    static struct h1_date_line date;
    static const struct span ready =
        SPAN("Content-Type: text/html; charset=utf-8\r\nContent-Length: 173\r\nETag: "
             "\"0123456789abcdef\"\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
             "Accept-Ranges: bytes\r\nVary: Accept-Encoding\r\n");
    for (unsigned i = 0; i < rounds; i++) {
        char out[OUT_BYTES];
        struct h1_writer writer;
        h1_writer_init(&writer, out, sizeof out);
        h1_write_status(&writer, 200);
        h1_write_date(&writer, &date, NOW_S);
        h1_write_ready(&writer, SPAN("Server: galley\r\n"));
        h1_write_ready(&writer, SPAN("X-Content-Type-Options: nosniff\r\n"));
        h1_write_ready(&writer, ready);
        micro_need(h1_write_end(&writer) > 0, "write");
        micro_keep((uint64_t)out[0]);
    }
}

static void write_handler_head(unsigned rounds)
{
    static struct h1_date_line date;
    for (unsigned i = 0; i < rounds; i++) {
        char out[OUT_BYTES];
        struct h1_writer writer;
        h1_writer_init(&writer, out, sizeof out);
        h1_write_status(&writer, 201);
        h1_write_date(&writer, &date, NOW_S);
        h1_write_ready(&writer, SPAN("Server: galley\r\n"));
        h1_write_field_u64(&writer, SPAN("Content-Length"), 1234);
        h1_write_field(&writer, SPAN("Content-Type"), SPAN("application/json"));
        h1_write_field(&writer, SPAN("Location"), SPAN("/orders/0123456789"));
        h1_write_field(&writer, SPAN("Cache-Control"), SPAN("no-store"));
        micro_need(h1_write_end(&writer) > 0, "write");
        micro_keep((uint64_t)out[0]);
    }
}

const struct micro micro_wire[] = {{"parse_small_head", NULL, parse_small},
                                   {"parse_browser_head", NULL, parse_browser},
                                   {"parse_head_in_two_pieces", NULL, parse_in_two},
                                   {"scan_value_of_110", NULL, scan_a_value},
                                   {"scan_token_of_18", NULL, scan_a_token},
                                   {"scan_target_of_51", NULL, scan_a_target},
                                   {"write_file_head", NULL, write_file_head},
                                   {"write_handler_head", NULL, write_handler_head},
                                   {NULL, NULL, NULL}};
