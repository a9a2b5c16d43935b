/* bench/micro/micro_hpack.c — a browser's field block in, an answer's out, with tables that know
 * most fields, as on any but the first request. See micro.h. */
#include "micro.h"

#include "hpack/hpack.h"

#include <stddef.h>

/* SPAN() is no constant. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

struct sample {
    struct span name, value;
    enum hpack_how how;
};

static const struct sample request[] = {
    {TEXT(":method"), TEXT("GET"), HPACK_INDEX},
    {TEXT(":authority"), TEXT("www.example.com"), HPACK_INDEX},
    {TEXT(":scheme"), TEXT("https"), HPACK_INDEX},
    {TEXT(":path"), TEXT("/assets/app.js?v=17"), HPACK_LITERAL},
    {TEXT("user-agent"),
     TEXT("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
          "Chrome/130.0.0.0 Safari/537.36"),
     HPACK_INDEX},
    {TEXT("sec-ch-ua-platform"), TEXT("\"Linux\""), HPACK_INDEX},
    {TEXT("accept"), TEXT("*/*"), HPACK_INDEX},
    {TEXT("sec-fetch-site"), TEXT("same-origin"), HPACK_INDEX},
    {TEXT("referer"), TEXT("https://www.example.com/guide/index.html"), HPACK_INDEX},
    {TEXT("accept-encoding"), TEXT("gzip, deflate, br, zstd"), HPACK_INDEX},
    {TEXT("accept-language"), TEXT("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"), HPACK_INDEX},
    {TEXT("cookie"), TEXT("session=0123456789abcdef0123456789abcdef"), HPACK_INDEX},
};

static const struct sample answer[] = {
    {TEXT(":status"), TEXT("200"), HPACK_INDEX},
    {TEXT("server"), TEXT("galley"), HPACK_INDEX},
    {TEXT("date"), TEXT("Mon, 21 Oct 2013 20:13:21 GMT"), HPACK_INDEX},
    {TEXT("content-type"), TEXT("text/html; charset=utf-8"), HPACK_INDEX},
    {TEXT("content-length"), TEXT("173"), HPACK_IF_REPEATED},
    {TEXT("etag"), TEXT("\"65f0a1b2-ad\""), HPACK_IF_REPEATED},
    {TEXT("last-modified"), TEXT("Tue, 12 Mar 2024 18:40:50 GMT"), HPACK_IF_REPEATED},
    {TEXT("vary"), TEXT("accept-encoding"), HPACK_INDEX},
};

enum {
    REQUEST_FIELDS = sizeof request / sizeof *request,
    ANSWER_FIELDS = sizeof answer / sizeof *answer
};

static struct hpack_encoder encoder;
static struct hpack_decoder decoder;
static struct hpack_line lines[ANSWER_FIELDS];
static struct buf block, first, scratch;

static bool take(void *arg, const struct hpack_field *field)
{
    *(size_t *)arg += field->value.len;
    return true;
}

static void decode(struct span bytes)
{
    size_t consumed = 0, sum = 0;
    hpack_decoder_begin(&decoder);
    const struct hpack_taker taker = {take, &sum, &scratch};
    micro_need(hpack_decode(&decoder, bytes, true, &taker, &consumed) == HPACK_OK, "decode");
    micro_keep(sum);
}

static void encode_request(struct buf *out)
{
    hpack_encode_begin(&encoder, out);
    for (size_t i = 0; i < REQUEST_FIELDS; i++) {
        struct hpack_line line = hpack_line_make(request[i].name, request[i].value, request[i].how);
        hpack_encode(&encoder, out, &line);
    }
}

static void prepare_request(void)
{
    hpack_encoder_init(&encoder);
    hpack_decoder_init(&decoder, HPACK_TABLE_BYTES, 4096);
    buf_init(&first, 0);
    buf_init(&block, 0);
    buf_init(&scratch, 0);
    encode_request(&first);
    encode_request(&block);
    decode(buf_span(&first));
}

static void decode_request(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        decode(buf_span(&block));
    }
}

static void decode_first_request(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        hpack_decoder_finish(&decoder);
        hpack_decoder_init(&decoder, HPACK_TABLE_BYTES, 4096);
        decode(buf_span(&first));
    }
}

static void prepare_answer(void)
{
    for (size_t i = 0; i < ANSWER_FIELDS; i++) {
        lines[i] = hpack_line_make(answer[i].name, answer[i].value, answer[i].how);
    }
}

static void encode_answer(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        buf_clear(&block);
        hpack_encode_begin(&encoder, &block);
        for (size_t k = 0; k < ANSWER_FIELDS; k++) {
            hpack_encode(&encoder, &block, &lines[k]);
        }
        micro_keep(block.len);
    }
}

static void make_lines(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        prepare_answer();
        micro_keep(lines[ANSWER_FIELDS - 1].hash);
    }
}

const struct micro micro_hpack[] = {{"hpack_request", prepare_request, decode_request},
                                    {"hpack_first_request", NULL, decode_first_request},
                                    {"hpack_answer", prepare_answer, encode_answer},
                                    {"hpack_eight_lines", NULL, make_lines},
                                    {NULL, NULL, NULL}};
