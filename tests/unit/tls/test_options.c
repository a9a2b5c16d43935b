/* tests/unit/tls/test_options.c — what may be asked for, and what is refused with one sentence that
 * names the field; the files to watch; no memory anywhere. */
#include "support_tls.h"
#include "test.h"

#include "base/alloc.h"

static void expect_refused(struct world *world, const galley_tls_options *options,
                           const char *words)
{
    EXPECT(!world_start(world, options));
    EXPECT_INT(world->err.code, GALLEY_EINVAL);
    if (!strstr(world->err.message, words)) {
        test_fail(__FILE__, __LINE__, "'%s' is not in '%s'", words, world->err.message);
    }
}

TEST(test_wrong_options_are_named)
{
    struct world world;
    galley_error err;
    world_open(&world);
    const galley_tls_pair pairs[] = {world_pair(&world, "a", NULL, "DNS:a.example"), {0}};
    galley_tls_options options = world_options(&world, NULL);
    expect_refused(&world, &options, "pairs is empty");
    EXPECT(!galley_tls_new(NULL, &err));
    EXPECT_INT(err.code, GALLEY_EINVAL);
    options = world_options(&world, pairs);
    options.flags = 1u << 31;
    expect_refused(&world, &options, "flags has an unknown bit");
    options.flags = GALLEY_TLS_NO_HTTP1 | GALLEY_TLS_NO_HTTP2;
    expect_refused(&world, &options, "neither HTTP/1.1 nor HTTP/2");
    options = world_options(&world, pairs);
    options.policy = 2;
    expect_refused(&world, &options, "policy is none of");
    options = world_options(&world, pairs);
    options.ticket_lifetime_s = 59;
    expect_refused(&world, &options, "ticket_lifetime_s");
    options.ticket_lifetime_s = 7 * 24 * 3600 + 1; /* RFC 8446 §4.6.1 */
    expect_refused(&world, &options, "ticket_lifetime_s");
    options = world_options(&world, pairs);
    options.log_level = 5;
    expect_refused(&world, &options, "log_level");
    options = world_options(&world, pairs);
    options.size = 0;
    expect_refused(&world, &options, "size is not set");
    world_close(&world);
}

TEST(test_a_file_that_is_missing_is_told_by_the_public_call)
{
    static const galley_tls_pair pairs[] = {{"/nonexistent/a.crt", NULL, NULL}, {0}};
    galley_tls_options options = GALLEY_TLS_OPTIONS_INIT;
    galley_error err = {0};
    options.pairs = pairs;
    EXPECT(!galley_tls_new(&options, &err));
    EXPECT_INT(err.code, GALLEY_ESYS);
    EXPECT_TEXT(err.message, "certificate /nonexistent/a.crt: No such file or directory");
}

TEST(test_wrong_rules_for_clients_are_named)
{
    static const struct {
        galley_tls_client_rule rules[3];
        const char *words;
    } rows[] = {
        {{{"", GALLEY_TLS_CLIENT_OFF, NULL}}, "client rule '' is neither"},
        {{{"a b", GALLEY_TLS_CLIENT_OFF, NULL}}, "client rule 'a b' is neither"},
        {{{"f*.example", GALLEY_TLS_CLIENT_OFF, NULL}}, "is neither"},
        {{{"a.example", 3, "x"}}, "has a mode that is none of"},
        {{{"a.example", -1, "x"}}, "has a mode that is none of"},
        {{{"*", GALLEY_TLS_CLIENT_REQUIRED, NULL}}, "client rule '*' has no ca_file"},
        {{{"a.example", 0, NULL}, {"A.example", 0, NULL}}, "'a.example' stands there twice"},
    };
    struct world world;
    world_open(&world);
    const galley_tls_pair pairs[] = {world_pair(&world, "a", NULL, "DNS:a.example"), {0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        galley_tls_options options = world_options(&world, pairs);
        options.clients = rows[i].rules;
        expect_refused(&world, &options, rows[i].words);
    }
    world_close(&world);
}

TEST(test_lists_have_a_bound)
{
    struct world world;
    world_open(&world);
    galley_tls_pair *pairs = calloc(1002, sizeof *pairs);
    galley_tls_client_rule *rules = calloc(1002, sizeof *rules);
    const char **names = calloc(102, sizeof *names);
    EXPECT(pairs && rules && names);
    for (int i = 0; i < 1001; i++) {
        pairs[i].cert_file = "x";
        rules[i].host = "x";
    }
    for (int i = 0; i < 101; i++) {
        names[i] = "x";
    }
    galley_tls_options options = world_options(&world, pairs);
    expect_refused(&world, &options, "more than 1000 pairs");
    pairs[1].cert_file = NULL;
    options.clients = rules;
    expect_refused(&world, &options, "more than 1000 rules");
    options.clients = NULL;
    options.self_signed_names = names;
    expect_refused(&world, &options, "more than 100 names");
    free(pairs);
    free(rules);
    free(names);
    world_close(&world);
}

TEST(test_each_file_to_watch_is_named_once)
{
    struct world world;
    world_open(&world);
    galley_tls_pair a = world_pair(&world, "a", NULL, "DNS:a.example");
    galley_tls_pair b = world_pair(&world, "b", NULL, "DNS:b.example");
    const galley_tls_pair pairs[] = {a, b, a, {0}};
    const char *authority = world_authority(&world, "clients", &world.root);
    const galley_tls_client_rule rules[] = {{"a.example", GALLEY_TLS_CLIENT_REQUIRED, authority},
                                            {"b.example", GALLEY_TLS_CLIENT_REQUIRED, authority},
                                            {"c.example", GALLEY_TLS_CLIENT_OFF, "unused"},
                                            {0}};
    galley_tls_options options = world_options(&world, pairs);
    options.clients = rules;
    EXPECT(world_start(&world, &options));
    EXPECT_TEXT(galley_tls_file(world.tls, 0), a.cert_file);
    EXPECT(galley_tls_file(world.tls, 0) != a.cert_file); /* copied */
    EXPECT_TEXT(galley_tls_file(world.tls, 1), a.key_file);
    EXPECT_TEXT(galley_tls_file(world.tls, 2), b.cert_file);
    EXPECT_TEXT(galley_tls_file(world.tls, 3), b.key_file);
    EXPECT_TEXT(galley_tls_file(world.tls, 4), authority);
    EXPECT(!galley_tls_file(world.tls, 5));
    EXPECT(!galley_tls_file(NULL, 0));
    world_close(&world);
}

TEST(test_certificates_are_reported)
{
    struct world world;
    galley_tls_certificate_report report = {.size = sizeof report};
    world_open(&world);
    const galley_tls_pair pairs[] = {
        world_pair(&world, "a", "RSA:2048", "DNS:a.example,DNS:*.a.example,IP:127.0.0.1"), {0}};
    galley_tls_options options = world_options(&world, pairs);
    EXPECT(world_start(&world, &options));
    EXPECT_INT(galley_tls_get_certificate(world.tls, 0, &report), 0);
    EXPECT_TEXT(report.key, "RSA 2048");
    EXPECT_TEXT(report.names, "a.example *.a.example");
    EXPECT_INT((int)strlen(report.fingerprint), 95);
    EXPECT_INT(report.not_after_s - report.not_before_s, 10 * CERT_DAY_S);
    EXPECT(!report.is_self_signed && report.size == sizeof report);
    EXPECT_INT(galley_tls_get_certificate(world.tls, 1, &report), GALLEY_ENOTFOUND);
    EXPECT_INT(galley_tls_get_certificate(NULL, 0, &report), GALLEY_EINVAL);
    EXPECT_INT(galley_tls_get_certificate(world.tls, 0, NULL), GALLEY_EINVAL);
    report.size = 8;
    EXPECT_INT(galley_tls_get_certificate(world.tls, 0, &report), GALLEY_EINVAL);
    world_close(&world);
}

/* ---- no memory ------------------------------------------------------------------------------- */

static galley_tls_options rich_options(struct world *world)
{
    static galley_tls_pair pairs[3];
    static galley_tls_client_rule rules[3];
    static const char *const names[] = {"dev.test", "192.0.2.1", NULL};
    pairs[0] = world_pair(world, "a", NULL, "DNS:a.example,DNS:*.a.example");
    pairs[1] = world_pair(world, "b", NULL, "DNS:b.example,DNS:a.example");
    struct cert leaf = cert_make(&(struct cert_wish){.issuer = &world->middle});
    pairs[1].ocsp_file = cert_path(world->folder, "b.ocsp");
    ocsp_write(pairs[1].ocsp_file, &(struct ocsp_wish){.about = &leaf, /* foreign: a log line */
                                                       .issuer = &world->middle,
                                                       .from_s = -60,
                                                       .for_s = 3600});
    cert_free(&leaf);
    rules[0] = (galley_tls_client_rule){"a.example", GALLEY_TLS_CLIENT_REQUIRED,
                                        world_authority(world, "clients", &world->root)};
    rules[1] = (galley_tls_client_rule){"*", GALLEY_TLS_CLIENT_OFF, NULL};
    galley_tls_options options = world_options(world, pairs);
    options.clients = rules;
    options.flags = GALLEY_TLS_SELF_SIGNED;
    options.self_signed_names = names;
    return options;
}

/* shows: GALLEY_ENOMEM of galley_tls_new() */
TEST(test_a_start_without_memory_leaves_nothing)
{
    struct world world;
    world_open(&world);
    galley_tls_options options = rich_options(&world);
    for (uint64_t n = 1;; n++) {
        galley_error err = {0};
        mem_fail_nth(n);
        galley_tls *tls = galley_tls_new(&options, &err);
        if (!mem_fail_happened()) {
            EXPECT(tls);
            galley_tls_free(tls);
            break;
        }
        EXPECT(!tls);
        EXPECT_INT(err.code, GALLEY_ENOMEM);
        EXPECT(err.message[0] != '\0');
    }
    mem_fail_nth(0);
    world_close(&world);
}

/* shows: GALLEY_ENOMEM of galley_tls_reload() */
TEST(test_a_reload_without_memory_changes_nothing)
{
    struct world world;
    world_open(&world);
    galley_tls_options options = rich_options(&world);
    EXPECT(world_start(&world, &options));
    for (uint64_t n = 1;; n++) {
        mem_fail_nth(n);
        int rc = galley_tls_reload(world.tls, &world.err);
        bool has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(rc, has_failed ? GALLEY_ENOMEM : 0);
        EXPECT(handshake_works(world.tls, &(struct client_wish){.name = "b.example"}));
        if (!has_failed) {
            break;
        }
    }
    world_close(&world);
}
