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

/* Index of the host, or where it belongs. */
static bool find(const struct route_host_list *list, struct span name, unsigned *ret_index)
{
    unsigned low = 0, high = list->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        int at = order(list->sorted[middle]->name, name);
        if (at == 0) {
            *ret_index = middle;
            return true;
        }
        if (at < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_index = low;
    return false;
}

static bool make_room(struct route_host_list *list, struct arena *arena)
{
    if (list->count < list->capacity) {
        return true;
    }
    unsigned capacity = list->capacity ? list->capacity * 2 : 4;
    struct route_host **grown = arena_alloc(arena, capacity * sizeof(*grown));
    if (!grown) {
        return false;
    }
    for (unsigned i = 0; i < list->count; i++) {
        grown[i] = list->sorted[i];
    }
    list->sorted = grown;
    list->capacity = capacity;
    return true;
}

struct route_node *route_hosts_tree(struct route_hosts *hosts, struct arena *arena,
                                    const struct pattern *pattern)
{
    struct route_host_list *list = pattern->has_star ? &hosts->starred : &hosts->exact;
    unsigned index = 0;
    if (find(list, pattern->host, &index)) {
        return &list->sorted[index]->root;
    }
    struct route_host *added = make_room(list, arena) ? arena_alloc(arena, sizeof *added) : NULL;
    if (!added) {
        return NULL;
    }
    *added = (struct route_host){.name = pattern->host};
    for (unsigned i = list->count; i > index; i--) {
        list->sorted[i] = list->sorted[i - 1];
    }
    list->sorted[index] = added;
    list->count++;
    return &added->root;
}

static bool find_in(const struct route_host_list *list, struct route_search *search,
                    struct span host, struct span path)
{
    unsigned index = 0;
    return find(list, host, &index) && route_tree_find(&list->sorted[index]->root, search, path);
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
