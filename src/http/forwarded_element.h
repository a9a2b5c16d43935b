/* http/forwarded_element.h — one element of Forwarded or X-Forwarded-For. Inside http/forwarded.
 * Pure; any thread. */
#ifndef HTTP_FORWARDED_ELEMENT_H
#define HTTP_FORWARDED_ELEMENT_H

#include "http/forwarded.h"

/** Pairs of RFC 7239 §4; `walk` lends its room. A malformed one leaves nothing else in *ret. */
void forwarded_element_parse(struct forwarded_walk *walk, struct span element,
                             struct forwarded_hop *ret);
/** A node of RFC 7239 §6. bare_ipv6: without brackets, too, as in X-Forwarded-For. Sets kind,
 *  address and name. */
void forwarded_node_parse(struct span node, bool bare_ipv6, struct forwarded_hop *hop);
/** "http", "https" in any case (RFC 3986 §3.1), else none. */
enum forwarded_scheme forwarded_scheme_of(struct span value);
/** The value if it is a host, else missing. */
struct span forwarded_host_of(struct span value);

#endif
