/* net/proxy_protocol.c — see proxy_protocol.h. Sections are those of the specification. */
#include "net/proxy_protocol.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum {
    V2_COMMAND = 12, /* behind the signature: version and command, family, length */
    V2_FAMILY = 13,
    V2_LENGTH = 14,
    V2_HEAD = 16,
    TLV_HEAD = 3,
    TLV_CRC32C = 0x03,
    CRC_BYTES = 4,
    MAX_PORT = 65535,
    HOST_ROOM = 48,
    BYTE_BITS = 8,
};

static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";
_Static_assert(sizeof v2_signature - 1 == V2_COMMAND, "the signature");

/* Do bytes begin as all of `with` does, as far as they go? */
static bool may_begin(struct span bytes, struct span with)
{
    size_t len = bytes.len < with.len ? bytes.len : with.len;
    return memcmp(bytes.ptr, with.ptr, len) == 0;
}

/* ---- version 1 (§2.1): "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n" ---- */

/* The form that inet_ntop writes is the only one for IPv4; IPv6 has several, all are read. */
static bool parse_host(struct span text, uint8_t family, struct peer_address *ret)
{
    char host[HOST_ROOM];
    if (text.len == 0 || text.len >= sizeof host || span_find(text, '\0') < text.len) {
        return false;
    }
    memcpy(host, text.ptr, text.len);
    host[text.len] = '\0';
    ret->family = family;
    return inet_pton(family, host, ret->bytes) == 1;
}

static bool parse_port(struct span text, struct peer_address *ret)
{
    uint64_t port;
    bool has_leading_zero = text.len > 1 && text.ptr[0] == '0';
    if (has_leading_zero || !text_parse_u64(text, &port) || port > MAX_PORT) {
        return false;
    }
    ret->port = (uint16_t)port;
    return true;
}

/* rest: behind the family's word, with its single space. */
static bool parse_v1_addresses(struct span rest, uint8_t family, struct proxy_header *header)
{
    struct span words[4];
    for (unsigned i = 0; i < 4; i++) {
        rest = span_cut(rest, ' ', &words[i]);
    }
    bool has_four = rest.ptr == NULL && words[3].ptr != NULL;
    return has_four && parse_host(words[0], family, &header->source) &&
           parse_host(words[1], family, &header->destination) &&
           parse_port(words[2], &header->source) && parse_port(words[3], &header->destination);
}

static bool parse_v1_line(struct span line, struct proxy_header *header)
{
    struct span word;
    struct span rest = span_cut(span_from(line, 6), ' ', &word);
    if (span_equal(word, SPAN("UNKNOWN"))) {
        return true; /* what follows is to be ignored */
    }
    bool is_inet6 = span_equal(word, SPAN("TCP6"));
    if (!rest.ptr || (!is_inet6 && !span_equal(word, SPAN("TCP4")))) {
        return false;
    }
    return parse_v1_addresses(rest, is_inet6 ? AF_INET6 : AF_INET, header);
}

static enum proxy_result parse_v1(struct span bytes, struct proxy_header *header)
{
    size_t end = span_find(bytes, '\n');
    if (end == bytes.len) {
        return bytes.len < PROXY_V1_MAX_BYTES ? PROXY_MORE : PROXY_BAD;
    }
    struct span line = span_make(bytes.ptr, end - 1); /* "PROXY " stands before it */
    if (end >= PROXY_V1_MAX_BYTES || bytes.ptr[end - 1] != '\r' || !parse_v1_line(line, header)) {
        return PROXY_BAD;
    }
    header->version = 1;
    header->bytes = end + 1;
    return PROXY_WHOLE;
}

/* ---- version 2 (§2.2) ---- */

static unsigned be16(const char *at)
{
    return (unsigned)(uint8_t)at[0] << BYTE_BITS | (uint8_t)at[1];
}

static uint32_t be32(const char *at)
{
    return (uint32_t)be16(at) << (2 * BYTE_BITS) | be16(at + 2);
}

/* RFC 4960, appendix B: CRC-32C. `len` bytes, of which the four at `hole` count as zeros. */
static uint32_t crc32c(const char *data, size_t len, size_t hole)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        bool is_hole = i >= hole && i < hole + CRC_BYTES;
        crc ^= is_hole ? 0U : (uint8_t)data[i];
        for (int bit = 0; bit < BYTE_BITS; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0x82F63B78U : crc >> 1;
        }
    }
    return ~crc;
}

/* §2.2.3: "the receiver MUST verify the checksum" if there is one. */
static bool check_crc(struct span header, size_t value, size_t len)
{
    return len == CRC_BYTES && crc32c(header.ptr, header.len, value) == be32(header.ptr + value);
}

/* §2.2: what stands behind the addresses is a row of TLVs that fills the header exactly. */
static bool check_tlvs(struct span header, size_t at)
{
    while (at < header.len) {
        if (header.len - at < TLV_HEAD) {
            return false;
        }
        size_t len = be16(header.ptr + at + 1);
        size_t value = at + TLV_HEAD;
        if (len > header.len - value) {
            return false;
        }
        if (header.ptr[at] == TLV_CRC32C && !check_crc(header, value, len)) {
            return false;
        }
        at = value + len;
    }
    return true;
}

struct v2_family {
    uint8_t code; /* family and transport */
    uint8_t family;
    uint8_t host_bytes;
    uint8_t block_bytes; /* both hosts, both ports; or paths */
};

/* Of TCP connections. A proxy that took its client at a unix socket says so, and no more. */
static const struct v2_family families[] = {
    {0x11, AF_INET, 4, 12},
    {0x21, AF_INET6, 16, 36},
    {0x31, 0, 0, 216},
};

static const struct v2_family *family_of(uint8_t code)
{
    for (unsigned i = 0; i < sizeof families / sizeof *families; i++) {
        if (families[i].code == code) {
            return &families[i];
        }
    }
    return NULL;
}

static void take_v2_peer(struct peer_address *ret, const struct v2_family *family, const char *host,
                         const char *port)
{
    ret->family = family->family;
    ret->port = (uint16_t)be16(port);
    memcpy(ret->bytes, host, family->host_bytes);
}

static void take_v2_addresses(const char *block, const struct v2_family *family,
                              struct proxy_header *ret)
{
    const char *ports = block + 2 * (size_t)family->host_bytes;
    if (family->family != 0) {
        take_v2_peer(&ret->source, family, block, ports);
        take_v2_peer(&ret->destination, family, block + family->host_bytes, ports + 2);
    }
}

/* Of other families we know no address, and no length of it to find the TLVs by: the peer itself is
 * taken for the client (§2.2: "should be treated as UNSPEC"). */
static bool parse_v2_whole(struct span header, struct proxy_header *ret)
{
    enum { LOCAL = 0x20, PROXY = 0x21 };
    uint8_t command = (uint8_t)header.ptr[V2_COMMAND];
    const struct v2_family *family = family_of((uint8_t)header.ptr[V2_FAMILY]);
    if (command != PROXY || !family) {
        return command == PROXY || command == LOCAL; /* LOCAL: the proxy's own connection */
    }
    size_t tlvs = V2_HEAD + (size_t)family->block_bytes;
    if (header.len < tlvs || !check_tlvs(header, tlvs)) {
        return false;
    }
    take_v2_addresses(header.ptr + V2_HEAD, family, ret);
    return true;
}

static enum proxy_result parse_v2(struct span bytes, struct proxy_header *header)
{
    if (bytes.len < V2_HEAD) {
        return PROXY_MORE;
    }
    size_t len = V2_HEAD + be16(bytes.ptr + V2_LENGTH);
    if (len > PROXY_MAX_BYTES) {
        return PROXY_BAD;
    }
    if (bytes.len < len) {
        return PROXY_MORE;
    }
    if (!parse_v2_whole(span_make(bytes.ptr, len), header)) {
        return PROXY_BAD;
    }
    header->version = 2;
    header->bytes = len;
    return PROXY_WHOLE;
}

/* As a socket's peer is told: an IPv4 client whom the proxy's socket took for both families is known by
 * its IPv4 address, or rules for networks would not find it. */
static void unmap(struct peer_address *peer)
{
    struct sockaddr_storage addr;
    socklen_t len = peer_address_to(peer, &addr);
    peer_address_from(peer, (struct sockaddr *)&addr, len);
}

enum proxy_result proxy_header_parse(struct span bytes, struct proxy_header *ret)
{
    struct span v1 = SPAN("PROXY ");
    struct span v2 = span_make(v2_signature, V2_COMMAND);
    enum proxy_result result = PROXY_BAD;
    *ret = (struct proxy_header){0};
    if (bytes.len == 0) {
        return PROXY_MORE;
    }
    if (may_begin(bytes, v1)) {
        result = bytes.len < v1.len ? PROXY_MORE : parse_v1(bytes, ret);
    } else if (may_begin(bytes, v2)) {
        result = parse_v2(bytes, ret);
    }
    if (result != PROXY_WHOLE) {
        *ret = (struct proxy_header){0};
        return result;
    }
    unmap(&ret->source);
    unmap(&ret->destination);
    return result;
}
