/* tests/unit/loop/test_sweep.c — a small server over a loop that really waits, and each allocation
 * of its whole life fails once: making the loop, listening, clients that come together, another ring
 * after its thread has left. Each client is answered or sent away, none waits, nothing is left. */
#include "support_rig.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

enum { GUESTS = 12, MAX_TURNS = 3000 };

/* One that was accepted: it says something, is answered, and goes. */
struct guest {
    struct loop_socket socket;
    struct loop_op reading, writing;
    struct iovec iov;
    bool is_closed;
};

struct house {
    struct loop *loop;
    struct loop_socket listener;
    struct loop_op accepting;
    int fd;
    struct sockaddr_in address;
    struct guest guests[GUESTS];
    unsigned came, closed;
    bool is_closed;
};

static struct house house;

static void guest_closed(struct loop_socket *socket)
{
    CONTAINER_OF(socket, struct guest, socket)->is_closed = true;
    house.closed++;
}

static void sent(struct loop_op *op)
{
    loop_socket_close(house.loop, op->socket, false);
}

static void received(struct loop_op *op)
{
    static char answer[] = "pong";
    struct guest *guest = CONTAINER_OF(op, struct guest, reading);
    if (op->result <= 0) {
        loop_socket_close(house.loop, op->socket, false);
        return;
    }
    guest->iov = (struct iovec){answer, 4};
    loop_send(house.loop, op->socket, &guest->writing, &guest->iov, 1, sent);
}

static void accepted(struct loop_op *op)
{
    if (op->result == -ECANCELED) {
        return;
    }
    if (op->result >= 0) {
        struct guest *guest = &house.guests[house.came];
        EXPECT(house.came < GUESTS);
        int fd = (int)op->result;
        if (loop_socket_open(house.loop, &guest->socket, fd, LOOP_SOCKET_STREAM, guest_closed) ==
            0) {
            house.came++;
            loop_recv(house.loop, &guest->socket, &guest->reading, 100, received);
        } else {
            loop_close_fd(house.loop, fd);
        }
    }
    loop_accept(house.loop, &house.listener, op, accepted);
}

static void listener_closed(struct loop_socket *socket)
{
    (void)socket;
    house.is_closed = true;
}

static void open_port(void)
{
    socklen_t len = sizeof(house.address);
    house.address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    house.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    EXPECT_INT(bind(house.fd, (struct sockaddr *)&house.address, len), 0);
    EXPECT_INT(listen(house.fd, GUESTS), 0);
    EXPECT_INT(getsockname(house.fd, (struct sockaddr *)&house.address, &len), 0);
}

static int come(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(fd >= 0);
    EXPECT_INT(connect(fd, (struct sockaddr *)&house.address, sizeof(house.address)), 0);
    EXPECT_INT(send(fd, "ping", 4, MSG_NOSIGNAL), 4);
    return fd;
}

/* -1: nothing has come yet; else its answer's length, or 0 when it was sent away. */
static ssize_t look(int fd)
{
    char bytes[8];
    ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        return -1;
    }
    EXPECT(got <= 0 || (got == 4 && memcmp(bytes, "pong", 4) == 0));
    return got > 0 ? got : 0;
}

/* Returns how many were answered. */
static unsigned serve(const int *clients, unsigned count)
{
    unsigned answered = 0, turns = 0;
    for (unsigned i = 0; i < count; i++) {
        ssize_t got;
        while ((got = look(clients[i])) < 0) {
            EXPECT(turns++ < MAX_TURNS);
            loop_turn(house.loop, 10);
        }
        answered += got > 0;
        close(clients[i]);
    }
    while (house.closed < house.came) {
        EXPECT(turns++ < MAX_TURNS);
        loop_turn(house.loop, 10);
    }
    return answered;
}

/* Half of the clients come before anybody listens, the others after the thread has left. */
static unsigned serve_all(void)
{
    int clients[GUESTS / 2];
    unsigned answered = 0;
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < GUESTS / 2; i++) {
            clients[i] = come();
        }
        if (half == 0) {
            loop_accept(house.loop, &house.listener, &house.accepting, accepted);
        }
        answered += serve(clients, GUESTS / 2);
        loop_leave(house.loop);
    }
    return answered;
}

static void close_house(void)
{
    loop_socket_close(house.loop, &house.listener, false);
    for (unsigned turns = 0; !house.is_closed; turns++) {
        EXPECT(turns < MAX_TURNS);
        loop_turn(house.loop, 10);
    }
}

/* Returns how many were answered; -1: it could not open. */
static int live(enum loop_backend_kind backend)
{
    galley_error err = {0};
    const struct loop_options options = {.backend = backend};
    house = (struct house){.loop = loop_create(&options, &err)};
    if (!house.loop) {
        EXPECT_INT(err.code, GALLEY_ENOMEM);
        return -1;
    }
    open_port();
    int answered = -1;
    int rc = loop_socket_open(house.loop, &house.listener, house.fd, LOOP_SOCKET_LISTENER,
                              listener_closed);
    if (rc == 0) {
        answered = (int)serve_all();
        close_house();
    } else {
        EXPECT_INT(rc, -ENOMEM);
    }
    loop_leave(house.loop);
    loop_destroy(house.loop);
    close(house.fd);
    return answered;
}

REAL(whichever_allocation_fails_each_client_is_answered_or_sent_away)
{
    struct rig rig;
    rig_open(&rig, backend); /* or skip */
    rig_close(&rig);
    bool has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        mem_fail_nth(n);
        int answered = live(backend);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(has_failed || answered == GUESTS);
        EXPECT(answered < 0 || answered >= GUESTS - GUESTS / 2);
    }
}
