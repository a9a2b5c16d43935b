/* GET /fetch/{path...} is fetched from another server with libcurl. The handler runs on the loop and
 * only defers; the fetch is a job on a pool of its own, so that a slow upstream server takes no
 * worker from anybody, and at most 16 fetches run at once.
 *
 * proxy_pass UPSTREAM [ADDRESS]        e.g. proxy_pass http://127.0.0.1:8080 */
#include <galley/server.h>

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FETCHES = 16, TIMEOUT_S = 10 };

struct proxy {
    const char *upstream;
    galley_pool *pool;
};

struct fetch {
    galley_deferred *answer;
    CURL *curl;
    bool is_begun;
};

/* curl hands over a piece of the body: the head goes out with the first one. Waits while the client
 * is slower than the upstream server. */
static size_t pass_on(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *fetch = arg;
    galley_response *rs = galley_deferred_response(fetch->answer);
    int rc = 0;
    if (!fetch->is_begun) {
        long status = 0;
        char *type = NULL;
        curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(fetch->curl, CURLINFO_CONTENT_TYPE, &type);
        rc = galley_res_begin(rs, (int)status, type, -1);
        fetch->is_begun = rc == 0;
    }
    if (rc == 0) {
        rc = galley_res_write(rs, data, size * count);
    }
    return rc == 0 ? size * count : 0; /* anything else than all of it ends the fetch */
}

/* On a worker of the proxy's pool. */
static void run_fetch(void *arg)
{
    struct fetch *fetch = arg;
    long status = 0;
    CURLcode code = galley_deferred_is_wanted(fetch->answer) ? curl_easy_perform(fetch->curl)
                                                             : CURLE_ABORTED_BY_CALLBACK;
    int result = 502;
    if (code == CURLE_OK) {
        curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &status);
        result = fetch->is_begun ? 0 : (int)status; /* it had no body */
    } else if (fetch->is_begun) {
        result = GALLEY_EPROTO; /* half of it is out: the client must see that it is not whole */
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        result = 504;
    }
    curl_easy_cleanup(fetch->curl);
    (void)galley_deferred_finish(fetch->answer, result); /* ECLOSED: the client has gone; fine */
    free(fetch);
}

static void drop_fetch(void *arg, int why)
{
    struct fetch *fetch = arg;
    (void)why;
    curl_easy_cleanup(fetch->curl);
    (void)galley_deferred_finish(fetch->answer, 503);
    free(fetch);
}

static CURL *make_request(const char *upstream, const char *target, struct fetch *fetch)
{
    char url[4096];
    int len = snprintf(url, sizeof url, "%s%s", upstream, target);
    CURL *curl = len < (int)sizeof url ? curl_easy_init() : NULL;
    if (curl) {
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, pass_on);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch);
    }
    return curl;
}

static int proxy(galley_request *rq, galley_response *rs, void *arg)
{
    struct proxy *self = arg;
    const char *target = galley_req_target(rq).ptr + strlen("/fetch");
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch || !(fetch->curl = make_request(self->upstream, target, fetch)) ||
        !(fetch->answer = galley_res_defer(rs))) {
        if (fetch) {
            curl_easy_cleanup(fetch->curl);
        }
        free(fetch);
        return GALLEY_ENOMEM;
    }
    galley_job job = {.run = run_fetch, .arg = fetch, .drop = drop_fetch, .label = "fetch"};
    if (galley_pool_submit(self->pool, &job, 1, 0) != 1) {
        drop_fetch(fetch, GALLEY_DROP_CANCELED);
    }
    return 0;
}

int main(int argc, char **argv)
{
    galley_error err = {0};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct proxy self = {argc > 1 ? argv[1] : "http://127.0.0.1:8080",
                         galley_pool_new(MAX_FETCHES, &err)};
    galley_server *srv = self.pool ? galley_server_new(NULL, &err) : NULL;
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    on_loop.run = GALLEY_ON_LOOP;
    int result = err.code;
    if (srv) {
        galley_server_route(srv, "GET /fetch/{path...}", proxy, &self, &on_loop);
        galley_server_listen(srv, argc > 2 ? argv[2] : "127.0.0.1:7878");
        printf("Listening on http://%s/fetch/\n", galley_server_address(srv, 0).ptr);
        fflush(stdout);
        result = galley_server_run(srv, GALLEY_UNTIL_SIGNAL, &err);
    }
    if (result != 0) {
        fprintf(stderr, "proxy_pass: %s\n", err.message);
    }
    galley_server_free(srv);
    galley_pool_free(self.pool);
    curl_global_cleanup();
    return result != 0;
}
