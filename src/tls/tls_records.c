/* tls/tls_records.c — from plaintext to records in the output buffer: how much is taken at once, of
 * what size records are, and what goes into each. Called by tls_send.c. On the loop's thread.
 *
 * What is encrypted has to be kept until the kernel takes it, so no more is than it has room for. It
 * is asked only when more is to be sent than it would surely take: a client who reads gets a megabyte
 * for one question. If there is no room a little is taken all the same, for only a socket that has
 * refused something tells when it has room again.
 *
 * The first records of a connection fit a packet each: a client can use what has come while the
 * window is small. Then they carry all they may, which costs the least. */
#include "tls/tls_link.h"

#include "base/check.h"

static size_t less_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- how much -------------------------------------------------------------------------------- */

static size_t ask_for_room(struct tls_link *link)
{
    size_t waiting = link->out ? link->out->end - link->out->begin : 0;
    size_t room = loop_send_room(link->shared->loop, &link->transport->socket);
    return room > waiting ? room - waiting : 0;
}

/* The kernel's room is for what it needs itself, too: half of it is sure. Below that a record, if
 * there is room for one: a few bytes each time would cost more than what may have to be kept. */
static size_t taken_by_kernel(struct tls_link *link, size_t wanted)
{
    if (wanted <= TLS_KNOCK_BYTES || link->send.room >= wanted) {
        return wanted;
    }
    size_t room = ask_for_room(link);
    link->send.room = (uint32_t)less_of(room / 2, UINT32_MAX);
    size_t most = link->send.room;
    if (most < TLS_RECORD_BYTES) {
        most = less_of(room, TLS_RECORD_BYTES);
    }
    return less_of(wanted, most > TLS_KNOCK_BYTES ? most : TLS_KNOCK_BYTES);
}

/* Full records first, for each of which there has to be more room than it takes. */
static size_t fitting(const struct tls_out *out, size_t wanted)
{
    enum { TAKES = TLS_RECORD_BYTES + TLS_RECORD_EXTRA };
    size_t room = out->room - out->end;
    size_t rest = room % TAKES;
    rest = rest > TLS_RECORD_EXTRA ? rest - TLS_RECORD_EXTRA : 0;
    return less_of(wanted, room / TAKES * TLS_RECORD_BYTES + rest);
}

size_t tls_records_most(struct tls_link *link, size_t wanted)
{
    size_t most = taken_by_kernel(link, less_of(wanted, TLS_CHUNK_BYTES));
    /* A head shares the buffer with what follows. */
    tls_out_expect(link, link->send.op->more_follows ? TLS_CHUNK_BYTES : most);
    return link->out ? fitting(link->out, most) : 0;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

struct pieces {
    const struct iovec *iov;
    int count;
    size_t offset; /* in the first */
};

static void skip_empty(struct pieces *pieces)
{
    while (pieces->count > 0 && pieces->offset == pieces->iov->iov_len) {
        pieces->iov++;
        pieces->count--;
        pieces->offset = 0;
    }
}

/* Takes from the first piece, at most what it has. */
static const char *take(struct pieces *pieces, size_t len)
{
    const char *data = (const char *)pieces->iov->iov_base + pieces->offset;
    pieces->offset += len;
    skip_empty(pieces);
    return data;
}

/* How much of the first piece is used where it lies: all that is wanted, full records, or what there
 * is no more behind. */
static size_t usable_in_place(const struct pieces *pieces, size_t record, size_t most)
{
    size_t left = pieces->iov->iov_len - pieces->offset;
    if (left >= most) {
        return most;
    }
    return pieces->count == 1 ? left : left - left % record;
}

/* The next bytes, for as many records as they fill, or less than one. 0: no more. */
static size_t next_bytes(struct pieces *pieces, char *gathered, size_t record, size_t most,
                         const char **ret_data)
{
    skip_empty(pieces);
    if (pieces->count == 0) {
        return 0;
    }
    size_t filled = usable_in_place(pieces, record, most);
    if (filled > 0) {
        *ret_data = take(pieces, filled);
        return filled;
    }
    most = less_of(most, record);
    while (pieces->count > 0 && filled < most) {
        size_t n = less_of(pieces->iov->iov_len - pieces->offset, most - filled);
        memcpy(gathered + filled, take(pieces, n), n);
        filled += n;
    }
    *ret_data = gathered;
    return filled;
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

/* fitting() keeps more than this free for each record, and for small ones less: they are at most
 * thirteen, and what is kept for one full record is enough for them. */
static bool has_room_for(const struct tls_out *out, size_t len)
{
    enum { MOST_EXTRA = 5 + 8 + 1 + 16 }; /* header, TLS 1.2's nonce or 1.3's type, tag */
    size_t records = (len + TLS_RECORD_BYTES - 1) / TLS_RECORD_BYTES;
    return out->room - out->end >= len + records * MOST_EXTRA;
}

/* One record, or as many full ones as OpenSSL makes of it; there is room. Bytes, -EAGAIN, or
 * -errno. */
static ssize_t encrypt(struct tls_link *link, const void *data, size_t len)
{
    size_t written = 0;
    tls_bio_prepare();
    link->send.wish = TLS_WISH_NONE;
    int rc = SSL_write_ex(link->ssl, data, len, &written);
    if (rc <= 0) {
        ssize_t result = tls_bio_result(link, rc, &link->send.wish);
        return result == 0 ? -EPIPE : result;
    }
    link->send.small_left -= (uint32_t)less_of(link->send.small_left, written);
    link->send.room -= (uint32_t)less_of(link->send.room, written);
    return (ssize_t)written;
}

ssize_t tls_records_make(struct tls_link *link, const struct iovec *iov, int iov_count, size_t most)
{
    struct pieces pieces = {iov, iov_count, 0};
    size_t taken = 0;
    while (taken < most) {
        size_t record = record_bytes(link);
        size_t wanted = record < TLS_RECORD_BYTES ? less_of(record, most - taken) : most - taken;
        const char *data = NULL;
        size_t len = next_bytes(&pieces, link->shared->gathered, record, wanted, &data);
        if (len == 0) {
            break;
        }
        DEBUG_CHECK(has_room_for(link->out, len));
        ssize_t done = encrypt(link, data, len);
        if (done <= 0) {
            return taken > 0 ? (ssize_t)taken : done;
        }
        taken += (size_t)done;
    }
    return (ssize_t)taken;
}
