/* route/route_hosts.h — the hosts that patterns name, each with a tree of its own. Two sorted arrays:
 * exact hosts, and those that had "*." before them. A look-up is a binary search for the host and
 * one for each of its dots; it allocates nothing. Set-up thread while it grows; then any. */
#ifndef ROUTE_ROUTE_HOSTS_H
#define ROUTE_ROUTE_HOSTS_H

#include "route/route_tree.h"

/** Zeroed: empty. */
struct route_hosts {
    struct node_list exact; /* roots, by host, compared in any case */
    struct node_list starred;
};

/** The tree for the pattern's host, made if it is the first. NULL: out of memory. */
struct route_node *route_hosts_tree(struct route_hosts *hosts, struct arena *arena,
                                    const struct pattern *pattern);
/** Look into the trees that are for this host, the nearest first: exact, then the longest with a
 *  star. True when one has a route. */
bool route_hosts_find(const struct route_hosts *hosts, struct route_search *search,
                      struct span host, struct span path);
static inline bool route_hosts_is_empty(const struct route_hosts *hosts)
{
    return hosts->exact.count + hosts->starred.count == 0;
}

#endif
