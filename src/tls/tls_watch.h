/* tls/tls_watch.h — a galley_tls whose files are watched while a server runs: when they have changed
 * and it has been quiet for a moment they are read again, and the log says what came of it. One for
 * each server that listens with it.
 *
 * On one loop. What blocks is a job on the file threads, which ends with them at the latest, so that
 * the loop must make its last turns behind that. */
#ifndef TLS_TLS_WATCH_H
#define TLS_TLS_WATCH_H

#include "base/log.h"
#include "loop/offload.h"

#include <galley/tls.h>

struct tls_watch;

/** Before the loop runs. Where watching cannot be had the log says so, and nothing is watched. pool:
 *  for reading files. NULL: no memory. Blocks on the file system. */
struct tls_watch *tls_watch_create(galley_tls *tls, struct loop *loop, galley_pool *pool,
                                   const struct log_sink *log);
/** On the loop: no more. Any number of times. */
void tls_watch_stop(struct tls_watch *watch);
/** The loop has made its last turn. NULL is allowed. */
void tls_watch_destroy(struct tls_watch *watch);

#endif
