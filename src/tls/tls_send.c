/* tls/tls_send.c — the owner's sends. One takes as much as fits the output buffer, never more, and is
 * done when that has left (or some of it: the rest is remembered as `ahead` and not encrypted again
 * when the owner comes back with it). tls_records.c makes the records. A file is read in chunks as
 * far as it is in memory, and awaited where it is not. On the loop's thread. */
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
    op->is_last = false;
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

/* So much has been encrypted. RFC 8446 §6.1: close_notify follows the last byte; it leaves with it. */
static void note_taken(struct tls_link *link, size_t taken)
{
    link->send.ahead = taken;
    if (link->send.op->is_last && taken == op_bytes(link->send.op)) {
        tls_goodbye(link);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* What another send follows at once may wait for it: then both leave in one. */
static ssize_t no_room(const struct tls_link *link)
{
    return link->is_out_of_memory ? -ENOMEM : -EAGAIN;
}

static void run_memory(struct tls_link *link)
{
    struct loop_op *op = link->send.op;
    size_t wanted = op_bytes(op);
    size_t most = tls_records_most(link, wanted);
    ssize_t taken = most > 0 ? tls_records_make(link, op->iov, op->iov_count, most) : no_room(link);
    link->send.holds_back = false;
    link->send.cannot_tell = false;
    if (taken == -EAGAIN) {
        return;
    }
    if (taken < 0) {
        link->send.result = taken;
    } else if (op->more_follows && (size_t)taken == wanted) {
        link->send.holds_back = true;
        link->send.result = taken;
    } else {
        note_taken(link, (size_t)taken);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static void await_file(struct tls_link *link);

/* A head that waits for the file does not wait for the disk. */
static void wait_for_disk(struct tls_link *link)
{
    link->send.holds_back = false;
    if (!tls_out_has_bytes(link)) {
        await_file(link);
    }
}

/* Reading says whether it is in memory; `warm` bytes are known to be. A chunk at once: the kernel is
 * called once for it, and so is OpenSSL. */
static ssize_t read_file(struct tls_link *link, size_t warm, size_t most)
{
    const struct loop_file *file = &link->send.op->file;
    char *data = link->shared->gathered;
    if (warm > 0) {
        return fd_read_at(file->fd, data, most < warm ? most : warm, file->offset);
    }
    return loop_read_warm(link->shared->loop, file->fd, data, most, file->offset);
}

static void take_file(struct tls_link *link, size_t warm, size_t most)
{
    ssize_t got = read_file(link, warm, most);
    if (got == -EOPNOTSUPP) {
        link->send.cannot_tell = true;
        await_file(link);
        return;
    }
    if (got == -EAGAIN) {
        wait_for_disk(link);
        return;
    }
    const struct iovec read = {link->shared->gathered, got > 0 ? (size_t)got : 0};
    ssize_t taken = got > 0 ? tls_records_make(link, &read, 1, (size_t)got) : got;
    link->send.holds_back = false;
    if (taken > 0) {
        note_taken(link, (size_t)taken);
    } else if (taken != -EAGAIN) {
        link->send.result = taken == 0 ? TLS_FILE_ENDED : taken;
    }
}

static void run_file(struct tls_link *link, size_t warm)
{
    size_t len = link->send.op->file.len;
    size_t most = tls_records_most(link, len);
    if (most > 0 || len == 0) {
        take_file(link, warm, most);
        return;
    }
    link->send.holds_back = false;
    link->send.result = no_room(link) == -ENOMEM ? -ENOMEM : 0;
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
    bool is_full = out && out->room - out->end < TLS_RECORD_BYTES + TLS_RECORD_EXTRA;
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
    } else if (link->send.cannot_tell) {
        await_file(link);
    } else {
        run_file(link, 0);
    }
}

bool tls_send_goes_on(const struct tls_link *link)
{
    return link->send.op && !link->is_closing && link->send.ahead > 0 &&
           link->send.ahead < op_bytes(link->send.op);
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
