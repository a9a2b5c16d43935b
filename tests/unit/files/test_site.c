/* tests/unit/files/test_site.c — files as answers: fields, methods, index, redirects, 404, SPA,
 * clean URLs, freshness. */
#include "base/alloc.h"

#include "support_site.h"
#include "support_tree.h"
#include "test.h"

static struct site_rig rig;

static void open_with(const galley_static_options *opt)
{
    site_start(&rig, opt, 0);
}

TEST(test_a_file_is_answered_with_its_fields)
{
    site_open(&rig);
    tree_write("a.txt", "hello\n");
    tree_touch("a.txt", 1600000000);
    open_with(NULL);
    const struct site_answer *answer = site_get(&rig, "/a.txt");
    EXPECT_INT(answer->status, 200);
    EXPECT_TEXT(answer->body, "hello\n");
    EXPECT_TEXT(site_field(answer, "Content-Type"), "text/plain; charset=utf-8");
    EXPECT_TEXT(site_field(answer, "Content-Length"), "6");
    EXPECT_TEXT(site_field(answer, "Last-Modified"), "Sun, 13 Sep 2020 12:26:40 GMT");
    EXPECT_TEXT(site_field(answer, "Accept-Ranges"), "bytes");
    EXPECT(site_field(answer, "ETag")[0] == '"');
    EXPECT(site_field(answer, "Vary") == NULL);
    EXPECT(site_field(answer, "Cache-Control") == NULL);
    EXPECT(answer->was_suspended);
    site_close(&rig);
}

TEST(test_the_second_answer_comes_in_the_same_turn_and_allocates_nothing)
{
    site_open(&rig);
    tree_write("a.txt", "hello\n");
    open_with(NULL);
    site_get(&rig, "/a.txt");
    site_get(&rig, "/a.txt");
    mem_fail_nth(1);
    const struct site_answer *answer = site_get(&rig, "/a.txt");
    EXPECT(!mem_fail_happened());
    mem_fail_nth(0);
    EXPECT_INT(answer->status, 200);
    EXPECT_TEXT(answer->body, "hello\n");
    EXPECT(!answer->was_suspended);
    EXPECT_INT(site_counter(&rig, "file_hits"), 2);
    EXPECT_INT(site_counter(&rig, "file_waits"), 1);
    EXPECT_INT(site_counter(&rig, "file_loads"), 1);
    site_close(&rig);
}

/* RFC 9110 §9.3.2 */
TEST(test_head_has_the_fields_of_get_and_no_content)
{
    site_open(&rig);
    tree_write("a.txt", "hello\n");
    open_with(NULL);
    char head[SITE_HEAD_MAX];
    snprintf(head, sizeof head, "%s", site_get(&rig, "/a.txt")->head);
    const struct site_answer *answer = site_ask(&rig, "HEAD", "/a.txt", "");
    EXPECT_INT(answer->status, 200);
    EXPECT_INT(answer->body_len, 0);
    EXPECT_INT(answer->length, 6);
    EXPECT_TEXT(answer->head, head);
    site_close(&rig);
}

TEST(test_a_large_file_is_sent_from_its_descriptor)
{
    site_open(&rig);
    enum { BYTES = 5000 };
    static char content[BYTES + 1];
    memset(content, 'x', BYTES);
    tree_write("big.bin", content);
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.max_memory_file = 100;
    open_with(&options);
    const struct site_answer *answer = site_get(&rig, "/big.bin");
    EXPECT_INT(answer->status, 200);
    EXPECT(answer->has_file_part);
    EXPECT_TEXT(answer->body, content);
    EXPECT_TEXT(site_field(answer, "Content-Type"), "application/octet-stream");
    site_close(&rig);
}

TEST(test_an_empty_file_is_an_answer)
{
    site_open(&rig);
    tree_write("empty.css", "");
    open_with(NULL);
    const struct site_answer *answer = site_get(&rig, "/empty.css");
    EXPECT_INT(answer->status, 200);
    EXPECT_INT(answer->body_len, 0);
    EXPECT_TEXT(site_field(answer, "Content-Length"), "0");
    site_close(&rig);
}

/* Images made reproducibly have all files from 1970 or 1980: no validator is better than a wrong
 * one. */
TEST(test_a_made_up_date_is_not_sent)
{
    site_open(&rig);
    tree_write("a.txt", "hello\n");
    tree_touch("a.txt", 1);
    open_with(NULL);
    EXPECT(site_field(site_get(&rig, "/a.txt"), "Last-Modified") == NULL);
    site_close(&rig);
}

/* RFC 9110 §15.5.6, RFC 9110 §9.3.7, RFC 9110 §15.6.2 */
TEST(test_methods_are_told)
{
    site_open(&rig);
    tree_write("a.txt", "hello\n");
    open_with(NULL);
    static const char *const refused[] = {"POST", "PUT", "DELETE", "PATCH", "TRACE"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct site_answer *answer = site_ask(&rig, refused[i], "/a.txt", "");
        EXPECT_INT(answer->status, 405);
        EXPECT_TEXT(site_field(answer, "Allow"), "GET, HEAD, OPTIONS");
    }
    EXPECT_INT(site_ask(&rig, "BREW", "/a.txt", "")->status, 501);
    EXPECT_INT(site_ask(&rig, "OPTIONS", "*", "")->status, 204);
    const struct site_answer *answer = site_ask(&rig, "OPTIONS", "/a.txt", "");
    EXPECT_INT(answer->status, 204);
    EXPECT_TEXT(site_field(answer, "Allow"), "GET, HEAD, OPTIONS");
    EXPECT_INT(answer->body_len, 0);
    EXPECT_INT(site_counter(&rig, "file_refused_methods"), 6);
    site_close(&rig);
}

TEST(test_a_directory_is_its_index_file)
{
    site_open(&rig);
    tree_write("index.html", "root");
    tree_write("guide/home.htm", "guide");
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.index = "index.html home.htm";
    open_with(&options);
    site_expect(&rig, "/", 200, "root");
    site_expect(&rig, "/guide/", 200, "guide");
    EXPECT_TEXT(site_field(&rig.answer, "Content-Type"), "text/html; charset=utf-8");
    site_close(&rig);
}

/* RFC 9110 §15.4.2, RFC 9110 §15.4.9 */
TEST(test_a_directory_without_its_slash_redirects_and_keeps_the_query)
{
    site_open(&rig);
    tree_write("guide/index.html", "guide");
    open_with(NULL);
    const struct site_answer *answer = site_get(&rig, "/guide?a=1&b=%2F");
    EXPECT_INT(answer->status, 301);
    EXPECT_TEXT(site_field(answer, "Location"), "/guide/?a=1&b=%2F");
    EXPECT_INT(site_ask(&rig, "HEAD", "/guide", "")->status, 301);
    answer = site_ask(&rig, "POST", "/guide", "");
    EXPECT_INT(answer->status, 308);
    EXPECT_TEXT(site_field(answer, "Location"), "/guide/");
    EXPECT_INT(site_counter(&rig, "file_redirects"), 3);
    site_close(&rig);
}

/* A Location of "//host/" would be another site (RFC 3986 §4.2). */
TEST(test_no_redirect_leaves_the_site)
{
    site_open(&rig);
    tree_directory("evil.example");
    tree_directory("evil.example/x..");
    tree_directory("\\evil.example");
    tree_directory("a\r\nSet-Cookie: b=c");
    open_with(NULL);
    static const char *const targets[][2] = {
        {"//evil.example", "/evil.example/"},
        {"///evil.example", "/evil.example/"},
        {"/%2e%2e//evil.example", NULL},
        {"/./evil.example", "/evil.example/"},
        {"/a/..//evil.example", "/evil.example/"},
        {"//evil.example/..%2f", NULL},
        {"//evil.example/x..", "/evil.example/x../"},
        {"/%5Cevil.example", "/%5Cevil.example/"},
        {"/a%0D%0ASet-Cookie:%20b=c", "/a%0D%0ASet-Cookie:%20b=c/"},
        {"http://evil.example/evil.example", "/evil.example/"},
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const struct site_answer *answer = site_get(&rig, targets[i][0]);
        const char *location = site_field(answer, "Location");
        if ((answer->status == 301) != (targets[i][1] != NULL)) {
            test_fail(__FILE__, __LINE__, "%s is %d", targets[i][0], answer->status);
        }
        if (targets[i][1]) {
            EXPECT_TEXT(location, targets[i][1]);
            EXPECT(location[0] == '/' && location[1] != '/' && location[1] != '\\');
        }
    }
    site_close(&rig);
}

TEST(test_a_very_long_path_and_query_do_no_harm)
{
    site_open(&rig);
    tree_directory("d");
    open_with(NULL);
    static char target[65536];
    memset(target, 'q', sizeof target - 1);
    memcpy(target, "/d?", 3);
    EXPECT_INT(strlen(site_field(site_get(&rig, "/d?x"), "Location")), 5);
    memset(target, '/', 3);
    EXPECT_INT(site_get(&rig, target)->status, 404);
    site_close(&rig);
}

TEST(test_an_encoded_slash_is_no_slash)
{
    site_open(&rig);
    tree_write("guide/a.txt", "a");
    open_with(NULL);
    site_expect(&rig, "/guide%2Fa.txt", 404, NULL);
    site_expect(&rig, "/guide/a.txt", 200, "a");
    site_close(&rig);
}

TEST(test_every_name_can_be_asked_for)
{
    site_open(&rig);
    static const char *const names[][2] = {
        {"100%25.txt", "100%.txt"},
        {"a%252Fb", "a%2Fb"},
        {"%3Cb%3E", "<b>"},
        {"a%20b", "a b"},
        {"%FF%FE", "\xFF\xFE"},
        {"a%0Ab", "a\nb"},
        {"%C3%A4.txt", "\xC3\xA4.txt"},
        {"q%3Fx", "q?x"},
        {"a%5Cb", "a\\b"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tree_write(names[i][1], names[i][1]);
    }
    open_with(NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char target[64];
        snprintf(target, sizeof target, "/%s", names[i][0]);
        site_expect(&rig, target, 200, names[i][1]);
    }
    site_close(&rig);
}

TEST(test_what_is_hidden_or_special_or_outside_is_404)
{
    site_open(&rig);
    tree_write(".env", "secret");
    tree_write(".git/config", "secret");
    tree_write("a.txt~", "secret");
    tree_write("a.bak", "secret");
    tree_write(".well-known/security.txt", "contact");
    tree_link("/etc/passwd", "out");
    tree_link("a.txt", "in");
    tree_write("a.txt", "a");
    open_with(NULL);
    static const char *const targets[] = {"/.env",  "/.git/config", "/.git/",   "/a.txt~",
                                          "/a.bak", "/out",         "/nothing", "/a.txt/"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        site_expect(&rig, targets[i], 404, NULL);
        EXPECT(strstr(rig.answer.body, "secret") == NULL);
        EXPECT(strstr(rig.answer.body, "root:") == NULL);
    }
    site_expect(&rig, "/.well-known/security.txt", 200, "contact");
    site_expect(&rig, "/in", 200, "a");
    EXPECT_INT(site_counter(&rig, "file_missing"), 8);
    site_close(&rig);
}

TEST(test_hidden_files_are_served_when_asked_for)
{
    site_open(&rig);
    tree_write(".env", "open");
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.flags = GALLEY_STATIC_HIDDEN;
    open_with(&options);
    site_expect(&rig, "/.env", 200, "open");
    site_close(&rig);
}

TEST(test_under_a_prefix_the_parameter_is_the_path)
{
    site_open(&rig);
    tree_write("guide/index.html", "guide");
    tree_write("index.html", "root");
    rig.prefix = "/assets";
    open_with(NULL);
    site_expect(&rig, "/assets/guide/", 200, "guide");
    site_expect(&rig, "/assets/", 200, "root");
    const struct site_answer *answer = site_get(&rig, "/assets/guide?x");
    EXPECT_INT(answer->status, 301);
    EXPECT_TEXT(site_field(answer, "Location"), "/assets/guide/?x");
    site_close(&rig);
}

TEST(test_a_site_without_a_server_answers_500)
{
    site_open(&rig);
    tree_write("a.txt", "a");
    galley_error err;
    galley_static *other = galley_static_new(rig.root, NULL, &err);
    EXPECT(other != NULL);
    open_with(NULL);
    rig.route.arg = other;
    site_expect(&rig, "/a.txt", 500, NULL);
    EXPECT_INT(galley_static_serve(NULL, NULL, NULL), GALLEY_EINVAL);
    galley_static_free(other);
    site_close(&rig);
}

TEST(test_a_change_is_seen_at_once)
{
    site_open(&rig);
    tree_write("a.txt", "old");
    open_with(NULL);
    site_expect(&rig, "/a.txt", 200, "old");
    site_expect(&rig, "/b.txt", 404, NULL);
    tree_write("a.txt", "newer");
    tree_write("b.txt", "there");
    site_settle(&rig);
    site_expect(&rig, "/a.txt", 200, "newer");
    site_expect(&rig, "/b.txt", 200, "there");
    tree_unlink("a.txt");
    site_settle(&rig);
    site_expect(&rig, "/a.txt", 404, NULL);
    site_close(&rig);
}
