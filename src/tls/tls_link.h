/* tls/tls_link.h — inside the tls room: what its transport consists of, and what its files do for
 * each other; nobody else includes this. On the loop's thread, but for what tls_away.c says.
 *
 * One rule keeps the order: everything happens in tls_run(), which callbacks of the loop call and
 * starts never do. It goes through the steps (handshake, reading, writing, farewell, sending) until
 * each of them waits for something. The owner's callbacks run inside it; what they start is found
 * by the next step. */
#ifndef TLS_TLS_LINK_H
#define TLS_TLS_LINK_H

#include "tls/tls_transport.h"

enum {
    TLS_RECORD_BYTES = 16 * 1024,      /* RFC 8446 §5.1: the most that a record carries */
    TLS_RECORD_EXTRA = 512,            /* header, padding, check; and room for a key update */
    TLS_CHUNK_BYTES = 64 * 1024,       /* plaintext that is taken at once */
    TLS_KNOCK_BYTES = 4 * 1024,        /* that is taken although there may be no room for it */
    TLS_OUT_BYTES = 70 * 1024,         /* a chunk in records, and messages of a handshake */
    TLS_OUT_SMALL_BYTES = 5 * 1024,    /* so many bytes in records, of any size */
    TLS_PLAIN_BYTES = 64 * 1024,       /* given to one callback at most */
    TLS_INPUT_BYTES = 16 * 1024,       /* asked for when nobody wants plaintext */
    TLS_SMALL_RECORD = 1360,           /* with what is added it fits one packet */
    TLS_SMALL_RECORDS_FOR = 16 * 1024, /* how much goes out in such records at first */
    TLS_SMALL_AGAIN_MS = 1000,         /* and again after such a silence */
    TLS_FAREWELL_MS = 1000,            /* how long a last word may take to leave */
    TLS_SPARE_OUTS = 8,                /* buffers of each size that a loop keeps for the next */
    TLS_WARM_LINKS = 64,               /* of a loop, for which OpenSSL keeps its buffers */
    TLS_WARM_SWEEP_MS = 1000,          /* how often those are looked for that read no more */
    TLS_MAX_EMPTY = 32,                /* readings in a row that bring the owner nothing */
    TLS_STEPS_PER_TURN = 4             /* of handshakes, at most: see tls_shake.c */
};

/* Small ones are for small answers and for clients who do not read, as are exact ones: what is left
 * of a large one, which is not kept for others. */
enum tls_out_size { TLS_OUT_SMALL, TLS_OUT_LARGE, TLS_OUT_EXACT };

/* Ciphertext on its way out. It never moves: the kernel may be reading it. */
struct tls_out {
    struct loop_op op;
    struct iovec piece;
    struct tls_link *link;
    struct tls_out *next_free;
    struct timer farewell;
    enum tls_out_size size;
    size_t room; /* of data */
    size_t begin, end;
    char data[];
};

struct tls_spare_outs {
    struct tls_out *first;
    unsigned count;
};

/* Handshakes whose bytes have come and that wait for a later turn. */
struct tls_shaking {
    struct list waiting;     /* links, the first is the next */
    struct tls_link *called; /* it has its turn now; NULL: nobody */
    struct loop_post later;
    bool is_later;     /* it will run */
    uint32_t turn;     /* the loop's turn that the next counts for */
    unsigned steps;    /* made in it */
    int64_t spent_ns;  /* on these */
    int64_t others_ns; /* what all else took since the steps of the turn before */
    int64_t left_ns;   /* when those ended; 0: nobody waited then */
};

/* Those for which OpenSSL keeps its buffers: see tls_warm.c. */
struct tls_warm {
    struct tls_link *links[TLS_WARM_LINKS];
    unsigned count;
    struct timer sweep; /* while there are any */
};

struct tls_shared {
    struct loop *loop;
    galley_pool *pool;     /* where slow steps of handshakes are made; NULL: nowhere but here */
    const unsigned *conns; /* of the loop, also those without TLS; NULL without a pool */
    struct tls_shaking shaking;
    BIO_METHOD *method;
    struct tls_spare_outs spare_outs[TLS_OUT_EXACT];
    struct tls_warm warm;
    unsigned live;                  /* links */
    char plain[TLS_PLAIN_BYTES];    /* what a recv is given, for the time of its callback */
    char gathered[TLS_CHUNK_BYTES]; /* small pieces on the way into a record, or a file's bytes */
};

/* Ciphertext that has been received and that OpenSSL has not asked for. */
struct tls_input {
    const char *data;
    size_t len;
};

enum tls_phase {
    TLS_SHAKING,
    TLS_OPEN,
    TLS_RAW, /* no handshake: bytes are passed as they come, nothing is encrypted */
};

enum { TLS_NOT_ENDED = 1 };

/* As a send_result: a file has ended early, which the owner is told as 0. As an outcome: OpenSSL has
 * paused behind the ClientHello. */
enum { TLS_FILE_ENDED = -100000, TLS_PAUSED = -100001 };

/* An OpenSSL call waits for what it wants; see tls_bio_result(). */
enum tls_wish { TLS_WISH_NONE, TLS_WISH_READ, TLS_WISH_WRITE };

/* What became of a call of OpenSSL. */
struct tls_outcome {
    ssize_t result;      /* 0, -EAGAIN, TLS_PAUSED, a TRANSPORT_… or -errno */
    unsigned long error; /* OpenSSL's code, if is_broken */
    uint8_t wish;        /* enum tls_wish, with -EAGAIN */
    bool is_broken;      /* a fatal error */
};

/* The owner's recv, and what it will be told. */
struct tls_reading {
    struct loop_op *op; /* while it is pending */
    loop_done_fn *done;
    ssize_t end;           /* what recv says behind all bytes: 0 or -errno; TLS_NOT_ENDED */
    uint8_t empty_records; /* in a row */
    uint8_t wish;          /* enum tls_wish, also the handshake's */
    uint8_t warm_place;    /* in shared->warm, from 1 on; 0: it has none */
    bool has_read;         /* plaintext, ever */
    bool has_read_since;   /* … since warm connections were looked at */
};

/* The owner's send. */
struct tls_sending {
    struct loop_op *op; /* while it is pending */
    loop_done_fn *done;
    size_t ahead;        /* taken, and not known to have left */
    ssize_t result;      /* known, to be told by tls_run(); 0: not */
    ssize_t error;       /* -errno of the socket: all that follows fails too; 0 */
    int64_t last_ms;     /* when the last record was made */
    uint32_t small_left; /* bytes that still go in small records */
    uint32_t room;       /* so much the kernel will surely take */
    uint8_t wish;        /* enum tls_wish */
    bool is_awaiting;    /* the owner's op is the loop's: await_file */
    bool holds_back;     /* another send follows at once: wait for it */
    bool cannot_tell;    /* what of the file is in memory: the loop finds out */
};

struct tls_link {
    struct transport *transport;
    struct tls_shared *shared;
    SSL *ssl;
    struct tls_away *away; /* another thread has `ssl` and `out`; NULL: nobody */
    struct tls_out *out;   /* NULL: nothing waits to be sent */
    struct list waiting;   /* in shared->shaking */
    struct tls_input input;
    char *kept; /* the block that `input` lies in, while it is not the loop's */
    struct loop_op in_op;
    struct loop_post later;
    struct tls_reading recv;
    struct tls_sending send;
    void (*ready)(struct transport *transport, int result);
    struct tls_facts *facts; /* made when somebody asks; NULL: nobody has */
    unsigned long error;     /* OpenSSL's code of the last failure */
    uint8_t phase;           /* enum tls_phase */
    uint8_t first_byte;      /* that ever came */
    bool has_input : 1;      /* it has */
    bool is_running : 1;     /* inside tls_run() */
    bool is_later : 1;       /* `later` will run */
    bool is_closing : 1;     /* the owner has closed */
    bool is_socket_closed : 1;
    bool was_called_closed : 1; /* the loop's last call has come */
    bool resets : 1;
    bool is_broken : 1; /* OpenSSL has met a fatal error: nothing more may be asked of it */
    bool is_out_of_memory : 1;
    bool wants_alert : 1; /* close_notify could not be put into the output yet */
    bool wants_fin : 1;   /* shut down when the output has gone */
    bool has_fin : 1;
    bool shakes_here : 1; /* its next step is for no other thread */
};

/* tls_transport.c */
void tls_run(struct tls_link *link);
/** tls_run() soon, from the loop. */
void tls_run_later(struct tls_link *link);

/* tls_shake.c: the handshake */
void tls_shake_init(struct tls_shaking *shaking);
/** A step, if bytes have come, or a place in the row of those that wait for one. */
void tls_shake_run(struct tls_link *link);
/** The step itself: OpenSSL, and nothing of ours. On the thread that has the SSL. */
struct tls_outcome tls_shake_step(SSL *ssl);
/** It was made elsewhere, and this is what became of it. */
void tls_shake_back(struct tls_link *link, const struct tls_outcome *outcome);

/* tls_away.c: steps on other threads */
/** May a step that has paused go to another thread? Asked by OpenSSL, on whichever has it. */
bool tls_away_may_go(const struct tls_link *link);
/** Send it there. False: there is no room, or no memory; the loop makes the step. */
bool tls_away_start(struct tls_link *link);
/** The owner has closed: when the link is back its socket is closed. */
void tls_away_unwant(struct tls_link *link);
uint64_t tls_away_bytes(void);

/* tls_bio.c: OpenSSL's side */
/** NULL: no memory. BIO_meth_free() it. */
BIO_METHOD *tls_bio_method(void);
/** 0 or -ENOMEM. */
int tls_bio_attach(struct tls_link *link);
/** What an SSL_… call that has failed means; the result is 0 for the peer's close_notify. On the
 *  thread of the call; its error queue is empty afterwards. */
struct tls_outcome tls_bio_outcome(const SSL *ssl, int rc);
/** The link takes notice of it. With -EAGAIN *ret_wish says what it waits for. */
ssize_t tls_bio_take(struct tls_link *link, const struct tls_outcome *outcome, uint8_t *ret_wish);
/** Both. */
ssize_t tls_bio_result(struct tls_link *link, int rc, uint8_t *ret_wish);
/** To be called before each call of OpenSSL. */
void tls_bio_prepare(void);

/* tls_out.c: the output buffer */
/** If there is no buffer, take one that is large enough for so much plaintext and no larger. */
void tls_out_expect(struct tls_link *link, size_t plain_bytes);
/** A buffer with room for len more bytes, or for one at least if len is 0; NULL: no room now, or no
 *  memory (then link->is_out_of_memory). */
struct tls_out *tls_out_for(struct tls_link *link, size_t len);
/** Append bytes as they are; they are dropped if there is no room. */
void tls_out_add(struct tls_link *link, const void *data, size_t len);
static inline bool tls_out_has_bytes(const struct tls_link *link)
{
    return link->out && link->out->begin < link->out->end;
}
static inline bool tls_out_is_sending(const struct tls_link *link)
{
    return link->out && link->out->op.is_pending;
}
/** Send what there is, if it is not being sent. */
void tls_out_flush(struct tls_link *link);
void tls_out_release(struct tls_link *link);
/** The output has a deadline: the socket is closed then. */
void tls_out_hurry(struct tls_link *link);
void tls_outs_finish(struct tls_shared *shared);

/* tls_recv.c */
void tls_recv_start(struct transport *transport, struct loop_op *op, size_t max_bytes,
                    loop_done_fn *done);
/** Give the owner what can be decrypted. */
void tls_recv_run(struct tls_link *link);
/** Ask the loop for ciphertext, if somebody waits for it. */
void tls_recv_want(struct tls_link *link);
/** Ciphertext has come. */
void tls_recv_given(struct tls_link *link, const char *data, size_t len);
/** Copy what of the input the loop will take back. */
void tls_recv_keep(struct tls_link *link);
void tls_recv_finish(struct tls_link *link, ssize_t result);

/* tls_warm.c: for whom OpenSSL keeps its buffers */
/** Plaintext has been read. */
void tls_warm_read(struct tls_link *link);
/** The link ends. */
void tls_warm_leave(struct tls_link *link);
void tls_warm_finish(struct tls_shared *shared);
uint64_t tls_warm_bytes(void);

/* tls_records.c: from plaintext to records in the output buffer */
/** How much of so many bytes to take at once: what the kernel will take, and what fits. 0: no room
 * now, or no memory (then link->is_out_of_memory). */
size_t tls_records_most(struct tls_link *link, size_t wanted);
/** Encrypt the first `most` bytes of the pieces (no more than there are), or some of them. Bytes,
 *  -EAGAIN, or the first error if nothing was encrypted before it; later it is met again. */
ssize_t tls_records_make(struct tls_link *link, const struct iovec *iov, int iov_count,
                         size_t most);

/* tls_send.c */
void tls_send_start(struct transport *transport, struct loop_op *op, const struct iovec *iov,
                    int iov_count, loop_done_fn *done);
void tls_send_file_start(struct transport *transport, struct loop_op *op, int file_fd, off_t offset,
                         size_t len, loop_done_fn *done);
/** Tell a result that is known. */
void tls_send_tell(struct tls_link *link);
/** Encrypt what the owner wants to send, as far as there is room. */
void tls_send_run(struct tls_link *link);
/** Will more of the same send be in the output when this has gone? */
bool tls_send_goes_on(const struct tls_link *link);
/** So many bytes of output have gone, or -errno. */
void tls_send_moved(struct tls_link *link, ssize_t result);
void tls_send_finish(struct tls_link *link, ssize_t result);

/* tls_close.c */
/** close_notify behind what is in the output; nothing more is sent. */
void tls_goodbye(struct tls_link *link);
int tls_shutdown_write(struct transport *transport);
void tls_close(struct transport *transport, bool is_reset);
/** What is due when output has gone: close_notify, FIN, close. */
void tls_farewell_run(struct tls_link *link);
void tls_socket_close(struct tls_link *link);

#endif
