/* loop/sim.h — the world behind the sim backend, for tests and for driving a server without
 * sockets: a virtual clock, connections in memory, scripted short reads, errors and full buffers.
 * One thread runs everything; nothing waits but sim_sleep().
 *
 * A loop made with LOOP_BACKEND_SIM takes descriptors from sim_listener() and sim_connect(); the
 * code under test sees no difference. File ranges given to loop_send_file() are read with pread(2)
 * from the real descriptor. */
#ifndef LOOP_SIM_H
#define LOOP_SIM_H

#include "base/span.h"
#include "loop/loop.h"

struct sim_peer; /* the client's end of a connection */

/** A listener's descriptor for loop_socket_open(). */
int sim_listener(struct loop *loop);
/** A client connects to the listener: the loop's accept will complete with a new descriptor. NULL:
 * no memory. */
struct sim_peer *sim_connect(struct loop *loop, int listener_fd);
/** A connection without a listener: *ret_fd is the server's end. */
struct sim_peer *sim_pair(struct loop *loop, int *ret_fd);
/** Release the client's end (hanging up if it has not been). Once for each peer, also after the
 * loop's end. */
void sim_peer_free(struct sim_peer *peer);

/** The client sends bytes (copied). They are delivered in pieces of at most sim_set_max_read(). */
int sim_send(struct sim_peer *peer, const void *data, size_t len);
/** Whom loop_peer_name() tells; before the loop accepts. */
void sim_set_address(struct sim_peer *peer, const struct sockaddr *addr, socklen_t len);
/** The client half-closes, or resets. */
void sim_shutdown(struct sim_peer *peer);
void sim_reset(struct sim_peer *peer);
/** Everything the server has sent so far; sim_consume drops the first n bytes. */
struct span sim_received(const struct sim_peer *peer);
/** The same with a NUL behind it that is not counted; missing when memory is out. */
struct span sim_received_text(struct sim_peer *peer);
void sim_consume(struct sim_peer *peer, size_t n);
/** Has the server closed its side (FIN), or reset? As Linux does, closing with bytes unread
 * resets. */
bool sim_is_closed(const struct sim_peer *peer);
bool sim_is_reset(const struct sim_peer *peer);
/** Did the server say with its last send that more follows at once? */
bool sim_expects_more(const struct sim_peer *peer);
/** How often the server has tried to send, but for files. */
unsigned sim_sends(const struct sim_peer *peer);
/** The server can send at most `bytes` more until the window is opened again; SIZE_MAX (default):
 * no bound. */
void sim_set_window(struct sim_peer *peer, size_t bytes);
/** No recv of the server returns more, no send takes more than this at once; 0: no bound. */
void sim_set_max_read(struct sim_peer *peer, size_t bytes);
void sim_set_max_write(struct sim_peer *peer, size_t bytes);
/** The next operation of this kind (LOOP_OP_…) on the connection fails with -sys_errno. */
void sim_fail_next(struct sim_peer *peer, enum loop_op_kind kind, int sys_errno);
/** The next accept on the loop fails with -sys_errno, `times` times. */
void sim_fail_accept(struct loop *loop, int sys_errno, unsigned times);

/** What files say when they are asked whether a byte is in memory (loop/file_probe.h): 0, which it
 *  is at first: all of it; -EAGAIN: none; other errors. Who reads them gets no more than so many of the
 *  bytes at once, if it is more than 0. */
void sim_set_probe(struct loop *loop, int result);
/** How often they have been asked. */
unsigned sim_probes(const struct loop *loop);

/** Run turns until nothing is left to do at this moment. */
void sim_run(struct loop *loop);
/** Move the clock on, running what falls due in order, then sim_run(). */
void sim_advance(struct loop *loop, int64_t ms);
/** Move the clock to the next timer that falls due before `until_ms`, else to until_ms: false. What
 *  falls due is left to the next turn. */
bool sim_step(struct loop *loop, int64_t until_ms);

/* ---- beside other threads: a driver whose jobs run on a pool (server/test_client) ------------ */

/** One turn, without waiting; false when there was nothing to do at this moment. */
bool sim_turn(struct loop *loop);
/** After sim_turn() said false: will nothing come from other threads either, but from the
 *  `allowed` errands (loop/errand.h) that may be under way? */
bool sim_is_quiet(struct loop *loop, unsigned allowed);
/** Errands under way. */
unsigned sim_errands(const struct loop *loop);
/** Wait in real time, at most ms, until another thread posts, wakes the loop or ends an errand. */
void sim_sleep(struct loop *loop, int64_t ms);
/** What to add to the loop's milliseconds for milliseconds since 1970. */
int64_t sim_wall_minus_mono_ms(void);

/** Server-side descriptors still open (sockets and listeners). */
unsigned sim_open_count(const struct loop *loop);

#endif
