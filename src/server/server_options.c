/* server/server_options.c — option structs taken by the size rule (base/options.h), defaults, and
 * combinations that make no sense, each with one sentence. Set-up thread, slow path. The numbers are
 * those of galley/server.h. */
#include "server/server_options.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"
#include "http/field_value.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum {
    DEFAULT_HEAD_MS = 10 * 1000,
    DEFAULT_IDLE_MS = 60 * 1000,
    DEFAULT_BODY_GRACE_MS = 5 * 1000,
    DEFAULT_SEND_GRACE_MS = 10 * 1000,
    DEFAULT_MIN_RATE = 1024,
    DEFAULT_LINGER_MS = 2 * 1000,
    DEFAULT_LINGER_BYTES = 256 * 1024,
    DEFAULT_QUEUE_MS = 5 * 1000,
    DEFAULT_QUEUE_TARGET_MS = 20,
    DEFAULT_WAITING = 64,
    DEFAULT_DRAIN_MS = 30 * 1000,
    DEFAULT_STALL_MS = 50,
    DEFAULT_FILE_THREADS = 2,
    DEFAULT_MEMORY_BYTES = 1024 * 1024,
    MAX_PENDING_IN = 64 * 1024,
    MAX_FILE_THREADS = 256,
    MAX_HEAD_BYTES = 16 * 1024 * 1024,
    MAX_FIELDS = 10000,
    MAX_STREAMS = 10000,
    FDS_WHEN_UNLIMITED = 1000000
};

static const uint32_t known_flags = GALLEY_SERVER_NO_HTTP2 | GALLEY_SERVER_HINTS_HTTP1;

static const struct options_kind server_kind = {sizeof(galley_server_options), "server options",
                                                "the _INIT macro"};
static const struct options_kind route_kind = {sizeof(galley_route_options), "route options",
                                               "the _INIT macro"};
static const struct options_kind pool_kind = {sizeof(galley_pool_options),
                                              "server options: pool_options", "the _INIT macro"};

static uint32_t or_default(uint32_t value, uint32_t usual)
{
    return value ? value : usual;
}

static unsigned usual_connections(void)
{
    struct rlimit limit;
    rlim_t fds = FDS_WHEN_UNLIMITED;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur < fds) {
        fds = limit.rlim_cur;
    }
    unsigned most = (unsigned)(fds / 5 * 4); /* the rest is for files, listeners and the program */
    return most ? most : 1;
}

static void take_limits(struct http_limits *limits, const galley_server_options *opt)
{
    *limits = (struct http_limits)HTTP_LIMITS_DEFAULT;
    limits->max_target_bytes = or_default(opt->max_target_bytes, limits->max_target_bytes);
    limits->max_head_bytes = or_default(opt->max_head_bytes, limits->max_head_bytes);
    limits->max_fields = or_default(opt->max_fields, limits->max_fields);
    limits->max_body_bytes = opt->max_body_bytes ? opt->max_body_bytes : limits->max_body_bytes;
    if (limits->max_target_bytes > limits->max_head_bytes && !opt->max_target_bytes) {
        limits->max_target_bytes = limits->max_head_bytes;
    }
}

static void take_deadlines(struct conn_limits *limits, const galley_server_options *opt)
{
    limits->head_ms = or_default(opt->head_timeout_ms, DEFAULT_HEAD_MS);
    limits->handshake_ms = limits->head_ms;
    limits->idle_ms = or_default(opt->idle_timeout_ms, DEFAULT_IDLE_MS);
    limits->body_grace_ms = or_default(opt->body_grace_ms, DEFAULT_BODY_GRACE_MS);
    limits->body_min_rate = or_default(opt->body_min_rate, DEFAULT_MIN_RATE);
    limits->send_grace_ms = or_default(opt->send_grace_ms, DEFAULT_SEND_GRACE_MS);
    limits->send_min_rate = or_default(opt->send_min_rate, DEFAULT_MIN_RATE);
    limits->linger_ms = or_default(opt->linger_ms, DEFAULT_LINGER_MS);
    limits->linger_bytes = or_default(opt->linger_bytes, DEFAULT_LINGER_BYTES);
    limits->max_pending_in = MAX_PENDING_IN;
    /* No rate is the same as being patient for ever. */
    if (opt->body_min_rate == GALLEY_NO_LIMIT) {
        limits->body_grace_ms = UINT32_MAX;
    }
    if (opt->send_min_rate == GALLEY_NO_LIMIT) {
        limits->send_grace_ms = UINT32_MAX;
    }
}

static int take_name(struct server_config *config, const char *name, galley_error *err)
{
    const char *wanted = name ? name : "galley";
    size_t len = strlen(wanted);
    if (len >= SERVER_NAME_MAX) {
        return error_set(err, GALLEY_EINVAL, "server options: server_name is over %d bytes",
                         SERVER_NAME_MAX - 1);
    }
    if (!field_value_is_valid(span_make(wanted, len))) {
        return error_set(err, GALLEY_EINVAL,
                         "server options: server_name cannot be sent in a header");
    }
    memcpy(config->server_name, wanted, len + 1);
    return GALLEY_OK;
}

static int take_pool(struct server_config *config, const galley_server_options *opt,
                     galley_error *err)
{
    if (opt->pool && opt->pool_options) {
        return error_set(err, GALLEY_EINVAL,
                         "server options: pool and pool_options exclude each other");
    }
    config->pool = opt->pool;
    config->has_pool_options = opt->pool_options != NULL;
    return options_copy(&config->pool_options, &pool_kind, opt->pool_options, err);
}

static bool is_folder(const char *path)
{
    struct stat about;
    bool is_there = stat(path, &about) == 0;
    if (is_there && !S_ISDIR(about.st_mode)) {
        errno = ENOTDIR;
        is_there = false;
    }
    return is_there;
}

/* What the program asks for must be there; what its environment says is taken if it is. */
static int take_spool_dir(struct server_config *config, const char *wanted, galley_error *err)
{
    if (wanted && !is_folder(wanted)) {
        return error_set(err, GALLEY_EINVAL, "server options: spool_dir %s: %s", wanted,
                         strerror(errno));
    }
    if (!wanted) {
        wanted = secure_getenv("TMPDIR");
        wanted = wanted && wanted[0] == '/' && is_folder(wanted) ? wanted : "/tmp";
    }
    config->spool_dir = mem_copy_text(wanted, strlen(wanted));
    return config->spool_dir ? GALLEY_OK
                             : error_set(err, GALLEY_ENOMEM, "server options: out of memory");
}

static int take_compression(struct server_config *config, const galley_server_options *opt,
                            galley_error *err)
{
    struct compressible rules;
    int rc = compressible_from_options(&rules, opt->compress_types, opt->compress_min_bytes,
                                       "server options", err);
    if (rc == GALLEY_OK && rules.types.ptr) {
        rules.types.ptr = mem_copy_text(rules.types.ptr, rules.types.len);
        rc = rules.types.ptr ? rc : error_set(err, GALLEY_ENOMEM, "server options: out of memory");
    }
    if (rc == GALLEY_OK) {
        config->compressible = rules;
    }
    return rc;
}

static bool is_compress(int compress)
{
    return compress >= GALLEY_COMPRESS_DEFAULT && compress <= GALLEY_COMPRESS_OFF;
}

static int check_protocols(const galley_server_options *opt, galley_error *err)
{
    if (opt->flags & ~known_flags) {
        return error_set(err, GALLEY_EINVAL, "server options: flags has the unknown bits 0x%x",
                         (unsigned)(opt->flags & ~known_flags));
    }
    if (opt->max_streams > MAX_STREAMS) {
        return error_set(err, GALLEY_EINVAL, "server options: max_streams is at most %d",
                         MAX_STREAMS);
    }
    return GALLEY_OK;
}

static int check_numbers(const galley_server_options *opt, galley_error *err)
{
    if (opt->loops > SERVER_MAX_LOOPS) {
        return error_set(err, GALLEY_EINVAL, "server options: loops is %u, the most is %d",
                         opt->loops, SERVER_MAX_LOOPS);
    }
    if (opt->file_threads > MAX_FILE_THREADS) {
        return error_set(err, GALLEY_EINVAL, "server options: file_threads is %u, the most is %d",
                         opt->file_threads, MAX_FILE_THREADS);
    }
    if (opt->max_head_bytes > MAX_HEAD_BYTES || opt->max_fields > MAX_FIELDS) {
        return error_set(err, GALLEY_EINVAL,
                         "server options: max_head_bytes is at most %d, max_fields at most %d",
                         MAX_HEAD_BYTES, MAX_FIELDS);
    }
    if (opt->max_target_bytes > or_default(opt->max_head_bytes, 16 * 1024)) {
        return error_set(err, GALLEY_EINVAL,
                         "server options: max_target_bytes is more than max_head_bytes");
    }
    if (opt->log_level < 0 || opt->log_level > GALLEY_LOG_DEBUG) {
        return error_set(err, GALLEY_EINVAL, "server options: there is no log_level %d",
                         opt->log_level);
    }
    if (opt->io < GALLEY_IO_AUTO || opt->io > GALLEY_IO_URING) {
        return error_set(err, GALLEY_EINVAL, "server options: io is none of AUTO, EPOLL and URING");
    }
    if (!is_compress(opt->compress)) {
        return error_set(err, GALLEY_EINVAL,
                         "server options: compress is none of DEFAULT, ON and OFF");
    }
    return check_protocols(opt, err);
}

static void take_numbers(struct server_config *config, const galley_server_options *opt)
{
    config->loops = opt->loops ? opt->loops : 1;
    config->file_threads = opt->file_threads ? opt->file_threads : DEFAULT_FILE_THREADS;
    config->max_connections = opt->max_connections ? opt->max_connections : usual_connections();
    config->cgroup = &cgroup_system_paths;
    config->chose_connections = opt->max_connections == 0;
    config->max_requests = opt->max_requests == GALLEY_NO_LIMIT ? 0 : opt->max_requests;
    config->max_requests_per_connection =
        opt->max_requests_per_connection == GALLEY_NO_LIMIT ? 0 : opt->max_requests_per_connection;
    config->max_memory_bytes = opt->max_memory_bytes ? opt->max_memory_bytes : DEFAULT_MEMORY_BYTES;
    config->queue_timeout_ms = opt->queue_timeout_ms == GALLEY_NO_LIMIT
                                   ? 0
                                   : or_default(opt->queue_timeout_ms, DEFAULT_QUEUE_MS);
    config->queue_target_ms = opt->queue_target_ms == GALLEY_NO_LIMIT
                                  ? 0
                                  : or_default(opt->queue_target_ms, DEFAULT_QUEUE_TARGET_MS);
    config->io = opt->io;
    config->compresses = opt->compress == GALLEY_COMPRESS_ON;
    config->no_plain_h2 = (opt->flags & GALLEY_SERVER_NO_HTTP2) != 0;
    config->hints_over_http1 = (opt->flags & GALLEY_SERVER_HINTS_HTTP1) != 0;
    config->max_streams = opt->max_streams;
    config->drain_ms = opt->drain_ms == GALLEY_NO_LIMIT
                           ? GALLEY_FOREVER
                           : (int64_t)or_default(opt->drain_ms, DEFAULT_DRAIN_MS);
    config->stall_warn_ms = opt->stall_warn_ms == GALLEY_NO_LIMIT
                                ? 0
                                : or_default(opt->stall_warn_ms, DEFAULT_STALL_MS);
}

int server_config_from_options(struct server_config *config, const galley_server_options *opt,
                               galley_error *err)
{
    galley_server_options own;
    *config = (struct server_config){0};
    int rc = options_copy(&own, &server_kind, opt, err);
    if (rc == GALLEY_OK) {
        rc = check_numbers(&own, err);
    }
    if (rc == GALLEY_OK) {
        rc = take_pool(config, &own, err);
    }
    if (rc == GALLEY_OK) {
        rc = take_name(config, own.server_name, err);
    }
    if (rc == GALLEY_OK) {
        rc = take_spool_dir(config, own.spool_dir, err);
    }
    if (rc == GALLEY_OK) {
        rc = take_compression(config, &own, err);
    }
    if (rc == GALLEY_OK) {
        take_numbers(config, &own);
        take_limits(&config->limits, &own);
        take_deadlines(&config->conn_limits, &own);
    }
    return rc;
}

/* docs/decisions/0012: what io_uring wins is not worth its price yet. */
enum loop_backend_kind server_backend(const struct server_config *config)
{
    return config->io == GALLEY_IO_URING ? LOOP_BACKEND_URING : LOOP_BACKEND_EPOLL;
}

void server_config_finish(struct server_config *config)
{
    mem_free(config->spool_dir);
    config->spool_dir = NULL;
    mem_free((void *)(uintptr_t)config->compressible.types.ptr);
    config->compressible = (struct compressible){0};
}

/* ---- routes ---- */

static int check_route(const galley_route_options *opt, galley_error *err)
{
    if (opt->run != GALLEY_ON_POOL && opt->run != GALLEY_ON_LOOP) {
        return error_set(err, GALLEY_EINVAL, "route options: run is neither ON_POOL nor ON_LOOP");
    }
    if (opt->body < GALLEY_BODY_BUFFER || opt->body > GALLEY_BODY_REFUSE) {
        return error_set(err, GALLEY_EINVAL,
                         "route options: body is none of BUFFER, SPOOL, STREAM and REFUSE");
    }
    if (opt->run == GALLEY_ON_LOOP && opt->pool) {
        return error_set(err, GALLEY_EINVAL,
                         "route options: a pool for a route that runs on the loop");
    }
    if (!is_compress(opt->compress)) {
        return error_set(err, GALLEY_EINVAL,
                         "route options: compress is none of DEFAULT, ON and OFF");
    }
    if (opt->decode != GALLEY_DECODE_OFF && opt->decode != GALLEY_DECODE_ON) {
        return error_set(err, GALLEY_EINVAL, "route options: decode is neither ON nor OFF");
    }
    bool is_bounded = opt->max_running != 0 && opt->max_running != GALLEY_NO_LIMIT;
    if (opt->max_waiting != 0 && !is_bounded) {
        return error_set(err, GALLEY_EINVAL,
                         "route options: max_waiting without max_running: nobody would wait");
    }
    return GALLEY_OK;
}

static uint32_t limit_or_none(uint32_t value)
{
    return value == GALLEY_NO_LIMIT ? 0 : value;
}

int server_route_from_options(struct route_target *target, const galley_route_options *opt,
                              const struct server_config *config, galley_error *err)
{
    galley_route_options own;
    int rc = options_copy(&own, &route_kind, opt, err);
    if (rc == GALLEY_OK) {
        rc = check_route(&own, err);
    }
    if (rc != GALLEY_OK) {
        return rc;
    }
    target->on_loop = own.run == GALLEY_ON_LOOP;
    target->body_mode = (uint8_t)own.body;
    target->max_body_bytes =
        own.max_body_bytes ? own.max_body_bytes : config->limits.max_body_bytes;
    target->timeout_ms = limit_or_none(own.timeout_ms);
    target->max_running = limit_or_none(own.max_running);
    target->max_waiting = target->max_running ? or_default(own.max_waiting, DEFAULT_WAITING) : 0;
    target->pool = own.pool;
    target->compresses = own.compress == GALLEY_COMPRESS_DEFAULT
                             ? config->compresses
                             : own.compress == GALLEY_COMPRESS_ON;
    target->decodes = own.decode == GALLEY_DECODE_ON;
    target->label = own.label;
    return GALLEY_OK;
}
