/* A gate between loops on threads of their own: nobody is lost, never too many are inside. */
#include "test.h"

#include "exchange/route_gate.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LOOPS = 4, ROUNDS = 1000, PLACES = 2, GUESTS = 3 };

struct guest {
    struct gate_place place;
    struct loop_post again;
    struct guest_loop *home;
    unsigned left; /* rounds */
};

struct guest_loop {
    struct loop *loop;
    struct route_gate *gate;
    atomic_uint posting;
    atomic_int *inside_now;
    struct guest guests[GUESTS];
    unsigned done, refused, gave_up, handled;
};

/* One turn later: leave if inside, and come again. */
static void go_round(struct loop_post *post);

static void stay_a_turn(struct guest *guest)
{
    guest->again.run = go_round;
    loop_later(guest->home->loop, &guest->again);
}

static void come_in(struct guest *guest)
{
    EXPECT(atomic_fetch_add(guest->home->inside_now, 1) < PLACES);
    guest->home->handled++;
    stay_a_turn(guest);
}

static void turn_has_come(struct loop_post *post)
{
    struct guest *guest = CONTAINER_OF(post, struct guest, place.post);
    guest->place.state = PLACE_HELD;
    come_in(guest);
}

static void try_again(struct guest *guest)
{
    struct guest_loop *home = guest->home;
    guest->place = (struct gate_place){.gate = home->gate,
                                       .post.run = turn_has_come,
                                       .loop = home->loop,
                                       .posting = &home->posting};
    enum gate_answer answer = route_gate_enter(&guest->place);
    if (answer == GATE_ENTERED) {
        come_in(guest);
    } else if (answer == GATE_IS_FULL) {
        home->refused++;
        stay_a_turn(guest);
    } else if (guest->left % 3 == 0 && route_gate_give_up(&guest->place)) {
        home->gave_up++;
        stay_a_turn(guest);
    }
}

static void go_round(struct loop_post *post)
{
    struct guest *guest = CONTAINER_OF(post, struct guest, again);
    struct guest_loop *home = guest->home;
    if (guest->place.state == PLACE_HELD) {
        atomic_fetch_sub(home->inside_now, 1);
        route_gate_leave(&guest->place);
    }
    if (guest->left-- > 0) {
        try_again(guest);
    } else if (++home->done == GUESTS) {
        loop_stop(home->loop);
    }
}

static void *run_guests(void *arg)
{
    struct guest_loop *home = arg;
    for (unsigned i = 0; i < GUESTS; i++) {
        home->guests[i] = (struct guest){.home = home, .left = ROUNDS};
        stay_a_turn(&home->guests[i]);
    }
    loop_run(home->loop);
    return NULL;
}

TEST(test_many_loops_share_a_gate)
{
    struct guest_loop homes[LOOPS] = {0};
    pthread_t threads[LOOPS];
    atomic_int inside_now = 0;
    struct route_gate *gate = route_gate_create(PLACES, LOOPS * GUESTS / 2);
    for (unsigned i = 0; i < LOOPS; i++) {
        homes[i] = (struct guest_loop){.loop = loop_create(NULL, NULL), .gate = gate};
        homes[i].inside_now = &inside_now;
        EXPECT(homes[i].loop);
    }
    for (unsigned i = 0; i < LOOPS; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, run_guests, &homes[i]), 0);
    }
    unsigned handled = 0, others = 0;
    for (unsigned i = 0; i < LOOPS; i++) {
        pthread_join(threads[i], NULL);
        handled += homes[i].handled;
        others += homes[i].refused + homes[i].gave_up;
    }
    EXPECT_INT(handled + others, LOOPS * GUESTS * ROUNDS);
    EXPECT(handled > ROUNDS);
    for (unsigned i = 0; i < LOOPS; i++) {
        EXPECT_INT(atomic_load(&homes[i].posting), 0);
        loop_destroy(homes[i].loop);
    }
    route_gate_destroy(gate);
}
