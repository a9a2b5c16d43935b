/* examples/book — the exercise that galley starts from: a small web server on 127.0.0.1:7878 whose requests are worked
 * through by a fixed pool of threads. GET / is hello.html, GET /sleep the same page after five seconds without
 * delaying anybody else, everything else 404.html; Ctrl+C finishes what runs and joins every worker.
 *
 * Run it in the folder that holds hello.html and 404.html: book [--port=N] [--workers=N] [--max-requests=N] [FOLDER] */
#include <galley/server.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    unsigned port;
    unsigned workers;
    unsigned max_requests;
    const char *folder;
};

static int page(galley_request *rq, galley_response *rs, void *file)
{
    (void)rq;
    return galley_res_file(rs, 200, file);
}

static int slow_page(galley_request *rq, galley_response *rs, void *file)
{
    sleep(5); /* on the pool: one worker waits, and nobody else */
    return page(rq, rs, file);
}

static int missing(galley_request *rq, galley_response *rs, void *file)
{
    (void)rq;
    return galley_res_file(rs, 404, file);
}

/* The pool tells what its workers do; each line is one write, so that lines of several threads do not mix. */
static void tell_worker(void *ctx, const galley_pool_event *event)
{
    (void)ctx;
    if (event->kind == GALLEY_EV_START) {
        printf("Worker %d got a job; executing.\n", (int)event->worker);
    } else if (event->kind == GALLEY_EV_THREAD_STOP) {
        printf("Shutting down worker %d\n", (int)event->worker);
    }
}

static void tell_server(void *ctx, int level, const char *line)
{
    (void)ctx;
    (void)level;
    printf("%s\n", line);
}

static bool parse_number(const char *text, unsigned *ret)
{
    char *end = NULL;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || number > 65535) {
        return false;
    }
    *ret = (unsigned)number;
    return true;
}

static bool parse_argument(struct settings *settings, const char *argument)
{
    if (strncmp(argument, "--port=", 7) == 0) {
        return parse_number(argument + 7, &settings->port);
    }
    if (strncmp(argument, "--workers=", 10) == 0) {
        return parse_number(argument + 10, &settings->workers);
    }
    if (strncmp(argument, "--max-requests=", 15) == 0) {
        return parse_number(argument + 15, &settings->max_requests);
    }
    settings->folder = argument;
    return argument[0] != '-';
}

static void add_routes(galley_server *server)
{
    galley_route_options at_once = GALLEY_ROUTE_OPTIONS_INIT;
    at_once.run =
        GALLEY_ON_LOOP; /* never blocks: no worker is needed, so / answers while all of them sleep */
    galley_server_route(server, "GET /", page, "hello.html", &at_once);
    galley_server_route(server, "GET /sleep", slow_page, "hello.html", NULL);
    galley_server_fallback(server, missing, "404.html", &at_once);
}

static galley_server *make_server(const struct settings *settings, galley_pool *pool,
                                  galley_error *err)
{
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.pool = pool;
    options.queue_timeout_ms =
        60000; /* a fifth sleeper waits for a worker instead of being refused after 5 s */
    options.max_requests = settings->max_requests;
    options.log = tell_server;
    galley_server *server = galley_server_new(&options, err);
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%u", settings->port);
    galley_server_listen(server, address);
    add_routes(server);
    return server;
}

/* Zero workers are refused here, by the pool: a pool without threads could never run a job. */
static galley_pool *make_pool(unsigned workers, galley_error *err)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    if (workers == 0) {
        return galley_pool_new(workers, err);
    }
    options.threads = workers;
    options.observer = tell_worker;
    options.observe = GALLEY_EV_START | GALLEY_EV_THREAD_STOP;
    return galley_pool_open(&options, err);
}

int main(int argc, char **argv)
{
    struct settings settings = {.port = 7878, .workers = 4, .folder = "."};
    for (int i = 1; i < argc; i++) {
        if (!parse_argument(&settings, argv[i])) {
            fprintf(stderr, "usage: book [--port=N] [--workers=N] [--max-requests=N] [FOLDER]\n");
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (chdir(settings.folder) != 0) {
        perror(settings.folder);
        return 1;
    }
    galley_error err;
    galley_pool *pool = make_pool(settings.workers, &err);
    if (!pool) {
        fprintf(stderr, "book: %s\n", err.message);
        return 1;
    }
    galley_server *server = make_server(&settings, pool, &err);
    int result = galley_server_run(server, GALLEY_UNTIL_SIGNAL, &err); /* returns after the drain */
    if (result) {
        fprintf(stderr, "book: %s\n", err.message);
    }
    galley_server_free(server);
    galley_pool_free(pool); /* runs what is queued, joins every worker */
    return result != 0;
}
