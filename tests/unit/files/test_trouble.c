/* tests/unit/files/test_trouble.c — memory, descriptors or room run out, the client goes,
 * directories turn into links: one clean answer or none, nothing leaked, and everything works again
 * afterwards. */
#include "base/alloc.h"
#include "files/file_site.h"

#include "support_site.h"
#include "support_tree.h"
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

static struct site_rig rig;

static void fill_tree(void)
{
    tree_write("a.txt", "0123456789");
    tree_write("a.txt.gz", "packed");
    tree_write("404.html", "lost");
    tree_write("index.html", "app");
    tree_write("d/x.txt", "x");
    tree_write("d/y.txt", "y");
}

static void open_with(unsigned threads)
{
    site_open(&rig);
    fill_tree();
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.flags = GALLEY_STATIC_LIST | GALLEY_STATIC_SPA;
    options.cors_origin = "*";
    site_start(&rig, &options, threads);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static const struct {
    const char *method, *target, *fields;
    int status;
} sweeps[] = {
    {"GET", "/a.txt", "", 200},
    {"GET", "/a.txt", "Accept-Encoding: gzip\n", 200},
    {"GET", "/a.txt", "Range: bytes=2-3\n", 206},
    {"GET", "/a.txt", "Range: bytes=0-1,5-6\n", 206},
    {"GET", "/a.txt", "Range: bytes=99-\n", 416},
    {"GET", "/a.txt", "If-None-Match: *\n", 304},
    {"GET", "/a.txt", "If-Match: \"x\"\n", 412},
    {"GET", "/none.txt", "", 404},
    {"GET", "/some/page", "Accept: text/html\n", 200},
    {"GET", "/d?q", "", 301},
    {"GET", "/d/", "", 200},
    {"GET", "/d/", "Accept: application/json\n", 200},
    {"GET", "/d/", "Accept-Encoding: br\n", 200},
    {"POST", "/a.txt", "", 405},
    {"OPTIONS", "/a.txt", "Origin: x\nAccess-Control-Request-Method: GET\n", 204},
};

static bool is_clean_failure(const struct site_answer *answer, int status)
{
    /* An error's page, or the site's page for it, is left out where there is no memory for it. */
    return answer->status == 503 || answer->status == 500 || answer->status == status;
}

/* The n-th allocation of the request fails, for n = 1, 2, …, cold each time. */
static void sweep(size_t i)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        open_with(0);
        mem_fail_nth(n);
        bool has_begun = site_begin(&rig, sweeps[i].method, sweeps[i].target, sweeps[i].fields);
        if (has_begun) {
            site_wait(&rig);
        }
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(!has_begun || is_clean_failure(&rig.answer, sweeps[i].status));
        const struct site_answer *again =
            site_ask(&rig, sweeps[i].method, sweeps[i].target, sweeps[i].fields);
        EXPECT_INT(again->status, sweeps[i].status);
        site_close(&rig);
        EXPECT_INT(mem_live_blocks(), 0);
    }
}

TEST(test_without_memory_every_request_has_one_clean_answer)
{
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++) {
        sweep(i);
    }
}

static int reply(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_file(rs, 200, "a.txt");
}

TEST(test_without_memory_a_reply_has_one_clean_answer)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        site_open(&rig);
        fill_tree();
        galley_error err;
        rig.site = file_site_for_replies(&err);
        rig.handler = reply;
        site_start(&rig, NULL, 0);
        mem_fail_nth(n);
        bool has_begun = site_begin(&rig, "GET", "/", "Range: bytes=0-1,5-6\n");
        if (has_begun) {
            site_wait(&rig);
        }
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(!has_begun || is_clean_failure(&rig.answer, 206));
        EXPECT_INT(site_ask(&rig, "GET", "/", "")->status, 200);
        site_close(&rig);
    }
}

/* ---- descriptors and room -------------------------------------------------------------------- */

static void limit_descriptors(bool is_on)
{
    static struct rlimit before;
    if (!is_on) {
        EXPECT_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
        return;
    }
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(next);
    struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
}

TEST(test_without_descriptors_cold_files_are_503_and_cached_ones_are_served)
{
    open_with(0);
    site_expect(&rig, "/d/x.txt", 200, "x");
    limit_descriptors(true);
    const struct site_answer *answer = site_get(&rig, "/a.txt");
    EXPECT_INT(answer->status, 503);
    EXPECT_TEXT(site_field(answer, "Retry-After"), "1"); /* RFC 9110 §10.2.3 */
    EXPECT_TEXT(site_field(answer, "Access-Control-Allow-Origin"), "*");
    EXPECT_INT(site_get(&rig, "/d/")->status, 503);
    site_expect(&rig, "/d/x.txt", 200, "x");
    limit_descriptors(false);
    site_expect(&rig, "/a.txt", 200, NULL);
    site_expect(&rig, "/d/", 200, NULL);
    EXPECT_INT(site_counter(&rig, "file_unavailable"), 2);
    EXPECT_INT(rig.logged, 1); /* at most one line a second */
    site_close(&rig);
}

TEST(test_when_the_pool_takes_nothing_cold_files_are_503)
{
    open_with(1);
    site_expect(&rig, "/d/x.txt", 200, "x");
    site_expect(&rig, "/d/", 200, NULL);
    EXPECT_INT(galley_pool_shutdown(rig.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    site_expect(&rig, "/a.txt", 503, NULL);
    EXPECT_TEXT(site_field(&rig.answer, "Retry-After"), "1");
    site_expect(&rig, "/d/", 503, NULL); /* the listing */
    site_expect(&rig, "/d/x.txt", 200, "x");
    site_close(&rig);
}

/* ---- clients that go ------------------------------------------------------------------------- */

TEST(test_a_client_that_goes_while_the_disk_is_read_leaves_nothing)
{
    open_with(1);
    static const char *const targets[] = {"/a.txt", "/d/", "/none", "/d/", "/other"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        EXPECT(site_begin(&rig, "GET", targets[i], ""));
        EXPECT(rig.last != NULL);
        exchange_client_gone(rig.last);
        for (int turn = 0; turn < 5000 && rig.exchanges.live > 0; turn++) {
            loop_turn(rig.loop, 2);
        }
        EXPECT_INT(rig.exchanges.live, 0);
        EXPECT_INT(rig.answer.count, 0);
    }
    EXPECT_INT(site_counter(&rig, "file_missing"), 0); /* nothing was prepared for nobody */
    EXPECT_INT(site_counter(&rig, "file_listings"), 0);
    site_expect(&rig, "/a.txt", 200, NULL);
    site_close(&rig);
}

/* ---- several loops, and a directory that turns into a link ----------------------------------- */

enum { RIGS = 2 };
static struct site_rig rigs[RIGS];
static atomic_bool is_over;

static void *swap_directory(void *arg)
{
    (void)arg;
    for (int round = 0; round < 400; round++) {
        tree_rename("d", "kept");
        tree_link("../..", "d");
        tree_unlink("d");
        tree_rename("kept", "d");
        tree_write("changing.txt", round % 2 ? "odd" : "even");
    }
    atomic_store(&is_over, true);
    return NULL;
}

static void *ask_often(void *arg)
{
    struct site_rig *mine = arg;
    static const char *const targets[] = {"/d/inside.txt", "/d/",       "/changing.txt", "/d",
                                          "/d/tmp/",       "/stays.txt"};
    for (unsigned n = 0; n < 200 || !atomic_load(&is_over); n++) {
        const struct site_answer *answer =
            site_ask(mine, "GET", targets[n % 6], n % 2 ? "" : "Accept-Encoding: gzip\n");
        bool is_expected = answer->status == 200 || answer->status == 301 || answer->status == 404;
        EXPECT(is_expected);
        EXPECT(!strstr(answer->body, "etc") && !strstr(answer->body, "root:"));
    }
    site_stop(mine);
    return NULL;
}

TEST(test_loops_share_a_site_while_its_directories_change)
{
    site_open(&rigs[0]);
    tree_write("d/inside.txt", "inside");
    tree_write("stays.txt", "stays");
    tree_write("stays.txt.gz", "packed");
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.flags = GALLEY_STATIC_LIST;
    site_start_all(rigs, RIGS, &options, 2);
    pthread_t threads[RIGS], swapper;
    for (unsigned i = 0; i < RIGS; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, ask_often, &rigs[i]), 0);
    }
    EXPECT_INT(pthread_create(&swapper, NULL, swap_directory, NULL), 0);
    pthread_join(swapper, NULL);
    for (unsigned i = 0; i < RIGS; i++) {
        pthread_join(threads[i], NULL);
    }
    site_close_all(rigs, RIGS);
}
