/* tests/unit/loop/support_rig.h — a loop with clients, the same for all backends, so that
 * a promise is written down once and tested over epoll and io_uring with real TCP and over sim. */
#ifndef TESTS_UNIT_LOOP_SUPPORT_RIG_H
#define TESTS_UNIT_LOOP_SUPPORT_RIG_H

#include "base/span.h"
#include "loop/loop.h"
#include "test.h"

#include <errno.h>

struct sim_peer;

struct rig {
    struct loop *loop;
    bool is_sim;
    bool is_uring;
};

/* The other end of a stream. */
struct client {
    struct sim_peer *peer; /* sim */
    int fd;                /* real */
    char *received;        /* real: what client_received() has read so far */
    size_t received_len;
};

/* A stream of the loop's with an operation for each direction, and what happened to them. */
struct stream {
    struct loop_socket socket;
    struct loop_op reading, writing;
    struct loop *loop;
    struct client client;
    unsigned recvs, sends, closes;
    ssize_t recv_result, send_result;
    char got[256]; /* the last bytes received, NUL-terminated */
    bool more;
    struct iovec iov;
};

#define EACH(test_name)                                                                            \
    static void test_name(enum loop_backend_kind backend);                                         \
    TEST(test_name##_over_epoll)                                                                   \
    {                                                                                              \
        test_name(LOOP_BACKEND_EPOLL);                                                             \
    }                                                                                              \
    TEST(test_name##_over_io_uring)                                                                \
    {                                                                                              \
        test_name(LOOP_BACKEND_URING);                                                             \
    }                                                                                              \
    TEST(test_name##_over_sim)                                                                     \
    {                                                                                              \
        test_name(LOOP_BACKEND_SIM);                                                               \
    }                                                                                              \
    static void test_name(enum loop_backend_kind backend)

/* The same over both that are real. */
#define REAL(test_name)                                                                            \
    static void test_name(enum loop_backend_kind backend);                                         \
    TEST(test_name##_over_epoll)                                                                   \
    {                                                                                              \
        test_name(LOOP_BACKEND_EPOLL);                                                             \
    }                                                                                              \
    TEST(test_name##_over_io_uring)                                                                \
    {                                                                                              \
        test_name(LOOP_BACKEND_URING);                                                             \
    }                                                                                              \
    static void test_name(enum loop_backend_kind backend)

/* Turn until the condition holds; fails the test when it does not come. */
#define RUN_UNTIL(rig, condition)                                                                  \
    do {                                                                                           \
        for (unsigned turns_ = 0; !(condition); turns_++) {                                        \
            EXPECT(turns_ < 3000 && #condition);                                                   \
            loop_turn((rig)->loop, 10);                                                            \
        }                                                                                          \
    } while (0)

/* Skips the test where io_uring is forbidden. */
void rig_open(struct rig *rig, enum loop_backend_kind backend);
void rig_close(struct rig *rig);
/* Turn until nothing happens any more. */
void rig_settle(struct rig *rig);

/* A connection; *ret_fd is the loop's end, in no socket yet. */
void client_pair(struct rig *rig, struct client *client, int *ret_fd);
void client_send(struct client *client, const void *data, size_t len);
void client_send_text(struct client *client, const char *text);
/* All that the server has sent; over epoll what has arrived by now. */
struct span client_received(struct client *client);
/* Has the server's end (FIN or RST) come? */
bool client_sees_end(struct client *client);
bool client_sees_reset(struct client *client);
void client_shutdown(struct client *client);
void client_reset(struct client *client);
void client_close(struct client *client);

/* A connected stream, nothing started. */
void stream_open(struct rig *rig, struct stream *stream);
void stream_recv(struct stream *stream);
void stream_send(struct stream *stream, const void *data, size_t len);
/* Close both ends and turn until `closed` was called. */
void stream_close(struct rig *rig, struct stream *stream);
/* The `closed` of stream_open, counts. */
void stream_closed(struct loop_socket *socket);

#endif
