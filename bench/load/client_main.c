/* bench/load/client_main.c — command line of the measuring client:
 *
 *     bench_client load|h2|hold|events|open PORT REQUESTS [--connections N] [--depth N] [--seconds S]
 *                  [--warm-up S] [--rate N] [--closes] [--pids 1,2] [--tls 1.3|1.2] [--resume]
 *                  [--keep FILE]
 *
 * REQUESTS is a file: for each request a line "STATUS BODY_BYTES LENGTH", then LENGTH bytes to send;
 * status 0 and body -1 are any. With a depth the bytes hold so many requests; for h2 it is the number
 * of streams, and the bytes hold one request, as HTTP/1.1 would send it; the first answer's body may
 * be kept. load, h2 and hold know TLS. Prints one line of JSON. Used by bench/load/run. */
#include "client.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void read_requests(struct options *options, const char *path)
{
    FILE *file = need(fopen(path, "rb"));
    long long body_bytes;
    struct request *request = options->requests;
    while (options->request_count < MAX_REQUESTS &&
           fscanf(file, "%d %lld %zu", &request->status, &body_bytes, &request->len) == 3 &&
           fgetc(file) == '\n') {
        request->body_bytes = body_bytes;
        request->bytes = need(malloc(request->len));
        if (fread(request->bytes, 1, request->len, file) != request->len) {
            fail_with("%s: too short", path);
        }
        request++;
        options->request_count++;
    }
    fclose(file);
    if (options->request_count == 0) {
        fail_with("%s: no requests", path);
    }
}

static void read_pids(struct options *options, const char *text)
{
    char *end;
    for (const char *at = text; *at && options->pid_count < MAX_PIDS; at = *end ? end + 1 : end) {
        options->pids[options->pid_count++] = (pid_t)strtol(at, &end, 10);
        if (end == at) {
            fail_with("--pids %s: not numbers", text);
        }
    }
}

static void read_option(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--connections") == 0) {
        options->connections = (unsigned)strtoul(value, NULL, 10);
    } else if (strcmp(name, "--depth") == 0) {
        options->depth = (unsigned)strtoul(value, NULL, 10);
    } else if (strcmp(name, "--seconds") == 0) {
        options->seconds = strtod(value, NULL);
    } else if (strcmp(name, "--rate") == 0) {
        options->rate = strtod(value, NULL);
    } else if (strcmp(name, "--warm-up") == 0) {
        options->warm_up = strtod(value, NULL);
    } else if (strcmp(name, "--tls") == 0) {
        options->tls = strcmp(value, "1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    } else if (strcmp(name, "--keep") == 0) {
        options->kept = need(fopen(value, "wb"));
    } else if (strcmp(name, "--pids") == 0) {
        read_pids(options, value);
    } else {
        fail_with("no option %s", name);
    }
}

static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static struct options options = {.connections = 1, .depth = 1, .seconds = 1, .warm_up = -1};
    if (argc < 4) {
        fail_with("usage: bench_client load|h2|hold|events|open PORT REQUESTS [OPTION VALUE]...");
    }
    options.port = (uint16_t)strtoul(argv[2], NULL, 10);
    read_requests(&options, argv[3]);
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "--closes") == 0) {
            options.closes = true;
        } else if (strcmp(argv[i], "--resume") == 0) {
            options.resumes = true;
        } else if (i + 1 < argc) {
            read_option(&options, argv[i], argv[i + 1]);
            i++;
        }
    }
    options.is_h2 = strcmp(argv[1], "h2") == 0;
    raise_limit();
    link_prepare(&options);
    if (strcmp(argv[1], "load") == 0) {
        run_load(&options);
    } else if (options.is_h2) {
        run_h2(&options);
    } else if (strcmp(argv[1], "hold") == 0) {
        run_hold(&options);
    } else if (strcmp(argv[1], "events") == 0) {
        run_events(&options);
    } else if (strcmp(argv[1], "open") == 0 && options.rate > 0) {
        run_open(&options);
    } else {
        fail_with("no mode %s", argv[1]);
    }
    return 0;
}
