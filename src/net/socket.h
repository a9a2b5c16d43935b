/* net/socket.h — what is asked of a connected descriptor: who is at either end. Costs a system
 * call, so it is asked lazily (for a log line, say), never at accept. Any thread that owns the
 * descriptor. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "net/address.h"

/** getpeername(2) and getsockname(2); family 0 when the kernel cannot tell (any more). */
void socket_peer(int fd, struct peer_address *ret);
void socket_local(int fd, struct peer_address *ret);

#endif
