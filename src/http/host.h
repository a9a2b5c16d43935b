/* http/host.h — authorities: `host [":" port]` of Host, of absolute-form and of configuration.
 * RFC 3986 §3.2.2, RFC 9110 §7.2. Strict: no user information, no zone, no IPvFuture, not empty.
 * Pure; any thread. */
#ifndef HTTP_HOST_H
#define HTTP_HOST_H

#include "base/span.h"

enum host_kind { HOST_NAME, HOST_IPV4, HOST_IPV6 };

struct host {
    enum host_kind kind;
    struct span name; /* without port; an IPv6 literal with its brackets */
    bool has_port;    /* "host:" has none */
    uint16_t port;
};

/** 0 or GALLEY_EPROTO (answer 400). */
int host_parse(struct span value, struct host *ret);
/** Would host_parse() take it? Cheaper. */
bool host_is_valid(struct span value);

/** Of what looks like `host [":" port]`: the length of the host, brackets counted; 0 if there is none. */
size_t host_name_length(struct span value);

/** The name without the dot at its end that stands for the root of the DNS: "example.com." is
 *  "example.com". ptr NULL if nothing else is left. */
struct span host_bare_name(const struct host *host);

#endif
