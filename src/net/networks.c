/* net/networks.c — see networks.h. A list is short and asked once a connection or request: it is
 * walked. */
#include "net/networks.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { BYTE_BITS = 8, INET_BITS = 32, INET6_BITS = 128, HOST_ROOM = 48 };

static int refuse(galley_error *err, struct span text, const char *why)
{
    return error_set(err, GALLEY_EINVAL, "network \"%.*s\": %s", SPAN_ARGS(text), why);
}

static bool parse_host(struct span host, struct network *ret)
{
    char text[HOST_ROOM];
    if (host.len == 0 || host.len >= sizeof text || span_find(host, '\0') < host.len) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    ret->family = span_find(host, ':') < host.len ? AF_INET6 : AF_INET;
    ret->bits = ret->family == AF_INET6 ? INET6_BITS : INET_BITS;
    return inet_pton(ret->family, text, ret->bytes) == 1;
}

static bool has_bits_behind(const struct network *network)
{
    unsigned total = network->family == AF_INET6 ? INET6_BITS : INET_BITS;
    for (unsigned bit = network->bits; bit < total; bit++) {
        if (network->bytes[bit / BYTE_BITS] & (0x80U >> bit % BYTE_BITS)) {
            return true;
        }
    }
    return false;
}

static int parse(struct network *ret, struct span text, galley_error *err)
{
    struct span host;
    struct span prefix = span_cut(text, '/', &host);
    uint64_t bits = 0;
    *ret = (struct network){0};
    if (span_equal(text, SPAN("unix"))) {
        ret->family = AF_UNIX;
        return GALLEY_OK;
    }
    if (!parse_host(host, ret)) {
        return refuse(err, text, "not a numeric address, as in 10.0.0.0/8, ::1 or unix");
    }
    if (prefix.ptr && (!text_parse_u64(prefix, &bits) || bits > ret->bits)) {
        return refuse(err, text, "the number of bits behind / is wrong");
    }
    if (prefix.ptr) {
        ret->bits = (uint8_t)bits;
    }
    return has_bits_behind(ret) ? refuse(err, text, "bits are set behind the network's prefix")
                                : GALLEY_OK;
}

int networks_add(struct networks *networks, struct span text, galley_error *err)
{
    struct network network;
    int rc = parse(&network, text, err);
    if (rc != GALLEY_OK) {
        return rc;
    }
    struct network *grown =
        mem_resize(networks->list, (networks->count + 1) * sizeof *networks->list);
    if (!grown) {
        return error_set(err, GALLEY_ENOMEM, "network \"%.*s\": out of memory", SPAN_ARGS(text));
    }
    networks->list = grown;
    networks->list[networks->count++] = network;
    return GALLEY_OK;
}

void networks_finish(struct networks *networks)
{
    mem_free(networks->list);
    *networks = (struct networks){0};
}

static bool is_in(const struct peer_address *peer, const struct network *network)
{
    unsigned whole = network->bits / BYTE_BITS;
    unsigned rest = network->bits % BYTE_BITS;
    if (peer->family != network->family || memcmp(peer->bytes, network->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || (peer->bytes[whole] ^ network->bytes[whole]) >> (BYTE_BITS - rest) == 0;
}

bool networks_contain(const struct networks *networks, const struct peer_address *peer)
{
    for (unsigned i = 0; i < networks->count; i++) {
        if (is_in(peer, &networks->list[i])) {
            return true;
        }
    }
    return false;
}
