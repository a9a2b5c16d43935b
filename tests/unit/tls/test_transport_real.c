/* tests/unit/tls/test_transport_real.c — the TLS transport over epoll and io_uring: real sockets, a
 * client that does not wait either, and both turned by one thread. What is sent and received is
 * large enough to fill the sockets many times. */
#include "support_transport.h"

#include "test.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UPLOAD = 500 * KB, DOWNLOAD = MB, FILE_BYTES = 300 * KB, TURNS = 100000 };

static char data[DOWNLOAD];

struct real {
    struct tls_world world;
    struct transport transport;
    struct loop_op recv_op, send_op;
    struct iovec piece;
    struct loop_file file;
    size_t got, sent, file_sent;
    ssize_t recv_result;
    int ready;
    bool is_closed;
    SSL *client;
    int client_fd;
    size_t client_got, client_sent;
    bool client_ended;
};

static struct real *real_of(struct transport *transport)
{
    return CONTAINER_OF(transport, struct real, transport);
}

/* ---- the server ------------------------------------------------------------------------------ */

static void on_received(struct loop_op *op)
{
    struct real *real = CONTAINER_OF(op, struct real, recv_op);
    real->recv_result = op->result;
    if (op->result <= 0) {
        return;
    }
    EXPECT(real->got + (size_t)op->result <= UPLOAD);
    EXPECT(memcmp(op->data, data + real->got, (size_t)op->result) == 0);
    real->got += (size_t)op->result;
    transport_recv(&real->transport, op, 64 * KB, on_received);
}

static void on_sent(struct loop_op *op);

static void send_rest(struct real *real)
{
    if (real->sent < DOWNLOAD) {
        real->piece = (struct iovec){data + real->sent, DOWNLOAD - real->sent};
        real->send_op.more_follows = true;
        transport_send(&real->transport, &real->send_op, &real->piece, 1, on_sent);
    } else if (real->file_sent < FILE_BYTES) {
        transport_send_file(&real->transport, &real->send_op, real->file.fd, (off_t)real->file_sent,
                            FILE_BYTES - real->file_sent, on_sent);
    } else {
        EXPECT_INT(transport_shutdown_write(&real->transport), 0);
    }
}

static void on_sent(struct loop_op *op)
{
    struct real *real = CONTAINER_OF(op, struct real, send_op);
    if (op->result == -ECANCELED) {
        return;
    }
    EXPECT(op->result > 0);
    *(real->sent < DOWNLOAD ? &real->sent : &real->file_sent) += (size_t)op->result;
    send_rest(real);
}

static void on_ready(struct transport *transport, int result)
{
    struct real *real = real_of(transport);
    real->ready = result;
    EXPECT_INT(result, 0);
    transport_recv(transport, &real->recv_op, 64 * KB, on_received);
    send_rest(real);
}

static void on_closed(struct transport *transport)
{
    real_of(transport)->is_closed = true;
}

/* ---- the client ------------------------------------------------------------------------------ */

static bool is_wait(const struct real *real, int rc)
{
    int why = SSL_get_error(real->client, rc);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static void client_write(struct real *real)
{
    size_t written = 0;
    size_t len = UPLOAD - real->client_sent;
    if (len == 0) {
        return;
    }
    len = len < 30 * KB ? len : 30 * KB;
    int rc = SSL_write_ex(real->client, data + real->client_sent, len, &written);
    EXPECT(rc > 0 || is_wait(real, rc));
    real->client_sent += rc > 0 ? written : 0;
}

static void client_read(struct real *real)
{
    static char bytes[16 * KB];
    size_t got = 0;
    int rc = SSL_read_ex(real->client, bytes, sizeof bytes, &got);
    if (rc <= 0) {
        real->client_ended = SSL_get_error(real->client, rc) == SSL_ERROR_ZERO_RETURN;
        EXPECT(real->client_ended || is_wait(real, rc));
        return;
    }
    size_t place = real->client_got < DOWNLOAD ? real->client_got : real->client_got - DOWNLOAD;
    if (real->client_got < DOWNLOAD && real->client_got + got > DOWNLOAD) {
        place = 0;
        EXPECT(memcmp(bytes, data + real->client_got, DOWNLOAD - real->client_got) == 0);
        got -= DOWNLOAD - real->client_got;
        memmove(bytes, bytes + (DOWNLOAD - real->client_got), got);
        real->client_got = DOWNLOAD;
    }
    EXPECT(memcmp(bytes, data + place, got) == 0);
    real->client_got += got;
}

/* ---- both ------------------------------------------------------------------------------------ */

static void open_both(struct real *real, int version, enum loop_backend_kind backend)
{
    static const struct transport_told told = {on_ready, on_closed};
    int fds[2];
    *real = (struct real){.ready = NOT_TOLD};
    tls_fill(data, sizeof data);
    real->file.fd = memfd_create("file", MFD_CLOEXEC);
    EXPECT_INT(write(real->file.fd, data, FILE_BYTES), FILE_BYTES);
    tls_world_open_over(&real->world, version, backend);
    EXPECT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    real->client_fd = fds[1];
    real->client = SSL_new(real->world.client);
    SSL_set_fd(real->client, fds[1]);
    SSL_set_connect_state(real->client);
    SSL_set_mode(real->client, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_up_ref(real->world.server);
    EXPECT_INT(
        tls_transport_open(&real->transport, real->world.shared, fds[0], real->world.server, &told),
        0);
}

static void turn_until(struct real *real, const bool *is_done)
{
    for (unsigned i = 0; !*is_done; i++) {
        EXPECT(i < TURNS);
        if (real->client && !real->client_ended) {
            client_write(real);
            client_read(real);
        }
        loop_turn(real->world.loop, 1);
    }
}

static void run(int version, enum loop_backend_kind backend)
{
    struct real *real = malloc(sizeof *real);
    open_both(real, version, backend);
    turn_until(real, &real->client_ended);
    EXPECT_INT(real->client_got, DOWNLOAD + FILE_BYTES);
    real->client_ended = false;
    while (real->client_sent < UPLOAD) {
        client_write(real);
        loop_turn(real->world.loop, 1);
    }
    EXPECT_INT(SSL_shutdown(real->client), 1);
    for (unsigned i = 0; real->got < UPLOAD || real->recv_op.is_pending; i++) {
        EXPECT(i < TURNS);
        loop_turn(real->world.loop, 1);
    }
    EXPECT_INT(real->recv_result, 0);
    SSL_free(real->client);
    real->client = NULL;
    transport_close(&real->transport, false);
    turn_until(real, &real->is_closed);
    close(real->client_fd);
    close(real->file.fd);
    loop_leave(real->world.loop);
    tls_world_close(&real->world);
    free(real);
}

TEST(test_over_epoll)
{
    run(TLS1_2_VERSION, LOOP_BACKEND_EPOLL);
    run(TLS1_3_VERSION, LOOP_BACKEND_EPOLL);
}

TEST(test_over_io_uring)
{
    run(TLS1_2_VERSION, LOOP_BACKEND_URING);
    run(TLS1_3_VERSION, LOOP_BACKEND_URING);
}

/* The memory of what is being sent stays until the kernel has done with it. */
TEST(test_a_close_while_the_kernel_is_sending)
{
    for (int is_reset = 0; is_reset < 2; is_reset++) {
        struct real *real = malloc(sizeof *real);
        open_both(real, TLS1_3_VERSION, is_reset ? LOOP_BACKEND_URING : LOOP_BACKEND_EPOLL);
        for (unsigned i = 0; real->ready == NOT_TOLD; i++) {
            EXPECT(i < TURNS);
            client_read(real);
            loop_turn(real->world.loop, 1);
        }
        for (int i = 0; i < 20; i++) {
            loop_turn(real->world.loop, 0); /* until the socket is full */
        }
        EXPECT(real->send_op.is_pending);
        transport_close(&real->transport, is_reset);
        real->client_ended = true;
        turn_until(real, &real->is_closed);
        EXPECT(!real->send_op.is_pending && !real->recv_op.is_pending);
        SSL_free(real->client);
        close(real->client_fd);
        close(real->file.fd);
        loop_leave(real->world.loop);
        tls_world_close(&real->world);
        free(real);
    }
}
