/* h2/h2_guard.c — what a client may repeat, and how often: leaky buckets on the loop's clock, one for
 * each row of h2_guard_list.h. On the loop. A bucket that overflows is remembered in the session; whoever
 * called nghttp2 then ends the connection. */
#include "h2/h2_session.h"

enum { MS_PER_S = 1000 };

static const struct guard_row {
    const char *name;
    uint32_t burst;
    uint32_t per_second;
} rows[H2_GUARD_COUNT] = {
#define H2_GUARD(id, burst, per_second, sentence) [H2_GUARD_##id] = {#id, burst, per_second},
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
    leak(session, kind);
    if (session->guard.level[kind] < rows[kind].burst) {
        session->guard.level[kind]++;
        return true;
    }
    if (session->flood == 0) {
        session->flood = (uint8_t)(kind + 1);
        counter_add(&session->driver->counters.guarded[kind], 1);
    }
    return false;
}

void h2_guard_credit(struct h2_session *session, enum h2_guard_kind kind, uint32_t count)
{
    uint32_t *level = &session->guard.level[kind];
    *level -= count < *level ? count : *level;
}
