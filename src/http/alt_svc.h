/* http/alt_svc.h — the value of Alt-Svc: where else the same resources can be had, and by which
 * protocol (RFC 7838 §3). Read strictly, as who is going to send it must write it: no empty members, no
 * spaces but those the grammar has. Any protocol will do; nothing in galley depends on it. Pure; any
 * thread. */
#ifndef HTTP_ALT_SVC_H
#define HTTP_ALT_SVC_H

#include "base/span.h"

enum { ALT_SVC_USUAL_AGE_S = 86400 /* RFC 7838 §3.1 */ };

/** One alternative. */
struct alt_svc {
    struct span protocol; /* "h3": an ALPN name, percent-encoded where that is no token */
    struct span host;     /* empty: that of the request */
    uint16_t port;        /* 1 .. 65535 */
    uint64_t max_age_s;
    bool persists; /* it is good on other networks, too */
};

/** "clear": all alternatives are to be forgotten. Case matters. */
bool alt_svc_is_clear(struct span value);
/** Take the first alternative off *rest, with the comma behind it; at the end *rest is missing. False:
 *  malformed, and *rest is where it was. */
bool alt_svc_next(struct span *rest, struct alt_svc *ret);
/** A whole value, with at least one alternative, or clear? */
bool alt_svc_is_valid(struct span value);

#endif
