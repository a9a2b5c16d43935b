/* tests/unit/net/test_address.c — addresses from text and back. */
#include "net/address.h"

#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static void expect_round_trip(const char *text, const char *printed)
{
    struct address address;
    galley_error err = {0};
    int result = address_parse(&address, span_of(text), &err);
    if (result != 0) {
        test_fail(__FILE__, __LINE__, "%s: %s", text, err.message);
    }
    char out[ADDRESS_TEXT_MAX];
    size_t len = address_format(out, (struct sockaddr *)&address.storage, address.len);
    EXPECT_TEXT(out, printed);
    EXPECT_INT(len, strlen(out));
}

TEST(good_addresses_are_parsed_and_printed)
{
    expect_round_trip("127.0.0.1:80", "127.0.0.1:80");
    expect_round_trip("0.0.0.0:0", "0.0.0.0:0");
    expect_round_trip("255.255.255.255:65535", "255.255.255.255:65535");
    expect_round_trip("[::]:8080", "[::]:8080");
    expect_round_trip("[2001:DB8::7]:80", "[2001:db8::7]:80");
    expect_round_trip("[::ffff:192.0.2.7]:80", "192.0.2.7:80");
    expect_round_trip(":0", "[::]:0");
    expect_round_trip(":7878", "[::]:7878");
    expect_round_trip("8080", "[::]:8080");
    expect_round_trip("unix:/run/x.sock", "unix:/run/x.sock");
    expect_round_trip("unix:relative.sock", "unix:relative.sock");
    expect_round_trip("unix:@abstract", "unix:@abstract");
}

TEST(only_a_bare_port_means_both_families)
{
    struct address address;
    EXPECT_INT(address_parse(&address, SPAN(":80"), NULL), 0);
    EXPECT(address.is_any_family);
    EXPECT_INT(address_parse(&address, SPAN("80"), NULL), 0);
    EXPECT(address.is_any_family);
    EXPECT_INT(address_parse(&address, SPAN("[::]:80"), NULL), 0);
    EXPECT(!address.is_any_family);
    EXPECT_INT(address_parse(&address, SPAN("0.0.0.0:80"), NULL), 0);
    EXPECT(!address.is_any_family);
}

TEST(an_inherited_descriptor_is_a_number)
{
    struct address address;
    EXPECT_INT(address_parse(&address, SPAN("fd:3"), NULL), 0);
    EXPECT_INT(address.kind, ADDRESS_INHERITED);
    EXPECT_INT(address.fd, 3);
}

static void expect_refused(struct span text, const char *why)
{
    struct address address = {.fd = 4711};
    galley_error err = {0};
    EXPECT_INT(address_parse(&address, text, &err), GALLEY_EINVAL);
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT_INT(address.fd, 4711); /* outputs are written only on success */
    if (!strstr(err.message, why)) {
        test_fail(__FILE__, __LINE__, "%.*s: %s", SPAN_ARGS(text), err.message);
    }
}

TEST(bad_addresses_are_refused_with_a_sentence)
{
    expect_refused(SPAN(""), "empty");
    expect_refused(SPAN(":"), "port is missing");
    expect_refused(SPAN("127.0.0.1"), "port is missing");
    expect_refused(SPAN("127.0.0.1:"), "port is missing");
    expect_refused(SPAN("127.0.0.1:65536"), "65535");
    expect_refused(SPAN(":99999999999999999999999"), "not a number");
    expect_refused(SPAN("127.0.0.1:+80"), "not a number");
    expect_refused(SPAN("127.0.0.1:80 "), "not a number");
    expect_refused(SPAN("127.0.0.1:0x50"), "not a number");
    expect_refused(SPAN("127.1:80"), "not a numeric address");
    expect_refused(SPAN("256.0.0.1:80"), "not a numeric address");
    expect_refused(SPAN("01.2.3.4:80"), "not a numeric address");
    expect_refused(SPAN("localhost:80"), "not a numeric address");
    expect_refused(SPAN("localhost"), "port is missing");
    expect_refused(SPAN("::1:80"), "brackets");
    expect_refused(SPAN("fe80::1"), "brackets");
    expect_refused(SPAN("[::1"), "]");
    expect_refused(SPAN("[::1]"), "port is missing");
    expect_refused(SPAN("[::1]80"), "after ]");
    expect_refused(SPAN("[]:80"), "no IPv6 address");
    expect_refused(SPAN("[fe80::1%eth0]:80"), "no IPv6 address");
    expect_refused(SPAN("[127.0.0.1]:80"), "no IPv6 address");
    expect_refused(SPAN("[::1\0]:80"), "no IPv6 address");
    expect_refused(SPAN("unix:"), "path is missing");
    expect_refused(SPAN("unix:@"), "path is missing");
    expect_refused(SPAN("unix:/a\0b"), "NUL");
    expect_refused(SPAN("fd:"), "descriptor");
    expect_refused(SPAN("fd:-1"), "descriptor");
    expect_refused(SPAN("fd:99999999999"), "descriptor");
    expect_refused(SPAN("fd:name"), "descriptor");
}

TEST(a_unix_path_has_at_most_107_bytes)
{
    char text[5 + 109] = "unix:";
    memset(text + 5, 'x', 108);
    struct address address;
    EXPECT_INT(address_parse(&address, span_make(text, 5 + 107), NULL), 0);
    char out[ADDRESS_TEXT_MAX];
    address_format(out, (struct sockaddr *)&address.storage, address.len);
    EXPECT_INT(strlen(out), 5 + 107);
    expect_refused(span_make(text, 5 + 108), "107");
}

TEST(any_bytes_are_parsed_without_harm)
{
    static const char alphabet[] = "0123456789.:[]abfdunix@/% -";
    for (unsigned round = 0; round < test_rounds(20000); round++) {
        char text[24];
        size_t len = test_random_below(sizeof(text));
        for (size_t i = 0; i < len; i++) {
            text[i] = alphabet[test_random_below(sizeof(alphabet))];
        }
        char *exact = malloc(len ? len : 1); /* so that reading past it is seen */
        memcpy(exact, text, len);
        struct address address;
        if (address_parse(&address, span_make(exact, len), NULL) == 0) {
            char out[ADDRESS_TEXT_MAX];
            EXPECT(address.kind == ADDRESS_INHERITED ||
                   address_format(out, (struct sockaddr *)&address.storage, address.len) > 4);
        }
        free(exact);
    }
}

TEST(a_peer_takes_20_bytes_and_survives_the_way_there_and_back)
{
    EXPECT(sizeof(struct peer_address) <= 20);
    const char *texts[] = {"192.0.2.7:4711", "[2001:db8::7]:80"};
    const char *hosts[] = {"192.0.2.7", "2001:db8::7"};
    for (int i = 0; i < 2; i++) {
        struct address address;
        EXPECT_INT(address_parse(&address, span_of(texts[i]), NULL), 0);
        struct peer_address peer, again;
        peer_address_from(&peer, (struct sockaddr *)&address.storage, address.len);
        struct sockaddr_storage storage;
        socklen_t len = peer_address_to(&peer, &storage);
        EXPECT_INT(len, address.len);
        peer_address_from(&again, (struct sockaddr *)&storage, len);
        EXPECT(memcmp(&peer, &again, sizeof(peer)) == 0);
        char out[ADDRESS_TEXT_MAX];
        EXPECT_INT(peer_address_format(out, &peer), strlen(hosts[i]));
        EXPECT_TEXT(out, hosts[i]);
    }
}

TEST(a_peer_over_a_unix_socket_is_called_unix_and_a_strange_one_unknown)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct peer_address peer;
    char out[ADDRESS_TEXT_MAX];
    peer_address_from(&peer, (struct sockaddr *)&sun, sizeof(sa_family_t));
    EXPECT_INT(peer_address_format(out, &peer), 4);
    EXPECT_TEXT(out, "unix");
    address_format(out, (struct sockaddr *)&sun, sizeof(sa_family_t));
    EXPECT_TEXT(out, "unix");
    struct sockaddr strange = {.sa_family = AF_PACKET};
    address_format(out, &strange, sizeof(strange));
    EXPECT_TEXT(out, "unknown");
    peer_address_from(&peer, &strange, 0);
    EXPECT_INT(peer.family, 0);
}
