/* tests/unit/exchange/support_world.c — see support_world.h. */
#include "support_world.h"

#include "loop/sim.h"

#include <time.h>

static void take_body(struct world *world, struct chain *chain)
{
    struct iovec iov[8];
    int count = 0;
    while ((count = chain_iov(chain, iov, 8)) > 0) {
        size_t total = 0;
        for (int i = 0; i < count; i++) {
            size_t room = sizeof world->body - 1 - world->body_len;
            size_t len = iov[i].iov_len < room ? iov[i].iov_len : room;
            memcpy(world->body + world->body_len, iov[i].iov_base, len);
            world->body_len += len;
            total += iov[i].iov_len;
        }
        chain_consume(chain, total);
    }
}

static void note_fields(struct world *world, const struct response *response)
{
    size_t used = 0;
    world->fields_text[0] = '\0';
    for (const struct response_field *field = response->fields; field; field = field->next) {
        used += (size_t)snprintf(world->fields_text + used, sizeof world->fields_text - used,
                                 "%.*s: %.*s\n", SPAN_ARGS(field->name), SPAN_ARGS(field->value));
    }
}

static void finish_if_whole(struct world *world, struct exchange *exchange)
{
    const struct response *response = &exchange->response;
    world->pieces_ended = response->pieces_ended;
    if (!world->keeps_it && (!response->is_begun || response->pieces_ended)) {
        exchange_end(exchange, &world->pool);
    }
}

static void respond(struct exchange *exchange)
{
    struct world *world = exchange->driver_ctx;
    world->responded++;
    world->status = exchange->response.status;
    world->must_close = exchange->response.must_close;
    note_fields(world, &exchange->response);
    take_body(world, &exchange->response.body);
    finish_if_whole(world, exchange);
}

static void read_body(struct exchange *exchange)
{
    struct world *world = exchange->driver_ctx;
    world->bodies_wanted++;
}

static void resume_body(struct exchange *exchange)
{
    struct world *world = exchange->driver_ctx;
    world->bodies_resumed++;
}

static void pieces(struct exchange *exchange)
{
    struct world *world = exchange->driver_ctx;
    world->pieces++;
    take_body(world, &exchange->response.body);
    finish_if_whole(world, exchange);
}

static void abort_it(struct exchange *exchange, int code)
{
    struct world *world = exchange->driver_ctx;
    world->aborted++;
    world->abort_code = code;
    exchange_client_gone(exchange);
}

static void give_up(struct exchange *exchange, int status)
{
    struct world *world = exchange->driver_ctx;
    world->given_up++;
    world->given_up_status = status;
}

static int interim(struct exchange *exchange, int status, const struct response_field *fields)
{
    struct world *world = exchange->driver_ctx;
    EXPECT_INT(world->responded, 0);
    if (world->interim.code != GALLEY_OK) {
        return world->interim.code;
    }
    size_t used = strlen(world->interim.text);
    for (const struct response_field *field = fields; field; field = field->next) {
        used += (size_t)snprintf(world->interim.text + used, sizeof world->interim.text - used,
                                 "%.*s: %.*s\n", SPAN_ARGS(field->name), SPAN_ARGS(field->value));
    }
    snprintf(world->interim.text + used, sizeof world->interim.text - used, "\n");
    world->interim.count++;
    world->interim.status = status;
    return GALLEY_OK;
}

static const struct exchange_driver driver = {.respond = respond,
                                              .read_body = read_body,
                                              .resume_body = resume_body,
                                              .pieces = pieces,
                                              .abort = abort_it,
                                              .give_up = give_up,
                                              .interim = interim};

static void dispatch(void *ctx, struct exchange *exchange)
{
    struct world *world = ctx;
    exchange->route = &world->route;
    exchange_want_body(exchange);
}

static void ended(void *ctx, const struct exchange *exchange)
{
    struct world *world = ctx;
    world->ended++;
    world->exchange = NULL;
    world->ended_status = exchange->has_responded ? exchange->response.status : 0;
}

static void emptied(struct exchange_pool *pool, void *ctx)
{
    struct world *world = ctx;
    (void)pool;
    world->emptied++;
}

void world_init(struct world *world)
{
    struct loop_options options = {.backend = LOOP_BACKEND_SIM};
    memset(world, 0, sizeof *world);
    world->loop = loop_create(&options, NULL);
    EXPECT(world->loop);
    chain_pool_init(&world->chains);
    world->services = (struct exchange_services){
        .dispatch = dispatch,
        .ended = ended,
        .ctx = world,
        .loop = world->loop,
        .chains = &world->chains,
        .counters = &world->counters,
        .max_memory_bytes = 64 * 1024,
    };
    world->route =
        (struct route_target){.on_loop = true, .max_body_bytes = 100, .label = "the route"};
    world->peer = (struct peer_address){.family = AF_INET, .bytes = {127, 0, 0, 1}};
    exchange_pool_init(&world->pool, &world->services);
    world->pool.emptied = emptied;
    world->pool.emptied_ctx = world;
}

void world_finish(struct world *world)
{
    while (loop_turn(world->loop, 0)) {
    }
    exchange_pool_finish(&world->pool);
    chain_pool_finish(&world->chains);
    loop_destroy(world->loop);
}

static struct span part(const char *head, const char *text)
{
    const char *at = strstr(head, text);
    return span_make(at, strlen(text));
}

struct exchange *world_request(struct world *world, const char *method, const char *target)
{
    struct exchange *exchange = exchange_create(&world->pool, &driver, world);
    world->exchange = exchange;
    if (!exchange) {
        return NULL;
    }
    int len =
        snprintf(world->head, sizeof world->head,
                 "%s %s HTTP/1.1\r\nHost: example\r\nX-A: one\r\nX-A: two\r\n\r\n", method, target);
    struct request *request = &exchange->request;
    request->head = span_make(world->head, (size_t)len);
    request->method_name = span_make(world->head, strlen(method));
    request->method = method_of(request->method_name);
    request->raw_target = part(world->head, target);
    fields_init(&world->fields, world->entries, 16);
    EXPECT_INT(fields_add(&world->fields, part(world->head, "Host"), part(world->head, "example")),
               0);
    EXPECT_INT(fields_add(&world->fields, part(world->head, "X-A"), part(world->head, "one")), 0);
    EXPECT_INT(fields_add(&world->fields, part(world->head, "X-A"), part(world->head, "two")), 0);
    request->fields = &world->fields;
    request->version = 11;
    request->peer = &world->peer;
    int rc = target_parse(request->raw_target, request->method, &exchange->arena, &request->target);
    if (rc != GALLEY_OK) {
        EXPECT_INT(rc, GALLEY_ENOMEM);
        exchange_reject(exchange, 503);
        return NULL;
    }
    return exchange;
}

void world_go(struct world *world)
{
    exchange_dispatch(world->exchange);
}

void world_advance(struct world *world, int64_t ms)
{
    sim_advance(world->loop, ms);
}

void world_turn_until(struct world *world, const unsigned *done)
{
    while (*done == 0) {
        loop_turn(world->loop, 0);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}
