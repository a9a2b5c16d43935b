/* tests/unit/tls/test_context.c — handshakes with a client of OpenSSL's: policy, names, kinds of
 * keys, ALPN. */
#include "support_tls.h"
#include "test.h"

static const char rsa_only[] = "rsa_pss_rsae_sha256:RSA+SHA256";

/* One pair for a.example, and the usual options. */
static void start_simple(struct world *world, uint32_t flags, int policy)
{
    world_open(world);
    const galley_tls_pair pairs[] = {world_pair(world, "a", NULL, "DNS:a.example"), {0}};
    galley_tls_options options = world_options(world, pairs);
    options.flags = flags;
    options.policy = policy;
    EXPECT(world_start(world, &options));
}

/* ---- versions and what is off ---------------------------------------------------------------- */

TEST(test_tls_1_3_and_1_2_are_spoken_and_nothing_older)
{
    struct world world;
    start_simple(&world, 0, GALLEY_TLS_INTERMEDIATE);
    EXPECT(handshake_works(world.tls, &(struct client_wish){.version = TLS1_3_VERSION}));
    EXPECT(handshake_works(world.tls, &(struct client_wish){.version = TLS1_2_VERSION}));
    EXPECT(!handshake_works(world.tls, &(struct client_wish){.version = TLS1_1_VERSION}));
    EXPECT(!handshake_works(world.tls, &(struct client_wish){.version = TLS1_VERSION}));
    world_close(&world);
}

TEST(test_modern_speaks_tls_1_3_only)
{
    struct world world;
    struct handshake hs;
    start_simple(&world, 0, GALLEY_TLS_MODERN);
    EXPECT(handshake_works(world.tls, &(struct client_wish){.version = TLS1_3_VERSION}));
    handshake_run(&hs, world.tls, &(struct client_wish){.version = TLS1_2_VERSION});
    EXPECT_INT(hs.alert, SSL_AD_PROTOCOL_VERSION);
    handshake_finish(&hs);
    world_close(&world);
}

/* RFC 9325 §4.1, §4.2: no static RSA, no CBC, no RC4, no DHE here. */
TEST(test_weak_ciphers_of_tls_1_2_are_refused)
{
    static const char *const refused[] = {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA",
                                          "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"};
    static const char *const accepted[] = {"ECDHE-ECDSA-AES128-GCM-SHA256",
                                           "ECDHE-ECDSA-AES256-GCM-SHA384",
                                           "ECDHE-ECDSA-CHACHA20-POLY1305"};
    struct world world;
    start_simple(&world, 0, GALLEY_TLS_INTERMEDIATE);
    struct client_wish wish = {.version = TLS1_2_VERSION};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        wish.ciphers = refused[i];
        EXPECT(!handshake_works(world.tls, &wish));
    }
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        wish.ciphers = accepted[i];
        EXPECT(handshake_works(world.tls, &wish));
    }
    world_close(&world);
}

TEST(test_the_curves_are_those_of_the_policy)
{
    struct world world;
    start_simple(&world, 0, GALLEY_TLS_INTERMEDIATE);
    EXPECT(handshake_works(world.tls, &(struct client_wish){.groups = "X25519"}));
    EXPECT(handshake_works(world.tls, &(struct client_wish){.groups = "P-256"}));
    EXPECT(handshake_works(world.tls, &(struct client_wish){.groups = "P-384"}));
    EXPECT(!handshake_works(world.tls, &(struct client_wish){.groups = "P-521"}));
    /* the first guess is wrong and the ClientHello comes twice: RFC 8446 §4.1.4 */
    EXPECT(handshake_works(world.tls,
                           &(struct client_wish){.groups = "P-521:P-256", .name = "a.example"}));
    world_close(&world);
}

TEST(test_a_client_that_prefers_chacha_gets_it)
{
    struct world world;
    struct handshake hs;
    start_simple(&world, 0, GALLEY_TLS_INTERMEDIATE);
    struct client_wish wish = {.version = TLS1_2_VERSION,
                               .ciphers =
                                   "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"};
    handshake_run(&hs, world.tls, &wish);
    EXPECT_TEXT(SSL_get_cipher_name(hs.client), "ECDHE-ECDSA-CHACHA20-POLY1305");
    handshake_finish(&hs);
    wish.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256";
    handshake_run(&hs, world.tls, &wish);
    EXPECT_TEXT(SSL_get_cipher_name(hs.client), "ECDHE-ECDSA-AES128-GCM-SHA256");
    handshake_finish(&hs);
    world_close(&world);
}

/* RFC 9113 §9.2.1 forbids it for HTTP/2; we refuse it always. */
TEST(test_renegotiation_is_refused)
{
    struct world world;
    struct handshake hs;
    start_simple(&world, 0, GALLEY_TLS_INTERMEDIATE);
    handshake_run(&hs, world.tls, &(struct client_wish){.version = TLS1_2_VERSION});
    EXPECT(hs.is_done);
    unsigned char before[64];
    unsigned char after[64];
    size_t len = SSL_get_finished(hs.server, before, sizeof before);
    (void)SSL_renegotiate(hs.client);
    handshake_pump(&hs);
    EXPECT(!SSL_is_init_finished(hs.client));
    /* the server is where it was after its first and only handshake */
    EXPECT(len > 0 && SSL_get_finished(hs.server, after, sizeof after) == len);
    EXPECT(memcmp(before, after, len) == 0);
    EXPECT(SSL_get_options(hs.server) & SSL_OP_NO_RENEGOTIATION);
    EXPECT(SSL_get_options(hs.server) & SSL_OP_NO_COMPRESSION);
    handshake_finish(&hs);
    world_close(&world);
}

/* RFC 8446 §8: what can be replayed is not taken. */
TEST(test_early_data_is_not_offered)
{
    struct world world;
    struct handshake hs;
    start_simple(&world, 0, GALLEY_TLS_INTERMEDIATE);
    handshake_run(&hs, world.tls, &(struct client_wish){.version = TLS1_3_VERSION});
    EXPECT(hs.session && SSL_SESSION_is_resumable(hs.session));
    EXPECT_INT(SSL_SESSION_get_max_early_data(hs.session), 0);
    EXPECT(SSL_CTX_get_mode(SSL_get_SSL_CTX(hs.server)) & SSL_MODE_RELEASE_BUFFERS);
    handshake_finish(&hs);
    world_close(&world);
}

static void expect_early_data_rejected(galley_tls *tls, SSL_SESSION *session, bool is_resumed)
{
    struct handshake hs;
    char got[8] = "";
    struct client_wish wish = {
        .version = TLS1_3_VERSION, .session = session, .early = "POST /pay HTTP/1.1"};
    handshake_run(&hs, tls, &wish);
    EXPECT(hs.is_done);
    EXPECT_INT(SSL_get_early_data_status(hs.client), SSL_EARLY_DATA_REJECTED);
    EXPECT_INT(SSL_get_early_data_status(hs.server), SSL_EARLY_DATA_REJECTED);
    EXPECT_INT(SSL_session_reused(hs.client), is_resumed);
    EXPECT_INT(SSL_write(hs.client, "later", 5), 5);
    EXPECT_INT(SSL_read(hs.server, got, sizeof got - 1), 5);
    EXPECT_TEXT(got, "later"); /* nothing that came early stands before it */
    handshake_finish(&hs);
}

/* RFC 8446 §4.2.10: what is sent all the same is skipped, whether its ticket is one of ours or of
 * another server that had this name before; the client says it again when that is safe. */
TEST(test_early_data_is_skipped_when_it_comes_all_the_same)
{
    struct world world, before;
    struct handshake hs;
    start_simple(&world, 0, GALLEY_TLS_INTERMEDIATE);
    start_simple(&before, 0, GALLEY_TLS_INTERMEDIATE);
    struct client_wish wish = {.version = TLS1_3_VERSION};
    handshake_run(&hs, world.tls, &wish);
    expect_early_data_rejected(world.tls, hs.session, true);
    expect_early_data_rejected(before.tls, hs.session, false);
    handshake_finish(&hs);
    world_close(&before);
    world_close(&world);
}

/* ---- kinds of keys --------------------------------------------------------------------------- */

TEST(test_rsa_and_ecdsa_certificates_stand_side_by_side)
{
    struct world world;
    struct handshake hs;
    world_open(&world);
    const galley_tls_pair pairs[] = {world_pair(&world, "rsa", "RSA:2048", "DNS:a.example"),
                                     world_pair(&world, "ec", "P-256", "DNS:a.example"),
                                     {0}};
    galley_tls_options options = world_options(&world, pairs);
    EXPECT(world_start(&world, &options));
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct client_wish wish = {.name = "a.example", .version = versions[i]};
        handshake_run(&hs, world.tls, &wish);
        EXPECT_TEXT(handshake_subject(&hs), "ec");
        handshake_finish(&hs);
        wish.sigalgs = rsa_only;
        handshake_run(&hs, world.tls, &wish);
        EXPECT_TEXT(handshake_subject(&hs), "rsa");
        handshake_finish(&hs);
        wish.name = NULL; /* the default certificate has both kinds, too */
        handshake_run(&hs, world.tls, &wish);
        EXPECT_TEXT(handshake_subject(&hs), "rsa");
        handshake_finish(&hs);
    }
    world_close(&world);
}

TEST(test_an_exact_name_gets_the_kind_that_only_its_wildcard_has)
{
    struct world world;
    struct handshake hs;
    world_open(&world);
    const galley_tls_pair pairs[] = {world_pair(&world, "exact", "P-256", "DNS:a.example"),
                                     world_pair(&world, "wild", "RSA:2048", "DNS:*.example"),
                                     {0}};
    galley_tls_options options = world_options(&world, pairs);
    EXPECT(world_start(&world, &options));
    handshake_run(&hs, world.tls, &(struct client_wish){.name = "a.example"});
    EXPECT_TEXT(handshake_subject(&hs), "exact");
    handshake_finish(&hs);
    handshake_run(&hs, world.tls, &(struct client_wish){.name = "a.example", .sigalgs = rsa_only});
    EXPECT_TEXT(handshake_subject(&hs), "wild");
    handshake_finish(&hs);
    world_close(&world);
}

TEST(test_an_ed25519_certificate_works)
{
    struct world world;
    world_open(&world);
    const galley_tls_pair pairs[] = {world_pair(&world, "ed", "ED25519", "DNS:a.example"), {0}};
    galley_tls_options options = world_options(&world, pairs);
    EXPECT(world_start(&world, &options));
    EXPECT(handshake_works(world.tls, &(struct client_wish){.name = "a.example"}));
    world_close(&world);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void start_names(struct world *world, uint32_t flags)
{
    world_open(world);
    const galley_tls_pair pairs[] = {
        world_pair(world, "first", NULL, "DNS:first.example"),
        world_pair(world, "wild", NULL, "DNS:*.wild.example"),
        world_pair(world, "two", NULL, "DNS:two.example,DNS:WWW.Two.Example"),
        world_pair(world, "exact", NULL, "DNS:in.wild.example"),
        world_pair(world, "idna", NULL, "DNS:xn--bcher-kva.example"),
        {0}};
    galley_tls_options options = world_options(world, pairs);
    options.flags = flags;
    EXPECT(world_start(world, &options));
}

static void expect_certificate(galley_tls *tls, const char *name, const char *subject)
{
    struct handshake hs;
    handshake_run(&hs, tls, &(struct client_wish){.name = name});
    EXPECT_TEXT(handshake_subject(&hs), subject);
    EXPECT(hs.is_done);
    handshake_finish(&hs);
}

/* RFC 9525 §6.3: one label, the leftmost, all of it. */
TEST(test_the_name_that_is_asked_for_chooses_the_certificate)
{
    struct world world;
    start_names(&world, 0);
    expect_certificate(world.tls, "first.example", "first");
    expect_certificate(world.tls, "two.example", "two");
    expect_certificate(world.tls, "www.two.example", "two");
    expect_certificate(world.tls, "WwW.tWo.eXample", "two");
    expect_certificate(world.tls, "any.wild.example", "wild");
    expect_certificate(world.tls, "in.wild.example", "exact");
    expect_certificate(world.tls, "xn--bcher-kva.example", "idna");
    world_close(&world);
}

TEST(test_other_names_get_the_first_certificate)
{
    struct world world;
    start_names(&world, 0);
    expect_certificate(world.tls, NULL, "first");
    expect_certificate(world.tls, "elsewhere.test", "first");
    expect_certificate(world.tls, "wild.example", "first");
    expect_certificate(world.tls, "a.b.wild.example", "first");
    expect_certificate(world.tls, ".wild.example", "first");
    expect_certificate(world.tls, "*.wild.example", "first");
    world_close(&world);
}

static void expect_alert(galley_tls *tls, const char *name, int alert)
{
    struct handshake hs;
    handshake_run(&hs, tls, &(struct client_wish){.name = name});
    EXPECT(!hs.is_done);
    EXPECT_INT(hs.alert, alert);
    EXPECT_TEXT(handshake_subject(&hs), ""); /* learnt no name of ours */
    handshake_finish(&hs);
}

/* RFC 6066 §3: unrecognized_name. */
TEST(test_strict_refuses_names_that_no_certificate_has)
{
    struct world world;
    start_names(&world, GALLEY_TLS_STRICT_NAMES);
    expect_certificate(world.tls, "any.wild.example", "wild");
    expect_alert(world.tls, "elsewhere.test", SSL_AD_UNRECOGNIZED_NAME);
    expect_alert(world.tls, NULL, SSL_AD_UNRECOGNIZED_NAME);
    world_close(&world);
}

/* RFC 6066 §3: an empty server_name extension in the answer, and the name is there for handlers. */
TEST(test_the_server_acknowledges_the_name)
{
    struct world world;
    struct handshake hs;
    start_names(&world, 0);
    handshake_run(&hs, world.tls, &(struct client_wish){.name = "two.example"});
    EXPECT_TEXT(SSL_get_servername(hs.server, TLSEXT_NAMETYPE_host_name), "two.example");
    handshake_finish(&hs);
    world_close(&world);
}

/* ---- ALPN ------------------------------------------------------------------------------------ */

static void expect_alpn(galley_tls *tls, const char *offered, const char *chosen)
{
    struct handshake hs;
    handshake_run(&hs, tls, &(struct client_wish){.name = "a.example", .alpn = offered});
    EXPECT(hs.is_done);
    EXPECT_TEXT(handshake_alpn(&hs), chosen);
    handshake_finish(&hs);
}

TEST(test_http_2_is_chosen_before_http_1_1_whatever_the_client_prefers)
{
    struct world world;
    start_simple(&world, 0, 0);
    expect_alpn(world.tls, "h2,http/1.1", "h2");
    expect_alpn(world.tls, "http/1.1,h2", "h2");
    expect_alpn(world.tls, "http/1.1", "http/1.1");
    expect_alpn(world.tls, "http/1.0,http/1.1", "http/1.1");
    expect_alpn(world.tls, NULL, "");
    world_close(&world);
}

/* RFC 7301 §3.2 */
TEST(test_no_protocol_in_common_is_an_alert)
{
    struct world world;
    struct handshake hs;
    start_simple(&world, 0, 0);
    handshake_run(&hs, world.tls, &(struct client_wish){.alpn = "h3,imap"});
    EXPECT(!hs.is_done);
    EXPECT_INT(hs.alert, SSL_AD_NO_APPLICATION_PROTOCOL);
    handshake_finish(&hs);
    world_close(&world);
}

TEST(test_each_protocol_can_be_turned_off)
{
    struct world world;
    start_simple(&world, GALLEY_TLS_NO_HTTP2, 0);
    expect_alpn(world.tls, "h2,http/1.1", "http/1.1");
    EXPECT(!handshake_works(world.tls, &(struct client_wish){.alpn = "h2"}));
    world_close(&world);
    start_simple(&world, GALLEY_TLS_NO_HTTP1, 0);
    expect_alpn(world.tls, "http/1.1,h2", "h2");
    EXPECT(!handshake_works(world.tls, &(struct client_wish){.alpn = "http/1.1"}));
    world_close(&world);
}
