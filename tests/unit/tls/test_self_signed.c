/* tests/unit/tls/test_self_signed.c — the certificate for development: its names, its days, its
 * fingerprint, and that it stays the same where it can. */
#include "support_tls.h"
#include "test.h"

#include <openssl/x509v3.h>
#include <unistd.h>

static galley_tls_options self_signed(struct world *world)
{
    static const char *const names[] = {"Dev.test", "*.dev.test", "192.0.2.7", "2001:db8::7", NULL};
    galley_tls_options options = world_options(world, NULL);
    options.flags = GALLEY_TLS_SELF_SIGNED;
    options.self_signed_names = names;
    return options;
}

/* What the client sees; one reference. */
static X509 *fetch(galley_tls *tls, const char *name)
{
    struct handshake hs;
    handshake_run(&hs, tls, &(struct client_wish){.name = name});
    EXPECT(hs.is_done);
    X509 *certificate = SSL_get1_peer_certificate(hs.client);
    handshake_finish(&hs);
    return certificate;
}

TEST(test_it_is_for_this_machine_and_the_names_that_were_given)
{
    struct world world;
    char host[256] = "";
    world_open(&world);
    galley_tls_options options = self_signed(&world);
    EXPECT(world_start(&world, &options));
    X509 *certificate = fetch(world.tls, "localhost");
    EXPECT_INT(X509_check_host(certificate, "localhost", 0, 0, NULL), 1);
    EXPECT_INT(X509_check_host(certificate, "dev.test", 0, 0, NULL), 1);
    EXPECT_INT(X509_check_host(certificate, "x.dev.test", 0, 0, NULL), 1);
    EXPECT_INT(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
    EXPECT_INT(X509_check_ip_asc(certificate, "::1", 0), 1);
    EXPECT_INT(X509_check_ip_asc(certificate, "192.0.2.7", 0), 1);
    EXPECT_INT(X509_check_ip_asc(certificate, "2001:db8::7", 0), 1);
    EXPECT_INT(X509_check_host(certificate, "elsewhere.test", 0, 0, NULL), 0);
    EXPECT_INT(gethostname(host, sizeof host - 1), 0);
    bool is_short = strlen(host) <= 63; /* else it is no label, and not in it */
    EXPECT(!is_short || X509_check_host(certificate, host, 0, 0, NULL) == 1);
    X509_free(certificate);
    world_close(&world);
}

/* RFC 5280 §4.2: what browsers ask of a server's certificate, and no more power than that. */
TEST(test_it_is_a_server_s_certificate_and_no_authority)
{
    struct world world;
    world_open(&world);
    galley_tls_options options = self_signed(&world);
    EXPECT(world_start(&world, &options));
    X509 *certificate = fetch(world.tls, NULL);
    EXPECT_INT(X509_check_ca(certificate), 0);
    EXPECT_INT((int)X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
    EXPECT_INT((int)X509_get_extended_key_usage(certificate), XKU_SSL_SERVER);
    EXPECT_INT(X509_verify(certificate, X509_get0_pubkey(certificate)), 1);
    EXPECT_INT(EVP_PKEY_get_base_id(X509_get0_pubkey(certificate)), EVP_PKEY_EC);
    X509_free(certificate);
    world_close(&world);
}

TEST(test_it_is_valid_for_90_days_and_its_fingerprint_is_told)
{
    struct world world;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char text[4];
    galley_tls_certificate_report report = {.size = sizeof report};
    world_open(&world);
    galley_tls_options options = self_signed(&world);
    EXPECT(world_start(&world, &options));
    EXPECT_INT(galley_tls_get_certificate(world.tls, 0, &report), 0);
    EXPECT(report.is_self_signed);
    EXPECT_TEXT(report.key, "EC 256");
    EXPECT(report.not_after_s - report.not_before_s <= 90 * CERT_DAY_S);
    X509 *certificate = fetch(world.tls, NULL);
    EXPECT_INT(X509_digest(certificate, EVP_sha256(), digest, &len), 1);
    for (unsigned i = 0; i < len; i++) {
        (void)snprintf(text, sizeof text, "%02X", digest[i]);
        EXPECT(memcmp(report.fingerprint + (size_t)i * 3, text, 2) == 0);
    }
    X509_free(certificate);
    world_close(&world);
}

TEST(test_it_stays_over_reloads_until_it_is_nearly_over)
{
    struct world world;
    world_open(&world);
    galley_tls_options options = self_signed(&world);
    EXPECT(world_start(&world, &options));
    X509 *first = fetch(world.tls, NULL);
    EXPECT_INT(galley_tls_reload(world.tls, NULL), 0);
    X509 *second = fetch(world.tls, NULL);
    EXPECT_INT(X509_cmp(first, second), 0);
    world_ahead_s = 70 * CERT_DAY_S;
    EXPECT_INT(galley_tls_reload(world.tls, NULL), 0);
    X509 *third = fetch(world.tls, NULL);
    EXPECT(X509_cmp(first, third) != 0);
    X509_free(first);
    X509_free(second);
    X509_free(third);
    world_close(&world);
}

TEST(test_it_may_stand_beside_others)
{
    struct world world;
    struct handshake hs;
    world_open(&world);
    const galley_tls_pair pairs[] = {world_pair(&world, "a", NULL, "DNS:a.example"), {0}};
    galley_tls_options options = self_signed(&world);
    options.pairs = pairs;
    EXPECT(world_start(&world, &options));
    handshake_run(&hs, world.tls, &(struct client_wish){0});
    EXPECT_TEXT(handshake_subject(&hs), "a");
    handshake_finish(&hs);
    handshake_run(&hs, world.tls, &(struct client_wish){.name = "dev.test"});
    EXPECT_TEXT(handshake_subject(&hs), "galley development certificate");
    handshake_finish(&hs);
    world_close(&world);
}

TEST(test_names_that_are_none_are_refused)
{
    static const char *const wrong[] = {"", "a b", "DNS:x", "a,DNS:b", "1.2.3.4.", "::g", "a..b"};
    struct world world;
    world_open(&world);
    galley_tls_options options = self_signed(&world);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.self_signed_names = (const char *const[]){wrong[i], NULL};
        EXPECT(!world_start(&world, &options));
        EXPECT_INT(world.err.code, GALLEY_EINVAL);
        EXPECT(strstr(world.err.message, "is neither a name nor an address"));
    }
    world_close(&world);
}
