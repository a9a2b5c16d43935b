/* daemon/https.h — what a site does for the sake of HTTPS: sends those who come without TLS there, tells
 * browsers to come with it from now on, and those who have come where else they could ask. Set up on the
 * main thread; then read-only, run by handlers' threads. */
#ifndef DAEMON_HTTPS_H
#define DAEMON_HTTPS_H

#include "daemon/options.h"

#include <galley/server.h>

struct https {
    const char *hsts;    /* NULL: not said */
    const char *alt_svc; /* as well */
    bool redirects;
    char port[16]; /* ":8443"; "" for 443 */
};

/** Are the values good? 0 or GALLEY_EINVAL with one sentence. */
int https_check(const struct options *options, galley_error *err);
/** Take the options; nothing is done for those that are not given. After the listeners are open, for
 *  the port of a redirection. `https` stays as long as the server. 0 or what galley_server_use()
 *  returns. */
int https_set_up(struct https *https, galley_server *server, const struct options *options);

#endif
