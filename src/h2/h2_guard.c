/* h2/h2_guard.c — what a client may repeat, and how often: leaky buckets on the loop's clock, one for
 * each row of h2_guard_list.h. On the loop. A bucket that overflows is remembered in the session; whoever
 * works on the session then ends the connection.
 *
 * No honest client may be cut, however fast both sides are: what follows from what we sent, or from what
 * the client did itself, is explained once and never counted, also when it comes long after. So what a
 * client may repeat is in proportion to work that it has paid for, and buckets hold only the rest. */
#include "h2/h2_session.h"

enum { MS_PER_S = 1000 };

static const struct guard_row {
    const char *name;
    uint32_t burst;
    uint32_t per_second;
    uint32_t saved;
} rows[H2_GUARD_COUNT] = {
#define H2_GUARD(id, burst, per_second, saved, sentence)                                           \
    [H2_GUARD_##id] = {#id, burst, per_second, saved},
#include "h2/h2_guard_list.h"
#undef H2_GUARD
};

const char *h2_guard_name(enum h2_guard_kind kind)
{
    return rows[kind].name;
}

static void leak(struct h2_session *session, enum h2_guard_kind kind)
{
    struct h2_guard *guard = &session->guard;
    int64_t now_ms = loop_now_ms(conn_loop(session->conn));
    uint64_t passed_ms = (uint64_t)(now_ms - guard->leaked_ms[kind]);
    uint64_t leaked = passed_ms * rows[kind].per_second / MS_PER_S;
    if (leaked == 0) {
        return; /* parts of one are kept for the next time */
    }
    guard->level[kind] -= leaked < guard->level[kind] ? (uint32_t)leaked : guard->level[kind];
    guard->leaked_ms[kind] = now_ms;
}

bool h2_guard_charge(struct h2_session *session, enum h2_guard_kind kind)
{
    struct h2_guard *guard = &session->guard;
    if (guard->explained[kind] > 0) {
        guard->explained[kind]--;
        return true;
    }
    leak(session, kind);
    if (guard->level[kind] < rows[kind].burst) {
        guard->level[kind]++;
        return true;
    }
    if (session->flood == 0) {
        session->flood = (uint8_t)(kind + 1);
        counter_add(&session->driver->counters.guarded[kind], 1);
    }
    return false;
}

void h2_guard_explain(struct h2_session *session, enum h2_guard_kind kind, uint32_t count)
{
    uint32_t *explained = &session->guard.explained[kind];
    uint32_t room = rows[kind].saved - *explained;
    *explained += count < room ? count : room;
}

/* Firefox widens the window of each stream when it begins, and told of priorities with several frames;
 * browsers tell again when a picture comes into view. Proxies ask whether we still live before a request,
 * and Go does so behind one that it gave up. */
void h2_guard_request(struct h2_session *session)
{
    enum { UPDATES = 2, FRAMES_OF_PRIORITY = 8 };
    h2_guard_explain(session, H2_GUARD_WINDOW_UPDATES, UPDATES);
    h2_guard_explain(session, H2_GUARD_PRIORITIES, FRAMES_OF_PRIORITY);
    h2_guard_explain(session, H2_GUARD_PINGS, 1);
}

/* RFC 9113 §6.9: each byte is told once to the stream's window and once to the connection's. Who does so
 * for each frame may, if its length was our choice: a client whose windows make us send a few bytes at a
 * time (CVE-2019-9511) has only what the bytes explain. gRPC measures the bandwidth by a PING beside the
 * data of each round trip, and then tells of a new window size. */
void h2_guard_data_sent(struct h2_session *session, size_t len, bool is_held_back)
{
    enum { BYTES_AN_UPDATE = 32, BYTES_A_SETTING = 16 * 1024 };
    struct h2_guard *guard = &session->guard;
    uint64_t before = guard->data_bytes;
    uint64_t after = before + len;
    uint64_t updates = after / BYTES_AN_UPDATE - before / BYTES_AN_UPDATE;
    guard->data_bytes = after;
    h2_guard_explain(session, H2_GUARD_WINDOW_UPDATES, (uint32_t)updates + (is_held_back ? 0 : 2));
    h2_guard_explain(session, H2_GUARD_PINGS, 1);
    h2_guard_explain(session, H2_GUARD_SETTINGS,
                     (uint32_t)(after / BYTES_A_SETTING - before / BYTES_A_SETTING));
}
