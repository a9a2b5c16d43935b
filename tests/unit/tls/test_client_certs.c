/* tests/unit/tls/test_client_certs.c — clients that show a certificate, or should: by host, and no
 * way around. What is known of a peer afterwards. */
#include "support_tls.h"
#include "test.h"

#include "base/alloc.h"
#include "tls/tls_peer.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
enum { VERSIONS = 2 };

struct clients {
    struct world world;
    struct cert good;    /* signed by the root */
    struct cert foreign; /* by nobody */
    const char *authority;
};

/* open.example asks nobody, may.example may be shown one, must.example and *.must.example need
 * one. */
static void open_clients(struct clients *clients, const char *host_of_all, int mode_of_all)
{
    struct world *world = &clients->world;
    world_open(world);
    clients->good = cert_make(&(struct cert_wish){.subject = "alice",
                                                  .names = "DNS:a.example,email:al@a.example,"
                                                           "URI:urn:x,IP:127.0.0.1",
                                                  .issuer = &world->root});
    clients->foreign = cert_make(&(struct cert_wish){.subject = "mallory"});
    clients->authority = world_authority(world, "clients", &world->root);
    const galley_tls_pair pairs[] = {
        world_pair(world, "server", NULL, "DNS:open.example,DNS:may.example,DNS:*.must.example"),
        {0}};
    const galley_tls_client_rule rules[] = {
        {"may.example", GALLEY_TLS_CLIENT_OPTIONAL, clients->authority},
        {"Must.Example", GALLEY_TLS_CLIENT_REQUIRED, clients->authority},
        {"*.must.example", GALLEY_TLS_CLIENT_REQUIRED, clients->authority},
        {"off.must.example", GALLEY_TLS_CLIENT_OFF, NULL},
        {host_of_all, mode_of_all, clients->authority},
        {0}};
    galley_tls_options options = world_options(world, pairs);
    options.clients = rules;
    EXPECT(world_start(world, &options));
}

static void close_clients(struct clients *clients)
{
    cert_free(&clients->good);
    cert_free(&clients->foreign);
    world_close(&clients->world);
}

static bool works(struct clients *clients, const char *name, int version, const struct cert *shown)
{
    return handshake_works(
        clients->world.tls,
        &(struct client_wish){.name = name, .version = version, .certificate = shown});
}

TEST(test_a_host_without_a_rule_asks_no_client)
{
    struct clients clients;
    open_clients(&clients, NULL, 0);
    for (int i = 0; i < VERSIONS; i++) {
        EXPECT(works(&clients, "open.example", versions[i], NULL));
        EXPECT(works(&clients, "off.must.example", versions[i], NULL));
        EXPECT(works(&clients, NULL, versions[i], NULL));
    }
    close_clients(&clients);
}

TEST(test_a_required_certificate_must_be_there_and_be_good)
{
    struct clients clients;
    open_clients(&clients, NULL, 0);
    static const char *const names[] = {"must.example", "a.must.example", "B.Must.Example",
                                        "x.y.z.must.example"};
    for (int i = 0; i < VERSIONS * 4; i++) {
        const char *name = names[i / VERSIONS];
        int version = versions[i % VERSIONS];
        EXPECT(works(&clients, name, version, &clients.good));
        EXPECT(!works(&clients, name, version, NULL));
        EXPECT(!works(&clients, name, version, &clients.foreign));
    }
    close_clients(&clients);
}

/* A route for "*.example" serves a.b.example, too: so the rule must hold there. */
TEST(test_the_longest_wildcard_of_the_rules_counts_however_deep)
{
    struct world world;
    world_open(&world);
    const char *authority = world_authority(&world, "clients", &world.root);
    const galley_tls_pair pairs[] = {
        world_pair(&world, "a", NULL, "DNS:a.example,DNS:*.in.b.example"), {0}};
    const galley_tls_client_rule rules[] = {
        {"*.example", GALLEY_TLS_CLIENT_REQUIRED, authority},
        {"*.b.example", GALLEY_TLS_CLIENT_OFF, NULL},
        {"*.c.b.example", GALLEY_TLS_CLIENT_REQUIRED, authority},
        {0}};
    static const char *const closed[] = {"a.example", "z.example",     "y.z.example",
                                         "b.example", "x.c.b.example", "w.x.c.b.example"};
    static const char *const open[] = {"example",     "x.b.example",    "x.y.b.example",
                                       "c.b.example", "x.in.b.example", "x.y.in.b.example"};
    galley_tls_options options = world_options(&world, pairs);
    options.clients = rules;
    EXPECT(world_start(&world, &options));
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        EXPECT(!handshake_works(world.tls, &(struct client_wish){.name = closed[i]}));
        EXPECT(handshake_works(world.tls, &(struct client_wish){.name = open[i]}));
    }
    options.flags = GALLEY_TLS_STRICT_NAMES; /* a rule is no certificate */
    EXPECT(world_start(&world, &options));
    EXPECT(handshake_works(world.tls, &(struct client_wish){.name = "x.in.b.example"}));
    EXPECT(!handshake_works(world.tls, &(struct client_wish){.name = "x.b.example"}));
    EXPECT(!handshake_works(world.tls, &(struct client_wish){.name = "x.y.b.example"}));
    world_close(&world);
}

TEST(test_an_optional_certificate_may_be_missing_but_not_bad)
{
    struct clients clients;
    open_clients(&clients, NULL, 0);
    for (int i = 0; i < VERSIONS; i++) {
        EXPECT(works(&clients, "may.example", versions[i], &clients.good));
        EXPECT(works(&clients, "may.example", versions[i], NULL));
        EXPECT(!works(&clients, "may.example", versions[i], &clients.foreign));
    }
    close_clients(&clients);
}

TEST(test_a_rule_for_all_others_holds_for_no_name_too)
{
    struct clients clients;
    open_clients(&clients, "*", GALLEY_TLS_CLIENT_REQUIRED);
    for (int i = 0; i < VERSIONS; i++) {
        EXPECT(!works(&clients, NULL, versions[i], NULL));
        EXPECT(!works(&clients, "open.example", versions[i], NULL));
        EXPECT(!works(&clients, "elsewhere.test", versions[i], NULL));
        EXPECT(works(&clients, "open.example", versions[i], &clients.good));
        EXPECT(works(&clients, "off.must.example", versions[i], NULL));
    }
    close_clients(&clients);
}

TEST(test_the_system_s_authorities_count_for_nothing)
{
    struct clients clients;
    struct handshake hs;
    open_clients(&clients, NULL, 0);
    handshake_run(&hs, clients.world.tls,
                  &(struct client_wish){.name = "must.example", .certificate = &clients.good});
    const STACK_OF(X509_NAME) *told = SSL_get0_peer_CA_list(hs.client);
    EXPECT_INT(sk_X509_NAME_num(told), 1);
    EXPECT(X509_NAME_cmp(sk_X509_NAME_value(told, 0),
                         X509_get_subject_name(clients.world.root.x509)) == 0);
    handshake_finish(&hs);
    close_clients(&clients);
}

/* Not even when the authorities of clients would make a chain for it. */
TEST(test_nothing_is_sent_that_is_not_in_the_file)
{
    struct world world;
    struct handshake hs;
    world_open(&world);
    struct cert leaf =
        cert_make(&(struct cert_wish){.issuer = &world.root, .names = "DNS:a.example"});
    const galley_tls_pair pairs[] = {
        {cert_path(world.folder, "l.crt"), cert_path(world.folder, "l.key"), NULL}, {0}};
    const galley_tls_client_rule rules[] = {
        {"*", GALLEY_TLS_CLIENT_OPTIONAL, world_authority(&world, "clients", &world.root)}, {0}};
    cert_write(pairs[0].cert_file, &leaf, NULL);
    cert_write_key(pairs[0].key_file, &leaf, NULL);
    galley_tls_options options = world_options(&world, pairs);
    options.clients = rules;
    EXPECT(world_start(&world, &options));
    handshake_run(&hs, world.tls, &(struct client_wish){.name = "a.example"});
    EXPECT_INT(sk_X509_num(SSL_get_peer_cert_chain(hs.client)), 1);
    handshake_finish(&hs);
    cert_free(&leaf);
    world_close(&world);
}

/* CVE-2025-23419, RFC 8446 §4.6.1: a ticket from a host without the rule opens no door. */
TEST(test_a_session_of_an_open_host_does_not_get_into_a_closed_one)
{
    struct clients clients;
    struct handshake hs;
    open_clients(&clients, NULL, 0);
    for (int i = 0; i < VERSIONS; i++) {
        struct client_wish wish = {.name = "open.example", .version = versions[i]};
        handshake_run(&hs, clients.world.tls, &wish);
        SSL_SESSION *session = hs.session;
        hs.session = NULL;
        handshake_finish(&hs);
        wish.name = "must.example";
        wish.session = session;
        EXPECT(session && !handshake_works(clients.world.tls, &wish));
        SSL_SESSION_free(session);
    }
    close_clients(&clients);
}

TEST(test_a_resumed_session_still_knows_the_client)
{
    struct clients clients;
    struct handshake hs;
    open_clients(&clients, NULL, 0);
    for (int i = 0; i < VERSIONS; i++) {
        struct client_wish wish = {
            .name = "must.example", .version = versions[i], .certificate = &clients.good};
        handshake_run(&hs, clients.world.tls, &wish);
        SSL_SESSION *session = hs.session;
        hs.session = NULL;
        handshake_finish(&hs);
        wish.session = session;
        handshake_run(&hs, clients.world.tls, &wish);
        struct tls_facts *peer = tls_peer_facts(hs.server);
        EXPECT(peer && peer->is_resumed && peer->has_client);
        EXPECT_SPAN(peer->client_subject, "CN=alice");
        EXPECT_SPAN(peer->server_name, "must.example");
        tls_facts_unref(peer);
        handshake_finish(&hs);
        SSL_SESSION_free(session);
    }
    close_clients(&clients);
}

/* Whoever is no longer trusted does not get in with an old session. */
TEST(test_other_authorities_after_a_reload_end_sessions)
{
    struct clients clients;
    struct handshake hs;
    open_clients(&clients, NULL, 0);
    struct client_wish wish = {.name = "must.example", .certificate = &clients.good};
    handshake_run(&hs, clients.world.tls, &wish);
    SSL_SESSION *session = hs.session;
    hs.session = NULL;
    handshake_finish(&hs);
    cert_write(clients.authority, &clients.foreign, NULL);
    EXPECT_INT(galley_tls_reload(clients.world.tls, NULL), 0);
    wish.session = session;
    EXPECT(!handshake_works(clients.world.tls, &wish));
    SSL_SESSION_free(session);
    close_clients(&clients);
}

/* A list that cannot be read is no empty list. */
TEST(test_authorities_that_cannot_be_read_refuse_the_start)
{
    struct world world;
    world_open(&world);
    const galley_tls_pair pairs[] = {world_pair(&world, "a", NULL, "DNS:a.example"), {0}};
    galley_tls_client_rule rules[] = {{"*", GALLEY_TLS_CLIENT_OPTIONAL, NULL}, {0}};
    galley_tls_options options = world_options(&world, pairs);
    options.clients = rules;
    rules[0].ca_file = cert_path(world.folder, "none.pem");
    EXPECT(!world_start(&world, &options));
    EXPECT_INT(world.err.code, GALLEY_ESYS);
    EXPECT(strstr(world.err.message, "client CA /") && strstr(world.err.message, "/none.pem: No"));
    rules[0].ca_file = cert_path(world.folder, "empty.pem");
    cert_write_text(rules[0].ca_file, "", 0);
    EXPECT(!world_start(&world, &options));
    EXPECT(strstr(world.err.message, "/empty.pem: no PEM certificate in it"));
    world_close(&world);
}

/* ---- requests for other hosts on the same connection ----------------------------------------- */

/* RFC 9110 §15.5.20 and §7.4: 421 is for those. */
TEST(test_a_host_with_another_rule_does_not_fit_the_connection)
{
    struct clients clients;
    struct handshake hs;
    open_clients(&clients, NULL, 0);
    handshake_run(&hs, clients.world.tls, &(struct client_wish){.name = "open.example"});
    EXPECT(tls_context_host_fits(hs.server, SPAN("open.example")));
    EXPECT(tls_context_host_fits(hs.server, SPAN("elsewhere.test")));
    EXPECT(tls_context_host_fits(hs.server, SPAN("off.must.example")));
    EXPECT(tls_context_host_fits(hs.server, SPAN_NONE));
    EXPECT(!tls_context_host_fits(hs.server, SPAN("must.example")));
    EXPECT(!tls_context_host_fits(hs.server, SPAN("A.MUST.example")));
    EXPECT(!tls_context_host_fits(hs.server, SPAN("must.example.")));
    EXPECT(!tls_context_host_fits(hs.server, SPAN("a.b.must.example")));
    EXPECT(!tls_context_host_fits(hs.server, SPAN("may.example")));
    handshake_finish(&hs);
    handshake_run(&hs, clients.world.tls,
                  &(struct client_wish){.name = "must.example", .certificate = &clients.good});
    EXPECT(tls_context_host_fits(hs.server, SPAN("must.example")));
    EXPECT(tls_context_host_fits(hs.server, SPAN("a.must.example"))); /* the same rule */
    EXPECT(tls_context_host_fits(hs.server, SPAN("open.example")));
    EXPECT(!tls_context_host_fits(hs.server, SPAN("may.example")));
    handshake_finish(&hs);
    close_clients(&clients);
}

/* ---- what is known of a peer ----------------------------------------------------------------- */

TEST(test_a_peer_with_a_certificate_is_described)
{
    struct clients clients;
    struct handshake hs;
    open_clients(&clients, NULL, 0);
    handshake_run(&hs, clients.world.tls,
                  &(struct client_wish){.name = "Must.example",
                                        .alpn = "h2",
                                        .version = TLS1_3_VERSION,
                                        .certificate = &clients.good});
    struct tls_facts *peer = tls_peer_facts(hs.server);
    handshake_finish(&hs); /* it is a copy */
    EXPECT(peer && peer->has_client && !peer->is_resumed);
    EXPECT_TEXT(peer->protocol, "TLSv1.3");
    EXPECT_TEXT(peer->cipher, "TLS_AES_128_GCM_SHA256");
    EXPECT_SPAN(peer->server_name, "Must.example");
    EXPECT_SPAN(peer->alpn, "h2");
    EXPECT_SPAN(peer->client_subject, "CN=alice");
    EXPECT_SPAN(peer->client_names, "DNS:a.example email:al@a.example URI:urn:x IP:127.0.0.1");
    EXPECT_INT((int)peer->client_fingerprint.len, 95);
    EXPECT_TEXT(peer->client_subject.ptr, "CN=alice"); /* with a NUL behind it */
    tls_facts_unref(peer);
    close_clients(&clients);
}

TEST(test_a_peer_without_anything_is_described)
{
    struct clients clients;
    struct handshake hs;
    open_clients(&clients, NULL, 0);
    handshake_run(&hs, clients.world.tls, &(struct client_wish){.version = TLS1_2_VERSION});
    struct tls_facts *peer = tls_peer_facts(hs.server);
    EXPECT(peer && !peer->has_client);
    EXPECT_TEXT(peer->protocol, "TLSv1.2");
    EXPECT(!peer->server_name.ptr && !peer->alpn.ptr && !peer->client_subject.ptr);
    EXPECT(!peer->client_names.ptr && !peer->client_fingerprint.ptr);
    tls_facts_unref(peer);
    handshake_finish(&hs);
    close_clients(&clients);
}

TEST(test_names_and_subjects_cannot_forge_others)
{
    struct clients clients;
    struct handshake hs;
    open_clients(&clients, NULL, 0);
    cert_free(&clients.good);
    clients.good = cert_make(&(struct cert_wish){.subject = "a,CN=b\n\x1b[1m",
                                                 .names = "DNS:x DNS:admin.example,DNS:y.example",
                                                 .issuer = &clients.world.root});
    handshake_run(&hs, clients.world.tls,
                  &(struct client_wish){.name = "must.example", .certificate = &clients.good});
    struct tls_facts *peer = tls_peer_facts(hs.server);
    EXPECT_SPAN(peer->client_names, "DNS:y.example");
    EXPECT_SPAN(peer->client_subject, "CN=a\\,CN=b\\0A\\1B[1m");
    tls_facts_unref(peer);
    handshake_finish(&hs);
    close_clients(&clients);
}

TEST(test_no_memory_gives_no_peer)
{
    struct clients clients;
    struct handshake hs;
    open_clients(&clients, NULL, 0);
    handshake_run(&hs, clients.world.tls,
                  &(struct client_wish){.name = "must.example", .certificate = &clients.good});
    for (uint64_t n = 1;; n++) {
        mem_fail_nth(n);
        struct tls_facts *peer = tls_peer_facts(hs.server);
        EXPECT((peer != NULL) == !mem_fail_happened());
        tls_facts_unref(peer);
        if (peer) {
            break;
        }
    }
    mem_fail_nth(0);
    handshake_finish(&hs);
    close_clients(&clients);
}
