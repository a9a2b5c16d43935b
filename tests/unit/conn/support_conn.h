/* tests/unit/conn/support_conn.h — connections over the sim backend with a protocol that only
 * writes down what it is told. */
#ifndef TESTS_UNIT_CONN_SUPPORT_CONN_H
#define TESTS_UNIT_CONN_SUPPORT_CONN_H

#include "conn/conn_set.h"
#include "conn/protocol.h"
#include "loop/sim.h"

struct told {
    unsigned opened, received, input_ended, sent, deadlines, drains, closed;
    size_t bytes;
    enum close_reason reason; /* of the last that closed */
};

struct conn_world {
    struct loop *loop;
    struct conn_limits limits;
    struct conn_set set;
    struct protocol protocol;
    struct told told;
    unsigned removed, emptied;
    bool open_fails;
};

void conn_world_open(struct conn_world *world);
/** Ends what is open and checks that nothing is left. */
void conn_world_close(struct conn_world *world);
struct conn *conn_world_connect(struct conn_world *world, struct sim_peer **ret_peer);
/** A connection in this state, by legal edges. */
struct conn *conn_world_in_state(struct conn_world *world, enum conn_state state,
                                 struct sim_peer **ret_peer);

#endif
