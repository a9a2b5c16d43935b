/* The thread that compresses files: there only when a site may ask for it, counted in the plan,
 * behind all others in the scheduler's line, and no reason for a stop to wait. */
#include "test.h"

#include "base/alloc.h"

#include <galley/http.h>
#include <galley/server.h>
#include <galley/server_stats.h>
#include <galley/static.h>

#include "server/server_state.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICER = 10, MOST_NICE = 19 };

static char root[] = "/tmp/galley-idle-XXXXXX";

static galley_static *make_site(uint32_t flags)
{
    galley_static_options opt = GALLEY_STATIC_OPTIONS_INIT;
    opt.flags = flags;
    EXPECT(mkdtemp(root));
    galley_static *site = galley_static_new(root, &opt, NULL);
    EXPECT(site);
    return site;
}

static galley_server *make(galley_static *site)
{
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.loops = 1;
    galley_server *srv = galley_server_new(&opt, NULL);
    EXPECT(srv);
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    if (site) {
        EXPECT_INT(galley_server_route(srv, "GET /{path...}", galley_static_serve, site, NULL), 0);
    }
    return srv;
}

static unsigned planned_threads(galley_server *srv)
{
    galley_memory_plan plan = {.size = sizeof plan};
    EXPECT_INT(galley_server_get_memory_plan(srv, &plan), 0);
    return plan.threads;
}

static void read_niceness(void *arg)
{
    *(int *)arg = getpriority(PRIO_PROCESS, 0);
}

static int niceness_of_pool(galley_pool *pool)
{
    int found = -100;
    EXPECT_INT(galley_pool_execute(pool, read_niceness, &found), 0);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    return found;
}

static void end(galley_server *srv, galley_static *site)
{
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
    EXPECT(!srv->file_system_hangs);
    galley_server_free(srv);
    galley_static_free(site);
    (void)rmdir(root);
}

TEST(test_what_compresses_files_stands_behind_all_other_threads)
{
    galley_static *site = make_site(0);
    galley_server *srv = make(site);
    int usual = getpriority(PRIO_PROCESS, 0);
    EXPECT_INT(galley_server_start(srv, NULL), 0);
    galley_pool_stats stats = {.size = sizeof stats};
    EXPECT_INT(galley_pool_get_stats(srv->pools.idle, &stats), 0);
    EXPECT_INT(stats.threads, 1);
    int nicer = usual + NICER < MOST_NICE ? usual + NICER : MOST_NICE;
    EXPECT_INT(niceness_of_pool(srv->pools.idle), nicer);
    EXPECT_INT(niceness_of_pool(srv->pools.file), usual); /* clients wait for these */
    EXPECT_INT(niceness_of_pool(galley_server_pool(srv)), usual);
    EXPECT_INT(getpriority(PRIO_PROCESS, 0), usual);
    end(srv, site);
}

TEST(test_a_server_without_files_to_compress_has_no_thread_for_it)
{
    galley_static *site = make_site(GALLEY_STATIC_NO_COMPRESS);
    galley_server *srv = make(site), *bare = make(NULL);
    EXPECT_INT(planned_threads(srv), planned_threads(bare));
    EXPECT_INT(galley_server_start(srv, NULL), 0);
    EXPECT(srv->pools.file && !srv->pools.idle);
    end(srv, site);
    galley_server_free(bare);
}

TEST(test_the_plan_counts_the_thread)
{
    galley_static *site = make_site(0);
    galley_server *srv = make(site), *bare = make(NULL);
    EXPECT_INT(planned_threads(srv), planned_threads(bare) + 1);
    galley_server_free(srv);
    galley_server_free(bare);
    galley_static_free(site);
    EXPECT_INT(rmdir(root), 0);
}

static void run_until_stopped(void *arg)
{
    atomic_store((atomic_bool *)arg, true); /* read by the test */
    while (!galley_should_stop()) {
        usleep(1000);
    }
}

static void count_drop(void *arg, int why)
{
    (void)why;
    atomic_fetch_add((atomic_uint *)arg, 1); /* read by the test, after the end */
}

/* What is queued behind it is dropped, and it sees that it should end. */
TEST(test_a_stop_waits_for_nothing_that_is_being_compressed)
{
    static atomic_bool has_begun;
    static atomic_uint dropped;
    galley_static *site = make_site(0);
    galley_server *srv = make(site);
    EXPECT_INT(galley_server_start(srv, NULL), 0);
    galley_job jobs[2] = {{.run = run_until_stopped, .arg = &has_begun},
                          {.run = run_until_stopped, .drop = count_drop, .arg = &dropped}};
    EXPECT_INT(galley_pool_submit(srv->pools.idle, jobs, 2, 0), 2);
    while (!atomic_load(&has_begun)) {
        usleep(1000);
    }
    end(srv, site);
    EXPECT_INT(atomic_load(&dropped), 1);
}

TEST(test_a_start_without_memory_leaves_no_thread)
{
    galley_static *site = make_site(0);
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        galley_server *srv = make(site);
        galley_error err = {0};
        mem_fail_nth(n);
        int rc = galley_server_start(srv, &err);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(rc == 0 ? err.code == 0 : err.message[0] != 0);
        if (rc == 0) {
            galley_server_stop(srv, GALLEY_STOP_DRAIN);
            EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
        }
        galley_server_free(srv);
    }
    galley_static_free(site);
    EXPECT_INT(rmdir(root), 0);
}
