/* tests/unit/files/test_coded.c — files that are compressed when a client asks for it: the first gets
 * them as they are, the next what was made. Without a pool the work is done at once and is back in the
 * next turn. */
#include "base/alloc.h"
#include "coding/decoder.h"
#include "files/file_coded.h"

#include "support_site.h"
#include "support_tree.h"
#include "test.h"

#include <unistd.h>

enum { PAGE_BYTES = 5000 };

static struct site_rig rig;
static char page[PAGE_BYTES + 1];

static void make_page(char seed)
{
    for (size_t i = 0; i < PAGE_BYTES; i++) {
        page[i] = i % 50 == 49 ? '\n' : (char)(seed + (char)(i * i % 23));
    }
}

static void open_page(const char *name)
{
    make_page('a');
    site_open(&rig);
    tree_write(name, page);
}

static const struct site_answer *ask(const char *method, const char *target, const char *fields)
{
    const struct site_answer *answer = site_ask(&rig, method, target, fields);
    site_settle(&rig);
    return answer;
}

static void expect_decodes(const struct site_answer *answer, enum coding coding)
{
    struct decoder *decoder = decoder_create(coding, NULL);
    char out[PAGE_BYTES + 100];
    struct span in = span_make(answer->body, answer->body_len);
    struct decoder_output output = {out, sizeof out};
    EXPECT_INT(decoder_run(decoder, &in, &output), 0);
    EXPECT_INT(decoder_end(decoder), 0);
    decoder_destroy(decoder);
    test_equal_bytes(__FILE__, __LINE__, "content", out, (size_t)(output.at - out), page,
                     PAGE_BYTES);
}

static void expect_plain(const struct site_answer *answer)
{
    EXPECT_INT(answer->status, 200);
    EXPECT(site_field(answer, "Content-Encoding") == NULL);
    test_equal_bytes(__FILE__, __LINE__, "content", answer->body, answer->body_len, page,
                     PAGE_BYTES);
}

TEST(test_the_second_client_gets_what_the_first_one_asked_for)
{
    static const struct {
        const char *fields, *name;
        enum coding coding;
    } cases[] = {{"Accept-Encoding: gzip, br\n", "br", CODING_BR},
                 {"Accept-Encoding: gzip\n", "gzip", CODING_GZIP},
                 {"Accept-Encoding: gzip, zstd\n", "zstd", CODING_ZSTD}};
    open_page("a.html");
    site_start(&rig, NULL, 0);
    char tags[4][80];
    const struct site_answer *answer = ask("GET", "/a.html", "");
    snprintf(tags[3], sizeof tags[3], "%s", site_field(answer, "ETag"));
    for (size_t i = 0; i < 3; i++) {
        answer = ask("GET", "/a.html", cases[i].fields);
        EXPECT_TEXT(site_field(answer, "Vary"), "Accept-Encoding");
        answer = ask("GET", "/a.html", cases[i].fields);
        EXPECT_TEXT(site_field(answer, "Content-Encoding"), cases[i].name);
        EXPECT_TEXT(site_field(answer, "Vary"), "Accept-Encoding");
        EXPECT_TEXT(site_field(answer, "Content-Type"), "text/html; charset=utf-8");
        char length[24];
        snprintf(length, sizeof length, "%zu", answer->body_len);
        EXPECT_TEXT(site_field(answer, "Content-Length"), length);
        EXPECT(!answer->was_suspended && answer->body_len < PAGE_BYTES);
        expect_decodes(answer, cases[i].coding);
        snprintf(tags[i], sizeof tags[i], "%s", site_field(answer, "ETag"));
    }
    /* RFC 9110 §8.8.3.3: a strong tag for each. */
    for (size_t i = 0; i < 4; i++) {
        EXPECT(tags[i][0] == '"');
        for (size_t j = 0; j < i; j++) {
            EXPECT(strcmp(tags[i], tags[j]) != 0);
        }
    }
    EXPECT_INT(site_counter(&rig, "file_compressed"), 3);
    expect_plain(ask("GET", "/a.html", ""));
    EXPECT_TEXT(site_field(ask("GET", "/a.html", "Accept-Encoding: identity\n"), "Vary"),
                "Accept-Encoding");
    site_close(&rig);
}

TEST(test_the_first_client_gets_it_as_it_is_at_once)
{
    open_page("a.html");
    site_start(&rig, NULL, 0);
    ask("GET", "/a.html", "");
    const struct site_answer *answer = site_ask(&rig, "GET", "/a.html", "Accept-Encoding: br\n");
    EXPECT(!answer->was_suspended);
    expect_plain(answer);
    site_close(&rig);
}

/* RFC 9110 §13.1.2, §9.3.2, §14.2 */
TEST(test_conditions_head_and_ranges_of_a_file_that_is_compressed)
{
    open_page("a.html");
    site_start(&rig, NULL, 0);
    ask("GET", "/a.html", "Accept-Encoding: br\n");
    const struct site_answer *answer = ask("GET", "/a.html", "Accept-Encoding: br\n");
    char fields[200], length[32];
    snprintf(fields, sizeof fields, "Accept-Encoding: br\nIf-None-Match: %s\n",
             site_field(answer, "ETag"));
    snprintf(length, sizeof length, "%s", site_field(answer, "Content-Length"));
    answer = ask("GET", "/a.html", fields);
    EXPECT_INT(answer->status, 304);
    EXPECT_TEXT(site_field(answer, "Vary"), "Accept-Encoding");
    answer = ask("HEAD", "/a.html", "Accept-Encoding: br\n");
    EXPECT_TEXT(site_field(answer, "Content-Encoding"), "br");
    EXPECT_TEXT(site_field(answer, "Content-Length"), length);
    answer = ask("GET", "/a.html", "Accept-Encoding: br\nRange: bytes=0-9\n");
    EXPECT_INT(answer->status, 206);
    EXPECT(site_field(answer, "Content-Encoding") == NULL);
    EXPECT(memcmp(answer->body, page, 10) == 0 && answer->body_len == 10);
    EXPECT_TEXT(site_field(answer, "Vary"), "Accept-Encoding");
    site_close(&rig);
}

static void expect_never(const char *target, const galley_static_options *opt)
{
    site_start(&rig, opt, 0);
    for (int i = 0; i < 3; i++) {
        const struct site_answer *answer = ask("GET", target, "Accept-Encoding: br, zstd\n");
        EXPECT_INT(answer->status, 200);
        EXPECT(site_field(answer, "Content-Encoding") == NULL);
    }
    EXPECT_INT(site_counter(&rig, "file_compressed"), 0);
    EXPECT(site_field(ask("GET", target, ""), "Content-Encoding") == NULL);
    site_close(&rig);
}

TEST(test_what_is_not_worth_it_stays_as_it_is)
{
    open_page("a.png");
    expect_never("/a.png", NULL);
    open_page("b.html");
    page[1023] = '\0';
    tree_write("a.html", page);
    expect_never("/a.html", NULL);
}

TEST(test_the_owner_may_say_no)
{
    galley_static_options opt = GALLEY_STATIC_OPTIONS_INIT;
    opt.flags = GALLEY_STATIC_NO_COMPRESS;
    open_page("a.html");
    expect_never("/a.html", &opt);
    galley_static_rule rules[] = {{"*.html", "max-age=60, no-transform"}, {NULL, NULL}};
    opt = (galley_static_options)GALLEY_STATIC_OPTIONS_INIT;
    opt.rules = rules;
    open_page("a.html");
    expect_never("/a.html", &opt);
}

static void expect_second(const char *target, const galley_static_options *opt, const char *wanted)
{
    site_start(&rig, opt, 0);
    ask("GET", target, "Accept-Encoding: br\n");
    const char *coding =
        site_field(ask("GET", target, "Accept-Encoding: br\n"), "Content-Encoding");
    EXPECT_TEXT(coding ? "coded" : "as it is", wanted);
    site_close(&rig);
}

TEST(test_the_owner_may_say_which_types_and_from_which_size_on)
{
    static const struct {
        const char *types;
        size_t min_bytes;
        const char *page, *picture;
    } cases[] = {{NULL, 0, "coded", "as it is"},
                 {"image/*", 0, "as it is", "coded"},
                 {"usual image/png", 0, "coded", "coded"},
                 {NULL, PAGE_BYTES, "coded", "as it is"},
                 {NULL, PAGE_BYTES + 1, "as it is", "as it is"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
        options.compress_types = cases[i].types;
        options.compress_min_bytes = cases[i].min_bytes;
        open_page("a.html");
        expect_second("/a.html", &options, cases[i].page);
        open_page("a.png");
        expect_second("/a.png", &options, cases[i].picture);
    }
}

TEST(test_a_large_file_is_not_compressed)
{
    galley_static_options opt = GALLEY_STATIC_OPTIONS_INIT;
    opt.max_memory_file = PAGE_BYTES - 1;
    open_page("a.html");
    expect_never("/a.html", &opt);
}

/* Who puts one beside the file has chosen. */
TEST(test_a_neighbour_is_all_there_is)
{
    open_page("a.html");
    tree_write("a.html.gz", "made before");
    site_start(&rig, NULL, 0);
    for (int i = 0; i < 2; i++) {
        expect_plain(ask("GET", "/a.html", "Accept-Encoding: br\n"));
        EXPECT_TEXT(ask("GET", "/a.html", "Accept-Encoding: br, gzip\n")->body, "made before");
    }
    EXPECT_INT(site_counter(&rig, "file_compressed"), 0);
    site_close(&rig);
}

TEST(test_what_does_not_become_smaller_is_tried_once)
{
    site_open(&rig);
    for (size_t i = 0; i < PAGE_BYTES; i++) {
        page[i] = (char)(1 + test_random_below(255));
    }
    tree_write_bytes("a.txt", page, PAGE_BYTES);
    expect_never("/a.txt", NULL);
}

TEST(test_a_change_of_the_file_takes_its_compressed_form_along)
{
    open_page("a.html");
    site_start(&rig, NULL, 0);
    ask("GET", "/a.html", "Accept-Encoding: gzip\n");
    expect_decodes(ask("GET", "/a.html", "Accept-Encoding: gzip\n"), CODING_GZIP);
    make_page('b');
    tree_write("a.html", page);
    site_settle(&rig);
    expect_plain(ask("GET", "/a.html", "Accept-Encoding: gzip\n"));
    expect_decodes(ask("GET", "/a.html", "Accept-Encoding: gzip\n"), CODING_GZIP);
    make_page('c');
    tree_write("a.html", page);
    site_settle(&rig);
    expect_plain(ask("GET", "/a.html", ""));
    site_close(&rig);
}

TEST(test_the_page_for_404_is_compressed_too)
{
    open_page("404.html");
    site_start(&rig, NULL, 0);
    ask("GET", "/nowhere", "Accept-Encoding: gzip\n");
    const struct site_answer *answer = ask("GET", "/nowhere", "Accept-Encoding: gzip\n");
    EXPECT_INT(answer->status, 404);
    EXPECT_TEXT(site_field(answer, "Content-Encoding"), "gzip");
    EXPECT_TEXT(site_field(answer, "Vary"), "Accept-Encoding");
    expect_decodes(answer, CODING_GZIP);
    site_close(&rig);
}

TEST(test_compressed_forms_count_for_the_budget)
{
    galley_static_options opt = GALLEY_STATIC_OPTIONS_INIT;
    opt.cache_bytes = 2 * (PAGE_BYTES + 2500); /* two files with what goes with them */
    open_page("a.html");
    tree_write("b.html", page);
    site_start(&rig, &opt, 0);
    ask("GET", "/a.html", "");
    ask("GET", "/b.html", "");
    EXPECT_INT(site_counter(&rig, "file_evicted"), 0);
    ask("GET", "/b.html", "Accept-Encoding: br\n");
    ask("GET", "/b.html", "Accept-Encoding: gzip\n");
    ask("GET", "/b.html", "Accept-Encoding: zstd\n");
    EXPECT(site_counter(&rig, "file_evicted") > 0);
    site_close(&rig);
}

/* ---- the store -------------------------------------------------------------------------------- */

/* Both steps in one. */
static struct file_entry *make_form(struct file_store *store, struct file_entry *entry,
                                    enum coding coding, enum encoder_level level)
{
    struct buf bytes;
    struct file_entry *made = NULL;
    if (file_coded_encode(entry, coding, level, &bytes) == 0) {
        made = file_coded_place(store, entry, coding, buf_span(&bytes));
    }
    buf_finish(&bytes);
    return made;
}

static struct file_store *open_store(void)
{
    static const struct file_store_options options = {.uses_precompressed = true,
                                                      .compresses = true};
    make_page('a');
    tree_make();
    tree_write("a.html", page);
    return tree_store(&options);
}

TEST(test_an_entry_that_nobody_watches_keeps_its_forms_while_the_file_is_the_same)
{
    struct file_store *store = open_store();
    EXPECT_INT(link("a.html", "elsewhere"), 0); /* a second name: inotify may not tell */
    struct file_entry *plain = tree_load(store, "/a.html");
    EXPECT(!plain->is_watched);
    struct file_entry *coded = make_form(store, plain, CODING_BR, ENCODER_FAST);
    EXPECT(coded && coded->variant_count == 2 && file_entry_varies(coded));
    atomic_store(&coded->checked_ms, galley_now_ms() - 2000);
    struct file_entry *again = tree_load(store, "/a.html");
    EXPECT(again == coded);
    tree_write("a.html.br", "made elsewhere");
    atomic_store(&coded->checked_ms, galley_now_ms() - 2000);
    struct file_entry *other = tree_load(store, "/a.html");
    EXPECT(other != coded && !other->may_be_coded && other->variant_count == 2);
    file_entry_unref(plain);
    file_entry_unref(coded);
    file_entry_unref(again);
    file_entry_unref(other);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_a_better_level_takes_the_place_of_the_first)
{
    struct file_store *store = open_store();
    struct file_entry *plain = tree_load(store, "/a.html");
    struct file_entry *fast = make_form(store, plain, CODING_GZIP, ENCODER_FAST);
    struct file_entry *best = make_form(store, fast, CODING_GZIP, ENCODER_BEST);
    EXPECT(best && best->variant_count == 2);
    const struct file_variant *of_fast = file_entry_variant(fast, CODING_GZIP);
    const struct file_variant *of_best = file_entry_variant(best, CODING_GZIP);
    EXPECT(of_best->size < of_fast->size && !span_equal(of_best->etag, of_fast->etag));
    EXPECT(!make_form(store, fast, CODING_BR, ENCODER_FAST));   /* its place is taken */
    EXPECT(!make_form(store, best, CODING_GZIP, ENCODER_BEST)); /* not smaller */
    file_entry_unref(plain);
    file_entry_unref(fast);
    file_entry_unref(best);
    file_store_destroy(store);
    tree_remove();
}

/* ---- threads and memory ----------------------------------------------------------------------- */

/* What the idle thread does not come to stays to be done; who is stopped leaves nothing half made. */
TEST(test_who_should_stop_makes_no_form)
{
    struct file_store *store = open_store();
    struct file_entry *plain = tree_load(store, "/a.html");
    galley_stop_flag flag = {0};
    galley_stop_flag_raise(&flag);
    const galley_stop_flag *before = galley_stop_flag_watch(&flag);
    struct buf bytes;
    EXPECT_INT(file_coded_encode(plain, CODING_BR, ENCODER_BEST, &bytes), GALLEY_ECANCELED);
    buf_finish(&bytes);
    (void)galley_stop_flag_watch(before);
    struct file_entry *coded = make_form(store, plain, CODING_BR, ENCODER_BEST);
    EXPECT(coded);
    file_entry_unref(coded);
    file_entry_unref(plain);
    file_store_destroy(store);
    tree_remove();
}

/* Loads do not wait behind it, and it is tried again when it was dropped. */
TEST(test_an_idle_thread_that_takes_nothing_holds_up_nobody)
{
    open_page("a.html");
    tree_write("b.html", page);
    site_start(&rig, NULL, 1);
    EXPECT_INT(galley_pool_shutdown(rig.idle, GALLEY_DISCARD, GALLEY_FOREVER, NULL), 0);
    for (int i = 0; i < 3; i++) {
        expect_plain(ask("GET", "/a.html", "Accept-Encoding: br\n"));
        expect_plain(ask("GET", "/b.html", "Accept-Encoding: br\n"));
    }
    EXPECT_INT(site_counter(&rig, "file_compressed"), 0);
    site_close(&rig);
}

/* Who takes two codings gets the better one, and not the other because that is not there yet. */
TEST(test_threads_make_it_while_others_are_answered)
{
    open_page("a.html");
    site_start(&rig, NULL, 2);
    const struct site_answer *answer = NULL;
    do {
        answer = site_ask(&rig, "GET", "/a.html", "Accept-Encoding: br, gzip\n");
        EXPECT_INT(answer->status, 200);
        site_settle(&rig);
    } while (!site_field(answer, "Content-Encoding"));
    for (int i = 0; i < 100; i++) { /* a better one may come meanwhile */
        answer = site_ask(&rig, "GET", "/a.html", "Accept-Encoding: br, gzip\n");
        EXPECT_TEXT(site_field(answer, "Content-Encoding"), "br");
        expect_decodes(answer, CODING_BR);
    }
    site_close(&rig);
}

TEST(test_memory_that_is_out_leaves_the_file_as_it_is)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        open_page("a.html");
        site_start(&rig, NULL, 0);
        expect_plain(ask("GET", "/a.html", ""));
        mem_fail_nth(n);
        bool began = site_begin(&rig, "GET", "/a.html", "Accept-Encoding: br\n");
        site_settle(&rig);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(!began || rig.answer.status == 200);
        ask("GET", "/a.html", "Accept-Encoding: gzip\n"); /* nothing is stuck */
        expect_decodes(ask("GET", "/a.html", "Accept-Encoding: gzip\n"), CODING_GZIP);
        site_close(&rig);
    }
}
