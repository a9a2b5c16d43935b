/* tests/unit/loop/support_host.h — a listener of a loop's, with one accept, over real TCP; and clients
 * that connect to it. */
#ifndef TESTS_UNIT_LOOP_SUPPORT_HOST_H
#define TESTS_UNIT_LOOP_SUPPORT_HOST_H

#include "support_rig.h"

#include <netinet/in.h>

struct host {
    struct loop_socket socket;
    struct loop_op op;
    struct loop *loop;
    struct sockaddr_in address;
    int fd;
    unsigned accepts, closed;
    ssize_t result; /* of the last accept; who came has been sent away */
    bool goes_on;   /* accept again after each */
};

void host_open(struct rig *rig, struct host *host);
/* On the listener of another host, which another loop has. */
void host_share(struct rig *rig, struct host *host, const struct host *other);
void host_accept(struct host *host);
/* A descriptor that is connected. */
int host_client(const struct host *host);
void host_close(struct rig *rig, struct host *host);

#endif
