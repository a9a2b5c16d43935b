/* server/server_stats.c — counters of all rooms, summed over the loops. Any thread; the lock is
 * held only against making and freeing, never on the path of a request. Names that come from tables
 * of other rooms are made once a server. */
#include "base/alloc.h"
#include "base/text.h"
#include "files/file_site.h"
#include "wire/h1_error.h"

#include "server/server_state.h"

enum { NAME_BYTES = 48 };

typedef const struct counter *counter_of_fn(const struct server_loop *loop,
                                            const struct h1_counters *h1);

#define COUNTER(fn_name, expression)                                                               \
    static const struct counter *fn_name(const struct server_loop *loop,                           \
                                         const struct h1_counters *h1)                             \
    {                                                                                              \
        (void)loop;                                                                                \
        (void)h1;                                                                                  \
        return &(expression);                                                                      \
    }

/* X(name, where it is counted) */
#define COUNTER_LIST(X)                                                                            \
    X(accepted, loop->acceptor_counters.accepted)                                                  \
    X(out_of_fds, loop->acceptor_counters.out_of_fds)                                              \
    X(refused_connections, loop->acceptor_counters.refused)                                        \
    X(connections_handed_over, loop->counters.handed_over)                                         \
    X(accept_pauses, loop->counters.paused)                                                        \
    X(opened, loop->conns.counters.opened)                                                         \
    X(bytes_in, loop->conns.counters.bytes_in)                                                     \
    X(bytes_out, loop->conns.counters.bytes_out)                                                   \
    X(requests, h1->requests)                                                                      \
    X(requests_over_limit, loop->counters.refused)                                                 \
    X(requests_misdirected, loop->counters.misdirected)                                            \
    X(responses_none, loop->counters.responses[0])                                                 \
    X(responses_1xx, loop->counters.responses[1])                                                  \
    X(responses_2xx, loop->counters.responses[2])                                                  \
    X(responses_3xx, loop->counters.responses[3])                                                  \
    X(responses_4xx, loop->counters.responses[4])                                                  \
    X(responses_5xx, loop->counters.responses[5])                                                  \
    X(shed_full, loop->exchange_counters.shed_full)                                                \
    X(shed_late, loop->exchange_counters.shed_late)                                                \
    X(stalls, loop->exchange_counters.stalls)                                                      \
    X(mistakes, loop->exchange_counters.mistakes)                                                  \
    X(broken_responses, loop->exchange_counters.broken)                                            \
    X(exchange_timeouts, loop->exchange_counters.timeouts)                                         \
    X(early_hints, loop->exchange_counters.early_hints)                                            \
    X(bad_targets, h1->bad_targets)                                                                \
    X(bodies_too_large, h1->bodies_too_large)                                                      \
    X(body_bytes_drained, h1->bodies_drained)                                                      \
    X(continues, h1->continues)                                                                    \
    X(connection_request_limits, h1->request_limits)                                               \
    X(pipelines_held_back, h1->held_back)                                                          \
    X(out_of_memory, h1->out_of_memory)                                                            \
    X(aborted_responses, h1->aborted)                                                              \
    X(h2_connections, h2_of(loop)->connections)                                                    \
    X(h2_requests, h2_of(loop)->requests)                                                          \
    X(h2_malformed, h2_of(loop)->malformed)                                                        \
    X(h2_heads_too_large, h2_of(loop)->heads_too_large)                                            \
    X(h2_refused_streams, h2_of(loop)->refused_streams)                                            \
    X(h2_resets_received, h2_of(loop)->resets_received)                                            \
    X(h2_resets_sent, h2_of(loop)->resets_sent)                                                    \
    X(h2_slow_streams, h2_of(loop)->slow_streams)                                                  \
    X(h2_tunnels, h2_of(loop)->tunnels)                                                            \
    X(h2_goaways_sent, h2_of(loop)->goaways_sent)

/* The driver's while it lives, else what it left. */
static const struct h2_counters *h2_of(const struct server_loop *loop)
{
    return server_h2_counters(&loop->drivers);
}

#define DEFINE(name, expression) COUNTER(counter_##name, expression)
COUNTER_LIST(DEFINE)
#undef DEFINE

static const struct simple_counter {
    const char *name;
    counter_of_fn *of;
} simple_counters[] = {
#define ROW(name, expression) {#name, counter_##name},
    COUNTER_LIST(ROW)
#undef ROW
};

enum {
    SIMPLE_COUNT = sizeof simple_counters / sizeof *simple_counters,
    CLOSED_FROM = SIMPLE_COUNT,
    MISSED_FROM = CLOSED_FROM + CLOSE_REASON_COUNT,
    REFUSED_FROM = MISSED_FROM + CONN_STATE_COUNT,
    MISFRAMED_FROM = REFUSED_FROM + H1_ERROR_COUNT,
    GUARDED_FROM = MISFRAMED_FROM + FRAMING_REASON_COUNT,
    SITES_FROM = GUARDED_FROM + H2_GUARD_COUNT,
};

struct server_counter_names {
    char text[SITES_FROM - CLOSED_FROM][NAME_BYTES];
};

/* "closed_" and "IDLE-TIMEOUT" -> "closed_idle_timeout" */
static void make_name(char out[NAME_BYTES], const char *prefix, const char *word)
{
    size_t len = 0;
    for (; *prefix && len < NAME_BYTES - 1; prefix++) {
        out[len++] = *prefix;
    }
    for (; *word && len < NAME_BYTES - 1; word++) {
        out[len++] = *word == '-' || *word == ' ' ? '_' : text_lower(*word);
    }
    out[len] = '\0';
}

static const char *const framing_words[] = {
#define FRAMING_REASON(id, status, sentence) #id,
#include "http/framing_reason_list.h"
#undef FRAMING_REASON
};

struct server_counter_names *server_counter_names_make(void)
{
    struct server_counter_names *names = mem_alloc_zero(1, sizeof *names);
    for (int i = 0; names && i < CLOSE_REASON_COUNT; i++) {
        make_name(names->text[i], "closed_", close_reason_name((enum close_reason)i));
    }
    for (int i = 0; names && i < CONN_STATE_COUNT; i++) {
        make_name(names->text[MISSED_FROM - CLOSED_FROM + i], "missed_",
                  conn_state_name((enum conn_state)i));
    }
    for (int i = 0; names && i < H1_ERROR_COUNT; i++) {
        make_name(names->text[REFUSED_FROM - CLOSED_FROM + i], "refused_",
                  h1_error_word((enum h1_error)i));
    }
    for (int i = 0; names && i < FRAMING_REASON_COUNT; i++) {
        make_name(names->text[MISFRAMED_FROM - CLOSED_FROM + i], "misframed_", framing_words[i]);
    }
    for (int i = 0; names && i < H2_GUARD_COUNT; i++) {
        make_name(names->text[GUARDED_FROM - CLOSED_FROM + i], "h2_guard_",
                  h2_guard_name((enum h2_guard_kind)i));
    }
    return names;
}

/* The driver's while it lives, else what it left. */
static const struct h1_counters *h1_of(const struct server_loop *loop)
{
    return server_h1_counters(&loop->drivers);
}

static const struct counter *counter_at(const struct server_loop *loop, size_t index)
{
    const struct h1_counters *h1 = h1_of(loop);
    if (index < CLOSED_FROM) {
        return simple_counters[index].of(loop, h1);
    }
    if (index < MISSED_FROM) {
        return &loop->conns.counters.closed[index - CLOSED_FROM];
    }
    if (index < REFUSED_FROM) {
        return &loop->conns.counters.missed[index - MISSED_FROM];
    }
    if (index >= GUARDED_FROM) {
        return &h2_of(loop)->guarded[index - GUARDED_FROM];
    }
    return index < MISFRAMED_FROM ? &h1->refused[index - REFUSED_FROM]
                                  : &h1->misframed[index - MISFRAMED_FROM];
}

/* What both drivers count stands under one name: h2's part of it. */
static uint64_t also_of_h2(const struct server_loop *loop, counter_of_fn *of)
{
    const struct h2_counters *h2 = h2_of(loop);
    const struct also_row {
        counter_of_fn *of;
        const struct counter *also;
    } rows[] = {
        {counter_requests, &h2->requests},
        {counter_bad_targets, &h2->bad_targets},
        {counter_bodies_too_large, &h2->bodies_too_large},
        {counter_continues, &h2->continues},
        {counter_connection_request_limits, &h2->request_limits},
        {counter_out_of_memory, &h2->out_of_memory},
        {counter_aborted_responses, &h2->aborted},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (of == rows[i].of) {
            return counter_read(rows[i].also);
        }
    }
    return 0;
}

static uint64_t count_at(const struct server_loop *loop, size_t index)
{
    uint64_t count = counter_read(counter_at(loop, index));
    if (index < SIMPLE_COUNT) {
        return count + also_of_h2(loop, simple_counters[index].of);
    }
    bool is_framing = index >= MISFRAMED_FROM && index < GUARDED_FROM;
    return is_framing ? count + counter_read(&h2_of(loop)->misframed[index - MISFRAMED_FROM])
                      : count;
}

/* Lock held. */
static uint64_t sum(const galley_server *srv, size_t index)
{
    uint64_t total = 0;
    for (unsigned i = 0; srv->loops && i < srv->config.loops; i++) {
        total += count_at(&srv->loops[i], index);
    }
    return total;
}

static uint64_t sum_of(const galley_server *srv, counter_of_fn *of)
{
    uint64_t total = 0;
    for (unsigned i = 0; srv->loops && i < srv->config.loops; i++) {
        const struct server_loop *loop = &srv->loops[i];
        total += counter_read(of(loop, h1_of(loop))) + also_of_h2(loop, of);
    }
    return total;
}

/* Differences of two counts that are not of one instant: never below zero. */
static unsigned difference(uint64_t more, uint64_t less)
{
    return more > less ? (unsigned)(more - less) : 0;
}

static unsigned count_open(const galley_server *srv)
{
    uint64_t closed = 0;
    for (size_t i = CLOSED_FROM; i < MISSED_FROM; i++) {
        closed += sum(srv, i);
    }
    return difference(sum_of(srv, counter_opened), closed);
}

static unsigned count_active(const galley_server *srv)
{
    uint64_t begun = 0, ended = 0;
    for (unsigned i = 0; srv->loops && i < srv->config.loops; i++) {
        ended += counter_read(&srv->loops[i].counters.ended);
        begun += counter_read(&srv->loops[i].counters.begun);
    }
    return difference(begun, ended);
}

/* What is held outside of handlers now. */
static void fill_held(const galley_server *srv, galley_server_stats *stats)
{
    for (unsigned i = 0; srv->loops && i < srv->config.loops; i++) {
        const struct exchange_pool *pool = &srv->loops[i].exchanges;
        stats->deferred += atomic_load_explicit(&pool->deferred, memory_order_relaxed);
        stats->streams += atomic_load_explicit(&pool->streams, memory_order_relaxed);
    }
}

static void fill(const galley_server *srv, galley_server_stats *stats)
{
    static counter_of_fn *const responses[] = {counter_responses_none, counter_responses_1xx,
                                               counter_responses_2xx,  counter_responses_3xx,
                                               counter_responses_4xx,  counter_responses_5xx};
    for (unsigned class = 0; class < 6; class ++) {
        stats->responses[class] = sum_of(srv, responses[class]);
    }
    stats->accepted = sum_of(srv, counter_accepted);
    stats->requests = sum_of(srv, counter_requests);
    stats->shed_full = sum_of(srv, counter_shed_full);
    stats->shed_late = sum_of(srv, counter_shed_late);
    stats->bytes_in = sum_of(srv, counter_bytes_in);
    stats->bytes_out = sum_of(srv, counter_bytes_out);
    stats->stalls = sum_of(srv, counter_stalls);
    stats->mistakes = sum_of(srv, counter_mistakes);
    stats->connections = count_open(srv);
    stats->active = count_active(srv);
    fill_held(srv, stats);
}

static pthread_mutex_t *lock_of(const galley_server *srv)
{
    return (pthread_mutex_t *)(uintptr_t)&srv->lock; /* looking changes nothing that shows */
}

int galley_server_get_stats(const galley_server *srv, galley_server_stats *stats)
{
    if (!srv || !stats || stats->size < sizeof stats->size) {
        return GALLEY_EINVAL;
    }
    if (server_is_forked(srv)) {
        return GALLEY_EFORKED;
    }
    galley_server_stats own = {.size = stats->size};
    pthread_mutex_lock(lock_of(srv));
    fill(srv, &own);
    pthread_mutex_unlock(lock_of(srv));
    memcpy(stats, &own, own.size < sizeof own ? own.size : sizeof own);
    return GALLEY_OK;
}

/* The index-th counter of a site. */
static bool site_counter(const galley_static *site, size_t index, const char **name,
                         uint64_t *value)
{
    size_t at = 0;
    bool has_one = true;
    for (size_t i = 0; i <= index && has_one; i++) {
        has_one = file_site_next_counter(site, &at, name, value);
    }
    return has_one;
}

/* Lock held. The counters of the sites follow those of the loops, summed: every site has the same
 * ones. */
static bool next_of_sites(const galley_server *srv, size_t *it, const char **name, uint64_t *value)
{
    uint64_t total = 0, one = 0;
    bool has_one = false;
    for (unsigned i = 0; i < srv->sites.attached; i++) {
        if (site_counter(srv->sites.list[i], *it - SITES_FROM, name, &one)) {
            has_one = true;
            total += one;
        }
    }
    *value = has_one ? total : *value;
    *it += has_one;
    return has_one;
}

static bool next_counter(const galley_server *srv, size_t *it, const char **name, uint64_t *value)
{
    if (*it >= SITES_FROM) {
        return next_of_sites(srv, it, name, value);
    }
    *name = *it < CLOSED_FROM ? simple_counters[*it].name : srv->names->text[*it - CLOSED_FROM];
    *value = sum(srv, *it);
    *it += 1;
    return true;
}

bool galley_server_next_counter(const galley_server *srv, size_t *it, const char **name,
                                uint64_t *value)
{
    if (!srv || !it || !name || !value || server_is_forked(srv)) {
        return false;
    }
    pthread_mutex_lock(lock_of(srv));
    bool has_one = next_counter(srv, it, name, value);
    pthread_mutex_unlock(lock_of(srv));
    return has_one;
}
