/* server/server_state.h — inside the server room: the server and its loops. Nobody else includes
 * this.
 *
 * Who may touch what: set-up fields (config, router, listeners, sites) are written before the loops
 * run and read-only from then on. A server_loop belongs to its thread, but its counters (read from
 * anywhere) and `orders`. What several threads write is atomic or under `lock`, and says so. */
#ifndef SERVER_SERVER_STATE_H
#define SERVER_SERVER_STATE_H

#include "base/log.h"
#include "route/router.h"

#include <galley/server.h>
#include <galley/static.h>

#include <pthread.h>

#include "server/server_loop.h"
#include "server/server_options.h"

struct galley_test;

enum server_phase { SERVER_SETTING_UP, SERVER_RUNNING, SERVER_ENDED };
enum server_stop { SERVER_GOES_ON, SERVER_DRAINS, SERVER_STOPS_NOW };

/** Handlers that never return need their routes for as long as they like. */
struct server_routes {
    struct exchange_keeper keeper;
    struct router *router;
    struct queue_shedder *shedders; /* of the pools that they use */
};

/** The static sites among the routes; each once, attached in this order. */
struct server_sites {
    galley_static **list;
    unsigned count;
    unsigned attached;
    galley_static *replies; /* galley_res_file(); also in the list */
};

/** galley_server_post() and _after(); see server_posts.c. */
struct server_posts {
    pthread_mutex_t lock; /* fresh, is_told, is_closed; and loop for other threads than its own */
    struct list fresh;
    struct loop *loop; /* NULL: not open yet, or closed */
    bool is_told;      /* taking is on its way */
    bool is_closed;
    bool has_next_turn;   /* the rest is the loop's; next_turn is on its way */
    struct list taken;    /* wait for the next turn */
    struct list sleeping; /* have a timer */
    struct loop_post taking;
    struct loop_post next_turn;
};

/** Stopping; see server_drain.c. But for the atomics it is the first loop's. */
struct server_drain {
    atomic_uint idle_loops; /* acq_rel: the last one sees all */
    atomic_uint cut;        /* requests cut; relaxed, read after the loops have ended */
    struct loop_socket socket;
    struct loop_op op;
    struct timer timer;
    int64_t deadline_ms; /* of clock_mono_ms(); 0: none */
    atomic_uint held;    /* handlers and deferrals that were left behind; as cut */
    char held_by[96];    /* of which routes: written by the first loop that had one */
    int done;            /* enum server_stop: what has been ordered */
    bool deadline_passed;
    bool is_watching; /* socket is open */
};

/** How far it is; under galley_server.lock, but for runs_in. */
struct server_progress {
    atomic_int runs_in; /* the process that it runs or has run in; 0: none yet. Relaxed: whoever
                           forks sees it */
    enum server_phase phase;
    pthread_t thread; /* of galley_server_start() */
    bool has_thread;
    int result;
    galley_error error;
};

/** The pools that are nobody else's business; beside them there is the handlers'. See server_pools.c. */
struct server_pools {
    galley_pool *file;
    galley_pool *idle; /* NULL: no site compresses */
    galley_pool *tls;  /* slow steps of handshakes; NULL: no listener has TLS */
};

/** Where it listens. */
struct server_addresses {
    struct server_listener *list;
    unsigned count;
    struct networks proxies;      /* who sends a PROXY header first */
    struct forwarding forwarding; /* who names its clients by headers */
};

struct galley_server {
    struct server_config config;
    struct log_sink log;
    void (*user_log)(void *ctx, int level, const char *line);
    void *user_log_ctx;
    galley_error first_error; /* of the set-up calls; code 0: none */
    struct server_routes *routes;
    struct server_addresses addresses;
    struct server_sites sites;
    struct server_posts posts;
    struct server_loop *loops;
    struct loop **loop_handles; /* for the sites */
    struct server_counter_names *names;
    struct server_pools pools;
    _Atomic(galley_pool *) pool; /* handlers; release when made, acquire in galley_server_pool() */
    bool owns_pool;
    bool file_system_hangs; /* what the file threads may still touch is not freed */
    _Atomic(struct access_log *) access_log; /* see server_log.c */
    atomic_uint log_users;
    atomic_uint accepting_loops; /* acq_rel: the last one closes the listeners */
    atomic_uint dispatched;      /* requests, with max_requests; relaxed: a ticket */
    int stop_fd;
    atomic_int stop_wanted; /* enum server_stop; only grows. Release, then the write to stop_fd */
    struct server_drain drain;
    struct queue_shedder *shedder;   /* of pool; NULL: nothing is shed by time */
    struct stall_watch *stall_watch; /* NULL: nobody looks */
    struct galley_test *test; /* drives it instead of threads and sockets; NULL: nothing does */
    pthread_mutex_t
        lock; /* progress; and making and freeing what galley_server_get_stats() reads */
    pthread_cond_t ended;
    struct server_progress progress;
};

/* ---- server_run.c ---- */
/** From set-up to ready to be served, by threads (test NULL) or by a test client. On failure nothing
 *  of it is left. */
int server_begin(struct galley_server *srv, struct galley_test *test, galley_error *err);
/** Is this a child of the process in which it runs? Its threads are not here, its locks may be held
 *  for ever, its descriptors are shared with the parent. Async-signal-safe. */
bool server_is_forked(const struct galley_server *srv);
/** The first loop has ended: take it apart. What the run returns. */
int server_end(struct galley_server *srv, galley_error *err);

/* ---- test_client.c ---- */
/** The listener of the simulated world behind the loop. NULL: out of memory. */
const struct listener *test_client_listener(struct galley_test *test, struct loop *loop);
/** One loop, and no rule that a real clock would decide. */
void test_client_adjust(struct server_config *config);
/** The server is being freed: nothing of the test client touches it any more. */
void test_client_lose_server(struct galley_test *test);

/* ---- server_log.c ---- */
void server_log_init(struct galley_server *srv, const galley_server_options *opt);
/** After the loops: write what is left, end the writer's thread. */
void server_log_finish(struct galley_server *srv);

/* ---- server_posts.c ---- */
void server_posts_init(struct server_posts *posts);
/** The loop is there: what has been kept goes to it. Before it runs. */
void server_posts_open(struct server_posts *posts, struct loop *loop);
/** The loop has made its last turn but those that clear it: nothing more is run or taken. Any number
 *  of times. */
void server_posts_close(struct server_posts *posts);
void server_posts_finish(struct server_posts *posts);

/* ---- server_sites.c ---- */
/** Join every static site among the routes to the loops. 0 or a code with a sentence. */
int server_sites_attach(struct galley_server *srv, galley_error *err);
/** On the first loop, while it runs. */
void server_sites_stop(struct galley_server *srv);
/** After the loops. */
void server_sites_detach(struct galley_server *srv);

/* ---- server_loops.c ---- */
/** Loops, their connections and acceptors: everything but threads. On failure server_loops_finish()
 * undoes it. */
int server_loops_make(struct galley_server *srv, galley_error *err);
/** Threads for all loops but the first. */
int server_loops_start(struct galley_server *srv, galley_error *err);
/** Tell the other loops to end and join their threads. */
void server_loops_join(struct galley_server *srv);
/** No loop runs: close and free what is there. */
void server_loops_finish(struct galley_server *srv);
void server_loop_order(struct server_loop *loop, unsigned order);
void server_order_all(struct galley_server *srv, unsigned order);
/** Tell, once, when a draining loop has nothing left. */
void server_loop_report_if_idle(struct server_loop *loop);

/** Is the caller one of its loops or workers? */
bool server_is_own_thread(galley_server *srv);
/** The calling thread is a loop of srv from now on; NULL: no longer. */
void server_enter_thread(const galley_server *srv);

/** Once no loop accepts any more: clients are refused from now on. */
void server_listeners_close(galley_server *srv);

/* ---- server_stats.c ---- */
/** The names of counters that come from tables of other rooms. NULL: out of memory. */
struct server_counter_names *server_counter_names_make(void);

/* ---- server_accept.c ---- */
int server_acceptors_make(struct server_loop *loop, galley_error *err);
void server_acceptors_close(struct server_loop *loop);
void server_acceptors_pause(struct server_loop *loop);
/** conn_set.removed */
void server_conn_removed(struct conn_set *set, void *ctx);
/** The descriptor of a client becomes a connection of this loop, which may close an idle one. door:
 *  the number of the listener. */
void server_take_connection(struct server_loop *loop, unsigned door, int fd);

/* ---- server_balance.c ---- */
/** Give a client that came here to a loop that has fewer and waits for something to do. False: there
 *  is none, it stays. */
bool server_hand_over(struct server_loop *loop, unsigned door, int fd);
/** Tell the other loops how many connections it has. */
void server_balance_count(struct server_loop *loop);

/* ---- server_tls.c ---- */
/** Watch the files of every galley_tls that it listens by, on the first loop, before that runs. 0 or
 *  GALLEY_ENOMEM. */
int server_tls_watch(struct galley_server *srv, galley_error *err);
/** On the first loop, or before it has run. */
void server_tls_unwatch(struct galley_server *srv);
/** The first loop has made its last turn. */
void server_tls_forget(struct galley_server *srv);

/* ---- server_memory.c ---- */
/** Refuse what cannot fit, warn of what hardly does, choose max_connections if nobody said. */
int server_memory_settle(struct galley_server *srv, galley_error *err);

/* ---- server_drain.c ---- */
/** Watch for galley_server_stop() on the first loop. */
int server_drain_watch(struct galley_server *srv, galley_error *err);
void server_drain_unwatch(struct galley_server *srv);
/** On the first loop: nothing is left on any. */
void server_drain_all_idle(struct galley_server *srv);
/** On the loop, before it lets go of them: which handlers have not returned. */
void server_drain_report_held(struct server_loop *loop);
/** What the run returns. */
int server_drain_result(const struct galley_server *srv, galley_error *err);

/* ---- server_admission.c ---- */
/** The pools are there, the loops are not. */
int server_admission_make(struct galley_server *srv, galley_error *err);
int server_admission_start(struct galley_server *srv, galley_error *err);
/** No handler of a loop runs any more. Also when it was not started. */
void server_admission_stop(struct galley_server *srv);
/** The loops have gone. */
void server_admission_free(struct galley_server *srv);

/* ---- server_pools.c ---- */
/** What the pool for handshakes is like; only where server_has_tls(). */
galley_pool_options server_tls_pool_options(const struct server_config *config);
int server_pools_make(struct galley_server *srv, galley_error *err);
/** Does a site compress files? */
bool server_has_idle_thread(const struct galley_server *srv);
/** Of the pool that does. */
void server_idle_options(galley_pool_options *ret_options);
/** The first loop has ended: run what is queued, join the workers, as long as the drain may
 * last. */
void server_pools_drain(struct galley_server *srv);
/** Steps of handshakes that are under way end; they wait for nothing. Part of the drain, and of a start
 *  that fails. */
void server_pools_end_tls(struct galley_server *srv);
/** A handler does not return: give the server's own pool up. */
void server_pools_detach(struct galley_server *srv);
/** Free what was drained. */
void server_pools_free(struct galley_server *srv);

#endif
