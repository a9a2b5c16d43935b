/* server/server_memory.c — what memory a server may take: sums of what the rooms below say of
 * themselves, compared with what the control group allows. The set-up thread before the start;
 * afterwards what is read does not change any more. */
#include "base/alloc.h"
#include "base/error.h"
#include "files/file_site.h"
#include "loop/loop_memory.h"
#include "loop/warm_file.h"
#include "tls/tls_peer.h"

#include "server/server_state.h"

#include <pthread.h>
#include <unistd.h>

/* ---- sums that stay at the top --------------------------------------------------------------- */

static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* ---- the parts ------------------------------------------------------------------------------- */

/* Of a connection that has so many requests. */
static uint64_t busy_bytes(const galley_memory_plan *plan, unsigned requests)
{
    uint64_t each = plus(plan->memory_bytes, plan->body_bytes);
    return plus(plus(plan->input_bytes, plan->output_bytes), times(requests, each));
}

static void add_body(galley_memory_plan *plan, const struct route_target *target,
                     const struct server_config *config)
{
    uint64_t bytes = exchange_body_most_bytes(target, config->conn_limits.max_pending_in);
    plan->body_bytes = bytes > plan->body_bytes ? bytes : plan->body_bytes;
}

static void add_site(galley_memory_plan *plan, const galley_static *site)
{
    plan->cache_bytes = plus(plan->cache_bytes, file_site_bytes(site));
    plan->loop_bytes += file_site_loop_bytes();
}

/* Is it the first route of its site? */
static bool is_new_site(struct router *router, const struct route_target *target)
{
    size_t it = 0;
    const struct route_target *other;
    while ((other = router_next(router, &it)) != NULL && other != target) {
        if (other->handler == galley_static_serve && other->arg == target->arg) {
            return false;
        }
    }
    return true;
}

static void add_routes(const struct galley_server *srv, galley_memory_plan *plan)
{
    struct router *router = srv->routes->router;
    size_t it = 0;
    for (struct route_target *target; (target = router_next(router, &it)) != NULL;) {
        add_body(plan, target, &srv->config);
        if (target->handler == galley_static_serve && target->arg && is_new_site(router, target)) {
            add_site(plan, target->arg);
        }
    }
    add_site(plan, NULL);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool speaks_h2(const struct galley_server *srv)
{
    for (unsigned i = 0; i < srv->addresses.count && !srv->test; i++) {
        const galley_tls *tls = srv->addresses.list[i].tls;
        if (tls ? tls->options.offers_h2 : !srv->config.no_plain_h2) {
            return true;
        }
    }
    return false;
}

/* What the streams of a connection share is more than what a request of HTTP/1.1 has. */
static void add_h2(const struct galley_server *srv, galley_memory_plan *plan)
{
    const struct h2_options options = {.limits = &srv->config.limits,
                                       .max_streams = srv->config.max_streams};
    struct h2_memory h2;
    h2_driver_memory(&options, &h2);
    plan->loop_bytes += h2.driver_bytes;
    plan->streams = 1;
    if (!speaks_h2(srv)) {
        return;
    }
    uint64_t input = plus(h2.idle_bytes, plus(h2.input_bytes, exchange_object_bytes()));
    plan->input_bytes = larger(plan->input_bytes, input);
    plan->output_bytes = larger(plan->output_bytes, plus(h2.output_bytes, conn_send_bytes()));
    plan->streams = h2_driver_max_streams(&options);
}

static bool asks_clients(const struct galley_server *srv)
{
    for (unsigned i = 0; i < srv->addresses.count; i++) {
        const galley_tls *tls = srv->addresses.list[i].tls;
        if (tls && tls->options.rule_count > 0) {
            return true;
        }
    }
    return false;
}

static void add_tls(const struct galley_server *srv, galley_memory_plan *plan)
{
    plan->idle_bytes += tls_transport_idle_bytes() + tls_openssl_idle_bytes() +
                        tls_peer_most_bytes(asks_clients(srv));
    plan->output_bytes += tls_transport_output_bytes() + tls_openssl_work_bytes();
    plan->loop_bytes += tls_shared_bytes();
}

static struct h1_memory h1_memory_of(const struct server_config *config)
{
    const struct h1_options options = {.limits = &config->limits};
    struct h1_memory h1;
    h1_driver_memory(&options, config->conn_limits.max_pending_in, &h1);
    return h1;
}

static void add_connections(const struct server_config *config, galley_memory_plan *plan)
{
    struct h1_memory h1 = h1_memory_of(config);
    plan->idle_bytes = conn_idle_bytes();
    plan->input_bytes = plus(h1.input_bytes, exchange_object_bytes());
    plan->memory_bytes = arena_most_bytes(config->max_memory_bytes);
    plan->output_bytes = plus(h1.output_bytes, conn_send_bytes());
    const struct loop_options loop = {.backend = server_backend(config)};
    plan->loop_bytes = sizeof(struct server_loop) + loop_bytes(&loop) + warm_files_bytes() +
                       h1.driver_bytes + conn_set_kept_bytes() + exchange_pool_kept_bytes();
}

static unsigned add_pool(const galley_pool_options *options, galley_memory_plan *plan)
{
    galley_pool_plan pool = {.size = sizeof pool};
    if (galley_pool_get_plan(options, &pool) != GALLEY_OK) {
        return 0; /* making it will say why */
    }
    plan->pool_bytes = plus(plan->pool_bytes, pool.memory_bytes);
    plan->threads += pool.threads;
    plan->stack_reserved_bytes += pool.stack_bytes;
    return pool.threads;
}

/* Of the pools that the server makes itself; returns how many workers work for connections: they
 * answer requests, or shake hands. */
static unsigned add_pools(const struct galley_server *srv, galley_memory_plan *plan)
{
    const struct server_config *config = &srv->config;
    galley_pool_options files = GALLEY_POOL_OPTIONS_INIT;
    files.threads = config->file_threads;
    (void)add_pool(&files, plan);
    if (server_has_idle_thread(srv)) {
        server_idle_options(&files);
        (void)add_pool(&files, plan);
    }
    const galley_pool_options tls = server_tls_pool_options(config);
    unsigned shaking = server_has_tls(srv) ? add_pool(&tls, plan) : 0;
    const galley_pool_options *own = config->has_pool_options ? &config->pool_options : NULL;
    return shaking + (config->pool ? 0 : add_pool(own, plan));
}

/* Threads with the usual stack: the loops, the writer of the log, the watch. */
static void add_threads(const struct galley_server *srv, galley_memory_plan *plan)
{
    unsigned count =
        plan->loops + (atomic_load(&srv->access_log) != NULL) + (srv->config.stall_warn_ms != 0);
    size_t stack = 0;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_getstacksize(&attributes, &stack);
        pthread_attr_destroy(&attributes);
    }
    long least = sysconf(_SC_THREAD_STACK_MIN);
    plan->threads += count;
    plan->stack_reserved_bytes += (uint64_t)count * stack;
    plan->stack_bytes = plan->threads * (uint64_t)(least > 0 ? least : 0);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void add_up(galley_memory_plan *plan, unsigned at_work)
{
    uint64_t idle = times(plan->connections, plan->idle_bytes);
    plan->fixed_bytes =
        plus(times(plan->loops, plan->loop_bytes), plus(plus(plan->cache_bytes, plan->log_bytes),
                                                        plus(plan->pool_bytes, plan->stack_bytes)));
    plan->least_bytes = plus(plus(plan->fixed_bytes, idle), times(at_work, busy_bytes(plan, 1)));
    plan->most_bytes = plus(plus(plan->fixed_bytes, idle),
                            times(plan->connections, busy_bytes(plan, plan->streams)));
}

/* As many as half of what the rest leaves can hold, one for each loop at least. */
static unsigned fitting_connections(const galley_memory_plan *plan)
{
    uint64_t idle = times(plan->connections, plan->idle_bytes);
    uint64_t rest = plan->least_bytes - idle;
    uint64_t room = plan->limit_bytes > rest ? (plan->limit_bytes - rest) / 2 : 0;
    uint64_t count = room / plan->idle_bytes;
    count = count > plan->loops ? count : plan->loops;
    return count < plan->connections ? (unsigned)count : plan->connections;
}

static void make_plan(const struct galley_server *srv, galley_memory_plan *plan)
{
    const struct server_config *config = &srv->config;
    const struct access_log *log = atomic_load(&srv->access_log);
    plan->limit_bytes = cgroup_memory_limit(srv->config.cgroup);
    plan->connections = config->max_connections;
    plan->loops = config->loops;
    add_connections(config, plan);
    add_h2(srv, plan);
    if (server_has_tls(srv)) {
        add_tls(srv, plan);
    }
    add_routes(srv, plan);
    plan->log_bytes = log ? access_log_bytes(log, plan->loops) : 0;
    unsigned at_work = plan->loops + add_pools(srv, plan);
    add_threads(srv, plan);
    add_up(plan, at_work);
    if (config->chose_connections && plan->limit_bytes > 0) {
        plan->connections = fitting_connections(plan);
        add_up(plan, at_work);
    }
}

int galley_server_get_memory_plan(const galley_server *srv, galley_memory_plan *plan)
{
    if (!srv || !plan || plan->size < sizeof plan->size) {
        return GALLEY_EINVAL;
    }
    if (server_is_forked(srv)) {
        return GALLEY_EFORKED;
    }
    galley_memory_plan own = {.size = plan->size};
    make_plan(srv, &own);
    memcpy(plan, &own, own.size < sizeof own ? own.size : sizeof own);
    return GALLEY_OK;
}

/* ---- before the start ------------------------------------------------------------------------ */

struct part {
    const char *what;
    uint64_t bytes;
};

/* What depends on max_head_bytes. */
static uint64_t head_bytes(const struct galley_server *srv)
{
    const struct h2_options options = {.limits = &srv->config.limits};
    struct h2_memory h2;
    h2_driver_memory(&options, &h2);
    uint64_t head = h1_memory_of(&srv->config).input_bytes;
    return speaks_h2(srv) ? larger(head, h2.head_bytes) : head;
}

/* Of what must fit, the part that takes most: what to lower. What HTTP/2 takes in beyond a head does
 * not depend on max_head_bytes: there are as many such windows as can be at work. */
static struct part largest_part(const struct galley_server *srv, const galley_memory_plan *plan)
{
    uint64_t head = head_bytes(srv);
    uint64_t window = plan->input_bytes > head ? plan->input_bytes - head : 0;
    uint64_t idle = times(plan->connections, plan->idle_bytes);
    uint64_t at_work = (plan->least_bytes - plan->fixed_bytes - idle) / busy_bytes(plan, 1);
    at_work = at_work ? at_work : 1; /* without a bound */
    const struct part parts[] = {
        {"max_connections", idle},
        {"cache_bytes of the sites", plan->cache_bytes},
        {"the access log's ring_records", plan->log_bytes},
        {"the pool's queue_capacity", plan->pool_bytes},
        {"loops or threads", plus(plus(times(plan->loops, plan->loop_bytes), plan->stack_bytes),
                                  times(at_work, window))},
        {"max_head_bytes", times(at_work, head)},
        {"max_memory_bytes", times(at_work, plan->memory_bytes)},
        {"max_body_bytes", times(at_work, plan->body_bytes)},
    };
    struct part largest = parts[0];
    for (size_t i = 1; i < sizeof parts / sizeof *parts; i++) {
        largest = parts[i].bytes > largest.bytes ? parts[i] : largest;
    }
    return largest;
}

static unsigned long long mib(uint64_t bytes)
{
    return (unsigned long long)(bytes / (1024 * 1024) + (bytes % (1024 * 1024) != 0));
}

int server_memory_settle(struct galley_server *srv, galley_error *err)
{
    galley_memory_plan plan = {.size = sizeof plan};
    make_plan(srv, &plan);
    struct part largest = largest_part(srv, &plan);
    if (plan.limit_bytes > 0 && plan.least_bytes > plan.limit_bytes) {
        return error_set(err, GALLEY_ENOMEM,
                         "memory: these options need %llu MiB at least, and the control group "
                         "allows %llu MiB: lower %s",
                         mib(plan.least_bytes), mib(plan.limit_bytes), largest.what);
    }
    if (plan.limit_bytes > 0 && plan.least_bytes > plan.limit_bytes / 2) {
        log_write(&srv->log, LOG_WARNING,
                  "memory: these options need %llu MiB of the %llu MiB that the control group "
                  "allows; most of it is for %s",
                  mib(plan.least_bytes), mib(plan.limit_bytes), largest.what);
    }
    if (plan.connections < srv->config.max_connections) {
        log_write(&srv->log, LOG_INFO,
                  "memory: at most %u connections at once, by the control group's %llu MiB",
                  plan.connections, mib(plan.limit_bytes));
        srv->config.max_connections = plan.connections;
    }
    return GALLEY_OK;
}
