/* A loop that a handler holds hears late that the server stops: of the cut, and that it shall let
 * go of the handlers on workers, in the same moment. The connections that are still to be closed
 * then must not touch what was let go. */
#include "client.h"

#include <pthread.h>
#include <stdatomic.h>

enum { STREAMS = 12, STALLS = 4, DOWNLOADS = 8, HOLDS = 64 };
enum { HOLD_MS = 300, STALL_MS = 900, PAUSE_MS = 20 };

static atomic_bool has_stalled; /* some handler holds the second loop */
static atomic_bool wants_hold;
static atomic_uint streaming;

static bool is_on(const char *loop_name)
{
    char name[16] = "";
    (void)pthread_getname_np(pthread_self(), name, sizeof name);
    return strcmp(name, loop_name) == 0;
}

/* Holds the first loop for a while, so that new connections come to the second. */
static int hold(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    if (is_on("galley-loop-0") && atomic_exchange(&wants_hold, false)) {
        client_sleep_ms(HOLD_MS);
    }
    return galley_res_text(rs, 200, "");
}

/* Holds the second loop, once. */
static int stall(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    if (is_on("galley-loop-1") && !atomic_exchange(&has_stalled, true)) {
        client_sleep_ms(STALL_MS);
    }
    return galley_res_text(rs, 200, "");
}

static void pause_a_little(void *arg)
{
    (void)arg;
    client_sleep_ms(PAUSE_MS);
}

/* More than the sockets take: it ends when its connection does, and then gives the workers time to
 * return. */
static int download(galley_request *rq, galley_response *rs, void *arg)
{
    static const char much[16 * 1024 * 1024];
    (void)arg;
    int rc = galley_on_end(rq, pause_a_little, NULL);
    return rc ? rc : galley_res_data(rs, 200, NULL, much, sizeof much, NULL, NULL);
}

/* Waits for a client that does not read. */
static int stream(galley_request *rq, galley_response *rs, void *arg)
{
    static const char piece[16 * 1024];
    (void)rq, (void)arg;
    int rc = galley_res_begin(rs, 200, "text/plain", -1);
    atomic_fetch_add(&streaming, 1);
    while (rc == GALLEY_OK) {
        rc = galley_res_write(rs, piece, sizeof piece);
    }
    return rc;
}

static galley_server *start(void)
{
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    galley_error err = {0};
    opt.loops = 2;
    opt.pool_options = &pool;
    pool.threads = STREAMS;
    on_loop.run = GALLEY_ON_LOOP;
    galley_server *srv = galley_server_new(&opt, &err);
    EXPECT(srv);
    EXPECT_INT(galley_server_route(srv, "GET /hold", hold, NULL, &on_loop), 0);
    EXPECT_INT(galley_server_route(srv, "GET /stall", stall, NULL, &on_loop), 0);
    EXPECT_INT(galley_server_route(srv, "GET /download", download, NULL, &on_loop), 0);
    EXPECT_INT(galley_server_route(srv, "GET /stream", stream, NULL, NULL), 0);
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    EXPECT_INT(galley_server_start(srv, &err), 0);
    return srv;
}

static void ask_all(int port, const char *request, int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        fds[i] = client_connect(port);
        client_send(fds[i], request);
    }
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        close(fds[i]);
    }
}

static void hold_first_loop(int port)
{
    struct reply reply;
    atomic_store(&wants_hold, true);
    for (int i = 0; i < HOLDS && atomic_load(&wants_hold); i++) {
        int fd = client_connect(port);
        client_send(fd, "GET /hold HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        client_sleep_ms(10);
        if (atomic_load(&wants_hold)) {
            client_read(fd, "GET", &reply);
        }
        close(fd);
    }
}

TEST(test_a_loop_that_hears_late_of_the_stop_lets_go_in_order)
{
    int before[DOWNLOADS], streams[STREAMS], after[DOWNLOADS], stalls[STALLS];
    galley_server *srv = start();
    int port = galley_server_port(srv, 0);
    hold_first_loop(port);
    ask_all(port, GET("/download"), before, DOWNLOADS);
    ask_all(port, GET("/stream"), streams, STREAMS);
    WAIT_UNTIL(atomic_load(&streaming) == STREAMS);
    ask_all(port, GET("/download"), after, DOWNLOADS);
    client_sleep_ms(100); /* until all of them wait for room */
    hold_first_loop(port);
    ask_all(port, GET("/stall"), stalls, STALLS);
    client_sleep_ms(HOLD_MS); /* the first loop is to hear at once, the second late */
    galley_server_stop(srv, GALLEY_STOP_NOW);
    EXPECT_INT(galley_server_join(srv, 10000, NULL), GALLEY_ECANCELED);
    galley_server_free(srv);
    close_all(before, DOWNLOADS);
    close_all(streams, STREAMS);
    close_all(after, DOWNLOADS);
    close_all(stalls, STALLS);
    if (!atomic_load(&has_stalled)) {
        test_skip("no connection came to the second loop");
    }
}
