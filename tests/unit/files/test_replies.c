/* tests/unit/files/test_replies.c — galley_res_file(): the handler's status and fields stay, the
 * rest is as for sites. */
#include "files/file_site.h"

#include "support_site.h"
#include "support_tree.h"
#include "test.h"

static struct site_rig rig;
static struct {
    const char *path;
    int status;
    const char *name, *value; /* a field of the handler's */
    int result;
} wish;

static int handler(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    if (wish.name) {
        EXPECT_INT(galley_res_header(rs, wish.name, wish.value), 0);
    }
    EXPECT_INT(galley_res_file(rs, wish.status, wish.path), 0);
    return wish.result;
}

static void open_replies(void)
{
    site_open(&rig);
    tree_write("page.html", "0123456789");
    tree_write("page.html.br", "packed");
    tree_touch("page.html", 1600000000);
    galley_error err;
    rig.site = file_site_for_replies(&err);
    EXPECT(rig.site != NULL);
    rig.handler = handler;
    site_start(&rig, NULL, 0);
    wish.path = "page.html";
    wish.status = 200;
}

TEST(test_a_reply_is_the_file_with_its_type)
{
    open_replies();
    const struct site_answer *answer = site_ask(&rig, "GET", "/x", "Accept-Encoding: br\n");
    EXPECT_INT(answer->status, 200);
    EXPECT_TEXT(answer->body, "0123456789");
    EXPECT_TEXT(site_field(answer, "Content-Type"), "text/html; charset=utf-8");
    EXPECT_TEXT(site_field(answer, "Last-Modified"), "Sun, 13 Sep 2020 12:26:40 GMT");
    EXPECT(site_field(answer, "ETag") && !site_field(answer, "Vary"));
    EXPECT_INT(answer->length, 10);
    site_close(&rig);
}

TEST(test_a_reply_may_lie_anywhere)
{
    open_replies();
    char path[256];
    snprintf(path, sizeof path, "%s/page.html", rig.root);
    wish.path = path;
    site_expect(&rig, "/x", 200, "0123456789");
    wish.path = "../../../../../../../..";
    site_expect(&rig, "/x", 404, NULL);
    site_close(&rig);
}

TEST(test_the_handlers_type_stays)
{
    open_replies();
    wish.name = "Content-Type";
    wish.value = "text/x-special";
    EXPECT_TEXT(site_field(site_get(&rig, "/x"), "Content-Type"), "text/x-special");
    const struct site_answer *answer = site_ask(&rig, "GET", "/x", "Range: bytes=1-2\n");
    EXPECT_INT(answer->status, 206);
    EXPECT_TEXT(answer->body, "12");
    EXPECT_TEXT(site_field(answer, "Content-Type"), "text/x-special");
    answer = site_ask(&rig, "GET", "/x", "Range: bytes=1-2,5-6\n");
    EXPECT(strstr(answer->body, "Content-Type: text/x-special\r\n"));
    site_close(&rig);
}

TEST(test_replies_with_200_are_conditional)
{
    open_replies();
    EXPECT_INT(site_ask(&rig, "GET", "/x", "If-None-Match: *\n")->status, 304);
    EXPECT_INT(site_ask(&rig, "GET", "/x", "If-Match: \"x\"\n")->status, 412);
    EXPECT_INT(site_ask(&rig, "GET", "/x", "Range: bytes=99-\n")->status, 416);
    EXPECT_INT(site_ask(&rig, "POST", "/x", "If-None-Match: *\n")->status, 200);
    EXPECT_TEXT(rig.answer.body, "0123456789");
    site_close(&rig);
}

/* RFC 9110 §13.2.1 */
TEST(test_replies_with_another_status_are_not)
{
    open_replies();
    wish.status = 500;
    const struct site_answer *answer =
        site_ask(&rig, "GET", "/x", "If-None-Match: *\nRange: bytes=0-1\n");
    EXPECT_INT(answer->status, 500);
    EXPECT_TEXT(answer->body, "0123456789");
    EXPECT(!site_field(answer, "ETag") && !site_field(answer, "Accept-Ranges"));
    wish.status = 204;
    answer = site_get(&rig, "/x");
    EXPECT_INT(answer->status, 204);
    EXPECT_INT(answer->length, 0);
    site_close(&rig);
}

TEST(test_the_handlers_own_validator_rules_out_ours)
{
    open_replies();
    wish.name = "ETag";
    wish.value = "\"mine\"";
    const struct site_answer *answer = site_ask(&rig, "GET", "/x", "Range: bytes=0-1\n");
    EXPECT_INT(answer->status, 200);
    EXPECT_TEXT(site_field(answer, "ETag"), "\"mine\"");
    EXPECT(!site_field(answer, "Last-Modified"));
    EXPECT_TEXT(answer->body, "0123456789");
    site_close(&rig);
}

TEST(test_a_reply_that_is_missing_is_404_or_the_status_and_a_log_line)
{
    open_replies();
    wish.path = "none.html";
    EXPECT_INT(site_get(&rig, "/x")->status, 404);
    EXPECT_INT(rig.logged, 1);
    wish.status = 503;
    const struct site_answer *answer = site_get(&rig, "/x");
    EXPECT_INT(answer->status, 503);
    EXPECT(strstr(answer->body, "Service Unavailable"));
    EXPECT_INT(rig.logged, 1); /* at most one line a second */
    wish.path = ".";
    EXPECT_INT(site_get(&rig, "/x")->status, 503);
    site_close(&rig);
}

TEST(test_a_second_reply_comes_from_memory)
{
    open_replies();
    site_expect(&rig, "/x", 200, "0123456789");
    site_expect(&rig, "/x", 200, "0123456789");
    EXPECT_INT(site_counter(&rig, "file_loads"), 1);
    EXPECT_INT(site_counter(&rig, "file_hits"), 1);
    site_close(&rig);
}
