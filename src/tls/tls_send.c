/* tls/tls_send.c — from plaintext to records. A send takes as much as fits the output buffer, never
 * more, and is done when that has left (or some of it: the rest is remembered as `ahead` and not
 * encrypted again when the owner comes back with it). Pieces are gathered, so that a head and its
 * body share a record. A file is awaited, then read into records. On the loop's thread.
 *
 * The first records of a connection fit a packet each: a client can use what has come while the
 * window is small. Then they carry all they may, which costs the least. */
#include "tls/tls_link.h"

#include "base/check.h"
#include "base/fd.h"

/* ---- the owner's side ------------------------------------------------------------------------ */

static void start(struct tls_link *link, struct loop_op *op, uint8_t kind, loop_done_fn *done)
{
    DEBUG_CHECK(!op->is_pending && !link->send.op);
    op->kind = kind;
    op->socket = &link->transport->socket;
    op->is_pending = true;
    op->is_cold = false;
    op->disk_ms = 0;
    op->result = 0;
    link->send.op = op;
    link->send.done = done;
    link->send.result = 0;
    if (link->is_running) {
        return;
    }
    if (link->is_closing) {
        tls_run_later(link);
        return;
    }
    tls_send_run(link);
    if (link->send.result != 0) {
        tls_run_later(link);
    }
    if (!link->send.holds_back) {
        tls_out_flush(link);
    }
    tls_recv_want(link);
}

void tls_send_start(struct transport *transport, struct loop_op *op, const struct iovec *iov,
                    int iov_count, loop_done_fn *done)
{
    DEBUG_CHECK(iov_count > 0);
    op->iov = iov;
    op->iov_count = iov_count;
    start(transport->state, op, LOOP_OP_SEND, done);
}

void tls_send_file_start(struct transport *transport, struct loop_op *op, int file_fd, off_t offset,
                         size_t len, loop_done_fn *done)
{
    op->file = (struct loop_file){.fd = file_fd, .offset = offset, .len = len};
    start(transport->state, op, LOOP_OP_SEND_FILE, done);
}

void tls_send_finish(struct tls_link *link, ssize_t result)
{
    struct loop_op *op = link->send.op;
    link->send.op = NULL;
    link->send.result = 0;
    link->send.wish = TLS_WISH_NONE;
    op->is_pending = false;
    op->more_follows = false;
    op->result = result;
    link->send.done(op);
}

void tls_send_tell(struct tls_link *link)
{
    if (link->send.op && link->send.result != 0) {
        ssize_t result = link->send.result == TLS_FILE_ENDED ? 0 : link->send.result;
        tls_send_finish(link, result);
        link->send.holds_back = link->send.holds_back && link->send.op;
    }
}

static size_t op_bytes(const struct loop_op *op)
{
    if (op->kind != LOOP_OP_SEND) {
        return op->file.len;
    }
    size_t total = 0;
    for (int i = 0; i < op->iov_count; i++) {
        total += op->iov[i].iov_len;
    }
    return total;
}

/* So much of what is `ahead` has gone. */
static void report(struct tls_link *link, size_t gone)
{
    size_t wanted = op_bytes(link->send.op);
    gone = gone < wanted ? gone : wanted;
    link->send.ahead -= gone;
    link->send.result = (ssize_t)gone;
}

/* ---- records --------------------------------------------------------------------------------- */

static size_t record_bytes(struct tls_link *link)
{
    int64_t now_ms = loop_now_ms(link->shared->loop);
    if (now_ms - link->send.last_ms > TLS_SMALL_AGAIN_MS) {
        link->send.small_left = TLS_SMALL_RECORDS_FOR;
    }
    link->send.last_ms = now_ms;
    return link->send.small_left > 0 ? TLS_SMALL_RECORD : TLS_RECORD_BYTES;
}

/* One record, for which there is room. Bytes, -EAGAIN, or -errno. */
static ssize_t encrypt_record(struct tls_link *link, const void *data, size_t len)
{
    size_t written = 0;
    tls_bio_prepare();
    link->send.wish = TLS_WISH_NONE;
    int rc = SSL_write_ex(link->ssl, data, len, &written);
    if (rc <= 0) {
        ssize_t result = tls_bio_result(link, rc, &link->send.wish);
        return result == 0 ? -EPIPE : result;
    }
    link->send.small_left -=
        link->send.small_left < written ? link->send.small_left : (uint32_t)written;
    return (ssize_t)written;
}

/* Up to a chunk's worth, a record after the other; `next` gives the bytes of each. */
struct source {
    /* Sets *ret_data to the next bytes, at most so many. 0: no more; or -errno. */
    ssize_t (*next)(struct source *source, struct tls_shared *shared, size_t most,
                    const char **ret_data);
    const struct iovec *iov; /* memory */
    int iov_count;
    size_t offset;          /* in the first of them */
    struct loop_file file;  /* or a file: what has not been read */
    struct tls_input chunk; /* what has */
};

/* Returns the first error if nothing was encrypted before it; later it is met again. */
static ssize_t encrypt(struct tls_link *link, struct source *source)
{
    size_t taken = 0;
    while (taken < TLS_CHUNK_BYTES) {
        size_t most = record_bytes(link);
        most = most < TLS_CHUNK_BYTES - taken ? most : TLS_CHUNK_BYTES - taken;
        if (!tls_out_for(link, most + TLS_RECORD_EXTRA)) {
            return taken > 0 ? (ssize_t)taken : link->is_out_of_memory ? -ENOMEM : -EAGAIN;
        }
        const char *data = NULL;
        ssize_t len = source->next(source, link->shared, most, &data);
        ssize_t done = len > 0 ? encrypt_record(link, data, (size_t)len) : len;
        if (done <= 0) {
            return taken > 0 ? (ssize_t)taken : done;
        }
        taken += (size_t)done;
    }
    return (ssize_t)taken;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void skip_empty(struct source *source)
{
    while (source->iov_count > 0 && source->offset == source->iov->iov_len) {
        source->iov++;
        source->iov_count--;
        source->offset = 0;
    }
}

/* Takes from the first piece: so many bytes, fewer if it ends before. */
static const char *take_piece(struct source *source, size_t most, size_t *ret_len)
{
    const char *data = (const char *)source->iov->iov_base + source->offset;
    size_t left = source->iov->iov_len - source->offset;
    *ret_len = left < most ? left : most;
    source->offset += *ret_len;
    skip_empty(source);
    return data;
}

/* A piece that fills the record, or is the last one, is used where it lies. */
static ssize_t next_of_memory(struct source *source, struct tls_shared *shared, size_t most,
                              const char **ret_data)
{
    size_t filled = 0;
    skip_empty(source);
    while (source->iov_count > 0 && filled < most) {
        size_t len;
        const char *piece = take_piece(source, most - filled, &len);
        if (filled == 0 && (len == most || source->iov_count == 0)) {
            *ret_data = piece;
            return (ssize_t)len;
        }
        memcpy(shared->gathered + filled, piece, len);
        filled += len;
    }
    *ret_data = shared->gathered;
    return (ssize_t)filled;
}

/* What another send follows at once may wait for it: then both leave in one. */
static void run_memory(struct tls_link *link)
{
    struct loop_op *op = link->send.op;
    struct source source = {.next = next_of_memory, .iov = op->iov, .iov_count = op->iov_count};
    ssize_t taken = encrypt(link, &source);
    link->send.holds_back = false;
    if (taken == -EAGAIN) {
        return;
    }
    if (taken < 0) {
        link->send.result = taken;
    } else if (op->more_follows && (size_t)taken == op_bytes(op)) {
        link->send.holds_back = true;
        link->send.result = taken;
    } else {
        link->send.ahead = (size_t)taken;
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A chunk is read at once: a call for each record would be four to a chunk, and more of small ones. */
static ssize_t read_chunk(struct source *source, struct tls_shared *shared)
{
    size_t most = source->file.len < TLS_CHUNK_BYTES ? source->file.len : TLS_CHUNK_BYTES;
    ssize_t got =
        most > 0 ? fd_read_at(source->file.fd, shared->gathered, most, source->file.offset) : 0;
    if (got > 0) {
        source->file.offset += got;
        source->file.len -= (size_t)got;
        source->chunk = (struct tls_input){shared->gathered, (size_t)got};
    }
    return got;
}

static ssize_t next_of_file(struct source *source, struct tls_shared *shared, size_t most,
                            const char **ret_data)
{
    ssize_t got = source->chunk.len > 0 ? 1 : read_chunk(source, shared);
    if (got <= 0) {
        return got;
    }
    size_t n = source->chunk.len < most ? source->chunk.len : most;
    *ret_data = source->chunk.data;
    source->chunk.data += n;
    source->chunk.len -= n;
    return (ssize_t)n;
}

/* `warm` bytes of the file are in memory: reading them waits for nothing. */
static void run_file(struct tls_link *link, size_t warm)
{
    struct source source = {.next = next_of_file, .file = link->send.op->file};
    source.file.len = warm < source.file.len ? warm : source.file.len;
    ssize_t taken = encrypt(link, &source);
    link->send.holds_back = false;
    if (taken > 0) {
        link->send.ahead = (size_t)taken;
    } else if (taken != -EAGAIN) {
        link->send.result = taken == 0 ? TLS_FILE_ENDED : taken;
    }
}

static void on_file_awaited(struct loop_op *op)
{
    struct transport *transport = CONTAINER_OF(op->socket, struct transport, socket);
    struct tls_link *link = transport->state;
    link->send.is_awaiting = false;
    op->is_pending = true; /* the owner's, until it is told */
    op->kind = LOOP_OP_SEND_FILE;
    if (link->is_socket_closed) {
        return; /* on_socket_closed() tells the owner */
    }
    if (op->result < 0) {
        link->send.result = op->result;
    } else {
        run_file(link, (size_t)op->result);
    }
    tls_run(link);
}

static void await_file(struct tls_link *link)
{
    struct loop_op *op = link->send.op;
    const struct loop_file rest = op->file; /* all: the disk is read ahead of us */
    link->send.is_awaiting = true;
    op->is_pending = false;
    loop_await_file(link->shared->loop, &link->transport->socket, op, &rest, on_file_awaited);
}

/* ---- both ------------------------------------------------------------------------------------ */

/* What has been taken leaves first, and OpenSSL may wait for something. */
static bool may_encrypt(const struct tls_link *link)
{
    const struct tls_out *out = link->out;
    bool is_full = out && TLS_OUT_BYTES - out->end < TLS_RECORD_BYTES + TLS_RECORD_EXTRA;
    bool waits_for_room = link->send.wish == TLS_WISH_WRITE && tls_out_has_bytes(link);
    bool waits_for_peer = link->send.wish == TLS_WISH_READ && link->input.len == 0;
    return link->send.ahead == 0 && !tls_out_is_sending(link) && !is_full && !waits_for_room &&
           !waits_for_peer;
}

void tls_send_run(struct tls_link *link)
{
    if (!link->send.op || link->send.result != 0 || link->is_closing || link->send.is_awaiting) {
        return;
    }
    if (link->send.error || link->is_broken || link->phase != TLS_OPEN) {
        link->send.result = link->send.error ? link->send.error : TRANSPORT_BROKEN;
        return;
    }
    if (link->send.ahead > 0 && !tls_out_has_bytes(link)) {
        report(link, link->send.ahead); /* it has gone while the owner did not ask */
        return;
    }
    if (!may_encrypt(link)) {
        link->send.holds_back = false;
        return;
    }
    if (link->send.op->kind == LOOP_OP_SEND) {
        run_memory(link);
    } else {
        await_file(link);
    }
}

void tls_send_moved(struct tls_link *link, ssize_t result)
{
    struct tls_out *out = link->out;
    if (result < 0) {
        out->begin = out->end;
        link->send.ahead = 0;
        link->send.error = result;
        link->send.result = link->send.op ? result : 0;
        return;
    }
    size_t waiting = out->end - out->begin; /* at least as many as the plaintext in them */
    if (link->send.ahead > waiting && link->send.op) {
        report(link, link->send.ahead - waiting);
    }
}
