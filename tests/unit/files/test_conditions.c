/* tests/unit/files/test_conditions.c — conditional requests and content codings. */
#include "support_site.h"
#include "support_tree.h"
#include "test.h"

static struct site_rig rig;

static void open_site(void)
{
    site_open(&rig);
    tree_write("a.css", "plain plain plain");
    tree_write("a.css.br", "brotli");
    tree_write("a.css.gz", "gzip");
    tree_write("b.css", "alone");
    static const char *const names[] = {"a.css", "a.css.br", "a.css.gz", "b.css"};
    for (size_t i = 0; i < 4; i++) {
        tree_touch(names[i], 1600000000);
    }
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.rules = (galley_static_rule[]){{"*.css", "max-age=60"}, {0}};
    site_start(&rig, &options, 0);
}

static const struct site_answer *ask(const char *fields)
{
    return site_ask(&rig, "GET", "/a.css", fields);
}

/* RFC 9110 §13.1.2, RFC 9110 §13.1.3, RFC 9110 §15.4.5 */
TEST(test_304_carries_what_the_200_said_of_itself)
{
    open_site();
    char etag[80], fields[200];
    snprintf(etag, sizeof etag, "%s", site_field(ask(""), "ETag"));
    snprintf(fields, sizeof fields, "If-None-Match: \"x\", W/%s\n", etag);
    const struct site_answer *answer = ask(fields);
    EXPECT_INT(answer->status, 304);
    EXPECT_TEXT(site_field(answer, "ETag"), etag);
    EXPECT_TEXT(site_field(answer, "Vary"), "Accept-Encoding");
    EXPECT_TEXT(site_field(answer, "Cache-Control"), "max-age=60");
    EXPECT(site_field(answer, "Content-Type") == NULL);
    EXPECT(site_field(answer, "Content-Length") == NULL);
    EXPECT_INT(answer->body_len, 0);
    EXPECT_INT(ask("If-Modified-Since: Sun, 13 Sep 2020 12:26:40 GMT\n")->status, 304);
    EXPECT_INT(ask("If-Modified-Since: Sunday, 13-Sep-20 12:26:40 GMT\n")->status, 304);
    EXPECT_INT(ask("If-Modified-Since: Sun Sep 13 12:26:40 2020\n")->status, 304);
    EXPECT_INT(ask("If-Modified-Since: Sun, 13 Sep 2020 12:26:39 GMT\n")->status, 200);
    EXPECT_INT(site_ask(&rig, "HEAD", "/a.css", fields)->status, 304);
    EXPECT_INT(site_counter(&rig, "file_not_modified"), 5);
    site_close(&rig);
}

/* RFC 9110 §13.1.1, RFC 9110 §13.1.4, RFC 9110 §13.2.2 */
TEST(test_412_when_the_client_means_another_state)
{
    open_site();
    char fields[200];
    snprintf(fields, sizeof fields, "If-Match: \"x\", %s\n", site_field(ask(""), "ETag"));
    EXPECT_INT(ask(fields)->status, 200);
    EXPECT_INT(ask("If-Match: *\n")->status, 200);
    EXPECT_INT(ask("If-Match: \"x\"\n")->status, 412);
    EXPECT_INT(ask("If-Unmodified-Since: Sun, 13 Sep 2020 12:26:39 GMT\n")->status, 412);
    EXPECT_INT(ask("If-Unmodified-Since: Sun, 13 Sep 2020 12:26:40 GMT\n")->status, 200);
    EXPECT_INT(ask("If-Match: \"x\"\nIf-None-Match: *\n")->status, 412);
    EXPECT_INT(
        ask("If-None-Match: \"x\"\nIf-Modified-Since: Sun, 13 Sep 2020 12:26:40 GMT\n")->status,
        200);
    EXPECT_INT(site_counter(&rig, "file_failed_conditions"), 3);
    site_close(&rig);
}

/* RFC 9110 §13.2.1: a 404 or 405 stays one, whatever is asked. */
TEST(test_conditions_do_not_hide_errors)
{
    open_site();
    EXPECT_INT(site_ask(&rig, "GET", "/none", "If-None-Match: *\n")->status, 404);
    EXPECT_INT(site_ask(&rig, "GET", "/none", "If-Match: \"x\"\nRange: bytes=0-1\n")->status, 404);
    EXPECT_INT(site_ask(&rig, "POST", "/a.css", "If-None-Match: *\n")->status, 405);
    site_close(&rig);
}

/* RFC 9110 §12.5.3, RFC 9110 §12.5.5, RFC 9110 §8.8.3 */
TEST(test_neighbours_are_chosen_by_accept_encoding)
{
    open_site();
    static const char *const asked[][3] = {
        {"", "plain plain plain", NULL},
        {"Accept-Encoding: gzip, br\n", "brotli", "br"},
        {"Accept-Encoding: gzip\n", "gzip", "gzip"},
        {"Accept-Encoding: gzip;q=1, br;q=0.5\n", "gzip", "gzip"},
        {"Accept-Encoding: br;q=0, gzip;q=0\n", "plain plain plain", NULL},
        {"Accept-Encoding: identity;q=0\n", "brotli", "br"},
        {"Accept-Encoding: *\n", "brotli", "br"},
        {"Accept-Encoding: zstd, identity;q=0, *;q=0\n", "plain plain plain", NULL},
    };
    char etags[8][80];
    for (size_t i = 0; i < 8; i++) {
        const struct site_answer *answer = ask(asked[i][0]);
        EXPECT_INT(answer->status, 200);
        if (strcmp(asked[i][0], "Accept-Encoding: identity;q=0\n") != 0) {
            EXPECT_TEXT(answer->body, asked[i][1]);
            const char *coding = site_field(answer, "Content-Encoding");
            EXPECT_TEXT(coding ? coding : "", asked[i][2] ? asked[i][2] : "");
        }
        char length[24];
        snprintf(length, sizeof length, "%zu", answer->body_len);
        EXPECT_TEXT(site_field(answer, "Content-Length"), length);
        EXPECT_TEXT(site_field(answer, "Vary"), "Accept-Encoding");
        EXPECT_TEXT(site_field(answer, "Content-Type"), "text/css; charset=utf-8");
        EXPECT_TEXT(site_field(answer, "Last-Modified"), "Sun, 13 Sep 2020 12:26:40 GMT");
        snprintf(etags[i], sizeof etags[i], "%s", site_field(answer, "ETag"));
    }
    EXPECT(strcmp(etags[0], etags[1]) != 0 && strcmp(etags[1], etags[2]) != 0 &&
           strcmp(etags[0], etags[2]) != 0);
    site_close(&rig);
}

TEST(test_a_condition_is_about_the_variant_that_would_be_sent)
{
    open_site();
    char fields[300];
    snprintf(fields, sizeof fields, "If-None-Match: %s\nAccept-Encoding: gzip\n",
             site_field(ask("Accept-Encoding: br\n"), "ETag"));
    EXPECT_INT(ask(fields)->status, 200);
    snprintf(fields, sizeof fields, "If-None-Match: %s\nAccept-Encoding: gzip\n",
             site_field(ask("Accept-Encoding: gzip\n"), "ETag"));
    EXPECT_INT(ask(fields)->status, 304);
    site_close(&rig);
}

/* RFC 9110 §12.5.5: Vary also on 206, although a range is always of the plain file. */
TEST(test_a_range_is_of_the_plain_file)
{
    open_site();
    const struct site_answer *answer = ask("Accept-Encoding: br\nRange: bytes=0-4\n");
    EXPECT_INT(answer->status, 206);
    EXPECT_TEXT(answer->body, "plain");
    EXPECT_TEXT(site_field(answer, "Content-Range"), "bytes 0-4/17");
    EXPECT_TEXT(site_field(answer, "Vary"), "Accept-Encoding");
    EXPECT(site_field(answer, "Content-Encoding") == NULL);
    char fields[200];
    snprintf(fields, sizeof fields, "Accept-Encoding: br\nRange: bytes=0-4\nIf-Range: %s\n",
             site_field(ask("Accept-Encoding: br\n"), "ETag"));
    EXPECT_INT(ask(fields)->status, 200); /* it holds parts of another variant */
    EXPECT_TEXT(rig.answer.body, "plain plain plain");
    site_close(&rig);
}

TEST(test_without_neighbours_nothing_varies)
{
    open_site();
    const struct site_answer *answer =
        site_ask(&rig, "GET", "/b.css", "Accept-Encoding: br, gzip\n");
    EXPECT_TEXT(answer->body, "alone");
    EXPECT(site_field(answer, "Vary") == NULL);
    site_close(&rig);
}

TEST(test_neighbours_can_be_left_alone)
{
    site_open(&rig);
    tree_write("a.css", "plain");
    tree_write("a.css.br", "brotli");
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.flags = GALLEY_STATIC_NO_PRECOMPRESSED;
    site_start(&rig, &options, 0);
    EXPECT_TEXT(ask("Accept-Encoding: br\n")->body, "plain");
    site_close(&rig);
}

TEST(test_a_neighbour_that_appears_or_changes_is_used_at_once)
{
    open_site();
    const char *fields = "Accept-Encoding: br\n";
    EXPECT_TEXT(site_ask(&rig, "GET", "/b.css", fields)->body, "alone");
    tree_write("b.css.br", "packed");
    site_settle(&rig);
    EXPECT_TEXT(site_ask(&rig, "GET", "/b.css", fields)->body, "packed");
    tree_write("b.css.br", "packed again");
    site_settle(&rig);
    EXPECT_TEXT(site_ask(&rig, "GET", "/b.css", fields)->body, "packed again");
    site_close(&rig);
}
