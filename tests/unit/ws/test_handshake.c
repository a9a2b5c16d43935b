/* tests/unit/ws/test_handshake.c — which requests open a WebSocket: RFC 6455 §4.2, and the origin
 * rule of §10.2 that keeps other sites' pages out. */
#include "test.h"

#include "ws/ws_handshake.h"

static struct ws_offer good(void)
{
    return (struct ws_offer){
        .upgrade = SPAN("websocket"),
        .connection = SPAN("keep-alive, Upgrade"),
        .version = SPAN("13"),
        .key = SPAN("dGhlIHNhbXBsZSBub25jZQ=="),
        .host = SPAN("example.com:7878"),
        .is_http11 = true,
    };
}

static const struct ws_policy usual;

TEST(test_the_example_of_the_rfc_is_accepted_with_its_answer)
{
    struct ws_offer offer = good();
    char accept[WS_ACCEPT_BYTES + 1];
    EXPECT_INT(ws_offer_judge(&offer, &usual), 0);
    ws_accept_value(offer.key, accept);
    EXPECT_TEXT(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(test_names_are_found_in_any_case)
{
    struct ws_offer offer = good();
    offer.upgrade = SPAN("h2c, WebSocket");
    offer.connection = SPAN("UPGRADE");
    EXPECT_INT(ws_offer_judge(&offer, &usual), 0);
}

TEST(test_a_request_that_is_no_handshake_is_told_to_upgrade)
{
    struct ws_offer offer = good();
    offer.upgrade = SPAN_NONE;
    EXPECT_INT(ws_offer_judge(&offer, &usual), 426);
    offer = good();
    offer.connection = SPAN("close");
    EXPECT_INT(ws_offer_judge(&offer, &usual), 426);
    offer = good();
    offer.upgrade = SPAN("websockets");
    EXPECT_INT(ws_offer_judge(&offer, &usual), 426);
    offer = good();
    offer.is_http11 = false; /* §4.1: at least 1.1 */
    EXPECT_INT(ws_offer_judge(&offer, &usual), 426);
    offer = good();
    offer.version = SPAN("8");
    EXPECT_INT(ws_offer_judge(&offer, &usual), 426);
}

TEST(test_a_malformed_handshake_is_a_bad_request)
{
    static const struct span keys[] = {
        SPAN_NONE,
        {"", 0},
        {"dGhlIHNhbXBsZSBub25jZQ=", 23},
        {"dGhlIHNhbXBsZSBub25jZQ===", 25},
        {"dGhlIHNhbXBsZSBub25jZR==", 24}, /* bits that belong to no byte */
        {"dGhlIHNhbXBsZSBub25j!Q==", 24},
        {"dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==", 50},
        {"AAAAAAAAAAAAAAAAAAAAAAAA", 24},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct ws_offer offer = good();
        offer.key = keys[i];
        EXPECT_INT(ws_offer_judge(&offer, &usual), 400);
    }
    struct ws_offer offer = good();
    offer.version = SPAN_NONE;
    EXPECT_INT(ws_offer_judge(&offer, &usual), 400);
}

static int judge_origin(const char *origin, const char *host, const char *allowed, bool is_tls)
{
    struct ws_offer offer = good();
    struct ws_policy policy = {.origins = span_of(allowed)};
    offer.origin = span_of(origin);
    offer.host = span_of(host);
    offer.is_tls = is_tls;
    return ws_offer_judge(&offer, &policy);
}

TEST(test_pages_of_the_own_host_are_let_in_and_no_others)
{
    EXPECT_INT(judge_origin(NULL, "example.com", NULL, false), 0); /* no browser */
    EXPECT_INT(judge_origin("http://example.com", "example.com", NULL, false), 0);
    EXPECT_INT(judge_origin("http://EXAMPLE.com", "example.com", NULL, false), 0);
    EXPECT_INT(judge_origin("http://example.com:80", "example.com", NULL, false), 0);
    EXPECT_INT(judge_origin("http://example.com:7878", "example.com:7878", NULL, false), 0);
    EXPECT_INT(judge_origin("https://example.com", "example.com:443", NULL, true), 0);
    EXPECT_INT(judge_origin("https://example.com", "example.com", NULL, false), 0); /* TLS ends
                                                                                      before us */
    EXPECT_INT(judge_origin("http://[::1]:7878", "[::1]:7878", NULL, false), 0);

    EXPECT_INT(judge_origin("http://evil.example", "example.com", NULL, false), 403);
    EXPECT_INT(judge_origin("http://example.com.evil.example", "example.com", NULL, false), 403);
    EXPECT_INT(judge_origin("http://example.com:8080", "example.com:7878", NULL, false), 403);
    EXPECT_INT(judge_origin("null", "example.com", NULL, false), 403);
    EXPECT_INT(judge_origin("", "example.com", NULL, false), 403);
    EXPECT_INT(judge_origin("ftp://example.com", "example.com", NULL, false), 403);
    EXPECT_INT(judge_origin("http://user@example.com", "example.com", NULL, false), 403);
    EXPECT_INT(judge_origin("http://example.com", NULL, NULL, false), 403);
}

TEST(test_listed_origins_replace_the_own_host)
{
    const char *list = "https://a.example https://b.example:8443";
    EXPECT_INT(judge_origin("https://a.example", "example.com", list, false), 0);
    EXPECT_INT(judge_origin("https://b.example:8443", "example.com", list, false), 0);
    EXPECT_INT(judge_origin("https://b.example", "example.com", list, false), 403);
    EXPECT_INT(judge_origin("http://example.com", "example.com", list, false), 403);
    EXPECT_INT(judge_origin("http://evil.example", "example.com", "*", false), 0);
    EXPECT_INT(judge_origin("", "example.com", "a  b", false), 403); /* two spaces list nothing */
}

TEST(test_the_server_prefers_among_the_offered_subprotocols)
{
    struct ws_offer offer = good();
    struct ws_policy policy = {.protocols = SPAN("chat.v2, chat.v1")};
    offer.protocols = SPAN("chat.v1, chat.v2");
    EXPECT_SPAN(ws_offer_protocol(&offer, &policy), "chat.v2");
    offer.protocols = SPAN("chat.v1");
    EXPECT_SPAN(ws_offer_protocol(&offer, &policy), "chat.v1");
    offer.protocols = SPAN("CHAT.V1");
    EXPECT(!ws_offer_protocol(&offer, &policy).ptr);
    offer.protocols = SPAN_NONE;
    EXPECT(!ws_offer_protocol(&offer, &policy).ptr);
    EXPECT(!ws_offer_protocol(&offer, &usual).ptr);
}

TEST(test_an_extended_connect_needs_neither_upgrade_nor_key)
{
    /* RFC 8441 §5.1 */
    struct ws_offer offer = {.version = SPAN("13"), .host = SPAN("a"), .is_connect = true};
    EXPECT_INT(ws_offer_judge(&offer, &usual), 0);
    offer.origin = SPAN("https://elsewhere.example");
    EXPECT_INT(ws_offer_judge(&offer, &usual), 403);
    offer.version = SPAN_NONE;
    EXPECT_INT(ws_offer_judge(&offer, &usual), 400);
    offer.version = SPAN("12");
    EXPECT_INT(ws_offer_judge(&offer, &usual), 426);
}
