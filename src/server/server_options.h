/* server/server_options.h — a user's options checked, with the defaults put in. Set-up thread. */
#ifndef SERVER_SERVER_OPTIONS_H
#define SERVER_SERVER_OPTIONS_H

#include "base/cgroup.h"
#include "coding/compressible.h"
#include "conn/conn.h"
#include "exchange/exchange.h"
#include "http/limits.h"

#include <galley/server.h>

enum { SERVER_MAX_LOOPS = 256, SERVER_NAME_MAX = 48 };

struct server_config {
    unsigned loops;
    unsigned file_threads;
    unsigned max_connections;
    bool chose_connections;            /* nobody said how many */
    const struct cgroup_paths *cgroup; /* where the limits of memory are read */
    unsigned max_requests;             /* 0: none */
    unsigned max_requests_per_connection;
    struct http_limits limits;
    struct conn_limits conn_limits;
    size_t max_memory_bytes;
    uint32_t queue_timeout_ms;
    uint32_t queue_target_ms; /* 0: no such rule */
    int64_t drain_ms;         /* GALLEY_FOREVER: no deadline */
    uint32_t stall_warn_ms;
    int io;                            /* GALLEY_IO_… */
    bool compresses;                   /* routes that do not say */
    struct compressible compressible;  /* what those compress; its list is owned */
    bool no_plain_h2;                  /* listeners without TLS answer in HTTP/1.1 */
    bool hints_over_http1;             /* 103 (RFC 8297), not only over HTTP/2 */
    uint32_t max_streams;              /* of an HTTP/2 connection at once; 0: the usual */
    char *spool_dir;                   /* owned; never NULL once it is made */
    char server_name[SERVER_NAME_MAX]; /* "": none */
    galley_pool *pool;                 /* the user's, or NULL */
    bool has_pool_options;
    galley_pool_options pool_options; /* a copy; what it points to is the user's */
};

/** opt may be NULL. 0, GALLEY_EINVAL with one sentence that names the field, or GALLEY_ENOMEM; to
 *  be finished in each case. */
int server_config_from_options(struct server_config *config, const galley_server_options *opt,
                               galley_error *err);
/** How its loops wait. */
enum loop_backend_kind server_backend(const struct server_config *config);
/** Free what it owns; a zeroed one is allowed. */
void server_config_finish(struct server_config *config);
/** What a route's options say, with the server's defaults, but for its gate. 0 or GALLEY_EINVAL. */
int server_route_from_options(struct route_target *target, const galley_route_options *opt,
                              const struct server_config *config, galley_error *err);

#endif
