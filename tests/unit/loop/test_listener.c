/* tests/unit/loop/test_listener.c — clients that come together, while accepting pauses, when there
 * is no descriptor left, and when another loop of the same listener is held up. */
#include "support_host.h"

#include <sys/resource.h>
#include <unistd.h>

REAL(clients_that_come_together_are_accepted_one_by_one)
{
    struct rig rig;
    struct host host;
    int clients[40];
    rig_open(&rig, backend);
    host_open(&rig, &host);
    host_accept(&host);
    for (int i = 0; i < 40; i++) {
        clients[i] = host_client(&host);
    }
    for (unsigned i = 1; i <= 40; i++) {
        RUN_UNTIL(&rig, host.accepts == i);
        EXPECT(host.result >= 0);
        if (i < 40) {
            host_accept(&host);
        }
    }
    rig_settle(&rig);
    EXPECT_INT(host.accepts, 40);
    for (int i = 0; i < 40; i++) {
        close(clients[i]);
    }
    host_close(&rig, &host);
    rig_close(&rig);
}

REAL(a_pause_ends_accepting_and_who_came_meanwhile_is_served_after_it)
{
    struct rig rig;
    struct host host;
    rig_open(&rig, backend);
    host_open(&rig, &host);
    host_accept(&host);
    rig_settle(&rig);
    loop_cancel(rig.loop, &host.op);
    int early = host_client(&host); /* the kernel has not heard of the pause */
    rig_settle(&rig);
    EXPECT_INT(host.result, -ECANCELED);
    EXPECT(!host.socket.in_flight && !host.socket.is_armed);
    int late = host_client(&host);
    rig_settle(&rig);
    EXPECT_INT(host.accepts, 1);
    host.goes_on = true;
    host_accept(&host);
    RUN_UNTIL(&rig, host.accepts == 3);
    close(early);
    close(late);
    host_close(&rig, &host);
    rig_close(&rig);
}

REAL(a_listener_that_closes_lets_go_of_those_who_wait_and_of_its_port)
{
    struct rig rig;
    struct host host;
    rig_open(&rig, backend);
    host_open(&rig, &host);
    host_accept(&host);
    rig_settle(&rig);
    int clients[3];
    for (int i = 0; i < 3; i++) {
        clients[i] = host_client(&host);
    }
    RUN_UNTIL(&rig, host.accepts == 1);
    loop_turn(rig.loop, 0); /* the others are parked by now: leaks are counted */
    host_close(&rig, &host);
    int again = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(connect(again, (struct sockaddr *)&host.address, sizeof(host.address)) < 0);
    close(again);
    for (int i = 0; i < 3; i++) {
        close(clients[i]);
    }
    rig_close(&rig);
}

/* io_uring takes a descriptor before it looks for a client: that nobody has come must not be told
 * as an error. */
REAL(out_of_descriptors_is_told_when_a_client_waits_and_not_before)
{
    struct rig rig;
    struct host host;
    struct rlimit before, less;
    rig_open(&rig, backend);
    loop_turn(rig.loop, 0); /* the ring needs one too */
    host_open(&rig, &host);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int highest = dup(0);
    close(highest);
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    less = before;
    less.rlim_cur = (rlim_t)highest;
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &less), 0);
    host_accept(&host);
    rig_settle(&rig);
    EXPECT_INT(host.accepts, 0);
    EXPECT_INT(connect(client, (struct sockaddr *)&host.address, sizeof(host.address)), 0);
    RUN_UNTIL(&rig, host.accepts == 1);
    EXPECT_INT(host.result, -EMFILE);
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    host_accept(&host);
    RUN_UNTIL(&rig, host.accepts == 2);
    EXPECT(host.result >= 0);
    close(client);
    host_close(&rig, &host);
    rig_close(&rig);
}

/* io_uring's own accept would give half of the clients to the loop that does not look. */
REAL(a_loop_that_is_held_up_keeps_no_client_from_the_others)
{
    const struct loop_options options = {.backend = backend, .shares_listeners = true};
    struct rig rig;
    struct host held_up, other;
    int clients[20];
    rig_open(&rig, backend); /* skips where there is none */
    rig_close(&rig);
    rig.loop = loop_create(&options, NULL);
    host_open(&rig, &held_up);
    host_accept(&held_up);
    rig_settle(&rig);
    struct rig second = {.loop = loop_create(&options, NULL)};
    host_share(&second, &other, &held_up);
    other.goes_on = true;
    host_accept(&other);
    rig_settle(&second);
    for (int i = 0; i < 20; i++) {
        clients[i] = host_client(&held_up);
    }
    RUN_UNTIL(&second, other.accepts == 20);
    loop_turn(rig.loop, 0);
    EXPECT_INT(held_up.accepts, 0);
    for (int i = 0; i < 20; i++) {
        close(clients[i]);
    }
    host_close(&second, &other);
    rig_close(&second);
    host_close(&rig, &held_up);
    rig_close(&rig);
}
