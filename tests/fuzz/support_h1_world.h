/* tests/fuzz/support_h1_world.h — a loop over the sim backend with two clients, the h1 driver and a
 * few routes, for fuzz_h1_conn.c. It keeps book of every exchange, and world_close() judges what
 * the clients received.
 *
 *   /small  /empty 204  /unchanged 304  /fail 503      /big  memory with a release, 100 kB
 *   /borrowed  of the arena
 *   /file   a part of a file   /shrunk  more than the file holds, in a second part     /echo  a
 *   body     /refuse  no body
 *   /begin  pieces on the loop    /later  suspended    /resume  ends the other one    /pieces  on a
 *   worker, step by step
 *   /early, /early-big  answer before the body is read
 *   /hints, /hints-body, /hints-pool, /later  with a query: early hints before the answer */
#ifndef TESTS_FUZZ_SUPPORT_H1_WORLD_H
#define TESTS_FUZZ_SUPPORT_H1_WORLD_H

#include "conn/conn_set.h"
#include "exchange/exchange.h"
#include "h1/h1_driver.h"
#include "loop/sim.h"

enum { WORLD_CLIENTS = 2 };

/** Bits: small limits, few requests a connection, little output, hints over HTTP/1.1. */
enum world_flag { WORLD_SMALL = 1, WORLD_FEW = 2, WORLD_TIGHT = 4, WORLD_HINTS = 8 };

void world_open(unsigned flags);
void world_close(void);

struct sim_peer *world_client(unsigned index);
struct loop *world_loop(void);
/** Let happen what can happen now. */
void world_settle(void);
/** Bytes from the client; what follows from them happens. */
void world_send(unsigned client, const void *data, size_t len);
/** The client resets. */
void world_reset(unsigned client);
/** From now on answers may be cut: a failure was planted. */
void world_expect_trouble(void);
void world_drain(void);
void world_stop_now(void);
/** End the oldest suspension, if there is one. */
void world_resume(int result);
/** The handler on the worker writes so many bytes, if they have room; or returns. */
void world_worker_writes(size_t len);
void world_worker_returns(int result);

#endif
