/* tests/unit/net/test_networks.c — who is in a list of networks. */
#include "net/networks.h"

#include "base/alloc.h"
#include "test.h"

#include <sys/un.h>

static struct peer_address peer_of(const char *text)
{
    struct address address;
    struct peer_address peer;
    EXPECT_INT(address_parse(&address, span_of(text), NULL), 0);
    peer_address_from(&peer, (struct sockaddr *)&address.storage, address.len);
    return peer;
}

static bool is_in(const char *network, const char *peer)
{
    struct networks networks = {0};
    galley_error err = {0};
    if (networks_add(&networks, span_of(network), &err) != 0) {
        test_fail(__FILE__, __LINE__, "%s", err.message);
    }
    struct peer_address address = peer_of(peer);
    bool result = networks_contain(&networks, &address);
    networks_finish(&networks);
    return result;
}

TEST(a_prefix_decides)
{
    EXPECT(is_in("10.0.0.0/8", "10.255.0.1:1"));
    EXPECT(!is_in("10.0.0.0/8", "11.0.0.1:1"));
    EXPECT(is_in("192.0.2.128/25", "192.0.2.200:1"));
    EXPECT(!is_in("192.0.2.128/25", "192.0.2.127:1"));
    EXPECT(is_in("192.0.2.7", "192.0.2.7:80"));
    EXPECT(!is_in("192.0.2.7/32", "192.0.2.6:80"));
    EXPECT(is_in("0.0.0.0/0", "203.0.113.9:80"));
    EXPECT(is_in("2001:db8::/33", "[2001:db8:7fff::1]:80"));
    EXPECT(!is_in("2001:db8::/33", "[2001:db8:8000::1]:80"));
    EXPECT(is_in("::1", "[::1]:80"));
    EXPECT(!is_in("::/0", "192.0.2.7:80"));
    EXPECT(!is_in("0.0.0.0/0", "[::1]:80"));
}

/* RFC 4291 §2.5.5.2: a client of IPv4 at a socket for both. */
TEST(a_mapped_address_is_of_ipv4)
{
    EXPECT(is_in("192.0.2.0/24", "[::ffff:192.0.2.7]:80"));
}

TEST(clients_of_unix_sockets_are_a_network)
{
    EXPECT(is_in("unix", "unix:/run/x.sock"));
    EXPECT(!is_in("unix", "127.0.0.1:80"));
    EXPECT(!is_in("0.0.0.0/0", "unix:/run/x.sock"));
}

TEST(nobody_is_in_an_empty_list_and_anyone_may_match_in_a_long_one)
{
    struct networks networks = {0};
    struct peer_address peer = peer_of("192.0.2.7:1");
    EXPECT(!networks_contain(&networks, &peer));
    EXPECT_INT(networks_add(&networks, SPAN("::1"), NULL), 0);
    EXPECT_INT(networks_add(&networks, SPAN("10.0.0.0/8"), NULL), 0);
    EXPECT_INT(networks_add(&networks, SPAN("192.0.2.0/29"), NULL), 0);
    EXPECT(networks_contain(&networks, &peer));
    networks_finish(&networks);
    EXPECT(!networks_contain(&networks, &peer));
}

TEST(mistakes_have_a_sentence)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "10.0.0.0/33",
                                      "10.0.0.0/",
                                      "10.0.0.0/-1",
                                      "10.0.0.1/8",
                                      "2001:db8::/129",
                                      "2001:db8::1/64",
                                      "10.0.0/8",
                                      "localhost",
                                      "[::1]",
                                      "unix/0",
                                      "10.0.0.0/8/8"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct networks networks = {0};
        galley_error err = {0};
        EXPECT_INT(networks_add(&networks, span_of(bad[i]), &err), GALLEY_EINVAL);
        EXPECT(strstr(err.message, "network \"") == err.message);
        EXPECT_INT(networks.count, 0);
        networks_finish(&networks);
    }
}

TEST(without_memory_the_list_stays)
{
    struct networks networks = {0};
    struct peer_address peer = peer_of("192.0.2.7:1");
    EXPECT_INT(networks_add(&networks, SPAN("192.0.2.7"), NULL), 0);
    mem_fail_nth(1);
    EXPECT_INT(networks_add(&networks, SPAN("10.0.0.0/8"), NULL), GALLEY_ENOMEM);
    mem_fail_nth(0);
    EXPECT(networks_contain(&networks, &peer));
    networks_finish(&networks);
}
