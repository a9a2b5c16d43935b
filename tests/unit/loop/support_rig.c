/* tests/unit/loop/support_rig.c — see support_rig.h. */
#include "support_rig.h"

#include "loop/sim.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void rig_open(struct rig *rig, enum loop_backend_kind backend)
{
    signal(SIGPIPE, SIG_IGN);
    const struct loop_options options = {.backend = backend};
    galley_error err;
    rig->loop = loop_create(&options, &err);
    rig->is_sim = backend == LOOP_BACKEND_SIM;
    rig->is_uring = backend == LOOP_BACKEND_URING;
    if (!rig->loop && rig->is_uring && err.code != GALLEY_ENOMEM) {
        test_skip(err.message);
    }
    EXPECT(rig->loop != NULL);
}

void rig_close(struct rig *rig)
{
    rig_settle(rig);
    loop_destroy(rig->loop);
    rig->loop = NULL;
}

void rig_settle(struct rig *rig)
{
    if (rig->is_sim) {
        sim_run(rig->loop);
        return;
    }
    for (unsigned quiet = 0; quiet < 2;) {
        quiet = loop_turn(rig->loop, 2) ? 0 : quiet + 1;
    }
}

static void tcp_pair(int *ret_client, int *ret_server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 1) == 0);
    EXPECT(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    *ret_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(connect(*ret_client, (struct sockaddr *)&address, len) == 0);
    *ret_server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    EXPECT(*ret_server >= 0);
    close(listener);
}

void client_pair(struct rig *rig, struct client *client, int *ret_fd)
{
    *client = (struct client){.fd = -1};
    if (rig->is_sim) {
        client->peer = sim_pair(rig->loop, ret_fd);
        EXPECT(client->peer != NULL);
    } else {
        tcp_pair(&client->fd, ret_fd);
    }
}

void client_send(struct client *client, const void *data, size_t len)
{
    if (client->peer) {
        EXPECT_INT(sim_send(client->peer, data, len), 0);
    } else {
        EXPECT_INT(send(client->fd, data, len, MSG_NOSIGNAL), len);
    }
}

void client_send_text(struct client *client, const char *text)
{
    client_send(client, text, strlen(text));
}

struct span client_received(struct client *client)
{
    if (client->peer) {
        return sim_received(client->peer);
    }
    int waiting = 0;
    while (ioctl(client->fd, FIONREAD, &waiting) == 0 && waiting > 0) {
        client->received = realloc(client->received, client->received_len + (size_t)waiting);
        ssize_t got = recv(client->fd, client->received + client->received_len, (size_t)waiting, 0);
        EXPECT(got > 0);
        client->received_len += (size_t)got;
    }
    return (struct span){client->received ? client->received : "", client->received_len};
}

bool client_sees_end(struct client *client)
{
    if (client->peer) {
        return sim_is_closed(client->peer);
    }
    client_received(client);
    char byte;
    ssize_t got = recv(client->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

bool client_sees_reset(struct client *client)
{
    if (client->peer) {
        return sim_is_reset(client->peer);
    }
    char byte;
    return recv(client->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNRESET;
}

void client_shutdown(struct client *client)
{
    if (client->peer) {
        sim_shutdown(client->peer);
    } else {
        EXPECT_INT(shutdown(client->fd, SHUT_WR), 0);
    }
}

void client_reset(struct client *client)
{
    if (client->peer) {
        sim_reset(client->peer);
        return;
    }
    const struct linger no_linger = {.l_onoff = 1};
    EXPECT_INT(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &no_linger, sizeof(no_linger)), 0);
    close(client->fd);
    client->fd = -1;
}

void client_close(struct client *client)
{
    sim_peer_free(client->peer);
    client->peer = NULL;
    if (client->fd >= 0) {
        close(client->fd);
        client->fd = -1;
    }
    free(client->received);
    client->received = NULL;
}

void stream_closed(struct loop_socket *socket)
{
    CONTAINER_OF(socket, struct stream, socket)->closes++;
}

void stream_open(struct rig *rig, struct stream *stream)
{
    *stream = (struct stream){.loop = rig->loop};
    int fd = -1;
    client_pair(rig, &stream->client, &fd);
    EXPECT_INT(loop_socket_open(rig->loop, &stream->socket, fd, LOOP_SOCKET_STREAM, stream_closed),
               0);
}

static void note_recv(struct loop_op *op)
{
    struct stream *stream = CONTAINER_OF(op, struct stream, reading);
    stream->recvs++;
    stream->recv_result = op->result;
    stream->more = op->more;
    size_t len = op->result > 0 ? (size_t)op->result : 0;
    len = len < sizeof(stream->got) ? len : sizeof(stream->got) - 1;
    if (len > 0) {
        memcpy(stream->got, op->data, len);
    }
    stream->got[len] = 0;
}

void stream_recv(struct stream *stream)
{
    loop_recv(stream->loop, &stream->socket, &stream->reading, SIZE_MAX, note_recv);
}

static void note_send(struct loop_op *op)
{
    struct stream *stream = CONTAINER_OF(op, struct stream, writing);
    stream->sends++;
    stream->send_result = op->result;
}

void stream_send(struct stream *stream, const void *data, size_t len)
{
    stream->iov = (struct iovec){(void *)(uintptr_t)data, len};
    loop_send(stream->loop, &stream->socket, &stream->writing, &stream->iov, 1, note_send);
}

void stream_close(struct rig *rig, struct stream *stream)
{
    loop_socket_close(rig->loop, &stream->socket, false);
    RUN_UNTIL(rig, stream->closes == 1);
    client_close(&stream->client);
}
