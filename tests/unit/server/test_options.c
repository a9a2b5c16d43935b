/* The options of a server with their defaults, as the rooms below get them. */
#include "test.h"

#include "server/server_options.h"

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
    EXPECT_TEXT(config.server_name, "galley");
}

TEST(test_no_limit_turns_deadlines_and_limits_off)
{
    struct server_config config;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.drain_ms = opt.queue_timeout_ms = opt.stall_warn_ms = GALLEY_NO_LIMIT;
    opt.max_requests = opt.body_min_rate = opt.send_min_rate = GALLEY_NO_LIMIT;
    EXPECT_INT(server_config_from_options(&config, &opt, NULL), 0);
    EXPECT_INT(config.drain_ms, GALLEY_FOREVER);
    EXPECT_INT(config.queue_timeout_ms, 0);
    EXPECT_INT(config.stall_warn_ms, 0);
    EXPECT_INT(config.max_requests, 0);
    EXPECT_INT(config.conn_limits.body_grace_ms, UINT32_MAX);
    EXPECT_INT(config.conn_limits.send_grace_ms, UINT32_MAX);
}

TEST(test_a_smaller_head_takes_the_target_with_it)
{
    struct server_config config;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.max_head_bytes = 1000;
    EXPECT_INT(server_config_from_options(&config, &opt, NULL), 0);
    EXPECT_INT(config.limits.max_target_bytes, 1000);
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
    opt.run = 0;
    opt.body = 1;
    EXPECT_INT(server_route_from_options(&target, &opt, &config, &err), GALLEY_EINVAL);
}
