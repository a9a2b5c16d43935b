/* tests/unit/files/test_pages.c — what answers when there is no such file: the site's own page, the
 * application's index, clean URLs, the server's page. */
#include "support_site.h"
#include "support_tree.h"
#include "test.h"

static struct site_rig rig;
static const char html[] = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\n";

static void open_with(uint32_t flags, const char *not_found)
{
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.flags = flags;
    options.not_found = not_found;
    site_start(&rig, &options, 0);
}

/* ---- 404 ------------------------------------------------------------------------------------- */

TEST(test_the_sites_own_404_page_is_picked_up)
{
    site_open(&rig);
    tree_write("404.html", "<h1>lost</h1>");
    tree_write("404.html.gz", "packed");
    open_with(0, NULL);
    const struct site_answer *answer = site_get(&rig, "/none");
    EXPECT_INT(answer->status, 404);
    EXPECT_TEXT(answer->body, "<h1>lost</h1>");
    EXPECT_TEXT(site_field(answer, "Content-Type"), "text/html; charset=utf-8");
    EXPECT_TEXT(site_field(answer, "Vary"), "Accept-Encoding");
    /* It describes the error, not the thing asked for. */
    EXPECT(!site_field(answer, "ETag") && !site_field(answer, "Last-Modified"));
    EXPECT(!site_field(answer, "Accept-Ranges"));
    answer = site_ask(&rig, "HEAD", "/none", "");
    EXPECT_INT(answer->status, 404);
    EXPECT_INT(answer->length, 13);
    EXPECT_INT(answer->body_len, 0);
    answer = site_ask(&rig, "GET", "/deep/none", "Accept-Encoding: gzip\nRange: bytes=0-0\n");
    EXPECT_INT(answer->status, 404);
    EXPECT_TEXT(answer->body, "packed");
    EXPECT_TEXT(site_field(answer, "Content-Encoding"), "gzip");
    site_expect(&rig, "/404.html", 200, "<h1>lost</h1>");
    EXPECT_INT(site_counter(&rig, "file_missing"), 3);
    site_close(&rig);
}

TEST(test_an_encoded_slash_gets_the_sites_page_too)
{
    site_open(&rig);
    tree_write("404.html", "lost");
    open_with(0, NULL);
    site_expect(&rig, "/a%2Fb", 404, "lost");
    site_close(&rig);
}

TEST(test_the_page_comes_and_goes_with_its_file)
{
    site_open(&rig);
    open_with(0, "errors/gone.txt");
    site_expect(&rig, "/none", 404, NULL);
    EXPECT(strstr(rig.answer.body, "Not Found"));
    tree_write("errors/gone.txt", "gone");
    site_settle(&rig);
    site_expect(&rig, "/none", 404, "gone");
    EXPECT_TEXT(site_field(&rig.answer, "Content-Type"), "text/plain; charset=utf-8");
    tree_unlink("errors/gone.txt");
    site_settle(&rig);
    site_expect(&rig, "/none", 404, NULL);
    EXPECT(strstr(rig.answer.body, "Not Found"));
    site_close(&rig);
}

TEST(test_the_page_can_be_left_alone)
{
    site_open(&rig);
    tree_write("404.html", "lost");
    open_with(0, "");
    site_expect(&rig, "/none", 404, NULL);
    EXPECT(strstr(rig.answer.body, "Not Found"));
    site_close(&rig);
}

TEST(test_a_directory_without_index_is_404_without_listings)
{
    site_open(&rig);
    tree_write("d/secret-name.txt", "x");
    open_with(0, NULL);
    site_expect(&rig, "/d/", 404, NULL);
    EXPECT(strstr(rig.answer.body, "secret-name") == NULL);
    site_close(&rig);
}

/* ---- single-page applications ---------------------------------------------------------------- */

TEST(test_a_missing_page_is_the_applications_index)
{
    site_open(&rig);
    tree_write("index.html", "app");
    tree_write("404.html", "lost");
    open_with(GALLEY_STATIC_SPA, NULL);
    const struct site_answer *answer = site_ask(&rig, "GET", "/users/7", html);
    EXPECT_INT(answer->status, 200);
    EXPECT_TEXT(answer->body, "app");
    /* RFC 9110 §12.5.5: with another Accept it would be a 404. */
    EXPECT_TEXT(site_field(answer, "Vary"), "Accept");
    EXPECT_INT(site_ask(&rig, "HEAD", "/users/7", html)->status, 200);
    EXPECT_INT(site_ask(&rig, "GET", "/users/", html)->status, 200);
    char fields[256];
    snprintf(fields, sizeof fields, "%sIf-None-Match: *\n", html);
    EXPECT_INT(site_ask(&rig, "GET", "/users/7", fields)->status, 304);
    site_close(&rig);
}

TEST(test_what_is_no_page_stays_missing)
{
    site_open(&rig);
    tree_write("index.html", "app");
    open_with(GALLEY_STATIC_SPA, NULL);
    static const char *const asked[][2] = {
        {"/app.js", html},
        {"/users/7", ""},
        {"/users/7", "Accept: application/json\n"},
        {"/users/7", "Accept: */*\n"},
        {"/users/7", "Accept: text/html;q=0, */*\n"},
        {"/users/7.png", html},
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        EXPECT_INT(site_ask(&rig, "GET", asked[i][0], asked[i][1])->status, 404);
        EXPECT_TEXT(site_field(&rig.answer, "Vary"), "Accept"); /* RFC 9110 §12.5.5 */
    }
    EXPECT_INT(site_ask(&rig, "POST", "/users/7", html)->status, 405);
    site_close(&rig);
}

TEST(test_an_application_without_index_is_404)
{
    site_open(&rig);
    tree_write("404.html", "lost");
    open_with(GALLEY_STATIC_SPA, NULL);
    const struct site_answer *answer = site_ask(&rig, "GET", "/users/7", html);
    EXPECT_INT(answer->status, 404);
    EXPECT_TEXT(answer->body, "lost");
    site_close(&rig);
}

TEST(test_without_the_option_there_is_no_fallback)
{
    site_open(&rig);
    tree_write("index.html", "app");
    open_with(0, NULL);
    EXPECT_INT(site_ask(&rig, "GET", "/users/7", html)->status, 404);
    EXPECT(site_field(&rig.answer, "Vary") == NULL);
    site_close(&rig);
}

/* ---- clean URLs ------------------------------------------------------------------------------ */

TEST(test_clean_urls_are_by_option)
{
    site_open(&rig);
    tree_write("about.html", "about");
    open_with(0, NULL);
    site_expect(&rig, "/about", 404, NULL);
    site_expect(&rig, "/about.html", 200, "about");
    site_close(&rig);

    site_open(&rig);
    tree_write("about.html", "about");
    tree_write("both.html", "page");
    tree_write("both", "file");
    tree_write("report.v1.html", "no");
    open_with(GALLEY_STATIC_CLEAN_URLS, NULL);
    site_expect(&rig, "/about", 200, "about");
    EXPECT_TEXT(site_field(&rig.answer, "Content-Type"), "text/html; charset=utf-8");
    site_expect(&rig, "/about.html", 200, "about"); /* service workers and bookmarks keep working */
    site_expect(&rig, "/both", 200, "file");
    site_expect(&rig, "/report.v1", 404, NULL);
    site_close(&rig);
}
