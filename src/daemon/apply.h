/* daemon/apply.h — what was asked for, in the structs of the public API; and the server made of
 * them. Main thread. */
#ifndef DAEMON_APPLY_H
#define DAEMON_APPLY_H

#include "daemon/https.h"
#include "daemon/options.h"

#include <galley/access_log.h>
#include <galley/server.h>
#include <galley/static.h>

struct plan {
    galley_server_options server;
    galley_pool_options pool;
    galley_static_options site;
    galley_access_log_options log;
    bool has_log;
    bool log_is_terminal;
    galley_static_rule *rules; /* owned, with their patterns; ended by a NULL pattern */
    galley_static_rule *links; /* as well */
};

/** What `options` mean on this machine; keeps pointers into them. 0 or GALLEY_ENOMEM. plan_finish()
 * in both cases. */
int plan_make(struct plan *plan, const struct options *options);
void plan_finish(struct plan *plan);

struct service {
    galley_tls *tls; /* NULL: no address speaks it */
    struct https https;
    galley_static *site;
    galley_server *server;
};

/** Open the folder. 0 or a GALLEY_E… with one sentence. service_close() in both cases. */
int service_open_site(struct service *service, const struct plan *plan,
                      const struct options *options, galley_error *err);
/** The server with its routes and its log, listening nowhere. 0 or a GALLEY_E… with one
 *  sentence. */
int service_make_server(struct service *service, const struct plan *plan, galley_error *err);
/** The server on its addresses, with its certificates, not started; failures of set-up calls are told
 *  by the start. */
int service_open_server(struct service *service, const struct plan *plan,
                        const struct options *options, galley_error *err);
void service_close(struct service *service);

#endif
