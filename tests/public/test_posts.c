/* galley_server_post() and galley_server_after(): what runs, where, in which order, and what becomes
 * of the rest when the server stops. */
#include "support_server.h"

#include <galley/test.h>

#include <pthread.h>
#include <stdatomic.h>

struct notes {
    galley_server *srv;
    atomic_uint count;
    unsigned order[64];
    pthread_t thread;
    int64_t ran_ms;
};

struct note {
    struct notes *notes;
    unsigned number;
};

static void take_note(void *arg)
{
    struct note *note = arg;
    struct notes *notes = note->notes;
    unsigned at = atomic_load(&notes->count);
    notes->order[at] = note->number;
    notes->thread = pthread_self();
    notes->ran_ms = galley_now_ms();
    atomic_store(&notes->count, at + 1);
}

static void count_up(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

TEST(test_posts_run_on_the_loop_in_their_order)
{
    galley_server_options opt = options();
    struct notes notes = {.srv = make(&opt)};
    struct note note[20];
    start(notes.srv);
    for (unsigned i = 0; i < 20; i++) {
        note[i] = (struct note){&notes, i};
        EXPECT_INT(galley_server_post(notes.srv, take_note, &note[i]), 0);
    }
    WAIT_UNTIL(atomic_load(&notes.count) == 20);
    for (unsigned i = 0; i < 20; i++) {
        EXPECT_INT(notes.order[i], i);
    }
    EXPECT(!pthread_equal(notes.thread, pthread_self()));
    EXPECT_INT(stop(notes.srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_before_the_start_they_wait_for_it)
{
    galley_server_options opt = options();
    struct notes notes = {.srv = make(&opt)};
    struct note note[3] = {{&notes, 0}, {&notes, 1}, {&notes, 2}};
    EXPECT_INT(galley_server_after(notes.srv, 5, take_note, &note[2]), 0);
    EXPECT_INT(galley_server_post(notes.srv, take_note, &note[0]), 0);
    EXPECT_INT(galley_server_post(notes.srv, take_note, &note[1]), 0);
    client_sleep_ms(10);
    EXPECT_INT(atomic_load(&notes.count), 0);
    start(notes.srv);
    WAIT_UNTIL(atomic_load(&notes.count) == 3);
    EXPECT_INT(notes.order[0], 0);
    EXPECT_INT(notes.order[1], 1);
    EXPECT_INT(notes.order[2], 2);
    EXPECT_INT(stop(notes.srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_a_delay_is_waited_for_and_equal_delays_keep_their_order)
{
    galley_server_options opt = options();
    struct notes notes = {.srv = make(&opt)};
    struct note note[20];
    start(notes.srv);
    int64_t before_ms = galley_now_ms();
    for (unsigned i = 0; i < 20; i++) {
        note[i] = (struct note){&notes, i};
        EXPECT_INT(galley_server_after(notes.srv, i < 19 ? 30 : 1, take_note, &note[i]), 0);
    }
    WAIT_UNTIL(atomic_load(&notes.count) == 20);
    EXPECT(notes.ran_ms >= before_ms + 30);
    EXPECT_INT(notes.order[0], 19);
    for (unsigned i = 0; i < 19; i++) {
        EXPECT_INT(notes.order[i + 1], i);
    }
    EXPECT_INT(stop(notes.srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_delays_follow_the_clock_of_the_loop_to_the_millisecond)
{
    galley_error err = {0};
    galley_server *srv = galley_server_new(NULL, &err);
    struct notes notes = {.srv = srv};
    struct note note[3] = {{&notes, 0}, {&notes, 1}, {&notes, 2}};
    EXPECT_INT(galley_server_after(srv, 100, take_note, &note[0]), 0);
    galley_test *test = galley_test_new(srv, &err);
    EXPECT(test);
    EXPECT_INT(galley_test_advance(test, 0), 0);
    EXPECT_INT(galley_server_after(srv, 3600 * 1000, take_note, &note[2]), 0);
    EXPECT_INT(galley_server_after(srv, 100, take_note, &note[1]), 0);
    EXPECT_INT(galley_test_advance(test, 0), 0);
    EXPECT_INT(galley_test_advance(test, 99), 0);
    EXPECT_INT(atomic_load(&notes.count), 0);
    EXPECT_INT(galley_test_advance(test, 1), 0);
    EXPECT_INT(atomic_load(&notes.count), 2);
    EXPECT_INT(notes.order[0], 0);
    EXPECT_INT(notes.order[1], 1);
    EXPECT_INT(galley_server_post(srv, take_note, &note[2]), 0);
    EXPECT_INT(galley_test_advance(test, 0), 0);
    EXPECT_INT(atomic_load(&notes.count), 3);
    EXPECT_INT(galley_server_after(srv, 5, take_note, &note[0]), 0);
    EXPECT_INT(galley_test_advance(test, 5), 0);
    EXPECT_INT(atomic_load(&notes.count), 4);
    galley_test_free(test);
    EXPECT_INT(galley_server_post(srv, take_note, &note[0]), GALLEY_ECLOSED);
    galley_server_free(srv);
    EXPECT_INT(atomic_load(&notes.count), 4);
}

struct chain {
    galley_server *srv;
    atomic_uint posts, afters;
};

static void post_again(void *arg)
{
    struct chain *chain = arg;
    if (atomic_fetch_add(&chain->posts, 1) < 9) {
        EXPECT_INT(galley_server_post(chain->srv, post_again, chain), 0);
        EXPECT_INT(galley_server_after(chain->srv, 1, count_up, &chain->afters), 0);
    }
}

TEST(test_one_may_give_the_next)
{
    galley_server_options opt = options();
    struct chain chain = {.srv = make(&opt)};
    start(chain.srv);
    EXPECT_INT(galley_server_post(chain.srv, post_again, &chain), 0);
    WAIT_UNTIL(atomic_load(&chain.posts) == 10 && atomic_load(&chain.afters) == 9);
    EXPECT_INT(stop(chain.srv, GALLEY_STOP_DRAIN, NULL), 0);
}

static void stop_from_here(void *arg)
{
    galley_server_stop(arg, GALLEY_STOP_DRAIN);
}

TEST(test_what_waits_when_the_server_has_stopped_is_not_run)
{
    galley_server_options opt = options();
    atomic_uint count = 0;
    galley_server *srv = make(&opt);
    EXPECT_INT(galley_server_after(srv, 3600 * 1000, count_up, &count), 0);
    EXPECT_INT(galley_server_after(srv, GALLEY_NO_LIMIT, count_up, &count), 0);
    start(srv);
    EXPECT_INT(galley_server_after(srv, 3600 * 1000, count_up, &count), 0);
    EXPECT_INT(galley_server_post(srv, stop_from_here, srv), 0);
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
    EXPECT_INT(galley_server_post(srv, count_up, &count), GALLEY_ECLOSED);
    EXPECT_INT(galley_server_after(srv, 1, count_up, &count), GALLEY_ECLOSED);
    galley_server_free(srv);
    EXPECT_INT(atomic_load(&count), 0);
}

TEST(test_what_waits_for_a_start_that_never_comes_is_freed)
{
    atomic_uint count = 0;
    galley_error err;
    galley_server *srv = galley_server_new(NULL, &err);
    EXPECT_INT(galley_server_post(srv, count_up, &count), 0);
    EXPECT_INT(galley_server_after(srv, 7, count_up, &count), 0);
    EXPECT_INT(galley_server_start(srv, &err),
               GALLEY_EINVAL); /* no listener: it may be tried again */
    EXPECT_INT(galley_server_post(srv, count_up, &count), 0);
    galley_server_free(srv);
    EXPECT_INT(atomic_load(&count), 0);
}

TEST(test_bad_calls_are_einval)
{
    galley_server *srv = galley_server_new(NULL, NULL);
    EXPECT_INT(galley_server_post(NULL, count_up, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_post(srv, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_after(NULL, 1, count_up, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_after(srv, 1, NULL, NULL), GALLEY_EINVAL);
    galley_server_free(srv);
}

struct poster {
    galley_server *srv;
    atomic_uint *ran;
    unsigned accepted;
    pthread_t thread;
};

static void *post_until_closed(void *arg)
{
    struct poster *poster = arg;
    int rc = 0;
    while (rc == 0) {
        rc = galley_server_after(poster->srv, poster->accepted % 3, count_up, poster->ran);
        poster->accepted += rc == 0;
    }
    EXPECT_INT(rc, GALLEY_ECLOSED);
    return NULL;
}

TEST(test_callers_on_other_threads_race_with_the_stop)
{
    for (unsigned round = 0; round < 5; round++) {
        galley_server_options opt = options();
        atomic_uint ran = 0;
        unsigned accepted = 0;
        struct poster posters[3];
        opt.loops = 2;
        galley_server *srv = make(&opt);
        for (unsigned i = 0; i < 3; i++) {
            posters[i] = (struct poster){.srv = srv, .ran = &ran};
            EXPECT_INT(pthread_create(&posters[i].thread, NULL, post_until_closed, &posters[i]), 0);
        }
        start(srv);
        WAIT_UNTIL(atomic_load(&ran) > 100);
        galley_server_stop(srv, round % 2 ? GALLEY_STOP_NOW : GALLEY_STOP_DRAIN);
        EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
        for (unsigned i = 0; i < 3; i++) {
            pthread_join(posters[i].thread, NULL);
            accepted += posters[i].accepted;
        }
        EXPECT(atomic_load(&ran) <= accepted);
        galley_server_free(srv);
    }
}
