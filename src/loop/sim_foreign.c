/* loop/sim_foreign.c — real descriptors in a simulated world, such as inotify's: poll(2) is asked
 * without waiting, each time the world waits while a loop_poll() is pending. One thread. */
#include "loop/sim_world.h"

#include "base/alloc.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>

int sim_foreign_add(struct loop *loop, struct loop_socket *socket)
{
    struct sim_foreign *foreign = mem_alloc(sizeof(*foreign));
    if (!foreign) {
        return -ENOMEM;
    }
    foreign->socket = socket;
    list_push_back(&sim_world_of(loop)->foreigns, &foreign->link);
    return 0;
}

void sim_foreign_close(struct loop *loop, struct loop_socket *socket)
{
    struct list *head = &sim_world_of(loop)->foreigns;
    for (struct list *link = head->next; link != head; link = link->next) {
        struct sim_foreign *foreign = CONTAINER_OF(link, struct sim_foreign, link);
        if (foreign->socket == socket) {
            list_remove(link);
            mem_free(foreign);
            break;
        }
    }
    fd_close(&socket->fd);
}

unsigned sim_foreign_tell(struct loop *loop)
{
    unsigned told = 0;
    struct list *head = &sim_world_of(loop)->foreigns;
    for (struct list *link = head->next; link != head; link = link->next) {
        struct loop_socket *socket = CONTAINER_OF(link, struct sim_foreign, link)->socket;
        struct pollfd look = {.fd = socket->fd, .events = POLLIN};
        if (socket->reading && poll(&look, 1, 0) > 0) {
            operation_ready(loop, socket, READY_READ);
            told++;
        }
    }
    return told;
}
