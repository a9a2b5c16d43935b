/* tests/unit/files/test_site_options.c — options: what is refused, and what each of them does to
 * answers. */
#include "base/alloc.h"

#include "files/file_site.h"

#include "support_site.h"
#include "support_tree.h"
#include "test.h"

static struct site_rig rig;

static void open_with(const galley_static_options *opt)
{
    site_start(&rig, opt, 0);
}

static void expect_refused(const galley_static_options *options, const char *sentence)
{
    galley_error err = {0};
    EXPECT(galley_static_new("/", options, &err) == NULL);
    EXPECT_INT(err.code, GALLEY_EINVAL);
    if (!strstr(err.message, sentence)) {
        test_fail(__FILE__, __LINE__, "'%s' does not say '%s'", err.message, sentence);
    }
}

TEST(test_a_root_that_cannot_be_opened_is_one_sentence)
{
    galley_error err = {0};
    EXPECT(galley_static_new("/nothing/there", NULL, &err) == NULL);
    EXPECT_INT(err.code, GALLEY_ESYS);
    EXPECT_TEXT(err.message, "serve /nothing/there: No such file or directory");
    EXPECT(galley_static_new(NULL, NULL, &err) == NULL);
    EXPECT(galley_static_new("", NULL, NULL) == NULL);
    galley_static_free(NULL);
}

TEST(test_options_of_another_size_are_understood_or_refused)
{
    struct {
        galley_static_options known;
        char more[8];
    } larger = {.known = GALLEY_STATIC_OPTIONS_INIT};
    larger.known.size = sizeof larger;
    galley_error err;
    galley_static *site = galley_static_new("/", &larger.known, &err);
    EXPECT(site != NULL);
    galley_static_free(site);
    larger.more[3] = 1;
    expect_refused(&larger.known, "newer than this library");
    galley_static_options smaller = {.size = offsetof(galley_static_options, index),
                                     .index = "no/name"};
    site = galley_static_new("/", &smaller, &err);
    EXPECT(site != NULL); /* what lies behind its size is not looked at */
    galley_static_free(site);
    smaller.size = 0;
    expect_refused(&smaller, "size is not set");
}

TEST(test_values_that_could_do_harm_are_refused)
{
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.flags = 1u << 30;
    expect_refused(&options, "flags");
    options = (galley_static_options)GALLEY_STATIC_OPTIONS_INIT;
    options.index = "index.html ../../etc/passwd";
    expect_refused(&options, "index '../../etc/passwd'");
    options.index = NULL;
    static const char *const pages[] = {"../404.html", "a//b", "a\nb", "a/./b", "%2e"};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        options.not_found = pages[i];
        expect_refused(&options, "not_found");
    }
    options.not_found = NULL;
    options.compress_types = "text/html /css";
    expect_refused(&options, "static options: compress_types '/css' is not a media type");
    options.compress_types = NULL;
    options.cors_origin = "a\r\nb";
    expect_refused(&options, "cors_origin");
    options.cors_origin = "";
    expect_refused(&options, "cors_origin");
    options.cors_origin = NULL;
    options.rules = (galley_static_rule[]){{"*", "a\r\nb: c"}, {0}};
    expect_refused(&options, "rule");
}

/* RFC 9110 §5.5; what the server makes itself would be contradicted. */
TEST(test_fields_that_would_break_an_answer_are_refused)
{
    static const char *const lines[] = {
        "no colon",
        "A: b\r\nC: d",
        "A b: c",
        ": v",
        "A: \x01",
        "Content-Length: 5",
        "date: today",
        "ETag: \"x\"",
        "Vary\n: x",
        "Connection: close",
        "Location: /x",
        "X-Content-Type-Options: nosniff",
        "content-type: text/html",
        "Transfer-Encoding: chunked",
        "",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *fields[] = {"X-Ok: 1", lines[i], NULL};
        galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
        options.fields = fields;
        expect_refused(&options, "field");
    }
    static char line[9000];
    memset(line, 'a', sizeof line - 1);
    line[1] = ':';
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.fields = (const char *[]){line, NULL};
    expect_refused(&options, "8192 bytes");
}

/* A field given for the site is on every answer, not only on some of them. */
TEST(test_extra_fields_are_on_every_answer)
{
    site_open(&rig);
    tree_write("a.txt", "hello\n");
    tree_write("d/b.txt", "b");
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.flags = GALLEY_STATIC_LIST;
    options.fields =
        (const char *[]){"X-Frame-Options:  DENY ", "Content-Security-Policy: x", NULL};
    options.cors_origin = "*";
    open_with(&options);
    static const char *const asked[][4] = {
        {"GET", "/a.txt", "", "200"},
        {"HEAD", "/a.txt", "", "200"},
        {"GET", "/a.txt", "Range: bytes=1-2\n", "206"},
        {"GET", "/a.txt", "Range: bytes=0-0,3-4\n", "206"},
        {"GET", "/a.txt", "Range: bytes=100-\n", "416"},
        {"GET", "/a.txt", "If-None-Match: *\n", "304"},
        {"GET", "/a.txt", "If-Match: \"x\"\n", "412"},
        {"GET", "/d", "", "301"},
        {"GET", "/d/", "", "200"},
        {"GET", "/none", "", "404"},
        {"POST", "/a.txt", "", "405"},
        {"BREW", "/a.txt", "", "501"},
        {"OPTIONS", "/a.txt", "", "204"},
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const struct site_answer *answer = site_ask(&rig, asked[i][0], asked[i][1], asked[i][2]);
        char status[8];
        snprintf(status, sizeof status, "%d", answer->status);
        EXPECT_TEXT(status, asked[i][3]);
        EXPECT_TEXT(site_field(answer, "X-Frame-Options"), "DENY");
        EXPECT_TEXT(site_field(answer, "Content-Security-Policy"), "x");
        EXPECT_TEXT(site_field(answer, "Access-Control-Allow-Origin"), "*");
    }
    site_close(&rig);
}

TEST(test_cors_answers_the_preflight)
{
    site_open(&rig);
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.cors_origin = "https://app.example";
    open_with(&options);
    const struct site_answer *answer =
        site_ask(&rig, "OPTIONS", "/a.txt",
                 "Origin: https://app.example\nAccess-Control-Request-Method: GET\n"
                 "Access-Control-Request-Headers: x-a\n");
    EXPECT_INT(answer->status, 204);
    EXPECT_TEXT(site_field(answer, "Access-Control-Allow-Origin"), "https://app.example");
    EXPECT_TEXT(site_field(answer, "Access-Control-Allow-Methods"), "GET, HEAD");
    EXPECT_TEXT(site_field(answer, "Access-Control-Allow-Headers"), "*");
    EXPECT_TEXT(site_field(answer, "Access-Control-Max-Age"), "86400");
    EXPECT_INT(answer->body_len, 0);
    answer = site_ask(&rig, "OPTIONS", "/a.txt", "Access-Control-Request-Method: GET\n");
    EXPECT(site_field(answer, "Access-Control-Allow-Methods") == NULL); /* not from a script */
    answer = site_ask(&rig, "OPTIONS", "/a.txt", "Origin: https://app.example\n");
    EXPECT(site_field(answer, "Access-Control-Allow-Methods") == NULL);
    EXPECT_TEXT(site_field(answer, "Access-Control-Allow-Origin"), "https://app.example");
    site_close(&rig);
}

TEST(test_without_cors_nothing_is_allowed)
{
    site_open(&rig);
    tree_write("a.txt", "a");
    open_with(NULL);
    const struct site_answer *answer =
        site_ask(&rig, "OPTIONS", "/a.txt", "Origin: x\nAccess-Control-Request-Method: GET\n");
    EXPECT_INT(answer->status, 204);
    EXPECT(strstr(answer->head, "Access-Control") == NULL);
    EXPECT(strstr(site_get(&rig, "/a.txt")->head, "Access-Control") == NULL);
    site_close(&rig);
}

/* RFC 9111 §5.2 */
TEST(test_cache_control_goes_by_the_first_pattern_that_fits)
{
    site_open(&rig);
    tree_write("index.html", "i");
    tree_write("assets/app.js", "j");
    tree_write("assets/deep/x.js", "x");
    tree_write("other.txt", "o");
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.rules = (galley_static_rule[]){
        {"*.html", "no-cache"}, {"/assets/*.js", "max-age=1"}, {"assets/**", "max-age=2"}, {0}};
    options.fields = (const char *[]){"Cache-Control: max-age=3", NULL};
    open_with(&options);
    static const char *const expected[][2] = {{"/", "no-cache"},
                                              {"/assets/app.js", "max-age=1"},
                                              {"/assets/deep/x.js", "max-age=2"},
                                              {"/other.txt", "max-age=3"}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const struct site_answer *answer = site_get(&rig, expected[i][0]);
        EXPECT_TEXT(site_field(answer, "Cache-Control"), expected[i][1]);
        answer = site_ask(&rig, "GET", expected[i][0], "If-None-Match: *\n");
        EXPECT_TEXT(site_field(answer, "Cache-Control"), expected[i][1]);
    }
    EXPECT(site_field(site_get(&rig, "/none"), "Cache-Control") == NULL);
    site_close(&rig);
}

TEST(test_a_site_belongs_to_one_server)
{
    site_open(&rig);
    open_with(NULL);
    struct file_site_env env = {.loops = &rig.loop, .loop_count = 1};
    EXPECT_INT(file_site_attach(rig.site, &env), GALLEY_ESTATE);
    site_close(&rig);
}

TEST(test_a_site_is_made_whole_or_not_at_all)
{
    tree_make();
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.cors_origin = "*";
    options.fields = (const char *[]){"A: b", "Cache-Control: no-store", NULL};
    options.rules = (galley_static_rule[]){{"*.html", "no-cache"}, {0}};
    options.compress_types = "text/*";
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        galley_error err = {0};
        mem_fail_nth(n);
        galley_static *site = galley_static_new(".", &options, &err);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(site == NULL, has_failed);
        EXPECT_INT(err.code, has_failed ? GALLEY_ENOMEM : 0);
        galley_static_free(site);
    }
    tree_remove();
}

TEST(test_joining_a_server_works_or_leaves_nothing)
{
    tree_make();
    galley_error err;
    galley_static *site = galley_static_new(".", NULL, &err);
    struct loop *loop = loop_create(&(struct loop_options){.backend = LOOP_BACKEND_EPOLL}, &err);
    struct file_site_env env = {.loops = &loop, .loop_count = 1};
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        mem_fail_nth(n);
        int rc = file_site_attach(site, &env);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(rc, has_failed ? GALLEY_ENOMEM : 0);
    }
    while (loop_turn(loop, 0)) {
    }
    file_site_stop(site);
    while (loop_turn(loop, 0)) {
    }
    galley_static_free(site);
    loop_destroy(loop);
    tree_remove();
}
