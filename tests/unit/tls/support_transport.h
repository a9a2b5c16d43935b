/* tests/unit/tls/support_transport.h — a TLS transport over the sim backend and a real client of
 * OpenSSL's at the other end. The owner only writes down what it is told, and checks at each call
 * what the transport has promised: one call for each start, never inside it. */
#ifndef TESTS_UNIT_TLS_SUPPORT_TRANSPORT_H
#define TESTS_UNIT_TLS_SUPPORT_TRANSPORT_H

#include "base/buf.h"
#include "loop/sim.h"
#include "tls/tls_transport.h"

#include <semaphore.h>

enum { NOT_TOLD = 4711, KB = 1024, MB = 1024 * 1024 };

struct tls_world {
    struct loop *loop;
    struct tls_shared *shared;
    SSL_CTX *server, *client;
};

/** version: TLS1_2_VERSION or TLS1_3_VERSION, for both ends. */
void tls_world_open(struct tls_world *world, int version);
/** The same over the real thing. */
void tls_world_open_over(struct tls_world *world, int version, enum loop_backend_kind backend);
void tls_world_close(struct tls_world *world);
/** A context of the server's with a certificate made just now. */
SSL_CTX *tls_world_server_context(void);

/** How often the owner has started something, and has been called. */
struct tls_calls {
    unsigned ready, closed;
    unsigned recv_starts, recvs;
    unsigned send_starts, sends;
};

/** One connection: both ends. */
struct tls_end {
    struct tls_world *world;
    struct transport transport;
    struct sim_peer *peer;
    int server_fd;
    SSL *client;
    bool is_in_start;
    int ready; /* what it was told; NOT_TOLD */
    struct tls_calls calls;
    /* reading */
    struct loop_op recv_op;
    bool reads; /* starts again after each recv */
    size_t max_bytes;
    ssize_t recv_result;
    struct buf got;
    /* sending: starts again until all is gone */
    struct loop_op send_op;
    struct iovec pieces[8];
    int piece_count;
    struct loop_file file; /* if fd >= 0 */
    bool more_follows, is_last;
    ssize_t send_result;
    size_t sent;
    /* the client */
    struct buf client_got;
    struct buf wire; /* all the server has sent, if keeps_wire */
    bool keeps_wire;
    bool client_reads_not; /* the server's bytes stay where they are */
    size_t client_piece;   /* it sends so many bytes at once; 0: all */
    int client_end;        /* SSL_get_error() of the read that failed; 0: none */
    /* called inside the owner's callbacks; may be NULL */
    void (*on_ready)(struct tls_end *end);
    void (*on_received)(struct tls_end *end);
    void (*on_sent)(struct tls_end *end);
};

/** Both ends without the transport: what may fail then is the transport. */
void tls_end_prepare(struct tls_end *end, struct tls_world *world);
/** 0 or -errno; then only tls_end_drop() is allowed. */
int tls_end_start(struct tls_end *end);
/** The same with a plain transport that has received `first` already. */
int tls_end_wrap(struct tls_end *end, struct span first);
void tls_end_drop(struct tls_end *end);
/** Both: the connection is there, no byte has been exchanged. */
void tls_end_open(struct tls_end *end, struct tls_world *world);
/** open, and the handshake; reads from then on. */
void tls_end_connect(struct tls_end *end, struct tls_world *world);
/** Close it if nobody has, check that everything was called back once, free. */
void tls_end_close(struct tls_end *end);
/** … and the world. */
void tls_end_close_both(struct tls_world *world, struct tls_end *end);

void tls_end_recv(struct tls_end *end);
void tls_end_send(struct tls_end *end, const void *data, size_t len);
/** Sends what pieces, piece_count or file say. */
void tls_end_send_pieces(struct tls_end *end);
/** Sends a part of a file. */
void tls_end_send_file(struct tls_end *end, int fd, off_t offset, size_t len);
/** The client has received just this. */
void tls_end_expect(const struct tls_end *end, const void *data, size_t len);
int tls_end_shutdown(struct tls_end *end);
void tls_end_shut(struct tls_end *end, bool is_reset);
/** Bytes between both ends until nobody has more to say. */
void tls_end_run(struct tls_end *end);
/** One step of it: what the server has sent reaches the client, and what that answers is returned,
 *  not yet sent. */
struct buf tls_client_step(struct tls_end *end);
/** The client writes; sent by the next tls_end_run(). */
void tls_client_write(struct tls_end *end, const void *data, size_t len);
/** Bytes as they are, past the client's SSL. */
void tls_client_send_raw(struct tls_end *end, const void *data, size_t len);
/** Wait for a worker, whatever signals come. */
void tls_await_post(sem_t *sem);
/** In a ClientHello callback on the loop: may the handshake be paused, to go on on a worker? */
bool tls_hello_may_pause(SSL *ssl);
/** How many records of this outer type stand in end->wire, from an offset on. */
unsigned tls_records(const struct buf *wire, size_t from, uint8_t type, size_t *ret_largest);
void tls_fill(char *data, size_t len);
/** A file without a name with tls_fill()'s bytes, which `data` gets, too. */
int tls_make_file(char *data, size_t len);

#endif
