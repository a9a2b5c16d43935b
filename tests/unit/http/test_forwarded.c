/* What proxies say of their clients. RFC 7239; X-Forwarded-For, -Proto and -Host. */
#include "test.h"

#include "http/forwarded.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { LINES_MAX = 8, TEXT_MAX = 512 };

static struct field lines[LINES_MAX];
static struct fields fields;
static char said[TEXT_MAX];

static void clear_fields(void)
{
    fields_init(&fields, lines, LINES_MAX);
}

static void add(const char *name, const char *value)
{
    EXPECT_INT(fields_add(&fields, span_of(name), span_of(value)), 0);
}

static void say_node(char *out, size_t room, const struct forwarded_hop *hop)
{
    char text[INET6_ADDRSTRLEN] = "";
    switch (hop->kind) {
    case FORWARDED_MALFORMED:
        (void)snprintf(out, room, "malformed");
        return;
    case FORWARDED_UNKNOWN:
        (void)snprintf(out, room, "unknown");
        return;
    case FORWARDED_NAME:
        (void)snprintf(out, room, "%.*s", hop->name_len, hop->name);
        return;
    case FORWARDED_IPV4:
        inet_ntop(AF_INET, hop->bytes, text, sizeof text);
        break;
    case FORWARDED_IPV6:
        inet_ntop(AF_INET6, hop->bytes, text, sizeof text);
        break;
    }
    (void)snprintf(out, room, hop->port ? "%s/%u" : "%s", text, hop->port);
}

/* "NODE scheme host" of each hop, from the right, with ", " between them. */
static const char *walk_all(enum forwarded_family family)
{
    static const char *const schemes[] = {"", " http", " https"};
    struct forwarded_walk walk;
    struct forwarded_hop hop;
    size_t len = 0;
    said[0] = '\0';
    forwarded_begin(&walk, &fields, family);
    while (forwarded_next(&walk, &hop)) {
        char node[128];
        say_node(node, sizeof node, &hop);
        len +=
            (size_t)snprintf(said + len, sizeof said - len, "%s%s%s%s%.*s", len ? ", " : "", node,
                             schemes[hop.scheme], hop.host.ptr ? " " : "", SPAN_ARGS(hop.host));
    }
    return said;
}

static const char *forwarded(const char *value)
{
    clear_fields();
    add("Forwarded", value);
    return walk_all(FORWARDED_RFC7239);
}

static const char *forwarded_for(const char *value)
{
    clear_fields();
    add("X-Forwarded-For", value);
    return walk_all(FORWARDED_X);
}

TEST(an_element_names_a_client_and_what_it_asked_for)
{
    /* RFC 7239 §4, §5: the examples there. */
    EXPECT_TEXT(forwarded("for=\"_gazonk\""), "_gazonk");
    EXPECT_TEXT(forwarded("For=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17/4711");
    EXPECT_TEXT(forwarded("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60 http");
    EXPECT_TEXT(forwarded("for=192.0.2.43, for=198.51.100.17;by=203.0.113.60;proto=http;"
                          "host=example.com"),
                "198.51.100.17 http example.com, 192.0.2.43");
    EXPECT_TEXT(forwarded("for=_hidden, for=_SEVKISEK"), "_SEVKISEK, _hidden");
    EXPECT_TEXT(forwarded("PROTO=HTTPS;HOST=\"a.example:8443\";FOR=\"192.0.2.1:80\""),
                "192.0.2.1/80 https a.example:8443");
    EXPECT_TEXT(forwarded("for=unknown"), "unknown");
    EXPECT_TEXT(forwarded("for=\"Unknown:_port\""), "unknown");
    EXPECT_TEXT(forwarded("proto=https"), "unknown https"); /* `for` may be missing */
    EXPECT_TEXT(forwarded("for=\"_a:99\""), "_a");
}

TEST(empty_pairs_and_elements_are_passed_over)
{
    /* RFC 7239 §4: forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] ) */
    EXPECT_TEXT(forwarded(";;for=192.0.2.1;;proto=http;"), "192.0.2.1 http");
    /* RFC 9110 §5.6.1.2: a recipient must accept empty list elements. */
    EXPECT_TEXT(forwarded(" , for=192.0.2.1 ,, for=192.0.2.2,"), "192.0.2.2, 192.0.2.1");
    EXPECT_TEXT(forwarded(";"), "unknown");
    EXPECT_TEXT(forwarded(""), "");
    EXPECT_TEXT(forwarded(" ,\t, "), "");
    EXPECT_TEXT(forwarded("for=192.0.2.1 ; proto=http"), "192.0.2.1 http");
}

TEST(what_is_no_node_is_malformed)
{
    static const char *const bad[] = {
        "for=",
        "for",
        "=192.0.2.1",
        "for =192.0.2.1",
        "for= 192.0.2.1",
        "for=192.0.2.1 proto=http",
        "for=192.0.2.1:80", /* ":" is no tchar: it needs quotes */
        "for=[::1]",
        "for=\"::1\"",
        "for=\"[::1\"",
        "for=\"[::1]80\"",
        "for=\"[]\"",
        "for=\"[::1%eth0]\"",
        "for=\"[192.0.2.1]\"",
        "for=192.0.2",
        "for=192.0.2.256",
        "for=192.0.2.01",
        "for=\"192.0.2.1:\"",
        "for=\"192.0.2.1:65536\"",
        "for=\"192.0.2.1:123456\"",
        "for=\"192.0.2.1:-1\"",
        "for=\"192.0.2.1:_\"",
        "for=\" 192.0.2.1\"",
        "for=\"\"",
        "for=_",
        "for=_a!",
        "for=a.example",
        "for=\"192.0.2.1",
        "for=192.0.2.1\"",
        "for=\"192.0.2.1\"x",
        "for=\"192.0.2.1\\",
        "x=\"\x01\";for=192.0.2.1",
        "for=_0123456789012345678901234567890123456789012345678901234567890123",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (strcmp(forwarded(bad[i]), "malformed") != 0) {
            test_fail(__FILE__, __LINE__, "%s: %s", bad[i], said);
        }
    }
}

TEST(a_parameter_stands_once_in_an_element)
{
    /* RFC 7239 §4: or a host that a client chose could add a `for`. */
    EXPECT_TEXT(forwarded("for=192.0.2.1;host=a;for=10.0.0.1"), "malformed");
    EXPECT_TEXT(forwarded("for=192.0.2.1;FOR=192.0.2.1"), "malformed");
    EXPECT_TEXT(forwarded("x=1;for=192.0.2.1;x=2"), "malformed");
    EXPECT_TEXT(forwarded("for=192.0.2.1, for=192.0.2.1"), "192.0.2.1, 192.0.2.1");
    EXPECT_TEXT(forwarded("a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;j=1;k=1;l=1;m=1;n=1;o=1;"
                          "for=192.0.2.1"),
                "192.0.2.1");
    EXPECT_TEXT(forwarded("a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;j=1;k=1;l=1;m=1;n=1;o=1;p=1;"
                          "for=192.0.2.1"),
                "malformed");
}

TEST(a_quoted_string_may_hold_anything)
{
    /* RFC 9110 §5.6.4: a quoted pair is the byte behind its backslash. */
    EXPECT_TEXT(forwarded("for=\"\\1\\92.0.2.1\";host=\"\\a.\\example\""), "192.0.2.1 a.example");
    EXPECT_TEXT(forwarded("x=\"a,b;for=10.0.0.1\";for=192.0.2.1"), "192.0.2.1");
    EXPECT_TEXT(forwarded("x=\"\";for=192.0.2.1;y=\"\\\"\""), "192.0.2.1");
    EXPECT_TEXT(forwarded("for=192.0.2.9, x=\"\\\\\";for=192.0.2.1;y=\",\\\",\\\\\""),
                "192.0.2.1, 192.0.2.9");
}

TEST(what_stands_on_the_left_cannot_change_how_the_right_is_read)
{
    static const char *const inventions[] = {
        "for=\"10.0.0.1",    "for=\"",  "\"",     "\\",        "x=\"\\",
        "for=10.0.0.1;x=\"", "a\"b\"c", ";\",\"", "x=\"y\\\"",
    };
    static const char own[] = "for=\"192.0.2.1:80\";x=\"a, \\\"b\\\\\"";
    for (size_t i = 0; i < sizeof inventions / sizeof *inventions; i++) {
        char value[TEXT_MAX];
        (void)snprintf(value, sizeof value, "%s, %s", inventions[i], own);
        if (strncmp(forwarded(value), "192.0.2.1/80, malformed", 23) != 0) {
            test_fail(__FILE__, __LINE__, "%s: %s", value, said);
        }
    }
}

TEST(a_host_or_a_scheme_that_is_none_is_not_told)
{
    /* RFC 7239 §5.3, §5.4: clients choose them; that must not hide the client. */
    EXPECT_TEXT(forwarded("for=192.0.2.1;host=\"a b\";proto=gopher"), "192.0.2.1");
    EXPECT_TEXT(forwarded("for=192.0.2.1;host=\"\";proto=https"), "192.0.2.1 https");
    EXPECT_TEXT(forwarded("for=192.0.2.1;host=\"[::1]:80\""), "192.0.2.1 [::1]:80");
}

TEST(an_escaped_host_that_is_too_long_for_its_room_is_none)
{
    char value[TEXT_MAX + 64];
    char host[FORWARDED_ROOM_BYTES + 1];
    memset(host, 'a', FORWARDED_ROOM_BYTES);
    host[FORWARDED_ROOM_BYTES] = '\0';
    (void)snprintf(value, sizeof value, "host=\"\\%s\";for=192.0.2.1", host);
    EXPECT_TEXT(forwarded(value), "192.0.2.1");
}

TEST(mapped_addresses_are_of_ipv4)
{
    /* RFC 4291 §2.5.5.2 */
    EXPECT_TEXT(forwarded("for=\"[::ffff:192.0.2.1]:80\""), "192.0.2.1/80");
    EXPECT_TEXT(forwarded_for("::ffff:c000:201"), "192.0.2.1");
}

TEST(several_lines_are_one_list)
{
    /* RFC 9110 §5.3 */
    clear_fields();
    add("Forwarded", "for=192.0.2.1, for=192.0.2.2");
    add("Accept", "*/*");
    add("X-Forwarded-For", "203.0.113.1");
    add("forwarded", "");
    add("FORWARDED", "for=192.0.2.3");
    add("X-Forwarded-For", "203.0.113.2,203.0.113.3");
    EXPECT_TEXT(walk_all(FORWARDED_RFC7239), "192.0.2.3, 192.0.2.2, 192.0.2.1");
    EXPECT_TEXT(walk_all(FORWARDED_X), "203.0.113.3, 203.0.113.2, 203.0.113.1");
    clear_fields();
    add("Forwarded", "for=192.0.2.1;x=\"");
    add("Forwarded", "\";for=192.0.2.2");
    EXPECT_TEXT(walk_all(FORWARDED_RFC7239), "malformed, malformed");
}

TEST(an_x_forwarded_for_is_a_list_of_addresses)
{
    EXPECT_TEXT(forwarded_for("192.0.2.1"), "192.0.2.1");
    EXPECT_TEXT(forwarded_for("192.0.2.1:80,[2001:db8::1]:443 ,\t2001:db8::2, [2001:db8::3]"),
                "2001:db8::3, 2001:db8::2, 2001:db8::1/443, 192.0.2.1/80");
    EXPECT_TEXT(forwarded_for("unknown, _x"), "_x, unknown");
    EXPECT_TEXT(forwarded_for("a.example"), "malformed");
    EXPECT_TEXT(forwarded_for("\"192.0.2.1\""), "malformed");
    EXPECT_TEXT(forwarded_for("192.0.2.1 192.0.2.2"), "malformed");
    EXPECT_TEXT(forwarded_for("192.0.2.1\", 192.0.2.2"), "192.0.2.2, malformed");
    EXPECT_TEXT(forwarded_for("for=192.0.2.1"), "malformed");
    EXPECT_TEXT(forwarded_for("::1]"), "malformed");
}

TEST(a_family_does_not_see_the_other)
{
    clear_fields();
    add("Forwarded", "for=192.0.2.1");
    EXPECT_TEXT(walk_all(FORWARDED_X), "");
    clear_fields();
    add("X-Forwarded-For", "192.0.2.1");
    add("X-Forwarded-Proto", "https");
    EXPECT_TEXT(walk_all(FORWARDED_RFC7239), "");
}

/* Of the hop'th from the right; 0: none has come. */
static const char *completed(const char *hops, unsigned taken, const char *proto, const char *host)
{
    struct forwarded_walk walk;
    struct forwarded_hop hop = {.kind = FORWARDED_UNKNOWN};
    clear_fields();
    add("X-Forwarded-For", hops);
    if (proto) {
        add("X-Forwarded-Proto", proto);
    }
    if (host) {
        add("X-Forwarded-Host", host);
    }
    forwarded_begin(&walk, &fields, FORWARDED_X);
    for (unsigned i = 0; i < taken; i++) {
        EXPECT(forwarded_next(&walk, &hop));
    }
    forwarded_complete(&walk, &hop);
    (void)snprintf(said, sizeof said, "%d %.*s", (int)hop.scheme, SPAN_ARGS(hop.host));
    return said;
}

TEST(one_scheme_is_of_the_nearest_proxy_and_several_belong_to_one_hop_each)
{
    EXPECT_TEXT(completed("192.0.2.1", 1, "https", "a.example"), "2 a.example");
    EXPECT_TEXT(completed("192.0.2.1, 192.0.2.2", 2, "https", "a.example:81"), "2 a.example:81");
    EXPECT_TEXT(completed("192.0.2.1, 192.0.2.2", 1, "https, http", "a, b"), "1 b");
    EXPECT_TEXT(completed("192.0.2.1, 192.0.2.2", 2, "HTTPS,http", "a, b"), "2 a");
    EXPECT_TEXT(completed("192.0.2.1, 192.0.2.2, 192.0.2.3", 1, "https, http", "a,b,c,d"), "0 ");
    EXPECT_TEXT(completed("192.0.2.1", 1, "https, https", "a, b"), "0 ");
    EXPECT_TEXT(completed("192.0.2.1", 1, NULL, NULL), "0 ");
    EXPECT_TEXT(completed("192.0.2.1", 1, "ws", "a b"), "0 ");
    EXPECT_TEXT(completed("", 0, "https", "a"), "2 a");
    EXPECT_TEXT(completed("", 0, "https, http", "a, b"), "0 ");
    EXPECT_TEXT(completed("", 0, ",", ""), "0 ");
}
