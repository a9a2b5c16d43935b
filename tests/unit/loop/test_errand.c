/* tests/unit/loop/test_errand.c — a simulated loop knows what is under way on other threads, and can
 * wait for it in real time; other loops do not count. */
#include "support_rig.h"

#include "loop/errand.h"
#include "loop/offload.h"
#include "loop/sim.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>

static struct rig rig;

static void *end_it(void *arg)
{
    errand_end(arg);
    return NULL;
}

/* No deadline of the test's: it is woken, or the harness ends it. */
static void wait_until_quiet(unsigned allowed)
{
    while (sim_turn(rig.loop) || !sim_is_quiet(rig.loop, allowed)) {
        sim_sleep(rig.loop, 60000);
    }
}

TEST(a_loop_with_an_errand_is_not_quiet_until_it_ends)
{
    pthread_t other;
    rig_open(&rig, LOOP_BACKEND_SIM);
    EXPECT(sim_is_quiet(rig.loop, 0));
    struct errands *errand = errand_begin(rig.loop);
    EXPECT(!sim_is_quiet(rig.loop, 0));
    EXPECT(sim_is_quiet(rig.loop, 1));
    EXPECT_INT(sim_errands(rig.loop), 1);
    EXPECT_INT(pthread_create(&other, NULL, end_it, errand), 0);
    wait_until_quiet(0);
    EXPECT_INT(sim_errands(rig.loop), 0);
    pthread_join(other, NULL);
    rig_close(&rig);
}

TEST(an_errand_that_waits_is_paused_and_begun_again_by_who_wakes_it)
{
    rig_open(&rig, LOOP_BACKEND_SIM);
    struct errands *paused = NULL;
    struct errands *errand = errand_begin(rig.loop);
    errand_pause(&paused); /* this thread does not run it: nothing happens */
    EXPECT(!paused && sim_errands(rig.loop) == 1);
    errand_resume(&paused);
    EXPECT_INT(sim_errands(rig.loop), 1);
    EXPECT(!errand_carry(errand));
    errand_pause(&paused);
    errand_pause(&paused); /* woken for nothing */
    EXPECT(sim_is_quiet(rig.loop, 0));
    errand_resume(&paused);
    errand_resume(&paused); /* by the waiter itself */
    EXPECT_INT(sim_errands(rig.loop), 1);
    EXPECT(errand_carry(NULL) == errand);
    errand_end(errand);
    rig_close(&rig);
}

TEST(an_errand_may_end_after_its_loop)
{
    rig_open(&rig, LOOP_BACKEND_SIM);
    struct errands *errand = errand_begin(rig.loop);
    rig_close(&rig);
    errand_end(errand);
}

TEST(other_loops_do_not_count)
{
    rig_open(&rig, LOOP_BACKEND_EPOLL);
    struct errands *paused = NULL;
    EXPECT(!errand_begin(rig.loop));
    errand_end(NULL);
    errand_pause(&paused);
    errand_resume(&paused);
    EXPECT(!paused);
    rig_close(&rig);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned done_count;

static void run_behind_lock(struct offload *offload)
{
    (void)offload;
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
}

static void count_done(struct offload *offload)
{
    (void)offload;
    done_count++;
}

TEST(a_job_on_a_pool_is_an_errand_and_its_post_wakes_the_loop)
{
    struct offload offload = {0};
    galley_pool *pool = galley_pool_new(1, NULL);
    rig_open(&rig, LOOP_BACKEND_SIM);
    pthread_mutex_lock(&lock);
    EXPECT_INT(offload_start(&offload, rig.loop, pool, run_behind_lock, count_done, NULL), 0);
    EXPECT(!sim_turn(rig.loop));
    EXPECT(!sim_is_quiet(rig.loop, 0));
    sim_sleep(rig.loop, 1); /* it may wait in vain */
    EXPECT_INT(done_count, 0);
    pthread_mutex_unlock(&lock);
    wait_until_quiet(0);
    EXPECT_INT(done_count, 1);
    galley_pool_free(pool);
    rig_close(&rig);
}

TEST(a_client_has_the_address_it_is_given)
{
    struct sockaddr_in given = {.sin_family = AF_INET, .sin_port = htons(7)}, told = {0};
    socklen_t len = sizeof told;
    int fd = -1;
    rig_open(&rig, LOOP_BACKEND_SIM);
    struct sim_peer *peer = sim_pair(rig.loop, &fd);
    EXPECT_INT(loop_peer_name(rig.loop, fd, (struct sockaddr *)&told, &len), -ENOTCONN);
    given.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sim_set_address(peer, (const struct sockaddr *)&given, sizeof given);
    EXPECT_INT(loop_peer_name(rig.loop, fd, (struct sockaddr *)&told, &len), 0);
    EXPECT_INT(len, sizeof given);
    EXPECT(memcmp(&given, &told, sizeof given) == 0);
    loop_close_fd(rig.loop, fd);
    sim_peer_free(peer);
    rig_close(&rig);
}

TEST(what_was_received_can_be_read_as_text)
{
    int fd = -1;
    rig_open(&rig, LOOP_BACKEND_SIM);
    struct sim_peer *peer = sim_pair(rig.loop, &fd);
    EXPECT_TEXT(sim_received_text(peer).ptr, "");
    EXPECT_INT(sim_received_text(peer).len, 0);
    loop_close_fd(rig.loop, fd);
    sim_peer_free(peer);
    rig_close(&rig);
}
