/* loop/direct.h — system calls on sockets that try once and never wait: a result or -errno. What a
 * backend does besides waiting; none of it knows of the loop. Any thread. */
#ifndef LOOP_DIRECT_H
#define LOOP_DIRECT_H

#include "loop/loop.h"

/** As accept4(2) of a non-blocking, close-on-exec descriptor; connections that are gone already are
 *  passed over, a few at a time. Who came is written to addr, if that is not NULL. -EAGAIN: nobody
 *  waits. */
int direct_accept(int listener, struct sockaddr *addr, socklen_t *len);
/** -EAGAIN: nothing there; 0: the peer's end. */
ssize_t direct_recv(int fd, char *data, size_t max_bytes);
/** MSG_NOSIGNAL; more_follows: MSG_MORE. */
ssize_t direct_send(int fd, const struct iovec *iov, int iov_count, bool more_follows);
/** What of the socket's buffer is free, as the kernel counts it; SIZE_MAX: it does not say. */
size_t direct_send_room(int fd);
/** sendfile(2) of a part: 0 where the file ends. */
ssize_t direct_send_file(int fd, const struct loop_file *file);
/** Close: with is_reset the peer gets RST instead of FIN. Sets *fd to -1. */
void direct_close(int *fd, bool is_reset);
/** Accept one client, send it what fits of data, close. 0 or -errno of the accept. */
int direct_refuse(int listener, const void *data, size_t len);

#endif
