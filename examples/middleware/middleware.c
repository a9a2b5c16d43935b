/* Middleware: what stands before handlers. One measures each request and says so in Server-Timing,
 * one lets only who knows the token into /admin, and hands the handler a name.
 *
 * middleware TOKEN [ADDRESS]     try: curl -H 'Authorization: Bearer TOKEN' localhost:7878/admin */
#include <galley/server.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char user_key; /* its address names the value */

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The outermost: it sees the others' time too. */
static int measure(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rq;
    (void)arg;
    double began = now_ms();
    int result = galley_next(chain);
    char value[48];
    snprintf(value, sizeof value, "handler;dur=%.3f", now_ms() - began);
    (void)galley_res_header(rs, "Server-Timing", value); /* not after the head has been sent */
    return result;
}

/* As long for any wrong token, so that its time tells nothing about the right one. */
static bool is_equal(const char *a, const char *b, size_t len)
{
    unsigned char difference = 0;
    for (size_t i = 0; i < len; i++) {
        difference |= (unsigned char)a[i] ^ (unsigned char)b[i];
    }
    return difference == 0;
}

static int require_token(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    const char *token = arg;
    galley_str given = galley_req_header(rq, "authorization");
    size_t len = strlen(token);
    bool is_good = given.ptr && given.len == len + 7 && strncmp(given.ptr, "Bearer ", 7) == 0 &&
                   is_equal(given.ptr + 7, token, len);
    if (!is_good) {
        galley_res_header(rs, "WWW-Authenticate", "Bearer");
        return 401; /* the handler behind is never called */
    }
    int rc = galley_req_set(rq, &user_key, "the keeper of the token");
    return rc ? rc : galley_next(chain);
}

static int hello(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, "Hello, whoever you are.\n");
}

static int admin(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    const char *user = galley_req_get(rq, &user_key);
    return galley_res_printf(rs, 200, "text/plain", "Hello, %s.\n", user);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '\0') {
        fprintf(stderr, "usage: middleware TOKEN [ADDRESS]\n");
        return 2;
    }
    galley_error err;
    galley_server *srv = galley_server_new(NULL, &err);
    if (!srv) {
        fprintf(stderr, "middleware: %s\n", err.message);
        return 1;
    }
    galley_server_use(srv, "/", measure, NULL);
    galley_server_use(srv, "/admin", require_token, argv[1]); /* /admin and all below it */
    galley_server_route(srv, "GET /", hello, NULL, NULL);
    galley_server_route(srv, "GET /admin", admin, NULL, NULL);
    galley_server_route(srv, "GET /admin/{page}", admin, NULL, NULL);
    galley_server_listen(srv, argc > 2 ? argv[2] : "127.0.0.1:7878");
    printf("Listening on http://%s/\n", galley_server_address(srv, 0).ptr);
    fflush(stdout);
    int result = galley_server_run(srv, GALLEY_UNTIL_SIGNAL, &err);
    if (result != 0) {
        fprintf(stderr, "middleware: %s\n", err.message);
    }
    galley_server_free(srv);
    return result != 0;
}
