/* PUT /files/{name}: a file of any size in bounded memory, and nothing half-written is ever visible.
 * GET /files/{name} gives it back.
 *
 * upload FOLDER [ADDRESS] */
#include <galley/server.h>
#include <galley/static.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024 };

static void close_fd(void *fd)
{
    close((int)(intptr_t)fd);
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);
        if (put < 0) {
            return 507; /* Insufficient Storage */
        }
        data += put;
        len -= (size_t)put;
    }
    return 0;
}

/* The client is read only as fast as the disk takes it. What galley_req_read() returns when the
 * client left, was too slow or sent too much is a handler result that says so. */
static int receive(galley_request *rq, int fd)
{
    char *block = galley_alloc(rq, BLOCK_BYTES);
    ssize_t got = block ? 1 : GALLEY_ENOMEM;
    int result = 0;
    while (result == 0 && got > 0) {
        got = galley_req_read(rq, block, BLOCK_BYTES);
        if (got > 0) {
            result = write_all(fd, block, (size_t)got);
        }
    }
    return got < 0 ? (int)got : result;
}

/* A nameless file gets its name in one step: first one of its own, which then replaces the old
 * file, if there is one. */
static int publish(galley_request *rq, int dir, int fd, const char *name)
{
    const char *from = galley_sprintf(rq, "/proc/self/fd/%d", fd);
    const char *part = galley_sprintf(rq, ".part-%d-%p", (int)getpid(), (void *)rq);
    if (!from || !part) {
        return GALLEY_ENOMEM;
    }
    if (linkat(AT_FDCWD, from, dir, part, AT_SYMLINK_FOLLOW) != 0) {
        return GALLEY_ESYS;
    }
    if (renameat(dir, part, dir, name) != 0) {
        unlinkat(dir, part, 0);
        return 409; /* a folder has that name */
    }
    return 0;
}

/* {name} is one segment of the path: never empty, never "..", without a slash. */
static int upload(galley_request *rq, galley_response *rs, void *arg)
{
    const int *dir = arg;
    galley_str name = galley_req_param(rq, "name");
    if (!name.ptr || name.ptr[0] == '.' || name.len > 255) {
        return galley_res_text(rs, 400, "That is no name for a file here.\n");
    }
    int fd = openat(*dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) {
        return GALLEY_ESYS;
    }
    int result = galley_on_end(rq, close_fd, (void *)(intptr_t)fd);
    if (result != 0) {
        close(fd);
        return result;
    }
    result = receive(rq, fd);
    if (result == 0) {
        result = publish(rq, *dir, fd, name.ptr);
    }
    if (result != 0) {
        return result;
    }
    galley_res_header(rs, "Location", galley_req_path(rq).ptr);
    return galley_res_printf(rs, 201, "text/plain", "%s: %llu bytes\n", name.ptr,
                             (unsigned long long)galley_req_body_size(rq));
}

static void add_routes(galley_server *srv, int *dir, galley_static *files)
{
    galley_route_options put = GALLEY_ROUTE_OPTIONS_INIT;
    put.body = GALLEY_BODY_STREAM;
    put.max_body_bytes = UINT64_C(8) << 30;
    put.max_running = 3; /* a worker is held while a body comes: leave one for the others */
    galley_server_route(srv, "PUT /files/{name}", upload, dir, &put);
    galley_server_route(srv, "GET /files/{path...}", galley_static_serve, files, NULL);
}

int main(int argc, char **argv)
{
    galley_error err = {0};
    const char *folder = argc > 1 ? argv[1] : ".";
    galley_static_options list = GALLEY_STATIC_OPTIONS_INIT;
    list.flags = GALLEY_STATIC_LIST;
    galley_pool_options four = GALLEY_POOL_OPTIONS_INIT;
    four.threads = 4;
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.pool_options = &four;

    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    galley_static *files = galley_static_new(folder, &list, &err);
    galley_server *srv = files && dir >= 0 ? galley_server_new(&options, &err) : NULL;
    int result = err.code;
    if (srv) {
        add_routes(srv, &dir, files);
        galley_server_listen(srv, argc > 2 ? argv[2] : "127.0.0.1:7878");
        printf("Listening on http://%s/files/\n", galley_server_address(srv, 0).ptr);
        fflush(stdout);
        result = galley_server_run(srv, GALLEY_UNTIL_SIGNAL, &err);
    }
    if (result != 0) {
        fprintf(stderr, "upload: %s\n", err.message);
    }
    galley_server_free(srv);
    galley_static_free(files);
    if (dir >= 0) {
        close(dir);
    }
    return result != 0;
}
