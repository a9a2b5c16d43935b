/* tests/unit/files/test_links.c — Link by pattern: which files have it, what goes ahead as a 103 and
 * when nothing does. */
#include "base/alloc.h"

#include "files/file_site.h"

#include "support_site.h"
#include "support_tree.h"
#include "test.h"

static const char css[] = "</app.css>; rel=preload; as=style";
static const char script[] = "</app.js>; rel=preload; as=script";

static const galley_static_rule rules[] = {
    {"*.html", css}, {"/guide/*.html", script}, {"/never/**", "<x>"}, {NULL, NULL}};

static struct site_rig rig;

static void open_linked(uint32_t flags)
{
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.flags = flags;
    options.links = rules;
    options.compress_min_bytes = 10;
    site_open(&rig);
    tree_write("index.html", "home");
    tree_write("guide/index.html", "guide");
    tree_write("guide/two.html", "two");
    tree_write("a.txt", "text");
    tree_write("404.html", "none");
    site_start(&rig, &options, 0);
    rig.services.hints_over_http1 = true;
}

/* RFC 8288 §3. Every rule that matches counts, in order. */
TEST(test_a_file_has_the_links_of_all_rules_that_match_it)
{
    open_linked(0);
    const struct site_answer *answer = site_get(&rig, "/");
    EXPECT_TEXT(site_field(answer, "Link"), css);
    answer = site_get(&rig, "/guide/");
    EXPECT(strstr(answer->head, "Link: </app.css>; rel=preload; as=style\r\n"
                                "Link: </app.js>; rel=preload; as=script\r\n"));
    EXPECT_INT(site_field_count(answer, "Link"), 2);
    answer = site_ask(&rig, "HEAD", "/guide/two.html", "");
    EXPECT_INT(site_field_count(answer, "Link"), 2);
    EXPECT_INT(site_field_count(site_get(&rig, "/a.txt"), "Link"), 0);
    site_close(&rig);
}

/* RFC 9110 §15.4.5: only what identifies the representation; a part is no page. */
TEST(test_only_a_whole_file_has_links)
{
    open_linked(0);
    site_expect(&rig, "/guide/two.html", 200, "two");
    const struct site_answer *answer =
        site_ask(&rig, "GET", "/guide/two.html", "If-None-Match: *\n");
    EXPECT_INT(answer->status, 304);
    EXPECT_INT(site_field_count(answer, "Link"), 0);
    answer = site_ask(&rig, "GET", "/guide/two.html", "Range: bytes=0-0\n");
    EXPECT_INT(answer->status, 206);
    EXPECT_INT(site_field_count(answer, "Link"), 0);
    answer = site_get(&rig, "/none.html");
    EXPECT_INT(answer->status, 404);
    EXPECT_INT(site_field_count(answer, "Link"), 0);
    site_close(&rig);
}

/* RFC 8297 §2. In memory the answer itself is as fast. */
TEST(test_what_has_to_be_read_is_hinted_first_and_what_is_in_memory_is_not)
{
    open_linked(0);
    const struct site_answer *answer = site_get(&rig, "/guide/");
    EXPECT(answer->was_suspended);
    EXPECT_INT(answer->hint_count, 1);
    EXPECT_TEXT(answer->hints, "Link: </app.css>; rel=preload; as=style\n"
                               "Link: </app.js>; rel=preload; as=script\n");
    EXPECT_INT(site_field_count(answer, "Link"), 2);
    answer = site_get(&rig, "/guide/");
    EXPECT_INT(answer->status, 200);
    EXPECT_INT(answer->hint_count, 0);
    EXPECT_INT(site_field_count(answer, "Link"), 2);
    answer = site_get(&rig, "/guide/two.html");
    EXPECT_INT(answer->hint_count, 1);
    answer = site_get(&rig, "/a.txt");
    EXPECT(answer->was_suspended);
    EXPECT_INT(answer->hint_count, 0);
    answer = site_ask(&rig, "HEAD", "/", "");
    EXPECT(answer->was_suspended);
    EXPECT_INT(answer->hint_count, 0);
    site_close(&rig);
}

TEST(test_a_clean_url_is_hinted_by_the_name_of_its_file)
{
    open_linked(GALLEY_STATIC_CLEAN_URLS);
    const struct site_answer *answer = site_get(&rig, "/guide/two");
    EXPECT_INT(answer->status, 200);
    EXPECT_TEXT(answer->hints, "Link: </app.css>; rel=preload; as=style\n"
                               "Link: </app.js>; rel=preload; as=script\n");
    EXPECT_INT(site_field_count(answer, "Link"), 2);
    site_close(&rig);
}

TEST(test_a_page_of_an_application_is_hinted_by_its_index)
{
    open_linked(GALLEY_STATIC_SPA);
    const struct site_answer *answer = site_ask(&rig, "GET", "/cart", "Accept: text/html\n");
    EXPECT_INT(answer->status, 200);
    EXPECT_TEXT(answer->body, "home");
    EXPECT_TEXT(answer->hints, "Link: </app.css>; rel=preload; as=style\n");
    EXPECT_TEXT(site_field(answer, "Link"), css);
    site_close(&rig);
}

TEST(test_hints_can_be_turned_off_and_links_stay)
{
    open_linked(GALLEY_STATIC_NO_HINTS);
    const struct site_answer *answer = site_get(&rig, "/");
    EXPECT(answer->was_suspended);
    EXPECT_INT(answer->hint_count, 0);
    EXPECT_TEXT(site_field(answer, "Link"), css);
    site_close(&rig);
}

/* RFC 8297 §3 */
TEST(test_a_client_of_http_1_1_is_not_hinted_unless_that_was_asked_for)
{
    open_linked(0);
    rig.services.hints_over_http1 = false;
    const struct site_answer *answer = site_get(&rig, "/");
    EXPECT(answer->was_suspended);
    EXPECT_INT(answer->hint_count, 0);
    EXPECT_TEXT(site_field(answer, "Link"), css);
    site_close(&rig);
}

TEST(test_a_file_has_eight_links_at_most)
{
    galley_static_rule many[12] = {0};
    for (unsigned i = 0; i < 11; i++) {
        many[i] = (galley_static_rule){"*", i == 10 ? script : css};
    }
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.links = many;
    site_open(&rig);
    tree_write("a.txt", "text");
    site_start(&rig, &options, 0);
    rig.services.hints_over_http1 = true;
    const struct site_answer *answer = site_get(&rig, "/a.txt");
    EXPECT_INT(site_field_count(answer, "Link"), 8);
    EXPECT_INT(strlen(answer->hints), 8 * (sizeof css - 1 + 7));
    site_close(&rig);
}

/* Nothing gets out that would end a line early, or that no browser understands. */
TEST(test_links_that_are_none_are_refused)
{
    static const char *const values[] = {
        "", "x", "/app.css", "</app.css", "<>", "<a>\r\nb: c", "<a\n>", " <a>", NULL};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
        galley_error err = {0};
        options.links = (galley_static_rule[]){{"*.html", values[i]}, {0}};
        EXPECT(galley_static_new("/", &options, &err) == NULL);
        EXPECT_INT(err.code, GALLEY_EINVAL);
        EXPECT_TEXT(err.message, "static options: link '*.html' needs a pattern and a value like "
                                 "'</app.css>; rel=preload; as=style'");
    }
    static galley_static_rule many[300];
    for (size_t i = 0; i < 299; i++) {
        many[i] = (galley_static_rule){"*", css};
    }
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    galley_error err = {0};
    options.links = many;
    EXPECT(galley_static_new("/", &options, &err) == NULL);
    EXPECT_TEXT(err.message, "static options: more than 256 links");
    options.links = (galley_static_rule[]){{"", css}, {0}};
    EXPECT(galley_static_new("/", &options, &err) == NULL);
}

TEST(test_links_without_memory_are_a_clean_error)
{
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.links = rules;
    bool happened = true;
    unsigned failed = 0;
    for (uint64_t n = 1; happened; n++) {
        galley_error err = {0};
        mem_fail_nth(n);
        galley_static *site = galley_static_new("/", &options, &err);
        happened = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(site || err.code == GALLEY_ENOMEM);
        failed += site == NULL;
        galley_static_free(site);
    }
    EXPECT(failed > 0);
}

/* A hint that finds no memory is left out; what then comes is an answer. */
TEST(test_a_hint_without_memory_is_left_out)
{
    bool happened = true;
    for (uint64_t n = 1; happened; n++) {
        open_linked(GALLEY_STATIC_CLEAN_URLS);
        mem_fail_nth(n);
        bool has_begun = site_begin(&rig, "GET", "/guide/two", "");
        happened = mem_fail_happened();
        mem_fail_nth(0);
        if (has_begun) {
            site_wait(&rig);
            EXPECT(rig.answer.status == 200 || rig.answer.status == 503);
        }
        site_close(&rig);
    }
}
