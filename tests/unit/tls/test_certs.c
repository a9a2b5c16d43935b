/* tests/unit/tls/test_certs.c — what is wrong with a pair is said at the start, in one sentence
 * that names the file. */
#include "support_tls.h"
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

static void touch(const char *path, const char *text)
{
    cert_write_text(path, text, strlen(text));
}

/* ---- files ----------------------------------------------------------------------------------- */

TEST(test_a_missing_file_is_named)
{
    struct world world;
    world_open(&world);
    galley_tls_pair good = world_pair(&world, "a", NULL, "DNS:a.example");
    galley_tls_pair pair = good;
    pair.cert_file = cert_path(world.folder, "none.crt");
    world_expect_refusal(&world, &pair, GALLEY_ESYS, "/none.crt: No such file or directory");
    EXPECT(strncmp(world.err.message, "certificate /", 13) == 0);
    pair = good;
    pair.key_file = cert_path(world.folder, "none.key");
    world_expect_refusal(&world, &pair, GALLEY_ESYS, "/none.key: No such file or directory");
    EXPECT(strncmp(world.err.message, "key /", 5) == 0);
    world_close(&world);
}

TEST(test_a_file_that_may_not_be_read_is_named)
{
    struct world world;
    uid_t user = geteuid();
    world_open(&world);
    galley_tls_pair pair = world_pair(&world, "a", NULL, "DNS:a.example");
    EXPECT_INT(chmod(world.folder, 0755), 0);
    EXPECT_INT(chmod(pair.cert_file, 0644), 0);
    EXPECT_INT(chmod(pair.key_file, 0), 0);
    EXPECT(user != 0 || seteuid(65534) == 0); /* root may read everything */
    world_expect_refusal(&world, &pair, GALLEY_ESYS, "/a.key: Permission denied");
    EXPECT(user != 0 || seteuid(user) == 0);
    world_close(&world);
}

TEST(test_what_is_no_regular_file_is_not_read)
{
    struct world world;
    world_open(&world);
    galley_tls_pair pair = world_pair(&world, "a", NULL, "DNS:a.example");
    pair.key_file = cert_path(world.folder, "fifo");
    EXPECT_INT(mkfifo(pair.key_file, 0600), 0);
    world_expect_refusal(&world, &pair, GALLEY_EINVAL, "/fifo: not a regular file");
    pair.key_file = world.folder;
    world_expect_refusal(&world, &pair, GALLEY_EINVAL, ": not a regular file");
    world_close(&world);
}

TEST(test_a_huge_file_is_not_read)
{
    struct world world;
    world_open(&world);
    galley_tls_pair pair = world_pair(&world, "a", NULL, "DNS:a.example");
    EXPECT_INT(truncate(pair.cert_file, (4 << 20) + 1), 0);
    world_expect_refusal(&world, &pair, GALLEY_EINVAL, "/a.crt: larger than 4 MiB");
    world_close(&world);
}

TEST(test_what_is_no_pem_is_refused_with_a_hint_for_der)
{
    struct world world;
    world_open(&world);
    galley_tls_pair pair = world_pair(&world, "a", NULL, "DNS:a.example");
    galley_tls_pair bad = pair;
    bad.cert_file = cert_path(world.folder, "bad");
    touch(bad.cert_file, "");
    world_expect_refusal(&world, &bad, GALLEY_EINVAL, "/bad: no PEM certificate in it");
    touch(bad.cert_file, "hello\n");
    world_expect_refusal(&world, &bad, GALLEY_EINVAL, "/bad: no PEM certificate in it");
    touch(bad.cert_file, "\x30\x82\x01\x01");
    world_expect_refusal(&world, &bad, GALLEY_EINVAL, "it looks like DER");
    touch(bad.cert_file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    world_expect_refusal(&world, &bad, GALLEY_EINVAL, "/bad: certificate 1 in it is damaged");
    bad = pair;
    bad.key_file = pair.cert_file;
    world_expect_refusal(&world, &bad, GALLEY_EINVAL, "/a.crt: no PEM private key in it");
    world_close(&world);
}

TEST(test_a_damaged_second_certificate_is_told)
{
    struct world world;
    char text[8192];
    world_open(&world);
    galley_tls_pair pair = world_pair(&world, "a", NULL, "DNS:a.example");
    FILE *file = fopen(pair.cert_file, "r+e");
    EXPECT(file);
    size_t len = fread(text, 1, sizeof text, file);
    EXPECT(fclose(file) == 0 && len > 300);
    cert_write_text(pair.cert_file, text, len - 100); /* within the base64 of the second */
    world_expect_refusal(&world, &pair, GALLEY_EINVAL, "certificate 2 in it is damaged");
    world_close(&world);
}

TEST(test_key_and_certificate_may_be_in_one_file)
{
    struct world world;
    char text[16384];
    world_open(&world);
    galley_tls_pair pair = world_pair(&world, "a", NULL, "DNS:a.example");
    FILE *cert = fopen(pair.cert_file, "re");
    FILE *key = fopen(pair.key_file, "re");
    EXPECT(cert && key);
    size_t len = fread(text, 1, 8192, cert);
    len += fread(text + len, 1, 8192, key);
    EXPECT(fclose(cert) == 0 && fclose(key) == 0);
    cert_write_text(pair.cert_file, text, len);
    const galley_tls_pair pairs[] = {{.cert_file = pair.cert_file}, {0}};
    galley_tls_options options = world_options(&world, pairs);
    EXPECT(world_start(&world, &options));
    EXPECT(handshake_works(world.tls, &(struct client_wish){.name = "a.example"}));
    world_close(&world);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* The test has no terminal to be asked at; with one, it would hang here. */
TEST(test_an_encrypted_key_is_refused_and_nobody_is_asked)
{
    struct world world;
    world_open(&world);
    struct cert cert = cert_make(&(struct cert_wish){.issuer = &world.middle});
    galley_tls_pair pair = {cert_path(world.folder, "e.crt"), cert_path(world.folder, "e.key"),
                            NULL};
    cert_write(pair.cert_file, &cert, NULL);
    cert_write_key(pair.key_file, &cert, "secret");
    world_expect_refusal(&world, &pair, GALLEY_EINVAL, "/e.key: encrypted");
    cert_free(&cert);
    world_close(&world);
}

TEST(test_a_key_of_another_certificate_is_refused_with_both_names)
{
    struct world world;
    world_open(&world);
    galley_tls_pair a = world_pair(&world, "a", NULL, "DNS:a.example");
    galley_tls_pair b = world_pair(&world, "b", NULL, "DNS:b.example");
    galley_tls_pair c = world_pair(&world, "c", "RSA:2048", "DNS:c.example");
    galley_tls_pair mixed = {a.cert_file, b.key_file, NULL};
    world_expect_refusal(&world, &mixed, GALLEY_EINVAL, "b.key: not the key of certificate ");
    EXPECT(strstr(world.err.message, "/a.crt"));
    mixed.key_file = c.key_file; /* of another kind */
    world_expect_refusal(&world, &mixed, GALLEY_EINVAL, "c.key: not the key of certificate ");
    world_close(&world);
}

TEST(test_weak_keys_are_refused)
{
    struct world world;
    world_open(&world);
    galley_tls_pair pair = world_pair(&world, "weak", "RSA:1024", "DNS:a.example");
    world_expect_refusal(&world, &pair, GALLEY_EINVAL,
                         "/weak.crt: RSA key of 1024 bits is too weak; at least 2048 are needed");
    pair = world_pair(&world, "odd", "secp256k1", "DNS:a.example");
    world_expect_refusal(&world, &pair, GALLEY_EINVAL, "none of P-256, P-384 and P-521");
    world_close(&world);
}

/* RFC 9325 §4.4 by way of OpenSSL's security level: no SHA-1 signatures. */
TEST(test_a_signature_with_sha_1_is_refused)
{
    struct world world;
    world_open(&world);
    galley_tls_pair pair = world_pair_as(
        &world, "sha1", &(struct cert_wish){.names = "DNS:a.example", .has_sha1 = true});
    world_expect_refusal(&world, &pair, GALLEY_EINVAL, "/sha1.crt: OpenSSL refuses it: ");
    world_close(&world);
}

/* ---- times ----------------------------------------------------------------------------------- */

TEST(test_certificates_are_refused_before_and_after_their_time)
{
    struct world world;
    world_open(&world);
    galley_tls_pair old = world_pair_as(
        &world, "old", &(struct cert_wish){.from_s = -3 * CERT_DAY_S, .for_s = 2 * CERT_DAY_S});
    galley_tls_pair early =
        world_pair_as(&world, "early", &(struct cert_wish){.from_s = 2 * CERT_DAY_S});
    world_expect_refusal(&world, &old, GALLEY_EINVAL, "/old.crt: expired on 20");
    EXPECT(strstr(world.err.message, " UTC"));
    world_expect_refusal(&world, &early, GALLEY_EINVAL, "/early.crt: is not valid before 20");
    world_ahead_s = 3 * CERT_DAY_S;
    const galley_tls_pair pairs[] = {early, {0}};
    galley_tls_options options = world_options(&world, pairs);
    EXPECT(world_start(&world, &options));
    world_close(&world);
}

TEST(test_an_expired_certificate_of_the_chain_is_refused)
{
    struct world world;
    world_open(&world);
    cert_free(&world.middle);
    world.middle = cert_make(&(struct cert_wish){.subject = "middle",
                                                 .is_authority = true,
                                                 .issuer = &world.root,
                                                 .from_s = -3 * CERT_DAY_S,
                                                 .for_s = 2 * CERT_DAY_S});
    galley_tls_pair pair = world_pair(&world, "a", NULL, "DNS:a.example");
    world_expect_refusal(&world, &pair, GALLEY_EINVAL, "/a.crt: certificate 2 in it expired on 20");
    world_close(&world);
}

/* ---- chains ---------------------------------------------------------------------------------- */

/* RFC 8446 §4.4.2: each certifies the one before. */
TEST(test_a_broken_chain_is_refused_with_the_place)
{
    struct world world;
    world_open(&world);
    struct cert leaf = cert_make(&(struct cert_wish){.issuer = &world.middle});
    struct cert other = cert_make(&(struct cert_wish){
        .subject = "middle", .is_authority = true, .issuer = &world.root}); /* another key */
    galley_tls_pair pair = {cert_path(world.folder, "l.crt"), cert_path(world.folder, "l.key"),
                            NULL};
    cert_write_key(pair.key_file, &leaf, NULL);
    cert_write(pair.cert_file, &leaf, (const struct cert *const[]){&world.root, NULL});
    world_expect_refusal(&world, &pair, GALLEY_EINVAL,
                         "the chain is broken: certificate 2 in it (root) did not issue "
                         "certificate 1");
    cert_write(pair.cert_file, &leaf, (const struct cert *const[]){&world.middle, &leaf, NULL});
    world_expect_refusal(&world, &pair, GALLEY_EINVAL, "did not issue certificate 2");
    cert_write(pair.cert_file, &leaf, (const struct cert *const[]){&other, NULL});
    world_expect_refusal(&world, &pair, GALLEY_EINVAL, "did not issue certificate 1");
    cert_free(&leaf);
    cert_free(&other);
    world_close(&world);
}

TEST(test_the_whole_chain_is_sent_and_holds)
{
    struct world world;
    struct handshake hs;
    world_open(&world);
    struct cert leaf =
        cert_make(&(struct cert_wish){.issuer = &world.middle, .names = "DNS:a.example"});
    galley_tls_pair pair = {cert_path(world.folder, "l.crt"), cert_path(world.folder, "l.key"),
                            NULL};
    const galley_tls_pair pairs[] = {pair, {0}};
    cert_write_key(pair.key_file, &leaf, NULL);
    cert_write(pair.cert_file, &leaf,
               (const struct cert *const[]){&world.middle, &world.root, NULL});
    galley_tls_options options = world_options(&world, pairs);
    EXPECT(world_start(&world, &options));
    handshake_run(&hs, world.tls, &(struct client_wish){.name = "a.example"});
    EXPECT_INT(sk_X509_num(SSL_get_peer_cert_chain(hs.client)), 3);
    handshake_finish(&hs);
    cert_free(&leaf);
    world_close(&world);
}

TEST(test_a_long_path_leaves_room_for_the_reason)
{
    struct world world;
    char path[CERT_PATH_MAX + 250];
    world_open(&world);
    (void)snprintf(path, sizeof path, "%s/%0200d.crt", world.folder, 7);
    galley_tls_pair pair = {path, path, NULL};
    world_expect_refusal(&world, &pair, GALLEY_ESYS, "0007.crt: No such file or directory");
    world_close(&world);
}
