/* bench/floor/epoll.c — the floor with epoll: recv, send, and nothing else for a request. See
 * floor.h. Ends by a signal. */
#include "floor.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 256 };

static struct floor the_floor;

static void accept_all(int epoll)
{
    int fd;
    while ((fd = accept4(the_floor.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
        if (fd >= FLOOR_MAX_FDS || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
            continue;
        }
        the_floor.matched[fd] = 0;
    }
}

static void answer(int fd)
{
    static char received[FLOOR_RECV_BYTES];
    ssize_t got = recv(fd, received, sizeof received, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            close(fd);
        }
        return;
    }
    unsigned requests = floor_count(&the_floor, fd, received, (size_t)got);
    if (requests == 0) {
        return;
    }
    size_t len = floor_answer_bytes(&the_floor, requests);
    ssize_t put = send(fd, the_floor.answers, len, MSG_NOSIGNAL);
    if (the_floor.closes || put != (ssize_t)len) { /* it keeps no rest: then it is not blind */
        close(fd);
    }
}

int main(int argc, char **argv)
{
    if (!floor_start(&the_floor, argc, argv)) {
        return 1;
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event listen_event = {.events = EPOLLIN, .data.fd = the_floor.listener};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, the_floor.listener, &listen_event) != 0) {
        perror("epoll");
        return 1;
    }
    for (;;) {
        struct epoll_event events[MAX_EVENTS];
        int count = epoll_wait(epoll, events, MAX_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == the_floor.listener) {
                accept_all(epoll);
            } else {
                answer(events[i].data.fd);
            }
        }
    }
}
