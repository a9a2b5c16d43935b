/* A helper server of the whole-server tests: one large file, sent in the two ways that a handler
 * has besides static sites. file_replies FILE; one loop. GET /file, GET /fd: the file; GET /small:
 * a text. Prints its URL; ends by TERM with 0, when it cannot start with 1. */
#include "wanted_io.h"
#include "wanted_way.h"

#include <galley/server.h>

#include <fcntl.h>
#include <stdio.h>

static int send_file(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_file(rs, 200, arg);
}

static int send_fd(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    int fd = open(arg, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? 404 : galley_res_fd(rs, 200, NULL, fd, 0, -1);
}

static int send_small(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, "small");
}

int main(int argc, char **argv)
{
    galley_error err = {0};
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.io = wanted_io();
    options.loops = 1;
    galley_server *server = argc == 2 ? galley_server_new(&options, &err) : NULL;
    if (!server) {
        fprintf(stderr, "file_replies FILE: %s\n", err.message);
        return 1;
    }
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    on_loop.run = GALLEY_ON_LOOP;
    galley_server_route(server, "GET /file", send_file, argv[1], &on_loop);
    galley_server_route(server, "GET /fd", send_fd, argv[1], NULL);
    galley_server_route(server, "GET /small", send_small, NULL, &on_loop);
    if (wanted_listen(server, "127.0.0.1:0") == 0) {
        printf("%s://127.0.0.1:%d/\n", wanted_scheme(), galley_server_port(server, 0));
        fflush(stdout);
    }
    int rc = galley_server_run(server, GALLEY_UNTIL_SIGNAL, &err);
    if (rc) {
        fprintf(stderr, "file_replies: %s\n", err.message);
    }
    wanted_free(server);
    return rc != 0;
}
