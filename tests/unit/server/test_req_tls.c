/* tests/unit/server/test_req_tls.c — galley_req_tls() where memory is out: a clear error, nothing
 * left behind, and the connection goes on. Real sockets, OpenSSL's client; failures are planted on the
 * server's own threads. */
#include "../../public/tls_client.h"

#include "base/alloc.h"

#include <galley/server.h>

#include <stdatomic.h>

struct world {
    galley_tls *tls;
    galley_server *srv;
    _Atomic uint64_t nth; /* allocation of the next handler that fails */
    atomic_bool has_failed;
};

static int ask(galley_request *rq, galley_response *rs, void *arg)
{
    struct world *world = arg;
    galley_tls_report report = {.size = sizeof report};
    mem_fail_nth_here(atomic_load(&world->nth));
    int rc = galley_req_tls(rq, &report);
    bool has_failed = mem_fail_happened();
    mem_fail_nth(0);
    atomic_store(&world->has_failed, has_failed);
    EXPECT(has_failed ? rc == GALLEY_ENOMEM : rc == 0);
    EXPECT_INT(galley_req_tls(rq, &report), 0); /* what was refused can be asked again */
    return galley_res_text(rs, 200, report.protocol.ptr);
}

static int ask_simply(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_tls_report report = {.size = sizeof report};
    EXPECT_INT(galley_req_tls(rq, &report), 0); /* it is there, or no handler is called */
    return galley_res_text(rs, 200, report.protocol.ptr);
}

static void world_open(struct world *world, int run)
{
    galley_tls_options opt = GALLEY_TLS_OPTIONS_INIT;
    galley_route_options route = GALLEY_ROUTE_OPTIONS_INIT;
    route.run = run;
    opt.flags = GALLEY_TLS_SELF_SIGNED;
    atomic_init(&world->nth, 0);
    atomic_init(&world->has_failed, false);
    world->tls = galley_tls_new(&opt, NULL);
    world->srv = galley_server_new(NULL, NULL);
    EXPECT(world->tls && world->srv);
    EXPECT_INT(galley_server_listen_tls(world->srv, "127.0.0.1:0", world->tls), 0);
    EXPECT_INT(galley_server_route(world->srv, "/", run == GALLEY_ON_LOOP ? ask : ask_simply, world,
                                   &route),
               0);
    EXPECT_INT(galley_server_start(world->srv, NULL), 0);
}

static void world_close(struct world *world)
{
    galley_server_free(world->srv);
    galley_tls_free(world->tls);
}

static void client_open(const struct world *world, struct tls_client *client)
{
    EXPECT(tls_client_open(client, galley_server_port(world->srv, 0),
                           &(struct tls_wish){.name = "localhost"}));
}

/* shows: GALLEY_ENOMEM of galley_req_tls() */
TEST(test_without_memory_a_handler_is_told_and_may_ask_again)
{
    char body[64];
    struct world world;
    struct tls_client client;
    bool has_failed = true;
    world_open(&world, GALLEY_ON_LOOP);
    for (uint64_t n = 1; has_failed; n++) {
        atomic_store(&world.nth, n);
        client_open(&world, &client);
        EXPECT_INT(tls_client_get(&client, "/", body, sizeof body), 200);
        EXPECT_TEXT(body, "TLSv1.3");
        tls_client_close(&client);
        has_failed = atomic_load(&world.has_failed);
        EXPECT(has_failed || n > 1);
    }
    world_close(&world);
}

/* On the way to a worker, wherever it is: there is an answer, or the connection ends. */
TEST(test_a_request_that_cannot_take_it_along_does_not_reach_its_handler)
{
    char body[8192];
    struct world world;
    struct tls_client client;
    bool has_failed = true;
    world_open(&world, GALLEY_ON_POOL);
    for (uint64_t n = 1; has_failed; n++) {
        client_open(&world, &client);
        mem_fail_nth(n);
        int status = tls_client_get(&client, "/", body, sizeof body);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(status == 200 || (has_failed && (status == 0 || status >= 500)));
        tls_client_close(&client);
    }
    world_close(&world);
}
