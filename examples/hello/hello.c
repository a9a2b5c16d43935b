/* The smallest server: one route, answered by a worker. Ctrl-C drains and ends it. */
#include <galley/server.h>

#include <stdio.h>

static int hello(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, "Hello, World!\n");
}

int main(int argc, char **argv)
{
    galley_error err;
    galley_server *srv = galley_server_new(NULL, &err);
    if (!srv) {
        fprintf(stderr, "hello: %s\n", err.message);
        return 1;
    }
    galley_server_route(srv, "GET /", hello, NULL, NULL);
    galley_server_listen(srv, argc > 1 ? argv[1] : "127.0.0.1:7878");
    galley_str address = galley_server_address(srv, 0);
    if (address.ptr) {
        printf("http://%s/\n", address.ptr);
        fflush(stdout);
    }
    int rc = galley_server_run(srv, GALLEY_UNTIL_SIGNAL, &err);
    if (rc) {
        fprintf(stderr, "hello: %s\n", err.message);
    }
    galley_server_free(srv);
    return rc != 0;
}
