/* tests/programs/coded_server.c — the server of the whole-server tests of compression
 * (test_coded_wire.py): each way a handler can answer, on routes that compress, and bodies that come
 * compressed. Listens twice, in clear and with TLS (a certificate of its own making). Prints both
 * URLs, serves until a signal. Only public headers. */
#include "wanted_io.h"

#include <galley/server.h>
#include <galley/tls.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 100 * 1000, PRINTED_LINES = 300, BLOCK = 4096, PIECES = 3 };

static char text[TEXT_BYTES];

/* ---- in one piece ---- */

static int reply_whole(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_data(rs, 200, "text/plain", text, TEXT_BYTES, NULL, NULL);
}

static int reply_printf(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_printf(rs, 200, "application/json", "[%*d]", PRINTED_LINES * 10, 7);
}

static int reply_asis(galley_request *rq, galley_response *rs, void *arg)
{
    galley_res_header(rs, "Cache-Control", "public, no-transform");
    return reply_whole(rq, rs, arg);
}

static int reply_part(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    galley_res_header(rs, "Content-Range", "bytes 0-4999/100000");
    return galley_res_data(rs, 206, "text/plain", text, 5000, NULL, NULL);
}

/* A handler that compares tags itself, and knows of no coding. */
static int reply_tagged(galley_request *rq, galley_response *rs, void *arg)
{
    static const char tag[] = "\"v1\"";
    galley_str match = galley_req_header(rq, "If-Match");
    galley_str none = galley_req_header(rq, "If-None-Match");
    galley_res_header(rs, "ETag", tag);
    if (match.ptr && !strstr(match.ptr, tag))
        return galley_res_text(rs, 412, "another one\n");
    if (none.ptr && strstr(none.ptr, tag))
        return galley_res_status(rs, 304);
    return reply_whole(rq, rs, arg);
}

/* ---- in pieces, each when GET /next has been asked for ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned allowed;       /* under mutex */
static galley_stream *current; /* under mutex, with a reference */

static int reply_next(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    pthread_mutex_lock(&mutex);
    allowed++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    return galley_res_text(rs, 200, "");
}

static int reply_pieces(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    int code = galley_res_begin(rs, 200, "text/plain", -1);
    for (unsigned i = 0; i < PIECES && !code; i++) {
        char line[32];
        snprintf(line, sizeof line, "piece %u\n", i);
        pthread_mutex_lock(&mutex);
        while (allowed == 0)
            pthread_cond_wait(&changed, &mutex);
        allowed--;
        pthread_mutex_unlock(&mutex);
        code = galley_res_write(rs, line, strlen(line));
    }
    return code;
}

/* ---- streams: POST /say writes, POST /bye ends ---- */

static void forget(galley_stream *st, void *arg)
{
    (void)arg;
    pthread_mutex_lock(&mutex);
    if (current == st)
        current = NULL;
    pthread_mutex_unlock(&mutex);
    galley_stream_unref(st);
}

static int reply_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    galley_stream_options options = GALLEY_STREAM_OPTIONS_INIT;
    options.closed = forget;
    options.heartbeat_ms = GALLEY_NO_LIMIT;
    pthread_mutex_lock(&mutex); /* forget() comes after it has been noted */
    current = galley_res_stream(rs, 200, arg, &options);
    bool has_begun = current != NULL;
    pthread_mutex_unlock(&mutex);
    return has_begun ? 0 : GALLEY_ENOMEM;
}

static int reply_say(galley_request *rq, galley_response *rs, void *arg)
{
    galley_str body = galley_req_body(rq);
    int code = GALLEY_ESTATE;
    pthread_mutex_lock(&mutex);
    if (current && arg) {
        galley_stream_close(current);
        code = 0;
    } else if (current && body.ptr) {
        code = body.ptr[0] == '!' ? galley_stream_event(current, NULL, "said", body.ptr + 1)
                                  : galley_stream_write(current, body.ptr, body.len);
    }
    pthread_mutex_unlock(&mutex);
    return galley_res_printf(rs, 200, NULL, "%d\n", code);
}

/* ---- bodies that come compressed: how long they are, and the sum of their bytes ---- */

static int answer_sum(galley_response *rs, size_t bytes, unsigned long long sum)
{
    return galley_res_printf(rs, 200, NULL, "%zu %llu\n", bytes, sum);
}

static unsigned long long sum_of(const char *data, size_t len)
{
    unsigned long long sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += (unsigned char)data[i];
    return sum;
}

static int reply_body(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str body = galley_req_body(rq);
    return answer_sum(rs, body.len, sum_of(body.ptr, body.len));
}

static int reply_read(galley_request *rq, galley_response *rs, void *arg)
{
    char block[BLOCK];
    size_t bytes = 0;
    unsigned long long sum = 0;
    ssize_t n;
    (void)arg;
    while ((n = galley_req_read(rq, block, sizeof block)) > 0) {
        bytes += (size_t)n;
        sum += sum_of(block, (size_t)n);
    }
    return n < 0 ? (int)n : answer_sum(rs, bytes, sum);
}

/* ---- running ---- */

static char plain_type[] = "text/plain";

static const struct {
    const char *pattern;
    galley_handler *fn;
    void *arg;
    int run, body;
} rows[] = {
    {"GET /whole", reply_whole, NULL, GALLEY_ON_LOOP, 0},
    {"GET /printf", reply_printf, NULL, GALLEY_ON_POOL, 0},
    {"GET /as-is", reply_asis, NULL, GALLEY_ON_LOOP, 0},
    {"GET /part", reply_part, NULL, GALLEY_ON_LOOP, 0},
    {"GET /tagged", reply_tagged, NULL, GALLEY_ON_LOOP, 0},
    {"GET /next", reply_next, NULL, GALLEY_ON_LOOP, 0},
    {"GET /pieces", reply_pieces, NULL, GALLEY_ON_POOL, 0},
    {"GET /stream", reply_stream, plain_type, GALLEY_ON_LOOP, 0},
    {"GET /events", reply_stream, NULL, GALLEY_ON_LOOP, 0},
    {"POST /say", reply_say, NULL, GALLEY_ON_LOOP, 0},
    {"POST /bye", reply_say, plain_type, GALLEY_ON_LOOP, 0},
    {"POST /body", reply_body, NULL, GALLEY_ON_POOL, GALLEY_BODY_BUFFER},
    {"POST /read", reply_read, NULL, GALLEY_ON_POOL, GALLEY_BODY_STREAM},
};

static void add_routes(galley_server *server)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        galley_route_options options = GALLEY_ROUTE_OPTIONS_INIT;
        options.run = rows[i].run;
        options.body = rows[i].body;
        options.compress = GALLEY_COMPRESS_ON;
        options.decode = GALLEY_DECODE_ON;
        galley_server_route(server, rows[i].pattern, rows[i].fn, rows[i].arg, &options);
    }
}

static int serve(galley_server *server, galley_tls *tls, galley_error *err)
{
    add_routes(server);
    if (galley_server_listen(server, "127.0.0.1:0") == 0 &&
        galley_server_listen_tls(server, "127.0.0.1:0", tls) == 0) {
        printf("http://127.0.0.1:%d/\n", galley_server_port(server, 0));
        printf("tls port %d\n", galley_server_port(server, 1));
        fflush(stdout);
    }
    return galley_server_run(server, GALLEY_UNTIL_SIGNAL, err);
}

int main(void)
{
    for (size_t i = 0; i < TEXT_BYTES; i++)
        text[i] = i % 61 == 60 ? '\n' : (char)('a' + (i * 7 + i / 61) % 23);
    galley_error err = {0};
    galley_tls_options with_tls = GALLEY_TLS_OPTIONS_INIT;
    with_tls.flags = GALLEY_TLS_SELF_SIGNED;
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.io = wanted_io();
    options.max_body_bytes = 2 * TEXT_BYTES;
    galley_tls *tls = galley_tls_new(&with_tls, &err);
    galley_server *server = tls ? galley_server_new(&options, &err) : NULL;
    if (server && serve(server, tls, &err) == 0)
        err.code = 0;
    if (err.code)
        fprintf(stderr, "coded_server: %s\n", err.message);
    galley_server_free(server);
    galley_tls_free(tls);
    return err.code ? 1 : 0;
}
