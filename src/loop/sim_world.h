/* loop/sim_world.h — inside the loop room: the world that backend_sim.c (the loop's side of it) and
 * sim.c (the tests' side) share. Descriptors are numbers far above real ones and never used twice,
 * so that a use after close is found. One thread. */
#ifndef LOOP_SIM_WORLD_H
#define LOOP_SIM_WORLD_H

#include "base/buf.h"
#include "loop/backend.h"
#include "loop/sim.h"

enum { SIM_FIRST_FD = 1000000000, SIM_START_MS = 1000000 };

/* A connection: both ends. Freed when the client has let go and the server has closed. */
struct sim_peer {
    struct list link;           /* all connections of the world */
    struct list edge_link;      /* in world->edges while an event is due */
    struct list wait_link;      /* in a listener's queue until accepted */
    struct loop *loop;          /* NULL: the world has ended */
    struct loop_socket *socket; /* NULL: not opened yet, or closed */
    int fd;
    struct sockaddr_storage address; /* whose it says it is; address_len 0: nobody's */
    socklen_t address_len;
    struct buf to_server, to_client;
    size_t taken; /* of to_server, by the server */
    size_t window, max_read, max_write;
    int failure[LOOP_OP_POLL + 1]; /* errno for the next operation of the kind */
    bool has_server;               /* the server's end is open, or waits to be accepted */
    bool server_fin, server_reset;
    unsigned sends;    /* that the server has tried */
    bool expects_more; /* the last send said so */
    bool client_fin, client_reset, client_gone;
};

struct sim_listener {
    struct list link;
    struct list waiting; /* sim_peer.wait_link */
    struct loop_socket *socket;
    int fd;
};

/* A real descriptor that is polled, such as inotify's: looked at by poll(2), without waiting. */
struct sim_foreign {
    struct list link;
    struct loop_socket *socket;
};

struct sim_world {
    struct list peers, listeners, foreigns;
    struct list edges; /* sim_peer.edge_link */
    struct sim_peer **by_fd;
    size_t fd_count, fd_capacity;
    int64_t now_ms;
    unsigned open_count;
    unsigned accept_failures;
    int accept_errno;
    int probe_result; /* sim_set_probe() */
    unsigned probes;
};

static inline struct sim_world *sim_world_of(const struct loop *loop)
{
    return loop->world;
}

/** NULL if fd is none of ours or gone. */
struct sim_peer *sim_peer_of(struct loop *loop, int fd);
struct sim_listener *sim_listener_of(struct loop *loop, int fd);
/** A fresh number that stands for peer (NULL: for a listener), or -ENOMEM. */
int sim_new_fd(struct sim_world *world, struct sim_peer *peer);
/** An event is due for the server's end at the next wait. */
void sim_edge(struct sim_peer *peer);
/** Free the connection if nobody has an end of it any more. */
void sim_peer_settle(struct sim_peer *peer);
/** The world ends: the client's end stays until it is freed, the server's is closed. */
void sim_peer_outlive(struct sim_peer *peer);

/* sim_foreign.c */
int sim_foreign_add(struct loop *loop, struct loop_socket *socket);
void sim_foreign_close(struct loop *loop, struct loop_socket *socket);
/** Returns how many are readable and waited for. */
unsigned sim_foreign_tell(struct loop *loop);

#endif
