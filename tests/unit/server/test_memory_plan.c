/* What memory a server may take, beside made-up control groups: what is refused, what is warned of,
 * how many connections it chooses. */
#include "fake_cgroup.h"
#include "test.h"

#include "base/alloc.h"
#include "server/server_state.h"

struct lines {
    char warnings[512];
    char infos[1024];
};

/* A control group and what the server said in it. */
struct world {
    struct fake group;
    struct lines lines;
};

static void set_limit(struct world *world, uint64_t bytes)
{
    char text[32];
    snprintf(text, sizeof text, "%llu\n", (unsigned long long)bytes);
    put(&world->group, "memory.max", bytes ? text : "max\n");
}

static void world_init(struct world *world)
{
    memset(world, 0, sizeof *world);
    fake_init(&world->group, "0::/\n");
    set_limit(world, 0);
}

static void world_finish(struct world *world)
{
    fake_finish(&world->group);
}

static void keep_line(void *ctx, int level, const char *line)
{
    struct lines *lines = ctx;
    char *out = level == GALLEY_LOG_WARNING ? lines->warnings : lines->infos;
    size_t room = level == GALLEY_LOG_WARNING ? sizeof lines->warnings : sizeof lines->infos;
    size_t len = strlen(out);
    snprintf(out + len, room - len, "%s\n", line);
}

static int handler(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, "ok\n");
}

static galley_server_options small(void)
{
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.max_connections = 1000;
    opt.max_memory_bytes = 64 * 1024;
    opt.max_body_bytes = 64 * 1024;
    return opt;
}

static galley_server *make(struct world *world, galley_server_options *opt)
{
    static galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    pool.threads = 2;
    opt->pool_options = &pool;
    opt->log = keep_line;
    opt->log_ctx = &world->lines;
    galley_server *srv = galley_server_new(opt, NULL);
    EXPECT(srv != NULL);
    srv->config.cgroup = &world->group.paths;
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    EXPECT_INT(galley_server_route(srv, "/", handler, NULL, NULL), 0);
    return srv;
}

static galley_memory_plan plan_of(const galley_server *srv)
{
    galley_memory_plan plan = {.size = sizeof plan};
    EXPECT_INT(galley_server_get_memory_plan(srv, &plan), 0);
    return plan;
}

/* Start and stop; what the start said. */
static int start(galley_server *srv, galley_error *err)
{
    int rc = galley_server_start(srv, err);
    if (rc == 0) {
        galley_server_stop(srv, GALLEY_STOP_DRAIN);
        EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
    }
    galley_server_free(srv);
    return rc;
}

TEST(test_the_plan_adds_up)
{
    struct world world;
    world_init(&world);
    galley_server_options opt = small();
    opt.loops = 3;
    galley_server *srv = make(&world, &opt);
    galley_memory_plan plan = plan_of(srv);
    EXPECT_INT(plan.limit_bytes, 0);
    EXPECT_INT(plan.connections, 1000);
    EXPECT_INT(plan.loops, 3);
    EXPECT_INT(plan.threads, 3 + 2 + 2 + 1); /* loops, workers, file threads, the watch */
    uint64_t busy = plan.input_bytes + plan.memory_bytes + plan.body_bytes + plan.output_bytes;
    EXPECT_INT(plan.streams, 100);
    uint64_t all = busy + 99 * (plan.memory_bytes + plan.body_bytes);
    EXPECT_INT(plan.fixed_bytes, 3 * plan.loop_bytes + plan.cache_bytes + plan.log_bytes +
                                     plan.pool_bytes + plan.stack_bytes);
    EXPECT_INT(plan.least_bytes, plan.fixed_bytes + 1000 * plan.idle_bytes + 5 * busy);
    EXPECT_INT(plan.most_bytes, plan.fixed_bytes + 1000 * (plan.idle_bytes + all));
    EXPECT_INT(plan.log_bytes, 0);
    EXPECT(plan.body_bytes >= 64 * 1024 && plan.body_bytes < 65 * 1024);
    EXPECT(plan.memory_bytes >= 64 * 1024 && plan.memory_bytes < 96 * 1024);
    EXPECT(plan.stack_bytes > 0 && plan.stack_reserved_bytes > plan.stack_bytes);
    galley_server_free(srv);
    world_finish(&world);
}

TEST(test_the_requests_of_a_connection_are_as_many_as_http2_allows)
{
    struct world world;
    world_init(&world);
    galley_server_options opt = small();
    opt.max_streams = 7;
    galley_server *srv = make(&world, &opt);
    galley_memory_plan plan = plan_of(srv);
    EXPECT_INT(plan.streams, 7);
    uint64_t each = plan.memory_bytes + plan.body_bytes;
    EXPECT_INT(plan.most_bytes, plan.fixed_bytes + 1000 * (plan.idle_bytes + plan.input_bytes +
                                                           plan.output_bytes + 7 * each));
    galley_server_free(srv);
    opt.flags = GALLEY_SERVER_NO_HTTP2;
    srv = make(&world, &opt);
    EXPECT_INT(plan_of(srv).streams, 1);
    EXPECT(plan_of(srv).input_bytes < plan.input_bytes);
    galley_server_free(srv);
    world_finish(&world);
}

/* Measured, an idle connection takes 12 KiB, nearly all of it OpenSSL's. */
TEST(test_tls_counts_with_what_openssl_takes)
{
    struct world world;
    world_init(&world);
    galley_server_options opt = small();
    opt.flags = GALLEY_SERVER_NO_HTTP2;
    galley_tls_options tls_opt = GALLEY_TLS_OPTIONS_INIT;
    tls_opt.flags = GALLEY_TLS_SELF_SIGNED | GALLEY_TLS_NO_HTTP2;
    galley_tls *tls = galley_tls_new(&tls_opt, NULL);
    galley_server *srv = make(&world, &opt);
    galley_memory_plan plain = plan_of(srv);
    EXPECT_INT(galley_server_listen_tls(srv, "127.0.0.1:0", tls), 0);
    galley_memory_plan plan = plan_of(srv);
    EXPECT(plan.idle_bytes > plain.idle_bytes + 12 * 1024);
    EXPECT(plan.idle_bytes < plain.idle_bytes + 20 * 1024);
    EXPECT(plan.output_bytes > plain.output_bytes + 64 * 1024);
    EXPECT_INT(plan.streams, 1);
    EXPECT_INT(plan.threads, plain.threads + plain.loops); /* handshakes */
    EXPECT(plan.pool_bytes > plain.pool_bytes && plan.stack_bytes > plain.stack_bytes);
    galley_server_free(srv);
    galley_tls_free(tls);
    world_finish(&world);
}

TEST(test_an_idle_connection_is_planned_with_no_more_than_400_bytes)
{
    struct world world;
    world_init(&world);
    galley_server_options opt = small();
    galley_server *srv = make(&world, &opt);
    EXPECT(plan_of(srv).idle_bytes <= 400);
    galley_server_free(srv);
    world_finish(&world);
}

TEST(test_routes_logs_and_sites_count)
{
    struct world world;
    world_init(&world);
    galley_server_options opt = small();
    galley_server *srv = make(&world, &opt);
    galley_memory_plan before = plan_of(srv);

    galley_route_options route = GALLEY_ROUTE_OPTIONS_INIT;
    route.max_body_bytes = 5 << 20;
    EXPECT_INT(galley_server_route(srv, "/big", handler, NULL, &route), 0);
    EXPECT(plan_of(srv).body_bytes >= 5 << 20);
    route.body = GALLEY_BODY_STREAM; /* bounded whatever comes */
    route.max_body_bytes = UINT64_MAX;
    EXPECT_INT(galley_server_route(srv, "/stream", handler, NULL, &route), 0);
    EXPECT(plan_of(srv).body_bytes < 6 << 20);

    galley_access_log_options log = GALLEY_ACCESS_LOG_OPTIONS_INIT;
    log.ring_records = 1024;
    log.path = "/dev/null";
    EXPECT_INT(galley_server_access_log(srv, &log), 0);
    EXPECT(plan_of(srv).log_bytes >= 1024 * 512 && plan_of(srv).log_bytes < 2 * 1024 * 512);

    galley_static_options files = GALLEY_STATIC_OPTIONS_INIT;
    files.cache_bytes = 7 << 20;
    galley_static *site = galley_static_new("/", &files, NULL);
    EXPECT(site != NULL);
    EXPECT_INT(galley_server_route(srv, "/a/{path...}", galley_static_serve, site, NULL), 0);
    EXPECT_INT(galley_server_route(srv, "/b/{path...}", galley_static_serve, site, NULL), 0);
    uint64_t more = plan_of(srv).cache_bytes - before.cache_bytes;
    EXPECT(more >= 7 << 20 && more < 8 << 20); /* once */
    galley_server_free(srv);
    galley_static_free(site);
    world_finish(&world);
}

TEST(test_what_fits_easily_starts_without_a_word)
{
    struct world world;
    world_init(&world);
    galley_server_options opt = small();
    galley_server *srv = make(&world, &opt);
    set_limit(&world, 2 * plan_of(srv).least_bytes + 4096);
    EXPECT_INT(start(srv, NULL), 0);
    EXPECT_TEXT(world.lines.warnings, "");
    world_finish(&world);
}

TEST(test_more_than_half_of_the_group_is_warned_of)
{
    struct world world;
    world_init(&world);
    galley_server_options opt = small();
    galley_server *srv = make(&world, &opt);
    set_limit(&world, plan_of(srv).least_bytes);
    EXPECT_INT(start(srv, NULL), 0);
    EXPECT(strstr(world.lines.warnings, "memory: these options need") != NULL);
    world_finish(&world);
}

/* What the start says to options that cannot fit 128 MiB. */
static void expect_refused(const galley_server_options *opt, const char *what)
{
    struct world world;
    galley_error err = {0};
    galley_server_options own = *opt;
    world_init(&world);
    set_limit(&world, 128 << 20);
    galley_server *srv = make(&world, &own);
    EXPECT_INT(start(srv, &err), GALLEY_ENOMEM);
    EXPECT(strstr(err.message, "the control group allows 128 MiB: lower ") != NULL);
    EXPECT_TEXT(strstr(err.message, "lower ") + 6, what);
    world_finish(&world);
}

TEST(test_what_cannot_fit_is_refused_with_what_to_lower)
{
    galley_server_options opt = small();
    opt.max_connections = 1000000;
    expect_refused(&opt, "max_connections");
    opt = small();
    opt.max_body_bytes = 100 << 20;
    expect_refused(&opt, "max_body_bytes");
    opt.max_body_bytes = UINT64_MAX;
    expect_refused(&opt, "max_body_bytes");
    opt = small();
    opt.max_memory_bytes = 100 << 20;
    expect_refused(&opt, "max_memory_bytes");
    opt = small();
    opt.max_head_bytes = 16 << 20;
    expect_refused(&opt, "max_head_bytes");
    opt = small();
    opt.loops = 256;
    expect_refused(&opt, "loops or threads");
}

TEST(test_connections_that_nobody_gave_are_as_many_as_fit)
{
    struct world world;
    world_init(&world);
    galley_server_options opt = small();
    opt.max_connections = 0;
    galley_server *srv = make(&world, &opt);
    srv->config.max_connections = 10000000; /* as by the limit of descriptors */
    uint64_t rest = plan_of(srv).least_bytes - 10000000 * plan_of(srv).idle_bytes;
    set_limit(&world, rest + (10 << 20));
    galley_memory_plan plan = plan_of(srv);
    EXPECT_INT(plan.connections, (5 << 20) / plan.idle_bytes);
    EXPECT(plan.least_bytes <= plan.limit_bytes);
    EXPECT_INT(start(srv, NULL), 0);
    EXPECT(strstr(world.lines.infos, "memory: at most ") != NULL);
    world_finish(&world);
}

TEST(test_bad_calls_are_told_and_an_older_struct_is_filled_as_far_as_it_goes)
{
    struct world world;
    world_init(&world);
    galley_server_options opt = small();
    galley_server *srv = make(&world, &opt);
    galley_memory_plan plan = {.size = sizeof plan.size - 1};
    EXPECT_INT(galley_server_get_memory_plan(srv, &plan), GALLEY_EINVAL);
    EXPECT_INT(galley_server_get_memory_plan(srv, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_get_memory_plan(NULL, &plan), GALLEY_EINVAL);
    plan.size = offsetof(galley_memory_plan, loops);
    plan.loops = 77;
    EXPECT_INT(galley_server_get_memory_plan(srv, &plan), 0);
    EXPECT_INT(plan.connections, 1000);
    EXPECT_INT(plan.loops, 77);
    galley_server_free(srv);
    world_finish(&world);
}
