/* net/socket.c — who is at either end of a connection. See socket.h. */
#include "net/socket.h"

typedef int name_fn(int fd, struct sockaddr *addr, socklen_t *len);

static void ask(int fd, struct peer_address *ret, name_fn *name)
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof(storage);
    *ret = (struct peer_address){0};
    if (name(fd, (struct sockaddr *)&storage, &len) == 0) {
        peer_address_from(ret, (const struct sockaddr *)&storage, len);
    }
}

void socket_peer(int fd, struct peer_address *ret)
{
    ask(fd, ret, getpeername);
}

void socket_local(int fd, struct peer_address *ret)
{
    ask(fd, ret, getsockname);
}
