/* net/address.h — where to listen and who has come: parsing and printing of addresses. Pure, no
 * name look-ups. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "base/span.h"

#include <galley/base.h>

#include <sys/socket.h>

enum address_kind { ADDRESS_INET, ADDRESS_UNIX, ADDRESS_INHERITED };

struct address {
    enum address_kind kind;
    struct sockaddr_storage storage;
    socklen_t len;
    int fd; /* ADDRESS_INHERITED */
    bool
        is_any_family; /* ":80", "80": IPv6 and IPv4, or IPv4 alone where there is no IPv6; "[::]:80" is IPv6 only */
};

/** "127.0.0.1:80", "[::]:8080", ":0" (all of IPv4 and IPv6), "8080", "unix:/run/x.sock",
 *  "unix:@abstract", "fd:3". 0 or GALLEY_EINVAL with a sentence. */
int address_parse(struct address *ret, struct span text, galley_error *err);

/** A peer kept small: 20 bytes. */
struct peer_address {
    uint8_t bytes[16];
    uint16_t port;
    uint8_t family; /* AF_INET, AF_INET6, AF_UNIX, 0: unknown */
};
void peer_address_from(struct peer_address *ret, const struct sockaddr *addr, socklen_t len);
/** Back to a sockaddr; returns its length. */
socklen_t peer_address_to(const struct peer_address *peer, struct sockaddr_storage *ret);

enum { ADDRESS_TEXT_MAX = 128 };
/** "192.0.2.7:80", "[2001:db8::7]:80", "unix:/run/x.sock", "unix"; NUL-terminated; returns the
 * length. */
size_t address_format(char out[ADDRESS_TEXT_MAX], const struct sockaddr *addr, socklen_t len);
/** Without the port: "192.0.2.7", "2001:db8::7", "unix". */
size_t peer_address_format(char out[ADDRESS_TEXT_MAX], const struct peer_address *peer);

#endif
