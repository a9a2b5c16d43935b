/* tests/programs/body_server.c — the ways a handler can take a request body, for the whole-server
 * tests (test_body_modes.py).
 *
 *     body_server [NAME=NUMBER]... [spool_dir=FOLDER]
 *
 * NAME is body_grace_ms, body_min_rate, workers or drain_ms. Prints its URL, serves until a signal;
 * exit 0 after a clean drain. Answers say how many bytes came and their sum, so that a test can
 * compare. Only public headers.
 */
#include "wanted_io.h"
#include "wanted_way.h"

#include <galley/server.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 16 * 1024, LARGE = 512 * 1024 * 1024, SMALL = 1000 };

struct tally {
    unsigned long long bytes, sum;
};

static atomic_int last_code;    /* of the last body that failed */
static atomic_uint told_count;  /* handlers that galley_should_stop() had told by then */
static atomic_uint taken_count; /* bodies of which a first piece was taken */

/* POST /held waits here until GET /go. */
static pthread_mutex_t go_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t go_changed = PTHREAD_COND_INITIALIZER;
static unsigned held_count, go_count; /* under go_mutex */

static void add(struct tally *tally, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    if (tally->bytes == 0)
        atomic_fetch_add(&taken_count, 1);
    tally->bytes += len;
    for (size_t i = 0; i < len; i++)
        tally->sum += bytes[i];
}

static int answer(galley_response *rs, const struct tally *tally)
{
    return galley_res_printf(rs, 200, NULL, "%llu %llu\n", tally->bytes, tally->sum);
}

static int note_failure(int code)
{
    atomic_fetch_add(&told_count, galley_should_stop());
    atomic_store(&last_code, code);
    return code;
}

static int reply_plain(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_text(rs, 200, "plain\n");
}

static int reply_read(galley_request *rq, galley_response *rs, void *arg)
{
    char block[BLOCK];
    struct tally tally = {0, 0};
    ssize_t n;
    (void)arg;
    while ((n = galley_req_read(rq, block, sizeof block)) > 0)
        add(&tally, block, (size_t)n);
    return n < 0 ? note_failure((int)n) : answer(rs, &tally);
}

static int reply_held(galley_request *rq, galley_response *rs, void *arg)
{
    pthread_mutex_lock(&go_mutex);
    unsigned seen = go_count;
    held_count++;
    while (seen == go_count)
        pthread_cond_wait(&go_changed, &go_mutex);
    held_count--;
    pthread_mutex_unlock(&go_mutex);
    return reply_read(rq, rs, arg);
}

static int reply_go(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    pthread_mutex_lock(&go_mutex);
    unsigned count = held_count;
    go_count++;
    pthread_cond_broadcast(&go_changed);
    pthread_mutex_unlock(&go_mutex);
    return galley_res_printf(rs, 200, NULL, "%u\n", count);
}

/* Both directions at once. */
static int reply_echo(galley_request *rq, galley_response *rs, void *arg)
{
    char block[BLOCK];
    struct tally tally = {0, 0};
    ssize_t n;
    (void)arg;
    int code = galley_res_begin(rs, 200, NULL, -1);
    while (!code && (n = galley_req_read(rq, block, sizeof block)) != 0) {
        code = n < 0 ? note_failure((int)n) : galley_res_write(rs, block, (size_t)n);
        add(&tally, block, n > 0 ? (size_t)n : 0);
    }
    return code;
}

/* Answers when it has seen the beginning. */
static int reply_early(galley_request *rq, galley_response *rs, void *arg)
{
    char first;
    (void)arg;
    ssize_t n = galley_req_read(rq, &first, 1);
    return n < 0 ? (int)n : galley_res_text(rs, 200, "early\n");
}

static int reply_spool(galley_request *rq, galley_response *rs, void *arg)
{
    char block[BLOCK];
    struct tally tally = {0, 0};
    ssize_t n;
    int fd = galley_req_body_fd(rq);
    (void)arg;
    while ((n = read(fd, block, sizeof block)) > 0)
        add(&tally, block, (size_t)n);
    return n < 0 || tally.bytes != galley_req_body_size(rq) ? 500 : answer(rs, &tally);
}

static int take_piece(galley_request *rq, galley_response *rs, const void *data, ssize_t len,
                      void *arg)
{
    struct tally *tally = arg;
    (void)rq;
    if (len > 0)
        add(tally, data, (size_t)len);
    if (len < 0)
        note_failure((int)len);
    return len == 0 ? answer(rs, tally) : 0;
}

static int reply_sink(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    struct tally *tally = galley_alloc(rq, sizeof *tally);
    if (!tally)
        return GALLEY_ENOMEM;
    *tally = (struct tally){0, 0};
    return galley_req_sink(rq, take_piece, tally);
}

static const char *name_of(int code)
{
    switch (code) {
    case 0:
        return "none";
    case GALLEY_ECLOSED:
        return "ECLOSED";
    case GALLEY_EPROTO:
        return "EPROTO";
    case GALLEY_ETIMEDOUT:
        return "ETIMEDOUT";
    case GALLEY_ETOOBIG:
        return "ETOOBIG";
    default:
        return "other";
    }
}

/* "CODE TOLD HELD TAKEN": of the failures so far; of now; of all. */
static int reply_seen(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    pthread_mutex_lock(&go_mutex);
    unsigned held = held_count;
    pthread_mutex_unlock(&go_mutex);
    const char *name = name_of(atomic_load(&last_code));
    return galley_res_printf(rs, 200, NULL, "%s %u %u %u\n", name, atomic_load(&told_count), held,
                             atomic_load(&taken_count));
}

static const struct {
    const char *pattern;
    galley_handler *fn;
    int run, body;
    uint64_t max_body_bytes;
} rows[] = {
    {"GET /", reply_plain, GALLEY_ON_LOOP, GALLEY_BODY_BUFFER, 0},
    {"GET /seen", reply_seen, GALLEY_ON_LOOP, GALLEY_BODY_BUFFER, 0},
    {"GET /go", reply_go, GALLEY_ON_LOOP, GALLEY_BODY_BUFFER, 0},
    {"POST /read", reply_read, GALLEY_ON_POOL, GALLEY_BODY_STREAM, LARGE},
    {"POST /small", reply_read, GALLEY_ON_POOL, GALLEY_BODY_STREAM, SMALL},
    {"POST /held", reply_held, GALLEY_ON_POOL, GALLEY_BODY_STREAM, LARGE},
    {"POST /echo", reply_echo, GALLEY_ON_POOL, GALLEY_BODY_STREAM, LARGE},
    {"POST /early", reply_early, GALLEY_ON_POOL, GALLEY_BODY_STREAM, LARGE},
    {"POST /unread", reply_plain, GALLEY_ON_POOL, GALLEY_BODY_STREAM, LARGE},
    {"POST /spool", reply_spool, GALLEY_ON_POOL, GALLEY_BODY_SPOOL, LARGE},
    {"POST /sink", reply_sink, GALLEY_ON_LOOP, GALLEY_BODY_STREAM, LARGE},
};

static void add_routes(galley_server *server)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        galley_route_options options = GALLEY_ROUTE_OPTIONS_INIT;
        options.run = rows[i].run;
        options.body = rows[i].body;
        options.max_body_bytes = rows[i].max_body_bytes;
        galley_server_route(server, rows[i].pattern, rows[i].fn, NULL, &options);
    }
}

static bool take_argument(galley_server_options *options, galley_pool_options *pool,
                          const char *argument)
{
    char name[32];
    unsigned number = 0;
    if (!strncmp(argument, "spool_dir=", 10)) {
        options->spool_dir = argument + 10;
        return true;
    }
    if (sscanf(argument, "%31[a-z_]=%u", name, &number) != 2)
        return false;
    if (!strcmp(name, "body_grace_ms"))
        options->body_grace_ms = number;
    else if (!strcmp(name, "body_min_rate"))
        options->body_min_rate = number;
    else if (!strcmp(name, "workers"))
        pool->threads = number;
    else if (!strcmp(name, "drain_ms"))
        options->drain_ms = number;
    else
        return false;
    return true;
}

static void print_log(void *ctx, int level, const char *line)
{
    (void)ctx;
    fprintf(stderr, "body_server: %d %s\n", level, line);
}

int main(int argc, char **argv)
{
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.io = wanted_io();
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    options.pool_options = &pool;
    options.log = print_log;
    for (int i = 1; i < argc; i++)
        if (!take_argument(&options, &pool, argv[i])) {
            fprintf(stderr, "body_server: what is %s?\n", argv[i]);
            return 2;
        }
    galley_error error = {0};
    galley_server *server = galley_server_new(&options, &error);
    if (server)
        add_routes(server);
    if (server && !wanted_listen(server, "127.0.0.1:0")) {
        printf("%s://%s/\n", wanted_scheme(), galley_server_address(server, 0).ptr);
        fflush(stdout);
    }
    int code = server ? galley_server_run(server, GALLEY_UNTIL_SIGNAL, &error) : error.code;
    if (code)
        fprintf(stderr, "body_server: %s\n", error.message);
    wanted_free(server);
    return code == 0 ? 0 : code == GALLEY_ETIMEDOUT || code == GALLEY_ECANCELED ? 3 : 1;
}
