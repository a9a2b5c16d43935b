/* loop/direct.c — system calls on sockets that try once: see direct.h. Any thread. */
#include "loop/direct.h"

#include "base/fd.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum { MAX_ACCEPT_RETRIES = 16 };

/* accept(2): errors of a connection that is gone already, or of the network, concern nobody
 * here. */
static bool is_accept_retried(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPERM: /* a firewall rule */
        return true;
    default:
        return false;
    }
}

int direct_accept(int listener, struct sockaddr *addr, socklen_t *len)
{
    socklen_t room = len ? *len : 0;
    for (int i = 0; i < MAX_ACCEPT_RETRIES; i++) {
        int fd = accept4(listener, addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
        if (!is_accept_retried(errno)) {
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
        }
        if (len) {
            *len = room;
        }
    }
    return -EAGAIN; /* the next look at the listener goes on */
}

ssize_t direct_recv(int fd, char *data, size_t max_bytes)
{
    ssize_t got;
    do {
        got = recv(fd, data, max_bytes, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t direct_send(int fd, const struct iovec *iov, int iov_count, bool more_follows)
{
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more_follows ? MSG_MORE : 0);
    ssize_t sent;
    do {
        if (iov_count == 1) {
            sent = send(fd, iov->iov_base, iov->iov_len, flags);
        } else {
            const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                                           .msg_iovlen = (size_t)iov_count};
            sent = sendmsg(fd, &message, flags);
        }
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

size_t direct_send_room(int fd)
{
    uint32_t about[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(about);
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, about, &len) < 0 ||
        len <= SK_MEMINFO_WMEM_QUEUED * sizeof(*about)) {
        return SIZE_MAX; /* Linux before 4.12, or a filter */
    }
    uint32_t all = about[SK_MEMINFO_SNDBUF], used = about[SK_MEMINFO_WMEM_QUEUED];
    return used < all ? all - used : 0;
}

ssize_t direct_send_file(int fd, const struct loop_file *file)
{
    ssize_t sent;
    do {
        off_t position = file->offset;
        sent = sendfile(fd, file->fd, &position, file->len);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

void direct_close(int *fd, bool is_reset)
{
    if (is_reset) {
        /* socket(7): lingering for 0 s makes close(2) send RST */
        const struct linger no_linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &no_linger, sizeof(no_linger));
    }
    fd_close(fd);
}

/* What the client has sent is read once and thrown away: closing with unread bytes would send RST,
 * which can take the answer away from the client (RFC 9112 §9.6). More than one try is not due to
 * it. */
int direct_refuse(int listener, const void *data, size_t len)
{
    int fd = direct_accept(listener, NULL, NULL);
    if (fd < 0) {
        return fd;
    }
    if (len > 0) {
        (void)send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)shutdown(fd, SHUT_WR);
    }
    char thrown_away[2048];
    (void)recv(fd, thrown_away, sizeof(thrown_away), MSG_DONTWAIT);
    fd_close(&fd);
    return 0;
}
