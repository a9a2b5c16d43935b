/* tests/public/test_tls_threads.c — handshakes with RSA, whose slow steps other threads make: many at
 * once, clients that go in the middle of theirs, certificates that change and servers that stop
 * meanwhile. What is looked for is a race, an end that does not come, and memory that stays. */
#include "support_server.h"
#include "tls_client.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { CLIENTS = 64, ROUNDS = 2 };

struct world {
    char folder[CERT_PATH_MAX];
    struct cert leaf;
    galley_tls *tls;
    galley_server *srv;
    int port;
    atomic_uint answered, begun;
    atomic_bool may_fail; /* the server is stopping */
    pthread_t clients[CLIENTS];
};

static int hello(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_text(rs, 200, "hello");
}

static void world_open(struct world *world)
{
    *world = (struct world){0};
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's writes */
    cert_folder_make(world->folder);
    world->leaf = cert_make(&(struct cert_wish){.key = "RSA:2048", .names = "DNS:localhost"});
    const galley_tls_pair pairs[] = {
        {cert_path(world->folder, "leaf.crt"), cert_path(world->folder, "leaf.key"), NULL}, {0}};
    cert_write(pairs[0].cert_file, &world->leaf, NULL);
    cert_write_key(pairs[0].key_file, &world->leaf, NULL);
    /* Two workers for the handlers of so many would refuse some with 503 on a busy machine. */
    galley_route_options route = GALLEY_ROUTE_OPTIONS_INIT;
    galley_tls_options opt = GALLEY_TLS_OPTIONS_INIT;
    route.run = GALLEY_ON_LOOP;
    opt.pairs = pairs;
    galley_server_options server = options();
    server.loops = 2;
    world->tls = galley_tls_new(&opt, NULL);
    world->srv = galley_server_new(&server, NULL);
    EXPECT(world->tls && world->srv);
    EXPECT_INT(galley_server_listen_tls(world->srv, "127.0.0.1:0", world->tls), 0);
    EXPECT_INT(galley_server_route(world->srv, "/", hello, NULL, &route), 0);
    EXPECT_INT(galley_server_start(world->srv, NULL), 0);
    world->port = galley_server_port(world->srv, 0);
}

static void world_close(struct world *world)
{
    galley_server_free(world->srv);
    galley_tls_free(world->tls);
    cert_free(&world->leaf);
    cert_folder_remove(world->folder);
}

/* ---- clients --------------------------------------------------------------------------------- */

/* False: the server has gone. */
static bool begin(struct world *world, struct tls_client *client, int version)
{
    const struct tls_wish wish = {.name = "localhost", .version = version};
    *client = (struct tls_client){.fd = client_try_connect(world->port)};
    if (client->fd < 0) {
        EXPECT(atomic_load(&world->may_fail));
        return false;
    }
    tls_client_prepare(client, &wish);
    return true;
}

static void ask(struct world *world, int version)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
    static const char good[] = "HTTP/1.1 200 ";
    char answer[4096];
    struct tls_client client;
    if (!begin(world, &client, version)) {
        return;
    }
    SSL_set_fd(client.ssl, client.fd);
    bool is_asked = SSL_connect(client.ssl) == 1 &&
                    SSL_write(client.ssl, request, sizeof request - 1) == sizeof request - 1;
    /* The first record has all of the head. A server that stops may answer 503, or not at all. */
    int got = is_asked ? SSL_read(client.ssl, answer, sizeof answer) : 0;
    if (got >= (int)sizeof good - 1 && memcmp(answer, good, sizeof good - 1) == 0) {
        atomic_fetch_add(&world->answered, 1);
    } else if (!atomic_load(&world->may_fail)) {
        test_fail(__FILE__, __LINE__, "TLS %d: asked %d, got %d, errno %d, '%.*s'", version,
                  is_asked, got, errno, got > 0 ? got : 0, answer);
    }
    tls_client_close(&client);
}

/* Says hello and goes, at once or with a reset. */
static void leave(struct world *world, bool is_reset)
{
    struct tls_client client;
    const struct linger linger = {.l_onoff = is_reset, .l_linger = 0};
    if (!begin(world, &client, 0)) {
        return;
    }
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(client.ssl, BIO_new(BIO_s_mem()), out);
    EXPECT(SSL_connect(client.ssl) < 0);
    char *bytes = NULL;
    long len = BIO_get_mem_data(out, &bytes);
    ssize_t sent = send(client.fd, bytes, (size_t)len, MSG_NOSIGNAL);
    EXPECT(sent == len || atomic_load(&world->may_fail));
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    tls_client_close(&client);
}

static void *visit(void *arg)
{
    struct world *world = arg;
    unsigned number = atomic_fetch_add(&world->begun, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (number % 4 == 3) {
            leave(world, (number / 4 + i) % 2 == 0);
        } else {
            ask(world, number % 4 == 2 ? TLS1_2_VERSION : 0);
        }
    }
    return NULL;
}

static void send_clients(struct world *world)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        EXPECT_INT(pthread_create(&world->clients[i], NULL, visit, world), 0);
    }
}

static void await_clients(struct world *world)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        EXPECT_INT(pthread_join(world->clients[i], NULL), 0);
    }
}

/* ---- tests ----------------------------------------------------------------------------------- */

TEST(test_many_handshakes_at_once_and_clients_that_go)
{
    struct world world;
    world_open(&world);
    send_clients(&world);
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_INT(galley_tls_reload(world.tls, NULL), 0);
    }
    await_clients(&world);
    EXPECT_INT(atomic_load(&world.answered), CLIENTS / 4 * 3 * ROUNDS);
    world_close(&world);
}

static void stop_in_the_middle(int how)
{
    struct world world;
    world_open(&world);
    send_clients(&world);
    while (atomic_load(&world.answered) < CLIENTS / 8) {
        client_sleep_ms(1);
    }
    atomic_store(&world.may_fail, true);
    galley_server_stop(world.srv, how);
    int rc = galley_server_join(world.srv, GALLEY_FOREVER, NULL);
    EXPECT(rc == 0 || rc == GALLEY_ECANCELED);
    await_clients(&world);
    world_close(&world);
}

TEST(test_a_drain_in_the_middle_of_handshakes)
{
    stop_in_the_middle(GALLEY_STOP_DRAIN);
}

TEST(test_a_stop_in_the_middle_of_handshakes)
{
    stop_in_the_middle(GALLEY_STOP_NOW);
}
