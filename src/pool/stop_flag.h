/* pool/stop_flag.h — lets the owner of the running work say that it is unwanted: galley_should_stop() is true while
 * the flag given here is not 0. For whoever runs a piece of somebody's work on some thread (a server's handler, on a
 * worker or on a loop): set the flag before, put the returned one back after. It is the thread's own; the flag itself
 * may be raised from any thread and must outlive the time it is set. A worker clears it after every job. */
#ifndef POOL_STOP_FLAG_H
#define POOL_STOP_FLAG_H

#include <stdatomic.h>

/** NULL: none. Returns what was set before. */
const atomic_int *stop_flag_set(const atomic_int *flag);

#endif
