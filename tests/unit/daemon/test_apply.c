/* Tests that options arrive in the structs of the public API. The standard output of a test is no
 * terminal. */
#include "base/alloc.h"

#include "daemon/apply.h"

#include "test.h"

static struct options options;
static struct plan plan;

static int make(int count, const char *const *words)
{
    char complaint[256];
    char *argv[32] = {(char *)(uintptr_t) "galley"};
    for (int i = 0; i < count; i++) {
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    EXPECT_INT(options_parse(&options, count + 1, argv, complaint, sizeof complaint), 0);
    return plan_make(&plan, &options);
}

static void finish(void)
{
    plan_finish(&plan);
    options_finish(&options);
}

#define MAKE(...)                                                                                  \
    do {                                                                                           \
        const char *const words[] = {__VA_ARGS__};                                                 \
        EXPECT_INT(make((int)(sizeof words / sizeof *words), words), 0);                           \
    } while (0)

TEST(numbers_go_where_the_table_says)
{
    MAKE("--loops=3", "--workers=5", "--queue=64", "--queue-timeout=off", "--max-head=8k",
         "--max-body=2G", "--cache-size=3M", "--log-buffer=99", "--drain-timeout=2m",
         "--max-requests=2", "--open-files=17", "--linger-bytes=3k", "--compress-min=2k",
         "--compress-types=text/css usual");
    EXPECT_INT(plan.site.compress_min_bytes, 2048);
    EXPECT_TEXT(plan.site.compress_types, "text/css usual");
    EXPECT_INT(plan.server.loops, 3);
    EXPECT_INT(plan.pool.threads, 5);
    EXPECT_INT(plan.pool.queue_capacity, 64);
    EXPECT(plan.server.pool_options == &plan.pool);
    EXPECT_INT(plan.server.queue_timeout_ms, GALLEY_NO_LIMIT);
    EXPECT_INT(plan.server.max_head_bytes, 8192);
    EXPECT_INT(plan.server.max_body_bytes, UINT64_C(2) << 30);
    EXPECT_INT(plan.server.drain_ms, 120000);
    EXPECT_INT(plan.server.max_requests, 2);
    EXPECT_INT(plan.server.linger_bytes, 3072);
    EXPECT_INT(plan.site.cache_bytes, 3 << 20);
    EXPECT_INT(plan.site.max_open_files, 17);
    EXPECT_INT(plan.log.ring_records, 99);
    finish();
}

TEST(what_depends_on_the_machine_is_within_bounds)
{
    MAKE("-q");
    EXPECT(plan.server.loops >= 1 && plan.server.loops <= 8);
    EXPECT_INT(plan.pool.threads, 0); /* the library decides */
    EXPECT_INT(plan.server.max_connections, 0);
    EXPECT_INT(plan.server.log_level, GALLEY_LOG_WARNING);
    EXPECT_INT(plan.server.io, GALLEY_IO_AUTO);
    EXPECT_TEXT(plan.server.server_name, "galley");
    finish();
}

TEST(quiet_is_about_what_nobody_asked_for)
{
    MAKE("-q", "--log-level=info", "--io=epoll");
    EXPECT_INT(plan.server.log_level, GALLEY_LOG_INFO);
    EXPECT_INT(plan.server.io, GALLEY_IO_EPOLL);
    finish();
    MAKE("--io=uring");
    EXPECT_INT(plan.server.log_level, GALLEY_LOG_INFO);
    EXPECT_INT(plan.server.io, GALLEY_IO_URING);
    finish();
}

TEST(switches_become_flags)
{
    static const struct {
        const char *word;
        uint32_t flag;
    } rows[] = {{"--list", GALLEY_STATIC_LIST},
                {"--hidden", GALLEY_STATIC_HIDDEN},
                {"--no-precompressed", GALLEY_STATIC_NO_PRECOMPRESSED},
                {"--spa", GALLEY_STATIC_SPA},
                {"--clean-urls", GALLEY_STATIC_CLEAN_URLS},
                {"--quiet", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        MAKE(rows[i].word);
        EXPECT_INT(plan.site.flags, rows[i].flag);
        finish();
    }
    MAKE("--no-server-name");
    EXPECT_TEXT(plan.server.server_name, "");
    finish();
}

TEST(headers_and_rules_are_handed_over_in_order)
{
    MAKE("--header=A: 1", "--header=B: 2", "--cache-control=*.css=max-age=1",
         "--cache-control=**=no-store", "--cors", "--not-found=");
    EXPECT_TEXT(plan.site.fields[0], "A: 1");
    EXPECT_TEXT(plan.site.fields[1], "B: 2");
    EXPECT(plan.site.fields[2] == NULL);
    EXPECT_TEXT(plan.site.rules[0].pattern, "*.css");
    EXPECT_TEXT(plan.site.rules[0].value, "max-age=1");
    EXPECT_TEXT(plan.site.rules[1].pattern, "**");
    EXPECT(plan.site.rules[2].pattern == NULL);
    EXPECT_TEXT(plan.site.cors_origin, "*");
    EXPECT_TEXT(plan.site.not_found, "");
    finish();
    MAKE("-q");
    EXPECT(plan.site.fields == NULL && plan.site.rules[0].pattern == NULL);
    EXPECT(plan.site.cors_origin == NULL && plan.site.not_found == NULL);
    finish();
}

TEST(links_and_early_hints_go_to_the_site_and_the_server)
{
    MAKE("--link=*.html=</a.css>; rel=preload; as=style", "--link=/x=<y>", "--early-hints=all");
    EXPECT_TEXT(plan.site.links[0].pattern, "*.html");
    EXPECT_TEXT(plan.site.links[0].value, "</a.css>; rel=preload; as=style");
    EXPECT_TEXT(plan.site.links[1].pattern, "/x");
    EXPECT(plan.site.links[2].pattern == NULL);
    EXPECT_INT(plan.server.flags, GALLEY_SERVER_HINTS_HTTP1);
    EXPECT_INT(plan.site.flags, 0);
    finish();
    MAKE("--early-hints=off");
    EXPECT_INT(plan.server.flags, 0);
    EXPECT_INT(plan.site.flags, GALLEY_STATIC_NO_HINTS);
    finish();
    MAKE("--early-hints=h2");
    EXPECT_INT(plan.server.flags, 0);
    EXPECT_INT(plan.site.flags, 0);
    EXPECT(plan.site.links[0].pattern == NULL);
    finish();
}

TEST(what_is_no_alternative_service_is_one_sentence)
{
    galley_error err = {0};
    MAKE("--alt-svc=h3=\":443\"; ma=60");
    EXPECT_INT(https_check(&options, &err), 0);
    finish();
    MAKE("--alt-svc=h3=:443");
    EXPECT_INT(https_check(&options, &err), GALLEY_EINVAL);
    EXPECT(strstr(err.message, "Alt-Svc: 'h3=:443' is not"));
    finish();
    MAKE("-q");
    EXPECT_INT(https_check(&options, &err), 0);
    finish();
}

TEST(the_access_log_is_off_without_a_terminal_unless_asked_for)
{
    MAKE("-q");
    EXPECT(!plan.has_log);
    finish();
    MAKE("--access-log=off");
    EXPECT(!plan.has_log);
    finish();
    MAKE("--access-log=-", "-q");
    EXPECT(plan.has_log && plan.log.path == NULL);
    EXPECT_INT(plan.log.format, GALLEY_ACCESS_COMBINED);
    finish();
    MAKE("--access-log=/tmp/x", "--log-format=json");
    EXPECT(plan.has_log);
    EXPECT_TEXT(plan.log.path, "/tmp/x");
    EXPECT_INT(plan.log.format, GALLEY_ACCESS_JSON);
    finish();
    MAKE("--access-log=/tmp/x", "--log-format=dev");
    EXPECT_INT(plan.log.format, GALLEY_ACCESS_DEV);
    finish();
}

TEST(running_out_of_memory_at_any_allocation_leaves_nothing)
{
    const char *const words[] = {"--cache-control=a=b", "--cache-control=c=d", "--link=a=<b>"};
    EXPECT_INT(make(3, words), 0);
    plan_finish(&plan);
    for (uint64_t n = 1;; n++) {
        mem_fail_nth(n);
        int rc = plan_make(&plan, &options);
        bool happened = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(rc, happened ? GALLEY_ENOMEM : 0);
        plan_finish(&plan);
        if (!happened) {
            EXPECT_INT(n, 6);
            break;
        }
    }
    options_finish(&options);
}
