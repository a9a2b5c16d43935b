/* route/route_hosts.c — see route_hosts.h. */
#include "route/route_hosts.h"

#include "base/text.h"

static int order(struct span a, struct span b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int left = (unsigned char)text_lower(a.ptr[i]);
        int right = (unsigned char)text_lower(b.ptr[i]);
        if (left != right) {
            return left - right;
        }
    }
    return (a.len > b.len) - (a.len < b.len);
}

struct route_node *route_hosts_tree(struct route_hosts *hosts, struct arena *arena,
                                    const struct pattern *pattern)
{
    struct node_list *list = pattern->has_star ? &hosts->starred : &hosts->exact;
    return node_list_take(list, arena, pattern->host, order);
}

static bool find_in(const struct node_list *list, struct route_search *search, struct span host,
                    struct span path)
{
    const struct route_node *root = node_list_find(list, host, order);
    return root && route_tree_find(root, search, path);
}

bool route_hosts_find(const struct route_hosts *hosts, struct route_search *search,
                      struct span host, struct span path)
{
    if (find_in(&hosts->exact, search, host, path)) {
        return true;
    }
    /* From the left, so that the longest suffix comes first; a star is one label at least. */
    for (size_t dot = 1; hosts->starred.count > 0 && dot < host.len; dot++) {
        if (host.ptr[dot] == '.' &&
            find_in(&hosts->starred, search, span_from(host, dot + 1), path)) {
            return true;
        }
    }
    return false;
}
