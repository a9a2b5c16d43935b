/* tests/unit/http/test_host.c — Host values and authorities. */
#include "http/host.h"
#include "test.h"

#include <galley/base.h>

struct good_host {
    const char *value;
    enum host_kind kind;
    const char *name;
    int port; /* -1: none */
};

/* RFC 3986 §3.2.2, RFC 3986 §3.2.3, RFC 9110 §7.2 */
static const struct good_host good[] = {
    {"example.org", HOST_NAME, "example.org", -1},
    {"EXAMPLE.org:8080", HOST_NAME, "EXAMPLE.org", 8080},
    {"localhost:", HOST_NAME, "localhost", -1},
    {"a:0", HOST_NAME, "a", 0},
    {"a:65535", HOST_NAME, "a", 65535},
    {"a:00080", HOST_NAME, "a", 80},
    {"_dmarc.x~y", HOST_NAME, "_dmarc.x~y", -1},
    {"b%C3%BCcher.example", HOST_NAME, "b%C3%BCcher.example", -1},
    {"127.0.0.1", HOST_IPV4, "127.0.0.1", -1},
    {"255.255.255.255:1", HOST_IPV4, "255.255.255.255", 1},
    {"256.1.1.1", HOST_NAME, "256.1.1.1", -1}, /* reg-name takes what is no address */
    {"01.1.1.1", HOST_NAME, "01.1.1.1", -1},
    {"1.2.3", HOST_NAME, "1.2.3", -1},
    {"1.2.3.4.5", HOST_NAME, "1.2.3.4.5", -1},
    {"[::]", HOST_IPV6, "[::]", -1},
    {"[::1]:7878", HOST_IPV6, "[::1]", 7878},
    {"[2001:db8::7]", HOST_IPV6, "[2001:db8::7]", -1},
    {"[1:2:3:4:5:6:7:8]", HOST_IPV6, "[1:2:3:4:5:6:7:8]", -1},
    {"[1:2:3:4:5:6:7::]", HOST_IPV6, "[1:2:3:4:5:6:7::]", -1},
    {"[::ffff:192.0.2.1]", HOST_IPV6, "[::ffff:192.0.2.1]", -1},
    {"[1:2:3:4:5:6:1.2.3.4]:9", HOST_IPV6, "[1:2:3:4:5:6:1.2.3.4]", 9},
};

TEST(valid_hosts_are_taken_apart)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct host host = {0};
        if (host_parse(span_of(good[i].value), &host) != 0) {
            test_fail(__FILE__, __LINE__, "'%s' was refused", good[i].value);
        }
        EXPECT(host_is_valid(span_of(good[i].value)));
        EXPECT_SPAN(host.name, good[i].name);
        EXPECT_INT(host.kind, good[i].kind);
        EXPECT_INT(host.has_port, good[i].port >= 0);
        EXPECT_INT(host.port, good[i].port >= 0 ? good[i].port : 0);
    }
}

static const char *const bad[] = {
    "",
    ":80",
    "a b",
    "a:b",
    "a:80:80",
    "a:-1",
    "a:+1",
    "a:65536",
    "a:000080",
    "a:99999999999",
    "u@a",
    "u:p@a",
    "a/",
    "a?",
    "a#",
    "a\\b",
    "http://a",
    "a\tb",
    "a\x01",
    "\xc3\xbc",
    "a%",
    "a%2",
    "a%gg",
    "[",
    "]",
    "[]",
    "[::1",
    "::1",
    "[:::]",
    "[::1]x",
    "[::1]80",
    "[1::2::3]",
    "[1:2]",
    "[12345::]",
    "[::g]",
    "[fe80::1%25eth0]",
    "[v1.x]",
    "[1:2:3:4:5:6:7:8:9]",
    "[1:2:3:4:5:6:7:8::]",
    "[:1:2:3:4:5:6:7]",
    "[1:2:3:4:5:6:7:]",
    "[::1.2.3]",
    "[1.2.3.4::]",
    "[::1.2.3.4:1]",
    "a,b:1:",
    "<a>",
    "a\"b",
    "a{b}",
    "a|b",
    "a^b",
    "a`b",
};

/* RFC 9112 §3.2: an invalid Host value is answered 400 */
TEST(invalid_hosts_are_refused)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct host host;
        if (host_parse(span_of(bad[i]), &host) == 0) {
            test_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
        }
        EXPECT(!host_is_valid(span_of(bad[i])));
    }
    EXPECT_INT(host_parse(SPAN_NONE, &(struct host){0}), GALLEY_EPROTO);
    EXPECT_INT(host_parse(span_make("a\0b", 3), &(struct host){0}), GALLEY_EPROTO);
}

TEST(names_are_at_most_255_bytes)
{
    char text[300];
    memset(text, 'a', sizeof(text));
    struct host host;
    EXPECT_INT(host_parse(span_make(text, 255), &host), 0);
    EXPECT_INT(host_parse(span_make(text, 256), &host), GALLEY_EPROTO);
    EXPECT(host_is_valid(span_make(text, 255)));
    EXPECT(!host_is_valid(span_make(text, 256)));
}

TEST(the_short_judgement_is_that_of_the_long_one)
{
    static const char bytes[] = "ab1.:%2[]-_/ \0x@5";
    for (unsigned round = 0; round < test_rounds(20000); round++) {
        char text[12];
        size_t len = test_random() % (sizeof text + 1);
        for (size_t i = 0; i < len; i++) {
            text[i] = bytes[test_random() % (sizeof bytes - 1)];
        }
        struct host host;
        struct span value = span_make(text, len);
        EXPECT_INT(host_is_valid(value), host_parse(value, &host) == 0);
    }
}

TEST(test_a_dot_at_the_end_is_not_part_of_the_name)
{
    struct host host;
    EXPECT_INT(host_parse(SPAN("Example.com.:80"), &host), 0);
    EXPECT_SPAN(host_bare_name(&host), "Example.com");
    EXPECT_INT(host_parse(SPAN("[::1]"), &host), 0);
    EXPECT_SPAN(host_bare_name(&host), "[::1]");
    EXPECT_INT(host_parse(SPAN("."), &host), 0);
    EXPECT(!host_bare_name(&host).ptr);
}
