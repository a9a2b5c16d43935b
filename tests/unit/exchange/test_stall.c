/* The watch over handlers that hold their loop: told of while they do, once in a while, and no
 * wake-up when nothing runs. The clock is a number; the thread is tried at the end. */
#include "test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "exchange/stall_watch.h"

#include <pthread.h>
#include <time.h>

enum { WARN_MS = 50 };

struct heard {
    pthread_mutex_t lock;
    unsigned lines;
    char last[256];
};

static void hear(void *ctx, int level, const char *line)
{
    struct heard *heard = ctx;
    EXPECT_INT(level, LOG_WARNING);
    pthread_mutex_lock(&heard->lock);
    heard->lines++;
    snprintf(heard->last, sizeof heard->last, "%s", line);
    pthread_mutex_unlock(&heard->lock);
}

struct scene {
    struct heard heard;
    struct log_sink log;
    struct stall_watch *watch;
};

static void begin(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    pthread_mutex_init(&scene->heard.lock, NULL);
    scene->log = (struct log_sink){.write = hear, .ctx = &scene->heard, .level = LOG_DEBUG};
    scene->watch = stall_watch_create(2, WARN_MS, &scene->log);
    EXPECT(scene->watch);
}

static void end(struct scene *scene)
{
    stall_watch_stop(scene->watch);
    stall_watch_destroy(scene->watch);
}

/* Looks as often as it wants to, until until_ms. */
static void look(struct scene *scene, int64_t *now_ms, int64_t until_ms)
{
    while (*now_ms < until_ms) {
        *now_ms = stall_watch_look(scene->watch, *now_ms);
    }
}

TEST(test_a_handler_is_told_of_while_it_holds_its_loop)
{
    struct scene scene;
    begin(&scene);
    struct stall_spot *spot = stall_watch_spot(scene.watch, 1);
    int64_t now_ms = 1000;
    stall_spot_enter(spot, "GET /stuck", 1000);
    look(&scene, &now_ms, 1000 + WARN_MS);
    EXPECT_INT(scene.heard.lines, 0);
    look(&scene, &now_ms, 1000 + 2 * WARN_MS);
    EXPECT_INT(scene.heard.lines, 1);
    EXPECT_TEXT(scene.heard.last,
                "handler of GET /stuck is holding the event loop, for 50 ms so far");
    look(&scene, &now_ms, 1000 + 400);
    EXPECT_INT(scene.heard.lines, 1);
    look(&scene, &now_ms, 1000 + 100000); /* again at 500, 5000, 50000 ms */
    EXPECT_INT(scene.heard.lines, 4);
    stall_spot_leave(spot);
    end(&scene);
}

TEST(test_short_calls_in_a_row_are_not_one_long_one)
{
    struct scene scene;
    begin(&scene);
    struct stall_spot *spot = stall_watch_spot(scene.watch, 0);
    for (int64_t now_ms = 1000; now_ms < 5000; now_ms += 25) {
        stall_spot_enter(spot, "GET /", now_ms); /* somebody is at work at every look */
        (void)stall_watch_look(scene.watch, now_ms + 24);
    }
    EXPECT_INT(scene.heard.lines, 0);
    stall_spot_leave(spot);
    end(&scene);
}

TEST(test_two_loops_are_told_of_apart)
{
    struct scene scene;
    begin(&scene);
    stall_spot_enter(stall_watch_spot(scene.watch, 0), "one", 1000);
    stall_spot_enter(stall_watch_spot(scene.watch, 1), NULL, 1020);
    (void)stall_watch_look(scene.watch, 1060);
    EXPECT_TEXT(scene.heard.last, "handler of one is holding the event loop, for 60 ms so far");
    (void)stall_watch_look(scene.watch, 1085);
    EXPECT_INT(scene.heard.lines, 2);
    EXPECT_TEXT(scene.heard.last, "handler of a route is holding the event loop, for 65 ms so far");
    end(&scene);
}

TEST(test_an_idle_server_is_not_looked_at)
{
    struct scene scene;
    begin(&scene);
    int64_t now_ms = 1000;
    unsigned looks = 0;
    while (now_ms != INT64_MAX) {
        now_ms = stall_watch_look(scene.watch, now_ms);
        EXPECT(++looks < 100);
    }
    EXPECT(stall_watch_is_asleep(scene.watch));
    struct stall_spot *spot = stall_watch_spot(scene.watch, 0);
    stall_spot_enter(spot, "GET /", 5000);
    EXPECT(!stall_watch_is_asleep(scene.watch));
    EXPECT_INT(stall_watch_look(scene.watch, 5060), 5060 + WARN_MS / 2);
    EXPECT_INT(scene.heard.lines, 1);
    end(&scene);
}

/* A loop that wrote its spot just before the wish to be woken was there. */
TEST(test_who_was_missed_on_the_way_to_sleep_is_seen_by_the_last_look)
{
    struct scene scene;
    begin(&scene);
    int64_t now_ms = 1000;
    while (!stall_watch_is_asleep(scene.watch)) {
        now_ms = stall_watch_look(scene.watch, now_ms);
    }
    struct stall_spot *spot = stall_watch_spot(scene.watch, 0);
    atomic_store(&spot->since_ms, now_ms - 1);
    EXPECT(stall_watch_look(scene.watch, now_ms) != INT64_MAX);
    EXPECT(!stall_watch_is_asleep(scene.watch));
    end(&scene);
}

TEST(test_no_memory_for_a_watch)
{
    mem_fail_nth(1);
    EXPECT(!stall_watch_create(4, WARN_MS, NULL));
    EXPECT(mem_fail_happened());
    mem_fail_nth(0);
    stall_watch_stop(NULL);
    stall_watch_destroy(NULL);
}

static unsigned lines_of(struct scene *scene)
{
    pthread_mutex_lock(&scene->heard.lock);
    unsigned lines = scene->heard.lines;
    pthread_mutex_unlock(&scene->heard.lock);
    return lines;
}

TEST(test_the_thread_sleeps_wakes_tells_and_ends)
{
    struct scene scene;
    begin(&scene);
    EXPECT_INT(stall_watch_start(scene.watch), 0);
    while (!stall_watch_is_asleep(scene.watch)) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    stall_spot_enter(stall_watch_spot(scene.watch, 0), "GET /stuck", clock_mono_ms());
    while (lines_of(&scene) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    end(&scene);
}
