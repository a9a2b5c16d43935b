/* tests/unit/loop/test_mailbox.c — posts from other threads: none lost, in order, one wake-up.
 * Meant for TSan too. */
#include "loop/mailbox.h"

#include "support_rig.h"

#include <pthread.h>
#include <sched.h>

TEST(only_the_push_that_finds_an_empty_mailbox_and_a_sleeping_loop_wakes)
{
    struct mailbox mailbox;
    struct loop_post a, b, c;
    mailbox_init(&mailbox);
    EXPECT(!mailbox_push(&mailbox, &a)); /* the loop is awake and will look */
    EXPECT(!mailbox_go_to_sleep(&mailbox));
    EXPECT(mailbox_take(&mailbox) == &a);
    EXPECT(mailbox_go_to_sleep(&mailbox));
    EXPECT(mailbox_push(&mailbox, &b));
    EXPECT(!mailbox_push(&mailbox, &c));
    mailbox_wake_up(&mailbox);
    EXPECT(mailbox_take(&mailbox) == &b && b.next == &c && c.next == NULL);
    EXPECT(mailbox_take(&mailbox) == NULL && mailbox_is_empty(&mailbox));
}

enum { PRODUCERS = 3, POSTS_EACH = 4000, SLOTS = 16 };

struct letter {
    struct loop_post post;
    struct producer *from;
    unsigned number;
    _Atomic bool
        is_free; /* release by the loop in letter_read, acquire by the producer that writes it again */
};

struct producer {
    struct letter letters[SLOTS];
    unsigned expected; /* the loop's: number of the next letter */
    pthread_t thread;
};

static struct loop *the_loop;
static struct producer producers[PRODUCERS];
static unsigned letters_read;

static void letter_read(struct loop_post *post)
{
    struct letter *letter = CONTAINER_OF(post, struct letter, post);
    EXPECT_INT(letter->number, letter->from->expected);
    letter->from->expected++;
    atomic_store_explicit(&letter->is_free, true, memory_order_release);
    if (++letters_read == PRODUCERS * POSTS_EACH) {
        loop_stop(the_loop);
    }
}

static void *produce(void *arg)
{
    struct producer *producer = arg;
    for (unsigned i = 0; i < POSTS_EACH; i++) {
        struct letter *letter = &producer->letters[i % SLOTS];
        while (!atomic_load_explicit(&letter->is_free, memory_order_acquire)) {
            sched_yield();
        }
        atomic_store_explicit(&letter->is_free, false, memory_order_relaxed);
        letter->number = i;
        loop_post(the_loop, &letter->post);
    }
    return NULL;
}

/* The loop has no timer and no other event: a lost wake-up would let it sleep for ever, and the
 * alarm end the test. */
REAL(posts_of_many_threads_all_run_in_order_of_each_thread)
{
    the_loop = loop_create(&(struct loop_options){.backend = backend}, NULL);
    for (int i = 0; i < PRODUCERS; i++) {
        for (int k = 0; k < SLOTS; k++) {
            struct letter *letter = &producers[i].letters[k];
            letter->post.run = letter_read;
            letter->from = &producers[i];
            atomic_init(&letter->is_free, true);
        }
    }
    for (int i = 0; i < PRODUCERS; i++) {
        EXPECT_INT(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    loop_run(the_loop);
    for (int i = 0; i < PRODUCERS; i++) {
        EXPECT_INT(pthread_join(producers[i].thread, NULL), 0);
    }
    EXPECT_INT(letters_read, PRODUCERS * POSTS_EACH);
    loop_destroy(the_loop);
}

/* Ping-pong of two loops: each post finds the other asleep, or about to be. */
struct player {
    struct loop_post ball, stop;
    struct loop *loop;
    struct player *other;
    unsigned hits;
};
static struct player players[2];
enum { HITS = 3000 };

static void stop_player(struct loop_post *post)
{
    loop_stop(CONTAINER_OF(post, struct player, stop)->loop);
}

static void hit(struct loop_post *post)
{
    struct player *player = CONTAINER_OF(post, struct player, ball);
    if (++player->hits < HITS) {
        loop_post(player->other->loop, &player->other->ball);
        return;
    }
    loop_post(player->other->loop, &player->other->stop);
    loop_stop(player->loop);
}

static void *play(void *arg)
{
    loop_run(((struct player *)arg)->loop);
    return NULL;
}

REAL(two_loops_that_post_to_each_other_lose_no_wake_up)
{
    for (int i = 0; i < 2; i++) {
        players[i] =
            (struct player){.ball.run = hit, .stop.run = stop_player, .other = &players[1 - i]};
        players[i].loop = loop_create(&(struct loop_options){.backend = backend}, NULL);
    }
    pthread_t thread;
    EXPECT_INT(pthread_create(&thread, NULL, play, &players[1]), 0);
    loop_post(players[0].loop, &players[0].ball);
    loop_run(players[0].loop);
    EXPECT_INT(pthread_join(thread, NULL), 0);
    EXPECT_INT(players[0].hits + players[1].hits, 2 * HITS - 1);
    loop_destroy(players[0].loop);
    loop_destroy(players[1].loop);
}

static struct stream stream;
static unsigned answers;

static void answered(struct loop_op *op)
{
    answers += op->result > 0;
}

static void send_an_answer(struct loop_post *post)
{
    (void)post;
    static char ok[] = "ok";
    stream.iov = (struct iovec){ok, 2};
    loop_send(stream.loop, &stream.socket, &stream.writing, &stream.iov, 1, answered);
}

EACH(what_a_post_starts_is_tried_in_the_same_turn)
{
    struct rig rig;
    struct loop_post post = {.run = send_an_answer};
    rig_open(&rig, backend);
    stream_open(&rig, &stream);
    loop_post(rig.loop, &post);
    loop_turn(rig.loop, 0);
    if (rig.is_uring) {
        RUN_UNTIL(&rig, answers == 1); /* the next wait hands it in */
    }
    EXPECT_INT(answers, 1);
    stream_close(&rig, &stream);
    rig_close(&rig);
}
