/* server/server_signals.h — SIGINT and SIGTERM stop a server, for as long as it asked for it
 * (GALLEY_UNTIL_SIGNAL). Dispositions are taken with the first server that asks and put back with
 * the last one. Any thread. */
#ifndef SERVER_SERVER_SIGNALS_H
#define SERVER_SERVER_SIGNALS_H

#include <galley/server.h>

/** 0, GALLEY_EFULL (16 servers at most), GALLEY_ESYS, with a sentence. */
int server_signals_watch(galley_server *srv, galley_error *err);
/** After this no signal handler touches srv. Allowed for a server that is not watched. */
void server_signals_unwatch(galley_server *srv);

#endif
