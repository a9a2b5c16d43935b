/* tests/unit/net/test_proxy_protocol.c — the header of the PROXY protocol: both versions, every
 * prefix of a good one, and what is refused. Sections are those of the specification. */
#include "net/proxy_protocol.h"

#include "test.h"

#define BYTES(literal) span_make(literal, sizeof(literal) - 1)

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define INET_BLOCK                                                                                 \
    "\xC0\x00\x02\x07"                                                                             \
    "\xC6\x33\x64\x01"                                                                             \
    "\xDC\x04"                                                                                     \
    "\x01\xBB"

static void expect_peer(const struct peer_address *peer, const char *host, unsigned port)
{
    char text[ADDRESS_TEXT_MAX];
    peer_address_format(text, peer);
    EXPECT_TEXT(text, host);
    EXPECT_INT(peer->port, port);
}

/* Whole, with the client's bytes behind it; and each part of it asks for more. */
static struct proxy_header expect_whole(struct span header)
{
    struct proxy_header got;
    char bytes[PROXY_MAX_BYTES + 1];
    memcpy(bytes, header.ptr, header.len);
    bytes[header.len] = 'G';
    for (size_t len = 0; len < header.len; len++) {
        EXPECT_INT(proxy_header_parse(span_make(bytes, len), &got), PROXY_MORE);
    }
    EXPECT_INT(proxy_header_parse(span_make(bytes, header.len + 1), &got), PROXY_WHOLE);
    EXPECT_INT(got.bytes, header.len);
    return got;
}

static void expect_bad(struct span header)
{
    struct proxy_header got;
    enum proxy_result result = proxy_header_parse(header, &got);
    if (result != PROXY_BAD) {
        test_fail(__FILE__, __LINE__, "%.*s: %d", SPAN_ARGS(header), (int)result);
    }
    EXPECT_INT(got.bytes, 0);
    EXPECT_INT(got.source.family, 0);
}

/* ---- version 1, §2.1 ---- */

TEST(a_line_tells_the_client)
{
    struct proxy_header got = expect_whole(SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"));
    EXPECT_INT(got.version, 1);
    expect_peer(&got.source, "192.0.2.7", 56324);
    expect_peer(&got.destination, "198.51.100.1", 443);
    got = expect_whole(SPAN("PROXY TCP6 2001:db8::7 ::1 65535 0\r\n"));
    expect_peer(&got.source, "2001:db8::7", 65535);
    expect_peer(&got.destination, "::1", 0);
}

TEST(the_longest_line_is_107_bytes)
{
    struct span longest = SPAN("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 "
                               "..............................................\r\n");
    EXPECT_INT(longest.len, PROXY_V1_MAX_BYTES - 1);
    struct proxy_header got = expect_whole(longest);
    EXPECT_INT(got.source.family, 0);
    char too_long[PROXY_V1_MAX_BYTES + 3];
    memset(too_long, 'x', sizeof too_long);
    memcpy(too_long, "PROXY UNKNOWN ", 14);
    expect_bad(span_make(too_long, PROXY_V1_MAX_BYTES));
    too_long[PROXY_V1_MAX_BYTES] = '\r';
    too_long[PROXY_V1_MAX_BYTES + 1] = '\n';
    expect_bad(span_make(too_long, PROXY_V1_MAX_BYTES + 2));
}

TEST(unknown_tells_nobody)
{
    struct proxy_header got = expect_whole(SPAN("PROXY UNKNOWN\r\n"));
    EXPECT_INT(got.source.family, 0);
    got = expect_whole(SPAN("PROXY UNKNOWN 192.0.2.7 whatever\r\n"));
    EXPECT_INT(got.source.family, 0);
}

TEST(a_line_is_read_in_one_way_only)
{
    static const char *const lines[] = {
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 \r\n",
        "PROXY TCP5 192.0.2.7 192.0.2.8 1 2\r\n",
        "PROXY tcp4 192.0.2.7 192.0.2.8 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 \r\n",
        "PROXY TCP4  192.0.2.7 192.0.2.8 1 2\r\n",
        "PROXY  TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
        "PROXY TCP4 192.0.2.7\t192.0.2.8 1 2\r\n",
        "PROXY TCP4 192.0.2.007 192.0.2.8 1 2\r\n",
        "PROXY TCP4 192.0.2 192.0.2.8 1 2\r\n",
        "PROXY TCP4 ::1 192.0.2.8 1 2\r\n",
        "PROXY TCP6 192.0.2.7 ::1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.8 01 2\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.8 +1 2\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.8 65536 2\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n",
        "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\r\n",
        "proxy TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
        "GET / HTTP/1.1\r\n",
        " PROXY UNKNOWN\r\n",
    };
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
        expect_bad(span_of(lines[i]));
    }
}

/* ---- version 2, §2.2 ---- */

TEST(bytes_tell_the_client)
{
    struct proxy_header got = expect_whole(BYTES(SIGNATURE "\x21\x11\x00\x0C" INET_BLOCK));
    EXPECT_INT(got.version, 2);
    expect_peer(&got.source, "192.0.2.7", 56324);
    expect_peer(&got.destination, "198.51.100.1", 443);
    got = expect_whole(BYTES(SIGNATURE "\x21\x21\x00\x24"
                                       "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x07"
                                       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
                                       "\x00\x50\x01\xBB"));
    expect_peer(&got.source, "2001:db8::7", 80);
    expect_peer(&got.destination, "::1", 443);
}

/* RFC 4291 §2.5.5.2: a proxy that listens for both families passes on what its socket says. Networks
 * and people know such a client by its IPv4 address, also where no proxy stands. */
TEST(an_ipv4_client_of_a_proxy_for_both_families_is_known_by_its_ipv4_address)
{
    struct proxy_header got =
        expect_whole(SPAN("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 56324 443\r\n"));
    EXPECT_INT(got.source.family, AF_INET);
    expect_peer(&got.source, "192.0.2.7", 56324);
    expect_peer(&got.destination, "198.51.100.1", 443);
    got = expect_whole(BYTES(SIGNATURE "\x21\x21\x00\x24"
                                       "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\x00\x02\x07"
                                       "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC6\x33\x64\x01"
                                       "\xDC\x04\x01\xBB"));
    EXPECT_INT(got.source.family, AF_INET);
    expect_peer(&got.source, "192.0.2.7", 56324);
    expect_peer(&got.destination, "198.51.100.1", 443);
}

TEST(a_local_connection_and_other_families_tell_nobody)
{
    struct proxy_header got = expect_whole(BYTES(SIGNATURE "\x20\x00\x00\x00"));
    EXPECT_INT(got.source.family, 0);
    got = expect_whole(BYTES(SIGNATURE "\x20\x11\x00\x0C" INET_BLOCK));
    EXPECT_INT(got.source.family, 0);
    got = expect_whole(BYTES(SIGNATURE "\x21\x00\x00\x03xyz"));
    EXPECT_INT(got.source.family, 0);
    got = expect_whole(BYTES(SIGNATURE "\x21\x12\x00\x0C" INET_BLOCK)); /* UDP */
    EXPECT_INT(got.source.family, 0);
    char paths[16 + 216] = SIGNATURE "\x21\x31\x00\xD8/run/a.sock";
    got = expect_whole(span_make(paths, sizeof paths));
    EXPECT_INT(got.source.family, 0);
}

TEST(values_behind_the_addresses_are_skipped)
{
    struct proxy_header got =
        expect_whole(BYTES(SIGNATURE "\x21\x11\x00\x16" INET_BLOCK "\x01\x00\x02h2"
                                     "\x04\x00\x02\0\0"));
    expect_peer(&got.source, "192.0.2.7", 56324);
}

/* §2.2.3: CRC-32C over the header with the sum's own bytes as zeros. */
TEST(a_checksum_is_checked)
{
    char header[] = SIGNATURE "\x21\x11\x00\x13" INET_BLOCK "\x03\x00\x04\x54\x8E\x28\xFF";
    struct span bytes = span_make(header, sizeof header - 1);
    struct proxy_header got = expect_whole(bytes);
    expect_peer(&got.source, "192.0.2.7", 56324);
    for (size_t i = 16; i < bytes.len; i++) {
        bool is_type = i == 16 + 12; /* another one is no sum */
        header[i] ^= 0x10;
        if (!is_type) {
            expect_bad(bytes);
        }
        header[i] ^= 0x10;
    }
}

TEST(broken_bytes_are_refused)
{
    expect_bad(BYTES(SIGNATURE "\x22\x11\x00\x0C" INET_BLOCK));          /* no such command */
    expect_bad(BYTES(SIGNATURE "\x11\x11\x00\x0C" INET_BLOCK));          /* version 1 */
    expect_bad(BYTES(SIGNATURE "\x31\x11\x00\x0C" INET_BLOCK));          /* version 3 */
    expect_bad(BYTES(SIGNATURE "\x21\x11\x00\x0B" INET_BLOCK));          /* block too short */
    expect_bad(BYTES(SIGNATURE "\x21\x21\x00\x0C" INET_BLOCK));          /* of IPv6 as well */
    expect_bad(BYTES(SIGNATURE "\x21\x11\x00\x0E" INET_BLOCK "\x01\0")); /* half a value */
    expect_bad(BYTES(SIGNATURE "\x21\x11\x00\x10" INET_BLOCK "\x01\0\x02h"));
    expect_bad(BYTES(SIGNATURE "\x21\x11\x00\x10" INET_BLOCK "\x03\0\x01x")); /* a sum of 1 byte */
    expect_bad(BYTES(SIGNATURE "\x21\x11\xFF\xFF"));                          /* too long */
    expect_bad(BYTES("\r\n\r\n\0\r\nQUIET"));
}
