/* tests/unit/files/test_listing.c — directories as HTML and JSON, with names that somebody chose to
 * do harm. */
#include "files/file_listing.h"

#include "base/alloc.h"
#include "coding/decoder.h"

#include "support_site.h"
#include "support_tree.h"
#include "test.h"

#include <sys/stat.h>

static struct site_rig rig;

static void open_with(uint32_t flags, unsigned threads)
{
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.flags = GALLEY_STATIC_LIST | flags;
    site_start(&rig, &options, threads);
}

static bool says(const char *text)
{
    return strstr(rig.answer.body, text) != NULL;
}

static void get_json(const char *target)
{
    EXPECT_INT(site_ask(&rig, "GET", target, "Accept: application/json\n")->status, 200);
    EXPECT_TEXT(site_field(&rig.answer, "Content-Type"), "application/json");
}

TEST(test_a_directory_is_listed_for_people)
{
    site_open(&rig);
    tree_write("d/b.txt", "12345");
    tree_write("d/A.txt", "");
    tree_directory("d/zoo");
    tree_touch("d/b.txt", 1600000000);
    open_with(0, 0);
    const struct site_answer *answer = site_get(&rig, "/d/");
    EXPECT_INT(answer->status, 200);
    EXPECT_TEXT(site_field(answer, "Content-Type"), "text/html; charset=utf-8");
    EXPECT_TEXT(site_field(answer, "Cache-Control"), "no-cache"); /* RFC 9111 §5.2.2.4 */
    EXPECT_TEXT(site_field(answer, "Vary"), "Accept, Accept-Encoding");
    EXPECT_TEXT(site_field(answer, "Content-Security-Policy"),
                "default-src 'none'; style-src 'unsafe-inline'");
    EXPECT(says("<a href=\"b.txt\"><bdi>b.txt</bdi></a></td><td>5 B</td><td>2020-09-13 12:26<"));
    EXPECT(says("<a href=\"zoo/\"><bdi>zoo/</bdi></a>"));
    EXPECT(says("<a href=\"../\">"));
    EXPECT(says("<title>/d/</title>"));
    EXPECT(!says("<script"));
    const char *zoo = strstr(answer->body, "zoo/"), *a = strstr(answer->body, "A.txt");
    EXPECT(zoo < a && a < strstr(answer->body, "b.txt")); /* directories first, then by letters */
    EXPECT_INT(answer->length, answer->body_len);
    EXPECT_INT(site_counter(&rig, "file_listings"), 1);
    site_close(&rig);
}

TEST(test_the_root_has_no_parent)
{
    site_open(&rig);
    tree_write("a.txt", "a");
    open_with(0, 0);
    EXPECT_INT(site_get(&rig, "/")->status, 200);
    EXPECT(says("a.txt") && !says("../"));
    site_close(&rig);
}

/* RFC 8259; RFC 9110 §12.5.1 */
TEST(test_a_directory_is_listed_for_programs)
{
    site_open(&rig);
    tree_write("d/b c.txt", "12345");
    tree_touch("d/b c.txt", 1600000000);
    tree_directory("d/zoo");
    tree_touch("d/zoo", 1600000001);
    open_with(0, 0);
    get_json("/d/");
    EXPECT_TEXT(rig.answer.body,
                "{\"path\":\"/d/\",\"is_cut\":false,\"entries\":[\n"
                "{\"name\":\"zoo\",\"href\":\"zoo/\",\"type\":\"directory\","
                "\"modified\":\"2020-09-13T12:26:41Z\"},\n"
                "{\"name\":\"b c.txt\",\"href\":\"b%20c.txt\",\"type\":\"file\",\"size\":5,"
                "\"modified\":\"2020-09-13T12:26:40Z\"}\n]}\n");
    site_close(&rig);
}

TEST(test_an_empty_directory_is_a_list_of_nothing)
{
    site_open(&rig);
    open_with(0, 0);
    get_json("/");
    EXPECT_TEXT(rig.answer.body, "{\"path\":\"/\",\"is_cut\":false,\"entries\":[\n]}\n");
    site_close(&rig);
}

/* RFC 9110 §9.3.2 */
TEST(test_head_of_a_listing_has_its_length)
{
    site_open(&rig);
    tree_write("a.txt", "a");
    open_with(0, 0);
    int64_t length = site_get(&rig, "/")->length;
    const struct site_answer *answer = site_ask(&rig, "HEAD", "/", "");
    EXPECT_INT(answer->status, 200);
    EXPECT_INT(answer->length, length);
    EXPECT_INT(answer->body_len, 0);
    site_close(&rig);
}

/* ---- compressed ---- */

static void write_many(void)
{
    char name[40];
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "d/a-name-of-a-file-%d.txt", i);
        tree_write(name, "");
    }
}

static void expect_decodes_to(const char *page, size_t len, enum coding coding)
{
    static char out[64 * 1024];
    struct decoder *decoder = decoder_create(coding, NULL);
    struct span in = span_make(rig.answer.body, rig.answer.body_len);
    struct decoder_output output = {out, sizeof out};
    EXPECT_INT(decoder_run(decoder, &in, &output), 0);
    EXPECT_INT(decoder_end(decoder), 0);
    decoder_destroy(decoder);
    test_equal_bytes(__FILE__, __LINE__, "page", out, (size_t)(output.at - out), page, len);
}

/* RFC 9110 §12.5.3, §12.5.5 */
TEST(test_a_long_listing_is_compressed_for_who_wants_it)
{
    static const char *const fields[CODING_COUNT] = {
        "Accept-Encoding: gzip;q=0\n", "Accept-Encoding: gzip\n", "Accept-Encoding: gzip, zstd\n",
        "Accept-Encoding: gzip, br\n"};
    site_open(&rig);
    write_many();
    open_with(0, 1);
    const struct site_answer *answer = site_get(&rig, "/d/");
    size_t len = answer->body_len;
    char *page = strdup(answer->body);
    EXPECT_TEXT(site_field(answer, "Vary"), "Accept, Accept-Encoding");
    for (unsigned i = 0; i < CODING_COUNT; i++) {
        answer = site_ask(&rig, "GET", "/d/", fields[i]);
        EXPECT_INT(answer->status, 200);
        EXPECT_INT(answer->length, answer->body_len);
        EXPECT_TEXT(site_field(answer, "Vary"), "Accept, Accept-Encoding");
        const char *coding = site_field(answer, "Content-Encoding");
        EXPECT((coding == NULL) == (i == CODING_IDENTITY));
        if (coding) {
            EXPECT_TEXT(coding, coding_name((enum coding)i).ptr);
            EXPECT(answer->body_len < len / 4);
            expect_decodes_to(page, len, (enum coding)i);
            int64_t length = answer->length; /* §9.3.2: HEAD says the same */
            EXPECT_INT(site_ask(&rig, "HEAD", "/d/", fields[i])->length, length);
        }
    }
    free(page);
    site_close(&rig);
}

TEST(test_a_listing_is_left_as_it_is_where_it_is_short_or_its_owner_says_so)
{
    static const struct {
        const char *target, *types, *vary;
        uint32_t flags;
        size_t min_bytes;
    } cases[] = {{"/", NULL, "Accept", 0, 0},
                 {"/d/", NULL, "Accept", GALLEY_STATIC_NO_COMPRESS, 0},
                 {"/d/", "application/json", "Accept", 0, 0},
                 {"/d/", NULL, "Accept", 0, 1 << 20}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
        options.flags = GALLEY_STATIC_LIST | cases[i].flags;
        options.compress_types = cases[i].types;
        options.compress_min_bytes = cases[i].min_bytes;
        site_open(&rig);
        write_many();
        site_start(&rig, &options, 0);
        const struct site_answer *answer =
            site_ask(&rig, "GET", cases[i].target, "Accept-Encoding: br\n");
        EXPECT_INT(answer->status, 200);
        EXPECT(site_field(answer, "Content-Encoding") == NULL);
        EXPECT_TEXT(site_field(answer, "Vary"), cases[i].vary);
        site_close(&rig);
    }
}

TEST(test_an_index_file_comes_before_the_listing)
{
    site_open(&rig);
    tree_write("index.html", "index");
    open_with(0, 0);
    site_expect(&rig, "/", 200, "index");
    site_close(&rig);
}

/* "Hidden" must not mean "only not in the list", nor the other way round. */
TEST(test_only_what_a_client_can_get_is_listed)
{
    site_open(&rig);
    tree_write(".env", "x");
    tree_write("a.bak", "x");
    tree_write("b~", "x");
    tree_write(".well-known/x", "x");
    tree_write("sub/.well-known/x", "x");
    tree_link("/etc/passwd", "leads-out");
    tree_link("/etc", "leads-out-dir");
    tree_link("nowhere", "leads-nowhere");
    tree_link("fine.txt", "stays-in");
    tree_link("sub", "stays-in-dir");
    tree_write("fine.txt", "1234567");
    EXPECT_INT(mkfifo("fifo", 0600), 0);
    open_with(0, 0);
    get_json("/");
    EXPECT(!says(".env") && !says("a.bak") && !says("b~") && !says("leads-") && !says("fifo"));
    EXPECT(says("\".well-known\""));
    EXPECT(says("\"name\":\"stays-in\",\"href\":\"stays-in\",\"type\":\"file\",\"size\":7"));
    EXPECT(says("\"name\":\"stays-in-dir\",\"href\":\"stays-in-dir/\",\"type\":\"directory\""));
    get_json("/sub/");
    EXPECT(!says(".well-known"));
    site_expect(&rig, "/leads-out-dir/", 404, NULL);
    site_expect(&rig, "/.env", 404, NULL);
    site_close(&rig);
}

TEST(test_hidden_names_are_listed_when_they_are_served)
{
    site_open(&rig);
    tree_write(".env", "x");
    open_with(GALLEY_STATIC_HIDDEN, 0);
    get_json("/");
    EXPECT(says("\".env\""));
    site_close(&rig);
}

static const char *const evil_names[] = {
    "<script>alert(1)",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' onmouseover='alert(1)",
    "&lt;&amp;",
    "100%",
    "a%2Fb",
    "a%00b",
    "line\nbreak\r",
    "javascript:alert(1)",
    "C:\\windows",
    "?query",
    "#fragment",
    "\xFF\xFE not utf-8",
    "\xC0\xAF overlong",
    "\xED\xA0\x80 surrogate",
    "\xC2\x85 c1",
    "\x1B[2J escape",
    "\xE2\x80\xAE turned around",
    "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8D\xBA",
    "back\\slash",
    " spaces ",
    "..x",
    "x..",
};
enum { EVIL_NAMES = sizeof evil_names / sizeof *evil_names };

static void write_evil_names(void)
{
    for (size_t i = 0; i < EVIL_NAMES; i++) {
        char path[256];
        snprintf(path, sizeof path, "d/%s", evil_names[i]);
        tree_write(path, evil_names[i]);
    }
}

static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\n') || c == 0x7F;
}

TEST(test_no_name_gets_out_of_its_place_in_the_page)
{
    site_open(&rig);
    write_evil_names();
    open_with(GALLEY_STATIC_HIDDEN, 0);
    EXPECT_INT(site_get(&rig, "/d/")->status, 200);
    EXPECT(!says("<img") && !says("<script") && !says("\" onmouse") && !says("' onmouse"));
    EXPECT(says("&lt;img src=x onerror=alert(1)&gt;"));
    EXPECT(says("&quot; onmouseover=&quot;alert(1)"));
    EXPECT(says("&amp;lt;&amp;amp;"));
    EXPECT(says("line\xEF\xBF\xBD"
                "break\xEF\xBF\xBD"));
    EXPECT(says("\xEF\xBF\xBD\xEF\xBF\xBD not utf-8"));
    EXPECT(says("\xEF\xBF\xBD\xEF\xBF\xBD overlong"));
    EXPECT(says("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD surrogate"));
    EXPECT(says("\xEF\xBF\xBD\xEF\xBF\xBD c1"));
    EXPECT(says("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8D\xBA"));
    EXPECT(!says("href=\"javascript:"));
    for (size_t i = 0; i < rig.answer.body_len; i++) {
        EXPECT(!is_control((unsigned char)rig.answer.body[i]));
    }
    site_close(&rig);
}

/* Each link of the page, followed from the page, leads to its file. */
static unsigned follow_links(char *page, const char *mark, char end)
{
    unsigned count = 0;
    char *at = page;
    while ((at = strstr(at, mark)) != NULL) {
        at += strlen(mark);
        char *stop = strchr(at, end);
        EXPECT(stop != NULL);
        *stop = '\0';
        char target[1024];
        snprintf(target, sizeof target, "/d/%s", at);
        at = stop + 1;
        if (strcmp(target, "/d/../") != 0) {
            EXPECT_INT(site_get(&rig, target)->status, 200);
            struct stat stat_of_file;
            char name[512];
            snprintf(name, sizeof name, "d/%s", rig.answer.body);
            EXPECT_INT(stat(name, &stat_of_file), 0); /* the content is the name */
            count++;
        }
    }
    return count;
}

TEST(test_every_link_leads_to_its_file)
{
    site_open(&rig);
    write_evil_names();
    open_with(GALLEY_STATIC_HIDDEN, 0);
    site_get(&rig, "/d/");
    char *page = strdup(rig.answer.body);
    EXPECT_INT(follow_links(page, "<a href=\"", '"'), EVIL_NAMES);
    free(page);
    get_json("/d/");
    page = strdup(rig.answer.body);
    EXPECT_INT(follow_links(page, "\"href\":\"", '"'), EVIL_NAMES);
    free(page);
    site_close(&rig);
}

TEST(test_json_strings_stay_strings)
{
    site_open(&rig);
    write_evil_names();
    open_with(GALLEY_STATIC_HIDDEN, 0);
    get_json("/d/");
    EXPECT(says("\"name\":\"\\\" onmouseover=\\\"alert(1)\""));
    EXPECT(says("\"name\":\"back\\\\slash\""));
    EXPECT(says("\"name\":\"\\u003cimg src=x onerror=alert(1)>\""));
    EXPECT(!says("<"));
    for (size_t i = 0; i < rig.answer.body_len; i++) {
        EXPECT(!is_control((unsigned char)rig.answer.body[i]));
    }
    site_close(&rig);
}

TEST(test_sizes_are_for_people)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {{0, ">0 B<"},         {1023, ">1023 B<"},     {1024, ">1.0 KiB<"},
                 {1536, ">1.5 KiB<"},  {10240, ">10 KiB<"},    {1 << 20, ">1.0 MiB<"},
                 {UINT64_MAX, "EiB<"}, {1048575, ">1023 KiB<"}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct listing_name name = {.name = "x", .size = sizes[i].bytes, .mtime_s = INT64_MAX};
        struct listing listing = {.dir = SPAN(""), .names = &name, .count = 1};
        struct buf page;
        buf_init(&page, 0);
        file_listing_write_html(&page, &listing);
        size_t len;
        char *text = buf_take(&page, &len);
        EXPECT(strstr(text, sizes[i].text) != NULL);
        EXPECT(strstr(text, "9999-12-31 23:59") != NULL);
        mem_free(text);
    }
}

TEST(test_a_very_large_directory_is_cut_and_says_so)
{
    site_open(&rig);
    tree_directory("d");
    char name[64];
    for (int i = 0; i < LISTING_MAX_NAMES + 1; i++) {
        snprintf(name, sizeof name, "d/%05d", i);
        tree_write(name, "");
    }
    open_with(0, 0);
    EXPECT_INT(site_get(&rig, "/d/")->status, 200);
    EXPECT(says("There are more; these are 10000 of them."));
    get_json("/d/");
    EXPECT(says("\"is_cut\":true"));
    site_close(&rig);
}

TEST(test_a_directory_that_goes_while_it_is_listed_is_404)
{
    site_open(&rig);
    tree_directory("d");
    open_with(0, 0);
    EXPECT_INT(site_get(&rig, "/d/")->status, 200);
    tree_unlink("d");
    EXPECT_INT(site_get(&rig, "/d/")->status, 404);
    site_close(&rig);
}

TEST(test_listings_are_made_by_workers)
{
    site_open(&rig);
    tree_write("d/a.txt", "a");
    open_with(0, 1);
    EXPECT_INT(site_get(&rig, "/d/")->status, 200);
    EXPECT_INT(site_get(&rig, "/d/")->status, 200);
    EXPECT(rig.answer.was_suspended);
    site_close(&rig);
}
