/* conn/preface.c — see preface.h. While the bytes agree with the preface only their number is kept, in
 * the place of the session: what they were is known. A byte that differs makes the client one of the
 * usual protocol's, which then gets everything from the first byte on. */
#include "conn/preface.h"

#include "base/check.h"

static struct preface_choice *choice_of(const struct conn *conn)
{
    return conn->protocol->ctx;
}

static size_t seen(const struct conn *conn)
{
    return (size_t)(uintptr_t)conn->session;
}

/* The protocol is this one from now on; it gets what was seen, and then data. */
static void become(struct conn *conn, const struct protocol *protocol, char *data, size_t len)
{
    char begin[PREFACE_MAX_BYTES];
    size_t count = seen(conn);
    memcpy(begin, choice_of(conn)->preface.ptr, count);
    conn->session = NULL;
    conn->protocol = protocol;
    if (protocol->open(conn) != GALLEY_OK) {
        conn_close(conn, CLOSE_OUT_OF_MEMORY, true);
        return;
    }
    if (count > 0) {
        protocol->received(conn, begin, count);
    }
    if (len > 0 && !conn_is_ending(conn)) {
        protocol->received(conn, data, len);
    }
}

static int open_choice(struct conn *conn)
{
    conn->session = NULL; /* nothing seen */
    return GALLEY_OK;
}

static void received(struct conn *conn, char *data, size_t len)
{
    struct preface_choice *choice = choice_of(conn);
    struct span rest = span_from(choice->preface, seen(conn));
    size_t n = len < rest.len ? len : rest.len;
    if (memcmp(rest.ptr, data, n) != 0) {
        become(conn, choice->usual, data, len);
    } else if (n == rest.len) {
        become(conn, choice->special, data, len);
    } else {
        conn->session = (void *)(uintptr_t)(seen(conn) + n);
    }
}

static void input_ended(struct conn *conn)
{
    become(conn, choice_of(conn)->usual, NULL, 0);
    if (!conn_is_ending(conn)) {
        conn->protocol->input_ended(conn);
    }
}

static void deadline(struct conn *conn)
{
    become(conn, choice_of(conn)->usual, NULL, 0);
    if (!conn_is_ending(conn)) {
        conn->protocol->deadline(conn);
    }
}

static void nothing(struct conn *conn)
{
    (void)conn;
}

/* The session is a number: nobody may take it for more. */
static void closed(struct conn *conn)
{
    conn->session = NULL;
}

void preface_choice_init(struct preface_choice *choice, const struct protocol *usual,
                         const struct protocol *special, struct span preface)
{
    CHECK(preface.len > 0 && preface.len <= PREFACE_MAX_BYTES);
    choice->usual = usual;
    choice->special = special;
    choice->preface = preface;
    choice->protocol = (struct protocol){
        .name = usual->name,
        .ctx = choice,
        .open = open_choice,
        .received = received,
        .input_ended = input_ended,
        .sent = nothing,
        .deadline = deadline,
        .drain = nothing,
        .closed = closed,
    };
}
