/* The options of a server with their defaults, as the rooms below get them. */
#include "test.h"

#include "base/alloc.h"
#include "server/server_options.h"

#include <stdlib.h>

TEST(test_the_defaults_are_those_of_the_header)
{
    struct server_config config;
    EXPECT_INT(server_config_from_options(&config, NULL, NULL), 0);
    EXPECT_INT(config.loops, 1);
    EXPECT_INT(config.file_threads, 2);
    EXPECT_INT(config.limits.max_head_bytes, 16 * 1024);
    EXPECT_INT(config.limits.max_target_bytes, 8 * 1024);
    EXPECT_INT(config.limits.max_fields, 100);
    EXPECT_INT(config.limits.max_body_bytes, 1024 * 1024);
    EXPECT_INT(config.conn_limits.head_ms, 10000);
    EXPECT_INT(config.conn_limits.idle_ms, 60000);
    EXPECT_INT(config.conn_limits.body_grace_ms, 5000);
    EXPECT_INT(config.conn_limits.body_min_rate, 1024);
    EXPECT_INT(config.conn_limits.send_grace_ms, 10000);
    EXPECT_INT(config.queue_timeout_ms, 5000);
    EXPECT_INT(config.drain_ms, 30000);
    EXPECT_INT(config.max_requests, 0);
    EXPECT(config.max_connections > 0);
    EXPECT_INT(config.queue_target_ms, 20);
    EXPECT_TEXT(config.server_name, "galley");
    server_config_finish(&config);
}

TEST(test_no_limit_turns_deadlines_and_limits_off)
{
    struct server_config config;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.drain_ms = opt.queue_timeout_ms = opt.stall_warn_ms = GALLEY_NO_LIMIT;
    opt.queue_target_ms = GALLEY_NO_LIMIT;
    opt.max_requests = opt.body_min_rate = opt.send_min_rate = GALLEY_NO_LIMIT;
    EXPECT_INT(server_config_from_options(&config, &opt, NULL), 0);
    EXPECT_INT(config.drain_ms, GALLEY_FOREVER);
    EXPECT_INT(config.queue_timeout_ms, 0);
    EXPECT_INT(config.queue_target_ms, 0);
    EXPECT_INT(config.stall_warn_ms, 0);
    EXPECT_INT(config.max_requests, 0);
    EXPECT_INT(config.conn_limits.body_grace_ms, UINT32_MAX);
    EXPECT_INT(config.conn_limits.send_grace_ms, UINT32_MAX);
    server_config_finish(&config);
}

TEST(test_a_smaller_head_takes_the_target_with_it)
{
    struct server_config config;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.max_head_bytes = 1000;
    EXPECT_INT(server_config_from_options(&config, &opt, NULL), 0);
    EXPECT_INT(config.limits.max_target_bytes, 1000);
    server_config_finish(&config);
}

TEST(test_flags_and_streams_are_taken_and_unknown_bits_are_refused)
{
    struct server_config config;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_error err = {0};
    EXPECT_INT(server_config_from_options(&config, &opt, NULL), 0);
    EXPECT(!config.no_plain_h2 && !config.hints_over_http1);
    EXPECT_INT(config.max_streams, 0);
    server_config_finish(&config);
    opt.flags = GALLEY_SERVER_NO_HTTP2 | GALLEY_SERVER_HINTS_HTTP1;
    opt.max_streams = 10000;
    EXPECT_INT(server_config_from_options(&config, &opt, NULL), 0);
    EXPECT(config.no_plain_h2 && config.hints_over_http1);
    EXPECT_INT(config.max_streams, 10000);
    server_config_finish(&config);
    opt.flags = GALLEY_SERVER_NO_HTTP2 | 1u << 31;
    EXPECT_INT(server_config_from_options(&config, &opt, &err), GALLEY_EINVAL);
    EXPECT_TEXT(err.message, "server options: flags has the unknown bits 0x80000000");
    server_config_finish(&config);
    opt.flags = 0;
    opt.max_streams = 10001;
    EXPECT_INT(server_config_from_options(&config, &opt, &err), GALLEY_EINVAL);
    EXPECT_TEXT(err.message, "server options: max_streams is at most 10000");
    server_config_finish(&config);
}

TEST(test_a_route_takes_the_servers_body_limit)
{
    struct server_config config;
    struct route_target target = {0};
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    galley_error err = {0};
    EXPECT_INT(server_config_from_options(&config, NULL, NULL), 0);
    EXPECT_INT(server_route_from_options(&target, NULL, &config, NULL), 0);
    EXPECT(!target.on_loop);
    EXPECT_INT(target.max_body_bytes, 1024 * 1024);
    opt.run = GALLEY_ON_LOOP;
    opt.body = GALLEY_BODY_REFUSE;
    opt.max_body_bytes = UINT64_C(1) << 40;
    EXPECT_INT(server_route_from_options(&target, &opt, &config, NULL), 0);
    EXPECT(target.on_loop);
    EXPECT_INT(target.body_mode, EXCHANGE_BODY_REFUSE);
    EXPECT_INT(target.max_body_bytes, INT64_C(1) << 40);
    opt.run = 7;
    EXPECT_INT(server_route_from_options(&target, &opt, &config, &err), GALLEY_EINVAL);
    server_config_finish(&config);
}

/* What the sentence of a refused route says; NULL: it was not refused. */
static const char *refusal(const galley_route_options *opt)
{
    static galley_error err;
    struct server_config config;
    struct route_target target = {0};
    err = (galley_error){0};
    EXPECT_INT(server_config_from_options(&config, NULL, NULL), 0);
    int rc = server_route_from_options(&target, opt, &config, &err);
    server_config_finish(&config);
    EXPECT(rc == 0 || rc == GALLEY_EINVAL);
    return rc == 0 ? NULL : err.message;
}

TEST(test_a_route_has_one_of_four_body_modes)
{
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    for (opt.body = GALLEY_BODY_BUFFER; opt.body <= GALLEY_BODY_REFUSE; opt.body++) {
        EXPECT(!refusal(&opt));
    }
    EXPECT(strstr(refusal(&opt), "body"));
    opt.body = -1;
    EXPECT(strstr(refusal(&opt), "body"));
}

TEST(test_options_of_a_route_that_make_no_sense_together_are_refused)
{
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    opt.run = 2;
    EXPECT(strstr(refusal(&opt), "run"));
    opt.run = -1;
    EXPECT(strstr(refusal(&opt), "run"));
    opt.run = GALLEY_ON_LOOP;
    opt.pool = (galley_pool *)&opt;
    EXPECT(strstr(refusal(&opt), "pool"));
    opt = (galley_route_options)GALLEY_ROUTE_OPTIONS_INIT;
    opt.max_waiting = 3;
    EXPECT(strstr(refusal(&opt), "max_waiting"));
    opt.max_running = GALLEY_NO_LIMIT;
    EXPECT(strstr(refusal(&opt), "max_waiting"));
    opt.max_running = 1;
    EXPECT(!refusal(&opt));
    opt.size = 0;
    EXPECT(strstr(refusal(&opt), "size"));
}

/* They are handed on to the pool: as what they are here, not as large as they came. */
TEST(test_pool_options_of_a_newer_program_go_to_the_pool_or_are_refused)
{
    struct {
        galley_pool_options known;
        char more[512];
    } newer = {.known = GALLEY_POOL_OPTIONS_INIT};
    newer.known.size = sizeof newer;
    newer.known.threads = 3;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.pool_options = &newer.known;
    struct server_config config;
    EXPECT_INT(server_config_from_options(&config, &opt, NULL), 0);
    EXPECT_INT(config.pool_options.threads, 3);
    EXPECT_INT(config.pool_options.size, sizeof(galley_pool_options));
    server_config_finish(&config);
    newer.more[511] = 1;
    galley_error err = {0};
    EXPECT_INT(server_config_from_options(&config, &opt, &err), GALLEY_EINVAL);
    EXPECT(strstr(err.message, "server options: pool_options: byte"));
    EXPECT(strstr(err.message, "newer than this library"));
}

TEST(test_a_routes_numbers_and_their_defaults)
{
    struct server_config config;
    struct route_target target = {0};
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    EXPECT_INT(server_config_from_options(&config, NULL, NULL), 0);
    EXPECT_INT(server_route_from_options(&target, &opt, &config, NULL), 0);
    EXPECT_INT(target.timeout_ms, 0);
    EXPECT_INT(target.max_running, 0);
    EXPECT_INT(target.max_waiting, 0);
    opt.timeout_ms = 1500;
    opt.max_running = 3;
    EXPECT_INT(server_route_from_options(&target, &opt, &config, NULL), 0);
    EXPECT_INT(target.timeout_ms, 1500);
    EXPECT_INT(target.max_running, 3);
    EXPECT_INT(target.max_waiting, 64);
    opt.max_waiting = GALLEY_NO_LIMIT;
    EXPECT_INT(server_route_from_options(&target, &opt, &config, NULL), 0);
    EXPECT_INT(target.max_waiting, UINT32_MAX);
    opt = (galley_route_options)GALLEY_ROUTE_OPTIONS_INIT;
    opt.timeout_ms = opt.max_running = GALLEY_NO_LIMIT;
    EXPECT_INT(server_route_from_options(&target, &opt, &config, NULL), 0);
    EXPECT_INT(target.timeout_ms, 0);
    EXPECT_INT(target.max_running, 0);
    server_config_finish(&config);
}

static void expect_spool_dir(const char *wanted, const char *expected)
{
    struct server_config config;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.spool_dir = wanted;
    EXPECT_INT(server_config_from_options(&config, &opt, NULL), 0);
    EXPECT_TEXT(config.spool_dir, expected);
    server_config_finish(&config);
}

TEST(test_bodies_are_spooled_where_the_options_or_the_environment_say)
{
    setenv("TMPDIR", "/", 1);
    expect_spool_dir(NULL, "/");
    expect_spool_dir("/proc", "/proc");
    setenv("TMPDIR", "/nowhere/at/all", 1);
    expect_spool_dir(NULL, "/tmp");
    setenv("TMPDIR", "", 1);
    expect_spool_dir(NULL, "/tmp");
    setenv("TMPDIR", "relative", 1);
    expect_spool_dir(NULL, "/tmp");
    unsetenv("TMPDIR");
    expect_spool_dir(NULL, "/tmp");
}

TEST(test_a_spool_dir_that_is_not_there_is_a_sentence)
{
    struct server_config config;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_error err = {0};
    opt.spool_dir = "/nowhere/at/all";
    EXPECT_INT(server_config_from_options(&config, &opt, &err), GALLEY_EINVAL);
    EXPECT(strstr(err.message, "spool_dir /nowhere/at/all"));
    server_config_finish(&config);
    opt.spool_dir = "/etc/passwd";
    EXPECT_INT(server_config_from_options(&config, &opt, &err), GALLEY_EINVAL);
    EXPECT(strstr(err.message, "Not a directory"));
    server_config_finish(&config);
    opt.spool_dir = "";
    EXPECT_INT(server_config_from_options(&config, &opt, &err), GALLEY_EINVAL);
    server_config_finish(&config);
}

TEST(test_what_is_compressed_is_copied_and_checked)
{
    struct server_config config;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_error err;
    char types[] = "usual image/bmp";
    opt.compress_types = types;
    opt.compress_min_bytes = 10;
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        mem_fail_nth(n);
        int rc = server_config_from_options(&config, &opt, &err);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(rc, has_failed ? GALLEY_ENOMEM : 0);
        server_config_finish(&config);
    }
    EXPECT_INT(server_config_from_options(&config, &opt, &err), 0);
    types[0] = '?';
    EXPECT_TEXT(config.compressible.types.ptr, "usual image/bmp");
    EXPECT_INT(config.compressible.least_bytes, 10);
    server_config_finish(&config);
    EXPECT_INT(server_config_from_options(&config, &opt, &err), GALLEY_EINVAL);
    EXPECT_TEXT(err.message,
                "server options: compress_types '?sual' is not a media type like text/html");
    server_config_finish(&config);
}
