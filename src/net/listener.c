/* net/listener.c — making a listening socket: bound by us, or inherited. On the thread that sets a
 * server up; may block for a moment (it looks whether somebody serves a unix socket already). Every
 * failure is one sentence and leaves no descriptor and no file. */
#include "net/listener.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct sockaddr *sockaddr_of(const struct address *address)
{
    return (const struct sockaddr *)&address->storage;
}

static int fail(galley_error *err, const char *name, int sys_errno)
{
    return error_set_sys(err, sys_errno, "listen %s", name);
}

static int set_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) == 0 ? 0 : -errno;
}

/* Accepted sockets inherit TCP_NODELAY: set once, it costs no system call a connection. */
static void set_nodelay(int fd, int family)
{
    if (family != AF_UNIX) {
        (void)set_on(fd, IPPROTO_TCP, TCP_NODELAY);
    }
}

static void read_back(struct listener *listener)
{
    struct address *address = &listener->address;
    socklen_t len = sizeof(address->storage);
    if (getsockname(listener->fd, (struct sockaddr *)&address->storage, &len) == 0) {
        address->len = len < sizeof(address->storage) ? len : sizeof(address->storage);
    }
    address_format(listener->name, sockaddr_of(address), address->len);
}

static const char *path_of(const struct address *address)
{
    return ((const struct sockaddr_un *)sockaddr_of(address))->sun_path;
}

/* 0 or -errno, and then no file of a unix socket is left. */
static int bind_and_listen(int fd, const struct address *address)
{
    if (bind(fd, sockaddr_of(address), address->len) != 0) {
        return -errno;
    }
    if (listen(fd, SOMAXCONN) != 0) {
        int result = -errno;
        if (address->kind == ADDRESS_UNIX && path_of(address)[0] != '\0') {
            (void)unlink(path_of(address));
        }
        return result;
    }
    return 0;
}

/* Socket, bind, listen. 0 or -errno, and then nothing is left open. */
static int bind_socket(struct listener *listener)
{
    const struct address *address = &listener->address;
    int family = address->storage.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int result = family == AF_UNIX ? 0 : set_on(fd, SOL_SOCKET, SO_REUSEADDR);
    if (result == 0 && family == AF_INET6) {
        int v6_only = !address->is_any_family;
        result = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) ? -errno : 0;
    }
    set_nodelay(fd, family);
    if (result == 0) {
        result = bind_and_listen(fd, address);
    }
    if (result < 0) {
        fd_close(&fd);
        return result;
    }
    listener->fd = fd;
    return 0;
}

/* ---- TCP ------------------------------------------------------------------------------------- */

static void turn_to_inet4(struct address *address)
{
    struct sockaddr_in6 sin6;
    memcpy(&sin6, &address->storage, sizeof(sin6));
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = sin6.sin6_port};
    address->storage = (struct sockaddr_storage){0};
    memcpy(&address->storage, &sin, sizeof(sin));
    address->len = sizeof(sin);
}

static int open_inet(struct listener *listener)
{
    int result = bind_socket(listener);
    bool has_no_inet6 = result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL;
    if (has_no_inet6 && listener->address.is_any_family) {
        turn_to_inet4(&listener->address);
        result = bind_socket(listener);
    }
    return result;
}

/* ---- unix ------------------------------------------------------------------------------------ */

/* Does nobody listen on the socket that stands at this path? */
static bool is_stale(const struct address *address)
{
    struct stat status;
    if (lstat(path_of(address), &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_refused =
        fd >= 0 && connect(fd, sockaddr_of(address), address->len) != 0 && errno == ECONNREFUSED;
    fd_close(&fd);
    return is_refused;
}

static int open_unix(struct listener *listener)
{
    const char *path = path_of(&listener->address);
    bool has_file = path[0] != '\0';
    int result = bind_socket(listener);
    if (result == -EADDRINUSE && has_file && is_stale(&listener->address) && unlink(path) == 0) {
        result = bind_socket(listener);
    }
    struct stat status;
    if (result == 0 && has_file && lstat(path, &status) == 0) {
        listener->unlink_on_close = true;
        listener->unix_dev = status.st_dev;
        listener->unix_ino = status.st_ino;
    }
    return result;
}

static void remove_unix_file(const struct listener *listener)
{
    struct stat status;
    const char *path = path_of(&listener->address);
    if (lstat(path, &status) == 0 && status.st_dev == listener->unix_dev &&
        status.st_ino == listener->unix_ino) {
        (void)unlink(path);
    }
}

/* ---- inherited ------------------------------------------------------------------------------- */

static bool is_listening_stream(int fd)
{
    int type = 0, is_listening = 0;
    socklen_t type_len = sizeof(type), listening_len = sizeof(is_listening);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &listening_len) == 0 &&
           is_listening;
}

static int open_inherited(struct listener *listener, galley_error *err)
{
    int fd = listener->address.fd;
    if (!is_listening_stream(fd)) {
        return error_set(err, GALLEY_EINVAL, "listen fd:%d: not a listening stream socket", fd);
    }
    int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0 || fd_set_nonblocking(fd) < 0) {
        return error_set_sys(err, errno, "listen fd:%d", fd);
    }
    listener->fd = fd;
    read_back(listener);
    set_nodelay(fd, listener->address.storage.ss_family);
    return 0;
}

/* ---- listener.h ------------------------------------------------------------------------------ */

int listener_open(struct listener *listener, const struct address *address, galley_error *err)
{
    struct listener opened = {.fd = -1, .address = *address};
    if (address->kind == ADDRESS_INHERITED) {
        int result = open_inherited(&opened, err);
        if (result == 0) {
            *listener = opened;
        }
        return result;
    }
    address_format(opened.name, sockaddr_of(address), address->len);
    int result = address->kind == ADDRESS_UNIX ? open_unix(&opened) : open_inet(&opened);
    if (result < 0) {
        return fail(err, opened.name, -result);
    }
    if (address->kind != ADDRESS_UNIX) {
        read_back(&opened);
    }
    *listener = opened;
    return 0;
}

void listener_close(struct listener *listener)
{
    if (listener->fd >= 0 && listener->unlink_on_close) {
        remove_unix_file(listener);
    }
    listener->unlink_on_close = false;
    fd_close(&listener->fd);
}

unsigned listener_port(const struct listener *listener)
{
    struct peer_address own;
    peer_address_from(&own, sockaddr_of(&listener->address), listener->address.len);
    return own.port;
}
