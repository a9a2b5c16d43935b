/* server/server_log.c — the two logs: the user's function for events, and the access log, which may
 * be asked to reopen its file by any thread and by signal handlers while the server ends. Whoever
 * uses it counts itself in; the one who takes it away waits until nobody is inside. */
#include "base/log.h"

#include "server/server_state.h"

#include <sched.h>

/* The public levels begin at 1, so that 0 can mean the default. */
static void write_to_user(void *ctx, int level, const char *line)
{
    const galley_server *srv = ctx;
    srv->user_log(srv->user_log_ctx, level + 1, line);
}

void server_log_init(struct galley_server *srv, const galley_server_options *opt)
{
    size_t known = opt ? opt->size : 0;
    if (!opt || known < sizeof *opt || !opt->log) {
        return; /* silent */
    }
    srv->user_log = opt->log;
    srv->user_log_ctx = opt->log_ctx;
    srv->log = (struct log_sink){
        .write = write_to_user,
        .ctx = srv,
        .level = (opt->log_level ? opt->log_level : GALLEY_LOG_INFO) - 1,
    };
}

/* acquire/release by seq_cst: the count is seen before the pointer is looked at, and the other way
 * round in finish. */
static struct access_log *enter(galley_server *srv)
{
    atomic_fetch_add(&srv->log_users, 1);
    return atomic_load(&srv->access_log);
}

static void leave(galley_server *srv)
{
    atomic_fetch_sub(&srv->log_users, 1);
}

void server_log_finish(struct galley_server *srv)
{
    struct access_log *log = atomic_exchange(&srv->access_log, NULL);
    while (atomic_load(&srv->log_users) != 0) {
        sched_yield();
    }
    access_log_destroy(log);
}

int galley_server_reopen_logs(galley_server *srv)
{
    if (!srv) {
        return GALLEY_EINVAL;
    }
    if (server_is_forked(srv)) {
        return GALLEY_EFORKED; /* the writer that would be woken is the parent's */
    }
    struct access_log *log = enter(srv);
    if (log) {
        access_log_reopen(log);
    }
    leave(srv);
    return log ? GALLEY_OK : GALLEY_ESTATE;
}

int galley_server_access_log_stats(const galley_server *srv, galley_access_log_stats *stats)
{
    if (!srv || !stats) {
        return GALLEY_EINVAL;
    }
    if (server_is_forked(srv)) {
        return GALLEY_EFORKED;
    }
    galley_server *counted = (galley_server *)(uintptr_t)srv; /* only to count the caller in */
    struct access_log *log = enter(counted);
    int rc = log ? access_log_get_stats(log, stats) : GALLEY_ESTATE;
    leave(counted);
    return rc;
}
