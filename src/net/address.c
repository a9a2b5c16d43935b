/* net/address.c — addresses from text and back. Numbers only: asking a name server can block, and
 * would make the meaning of a configuration depend on somebody else. Pure, any thread. */
#include "net/address.h"

#include "base/error.h"
#include "base/inet.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

enum { MAX_PORT = 65535, MAX_FD = 1 << 20, HOST_TEXT_MAX = 64 };

/* ---- parsing --------------------------------------------------------------------------------- */

static int refuse(galley_error *err, struct span text, const char *why)
{
    return error_set(err, GALLEY_EINVAL, "address \"%.*s\": %s", SPAN_ARGS(text), why);
}

static int parse_port(uint16_t *ret, struct span port, struct span text, galley_error *err)
{
    uint64_t number;
    if (port.len == 0) {
        return refuse(err, text, "a port is missing, as in 127.0.0.1:8080");
    }
    if (!text_parse_u64(port, &number)) {
        return refuse(err, text, "the port is not a number");
    }
    if (number > MAX_PORT) {
        return refuse(err, text, "the port is more than 65535");
    }
    *ret = (uint16_t)number;
    return 0;
}

/* NUL-terminated for inet_pton; false when it cannot be an address for its length or an inner
 * NUL. */
static bool copy_host(char out[HOST_TEXT_MAX], struct span host)
{
    if (host.len == 0 || host.len >= HOST_TEXT_MAX || span_find(host, '\0') < host.len) {
        return false;
    }
    memcpy(out, host.ptr, host.len);
    out[host.len] = '\0';
    return true;
}

static void set_inet6(struct address *address, const struct in6_addr *host, uint16_t port)
{
    struct sockaddr_in6 sin6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *host};
    memcpy(&address->storage, &sin6, sizeof(sin6));
    address->len = sizeof(sin6);
}

static int parse_inet6(struct address *address, struct span text, galley_error *err)
{
    size_t end = span_find(text, ']');
    struct span host = span_make(text.ptr + 1, end - 1);
    if (end == text.len) {
        return refuse(err, text, "the ] of an IPv6 address is missing, as in [::1]:8080");
    }
    struct span rest = span_from(text, end + 1);
    char host_text[HOST_TEXT_MAX];
    struct in6_addr host_bytes;
    if (!copy_host(host_text, host) || inet_pton(AF_INET6, host_text, &host_bytes) != 1) {
        return refuse(err, text, "between [ and ] is no IPv6 address (zones are not supported)");
    }
    uint16_t port = 0;
    struct span port_text = rest.len > 0 && rest.ptr[0] == ':' ? span_from(rest, 1) : SPAN("");
    if (rest.len > 0 && rest.ptr[0] != ':') {
        return refuse(err, text, "after ] comes a colon and the port, as in [::1]:8080");
    }
    int result = parse_port(&port, port_text, text, err);
    if (result == 0) {
        set_inet6(address, &host_bytes, port);
    }
    return result;
}

static int parse_inet4(struct address *address, struct span text, size_t colon, galley_error *err)
{
    struct span host = span_make(text.ptr, colon);
    struct span port_text = span_from(text, colon + 1);
    if (span_find(port_text, ':') < port_text.len) {
        return refuse(err, text, "an IPv6 address stands between brackets, as in [::1]:8080");
    }
    char host_text[HOST_TEXT_MAX];
    struct sockaddr_in sin = {.sin_family = AF_INET};
    if (!copy_host(host_text, host) || inet_pton(AF_INET, host_text, &sin.sin_addr) != 1) {
        return refuse(err, text,
                      "not a numeric address; names are not looked up, 127.0.0.1 is this machine");
    }
    uint16_t port = 0;
    int result = parse_port(&port, port_text, text, err);
    if (result == 0) {
        sin.sin_port = htons(port);
        memcpy(&address->storage, &sin, sizeof(sin));
        address->len = sizeof(sin);
    }
    return result;
}

static int parse_any(struct address *address, struct span port_text, struct span text,
                     galley_error *err)
{
    uint16_t port = 0;
    int result = parse_port(&port, port_text, text, err);
    if (result == 0) {
        set_inet6(address, &in6addr_any, port);
        address->is_any_family = true;
    }
    return result;
}

/* unix(7): "unix:@name" is an abstract socket, its first byte is NUL and its length counts. */
static int parse_unix(struct address *address, struct span path, struct span text,
                      galley_error *err)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    if (path.len == 0 || (path.len == 1 && path.ptr[0] == '@')) {
        return refuse(err, text, "a path is missing, as in unix:/run/galley.sock");
    }
    if (span_find(path, '\0') < path.len) {
        return refuse(err, text, "the path has a NUL in it");
    }
    if (path.len >= sizeof(sun.sun_path)) {
        return refuse(err, text, "the path of a unix socket has at most 107 bytes");
    }
    memcpy(sun.sun_path, path.ptr, path.len);
    size_t len = offsetof(struct sockaddr_un, sun_path) + path.len;
    if (path.ptr[0] == '@') {
        sun.sun_path[0] = '\0';
    } else {
        len++; /* the NUL */
    }
    address->kind = ADDRESS_UNIX;
    memcpy(&address->storage, &sun, sizeof(sun));
    address->len = (socklen_t)len;
    return 0;
}

static int parse_inherited(struct address *address, struct span number, struct span text,
                           galley_error *err)
{
    uint64_t fd;
    if (!text_parse_u64(number, &fd) || fd > MAX_FD) {
        return refuse(err, text, "not the number of a descriptor, as in fd:3");
    }
    address->kind = ADDRESS_INHERITED;
    address->fd = (int)fd;
    return 0;
}

static int parse_any_kind(struct address *address, struct span text, galley_error *err)
{
    if (text.len == 0) {
        return refuse(err, text, "empty");
    }
    if (span_starts_with(text, SPAN("unix:"))) {
        return parse_unix(address, span_from(text, 5), text, err);
    }
    if (span_starts_with(text, SPAN("fd:"))) {
        return parse_inherited(address, span_from(text, 3), text, err);
    }
    if (text.ptr[0] == '[') {
        return parse_inet6(address, text, err);
    }
    size_t colon = span_find(text, ':');
    if (colon == 0 && span_find(span_from(text, 1), ':') == text.len - 1) {
        return parse_any(address, span_from(text, 1), text, err);
    }
    if (colon < text.len) {
        return parse_inet4(address, text, colon, err);
    }
    if (!text_is_digit(text.ptr[0]) || span_find(text, '.') < text.len) {
        return refuse(err, text, "a port is missing, as in 127.0.0.1:8080");
    }
    return parse_any(address, text, text, err);
}

int address_parse(struct address *ret, struct span text, galley_error *err)
{
    struct address address = {.kind = ADDRESS_INET, .fd = -1};
    int result = parse_any_kind(&address, text, err);
    if (result == 0) {
        *ret = address;
    }
    return result;
}

/* ---- peers ----------------------------------------------------------------------------------- */

void peer_address_from(struct peer_address *ret, const struct sockaddr *addr, socklen_t len)
{
    *ret = (struct peer_address){0};
    if (len < sizeof(addr->sa_family)) {
        return;
    }
    if (addr->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in sin;
        memcpy(&sin, addr, sizeof(sin));
        ret->family = AF_INET;
        ret->port = ntohs(sin.sin_port);
        memcpy(ret->bytes, &sin.sin_addr, 4);
    } else if (addr->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 sin6;
        memcpy(&sin6, addr, sizeof(sin6));
        ret->port = ntohs(sin6.sin6_port);
        memcpy(ret->bytes, sin6.sin6_addr.s6_addr, 16);
        ret->family = inet_unmap(ret->bytes) ? AF_INET : AF_INET6;
    } else if (addr->sa_family == AF_UNIX) {
        ret->family = AF_UNIX;
    }
}

socklen_t peer_address_to(const struct peer_address *peer, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){.ss_family = peer->family};
    if (peer->family == AF_INET) {
        struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(peer->port)};
        memcpy(&sin.sin_addr, peer->bytes, 4);
        memcpy(ret, &sin, sizeof(sin));
        return sizeof(sin);
    }
    if (peer->family == AF_INET6) {
        struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(peer->port)};
        memcpy(&sin6.sin6_addr, peer->bytes, 16);
        memcpy(ret, &sin6, sizeof(sin6));
        return sizeof(sin6);
    }
    return sizeof(sa_family_t);
}

/* ---- printing -------------------------------------------------------------------------------- */

static size_t printed(int result)
{
    size_t len = result < 0 ? 0 : (size_t)result;
    return len < ADDRESS_TEXT_MAX ? len : ADDRESS_TEXT_MAX - 1;
}

size_t peer_address_format(char out[ADDRESS_TEXT_MAX], const struct peer_address *peer)
{
    const char *fixed = peer->family == AF_UNIX ? "unix" : "unknown";
    bool is_inet = peer->family == AF_INET || peer->family == AF_INET6;
    if (is_inet && inet_ntop(peer->family, peer->bytes, out, ADDRESS_TEXT_MAX)) {
        return strlen(out);
    }
    return printed(snprintf(out, ADDRESS_TEXT_MAX, "%s", fixed));
}

static size_t format_unix(char out[ADDRESS_TEXT_MAX], const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_un sun = {0};
    memcpy(&sun, addr, len < sizeof(sun) ? len : sizeof(sun));
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    if (len <= offset) {
        return printed(snprintf(out, ADDRESS_TEXT_MAX, "unix"));
    }
    size_t max_path = len - offset < sizeof(sun.sun_path) ? len - offset : sizeof(sun.sun_path);
    bool is_abstract = sun.sun_path[0] == '\0';
    const char *path = sun.sun_path + is_abstract;
    size_t path_len = strnlen(path, max_path - is_abstract);
    return printed(snprintf(out, ADDRESS_TEXT_MAX, "unix:%s%.*s", is_abstract ? "@" : "",
                            (int)path_len, path));
}

size_t address_format(char out[ADDRESS_TEXT_MAX], const struct sockaddr *addr, socklen_t len)
{
    struct peer_address peer;
    peer_address_from(&peer, addr, len);
    if (peer.family == AF_UNIX) {
        return format_unix(out, addr, len);
    }
    if (peer.family == 0) {
        return printed(snprintf(out, ADDRESS_TEXT_MAX, "unknown"));
    }
    char host[ADDRESS_TEXT_MAX];
    peer_address_format(host, &peer);
    bool is_inet6 = peer.family == AF_INET6;
    return printed(snprintf(out, ADDRESS_TEXT_MAX, "%s%.64s%s:%u", is_inet6 ? "[" : "", host,
                            is_inet6 ? "]" : "", (unsigned)peer.port));
}
