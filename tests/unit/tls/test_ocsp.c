/* tests/unit/tls/test_ocsp.c — responses that are sent along with a certificate: RFC 6066 §8, RFC
 * 8446 §4.4.2.1, RFC 6960; a stale or foreign one is not, and the log says so once. */
#include "support_tls.h"
#include "test.h"

enum { HOUR_S = 3600 };

struct stapled {
    struct world world;
    struct cert leaf;
    galley_tls_pair pairs[2];
    galley_tls_options options;
};

static void open_stapled(struct stapled *stapled)
{
    struct world *world = &stapled->world;
    *stapled = (struct stapled){0};
    world_open(world);
    stapled->leaf =
        cert_make(&(struct cert_wish){.issuer = &world->middle, .names = "DNS:a.example"});
    stapled->pairs[0] =
        (galley_tls_pair){cert_path(world->folder, "a.crt"), cert_path(world->folder, "a.key"),
                          cert_path(world->folder, "a.ocsp")};
    cert_write(stapled->pairs[0].cert_file, &stapled->leaf,
               (const struct cert *const[]){&world->middle, NULL});
    cert_write_key(stapled->pairs[0].key_file, &stapled->leaf, NULL);
    stapled->options = world_options(world, stapled->pairs);
}

static void close_stapled(struct stapled *stapled)
{
    cert_free(&stapled->leaf);
    world_close(&stapled->world);
}

static struct ocsp_wish good(const struct stapled *stapled)
{
    return (struct ocsp_wish){.about = &stapled->leaf,
                              .issuer = &stapled->world.middle,
                              .status = V_OCSP_CERTSTATUS_GOOD,
                              .from_s = -HOUR_S,
                              .for_s = 24 * HOUR_S};
}

/* How long a staple the client got; 0: none. */
static long staple_bytes(struct stapled *stapled, int version, bool asks)
{
    struct handshake hs;
    const unsigned char *der = NULL;
    handshake_run(
        &hs, stapled->world.tls,
        &(struct client_wish){.name = "a.example", .version = version, .wants_staple = asks});
    EXPECT(hs.is_done);
    long len = SSL_get_tlsext_status_ocsp_resp(hs.client, &der);
    handshake_finish(&hs);
    return len > 0 ? len : 0;
}

TEST(test_a_good_response_is_sent_to_those_who_ask)
{
    struct stapled stapled;
    open_stapled(&stapled);
    struct ocsp_wish wish = good(&stapled);
    ocsp_write(stapled.pairs[0].ocsp_file, &wish);
    EXPECT(world_start(&stapled.world, &stapled.options));
    EXPECT(staple_bytes(&stapled, TLS1_3_VERSION, true) > 0);
    EXPECT(staple_bytes(&stapled, TLS1_2_VERSION, true) > 0);
    EXPECT_INT(staple_bytes(&stapled, TLS1_3_VERSION, false), 0);
    EXPECT_INT((int)stapled.world.line_count, 0);
    close_stapled(&stapled);
}

/* Not sent, one line with these words, and the handshakes go on. */
static void expect_unsent(struct stapled *stapled, const struct ocsp_wish *wish, const char *words)
{
    ocsp_write(stapled->pairs[0].ocsp_file, wish);
    stapled->world.line_count = 0;
    EXPECT(world_start(&stapled->world, &stapled->options));
    EXPECT_INT(staple_bytes(stapled, TLS1_3_VERSION, true), 0);
    EXPECT_INT(staple_bytes(stapled, TLS1_2_VERSION, true), 0);
    EXPECT_INT((int)stapled->world.line_count, 1);
    EXPECT(strstr(stapled->world.lines[0], "/a.ocsp "));
    if (!strstr(stapled->world.lines[0], words)) {
        test_fail(__FILE__, __LINE__, "'%s' is not in '%s'", words, stapled->world.lines[0]);
    }
}

/* RFC 6960 §4.2.2.1 */
TEST(test_a_stale_response_is_not_sent)
{
    struct stapled stapled;
    open_stapled(&stapled);
    struct ocsp_wish wish = good(&stapled);
    wish.from_s = -3 * HOUR_S;
    wish.for_s = 2 * HOUR_S;
    expect_unsent(&stapled, &wish, "is out of date");
    wish.from_s = 2 * HOUR_S;
    expect_unsent(&stapled, &wish, "is not valid yet");
    wish.from_s = -8 * 24 * HOUR_S;
    wish.for_s = 0; /* without nextUpdate */
    expect_unsent(&stapled, &wish, "is out of date");
    close_stapled(&stapled);
}

TEST(test_a_response_about_another_certificate_is_not_sent)
{
    struct stapled stapled;
    open_stapled(&stapled);
    struct cert other = cert_make(&(struct cert_wish){.issuer = &stapled.world.middle});
    struct ocsp_wish wish = good(&stapled);
    wish.about = &other;
    expect_unsent(&stapled, &wish, "is about another certificate");
    cert_free(&other);
    close_stapled(&stapled);
}

/* RFC 6960 §4.2.2.2 */
TEST(test_a_response_signed_by_somebody_else_is_not_sent)
{
    struct stapled stapled;
    open_stapled(&stapled);
    struct cert other = cert_make(&(struct cert_wish){.subject = "middle"});
    struct ocsp_wish wish = good(&stapled);
    wish.signer = &other;
    expect_unsent(&stapled, &wish, "is not signed by the certificate's issuer");
    cert_free(&other);
    close_stapled(&stapled);
}

TEST(test_bad_news_is_not_sent)
{
    struct stapled stapled;
    open_stapled(&stapled);
    struct ocsp_wish wish = good(&stapled);
    wish.status = V_OCSP_CERTSTATUS_REVOKED;
    expect_unsent(&stapled, &wish, "says that the certificate is revoked");
    wish.status = V_OCSP_CERTSTATUS_UNKNOWN;
    expect_unsent(&stapled, &wish, "does not know the certificate");
    close_stapled(&stapled);
}

TEST(test_a_response_cannot_be_checked_without_the_issuer)
{
    struct stapled stapled;
    open_stapled(&stapled);
    struct ocsp_wish wish = good(&stapled);
    cert_write(stapled.pairs[0].cert_file, &stapled.leaf, NULL);
    expect_unsent(&stapled, &wish, "does not hold its issuer");
    close_stapled(&stapled);
}

TEST(test_a_response_that_gets_old_is_no_longer_sent_and_said_once)
{
    struct stapled stapled;
    open_stapled(&stapled);
    struct ocsp_wish wish = good(&stapled);
    ocsp_write(stapled.pairs[0].ocsp_file, &wish);
    EXPECT(world_start(&stapled.world, &stapled.options));
    EXPECT(staple_bytes(&stapled, TLS1_3_VERSION, true) > 0);
    world_ahead_s = 24 * HOUR_S;
    EXPECT_INT(staple_bytes(&stapled, TLS1_3_VERSION, true), 0);
    EXPECT_INT(staple_bytes(&stapled, TLS1_3_VERSION, true), 0);
    EXPECT_INT((int)stapled.world.line_count, 1);
    EXPECT(strstr(stapled.world.lines[0], "/a.crt is out of date"));
    close_stapled(&stapled);
}

TEST(test_a_new_response_comes_with_a_reload)
{
    struct stapled stapled;
    open_stapled(&stapled);
    struct ocsp_wish wish = good(&stapled);
    struct ocsp_wish old = wish;
    old.from_s = -3 * HOUR_S;
    old.for_s = 2 * HOUR_S;
    expect_unsent(&stapled, &old, "is out of date");
    ocsp_write(stapled.pairs[0].ocsp_file, &wish);
    EXPECT_INT(galley_tls_reload(stapled.world.tls, NULL), 0);
    EXPECT(staple_bytes(&stapled, TLS1_3_VERSION, true) > 0);
    close_stapled(&stapled);
}

TEST(test_a_file_that_holds_no_response_refuses_the_start)
{
    struct stapled stapled;
    open_stapled(&stapled);
    world_expect_refusal(&stapled.world, &stapled.pairs[0], GALLEY_ESYS,
                         "/a.ocsp: No such file or directory");
    cert_write_text(stapled.pairs[0].ocsp_file, "hello", 5);
    world_expect_refusal(&stapled.world, &stapled.pairs[0], GALLEY_EINVAL,
                         "/a.ocsp: no successful OCSP response in it");
    close_stapled(&stapled);
}

/* With two kinds of keys for a name, each has its own. */
TEST(test_the_response_is_that_of_the_certificate_in_use)
{
    struct stapled stapled;
    open_stapled(&stapled);
    struct ocsp_wish wish = good(&stapled);
    ocsp_write(stapled.pairs[0].ocsp_file, &wish);
    galley_tls_pair rsa = world_pair(&stapled.world, "rsa", "RSA:2048", "DNS:a.example");
    const galley_tls_pair pairs[] = {stapled.pairs[0], rsa, {0}};
    stapled.options.pairs = pairs;
    EXPECT(world_start(&stapled.world, &stapled.options));
    EXPECT(staple_bytes(&stapled, TLS1_3_VERSION, true) > 0);
    struct handshake hs;
    const unsigned char *der = NULL;
    handshake_run(&hs, stapled.world.tls,
                  &(struct client_wish){.name = "a.example",
                                        .sigalgs = "rsa_pss_rsae_sha256:RSA+SHA256",
                                        .wants_staple = true});
    EXPECT(hs.is_done && SSL_get_tlsext_status_ocsp_resp(hs.client, &der) <= 0);
    handshake_finish(&hs);
    close_stapled(&stapled);
}
