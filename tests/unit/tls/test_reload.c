/* tests/unit/tls/test_reload.c — certificates are exchanged while connections are made: all of the
 * new set or nothing of it. */
#include "support_tls.h"
#include "test.h"

#include "base/alloc.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

struct swapped {
    struct world world;
    galley_tls_pair pairs[2];
};

static void open_swapped(struct swapped *swapped)
{
    world_open(&swapped->world);
    swapped->pairs[0] = world_pair_as(
        &swapped->world, "a", &(struct cert_wish){.subject = "old", .names = "DNS:a.example"});
    swapped->pairs[1] = (galley_tls_pair){0};
    galley_tls_options options = world_options(&swapped->world, swapped->pairs);
    EXPECT(world_start(&swapped->world, &options));
}

static void write_new(struct swapped *swapped)
{
    (void)world_pair_as(&swapped->world, "a",
                        &(struct cert_wish){.subject = "new", .names = "DNS:a.example"});
}

TEST(test_a_reload_brings_the_new_certificate)
{
    struct swapped swapped;
    open_swapped(&swapped);
    handshake_expect_subject(swapped.world.tls, "old");
    write_new(&swapped);
    handshake_expect_subject(swapped.world.tls, "old"); /* nobody has asked for it yet */
    EXPECT_INT(galley_tls_reload(swapped.world.tls, &swapped.world.err), 0);
    handshake_expect_subject(swapped.world.tls, "new");
    EXPECT_INT(galley_tls_reload(NULL, &swapped.world.err), GALLEY_EINVAL);
    world_close(&swapped.world);
}

TEST(test_a_bad_new_pair_keeps_the_old_one_and_says_why)
{
    struct swapped swapped;
    open_swapped(&swapped);
    galley_error *err = &swapped.world.err;
    galley_tls *tls = swapped.world.tls;
    struct cert other = cert_make(&(struct cert_wish){.subject = "other"});
    cert_write_key(swapped.pairs[0].key_file, &other, NULL);
    EXPECT_INT(galley_tls_reload(tls, err), GALLEY_EINVAL);
    EXPECT(strstr(err->message, "not the key of certificate"));
    handshake_expect_subject(tls, "old");
    (void)world_pair_as(&swapped.world, "a",
                        &(struct cert_wish){.from_s = -3 * CERT_DAY_S, .for_s = CERT_DAY_S});
    EXPECT_INT(galley_tls_reload(tls, err), GALLEY_EINVAL);
    EXPECT(strstr(err->message, "expired on"));
    handshake_expect_subject(tls, "old");
    EXPECT_INT(unlink(swapped.pairs[0].cert_file), 0);
    EXPECT_INT(galley_tls_reload(tls, err), GALLEY_ESYS);
    handshake_expect_subject(tls, "old");
    write_new(&swapped);
    EXPECT_INT(galley_tls_reload(tls, err), 0);
    handshake_expect_subject(tls, "new");
    cert_free(&other);
    world_close(&swapped.world);
}

/* A connection that began before goes on with what it began with. */
TEST(test_a_connection_keeps_the_set_that_it_was_made_from)
{
    struct swapped swapped;
    struct handshake hs;
    open_swapped(&swapped);
    SSL_CTX *front = tls_context_acquire(swapped.world.tls);
    write_new(&swapped);
    EXPECT_INT(galley_tls_reload(swapped.world.tls, NULL), 0);
    handshake_run_front(&hs, front, &(struct client_wish){.name = "a.example"});
    SSL_CTX_free(front);
    EXPECT(hs.is_done);
    EXPECT_TEXT(handshake_subject(&hs), "old");
    EXPECT(tls_context_host_fits(hs.server, SPAN("a.example")));
    handshake_finish(&hs);
    world_close(&swapped.world);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { CLIENTS = 3, HANDSHAKES = 12 };

struct client_thread {
    pthread_t thread;
    galley_tls *tls;
    atomic_uint *running; /* clients that still shake hands; partner: the reloader */
    unsigned failed;
};

static void *shake_hands(void *arg)
{
    struct client_thread *client = arg;
    SSL_SESSION *session = NULL;
    for (int i = 0; i < HANDSHAKES; i++) {
        struct handshake hs;
        struct client_wish wish = {.name = "a.example",
                                   .version = i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION};
        handshake_run(&hs, client->tls, &wish);
        const char *subject = handshake_subject(&hs);
        bool is_known = strcmp(subject, "old") == 0 || strcmp(subject, "new") == 0;
        client->failed += !hs.is_done || !is_known;
        SSL_SESSION_free(session);
        session = hs.session;
        hs.session = NULL;
        handshake_finish(&hs);
    }
    SSL_SESSION_free(session);
    OPENSSL_thread_stop();
    atomic_fetch_sub(client->running, 1);
    return NULL;
}

TEST_TIMEOUT(test_handshakes_on_three_threads_while_certificates_change, 120)
{
    struct swapped swapped;
    struct client_thread clients[CLIENTS];
    atomic_uint running = CLIENTS;
    open_swapped(&swapped);
    write_new(&swapped);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client_thread){.tls = swapped.world.tls, .running = &running};
        EXPECT_INT(pthread_create(&clients[i].thread, NULL, shake_hands, &clients[i]), 0);
    }
    unsigned reloads = 0;
    while (atomic_load(&running) > 0) {
        EXPECT_INT(galley_tls_reload(swapped.world.tls, NULL), 0);
        reloads++;
    }
    for (int i = 0; i < CLIENTS; i++) {
        EXPECT_INT(pthread_join(clients[i].thread, NULL), 0);
        EXPECT_INT((int)clients[i].failed, 0);
    }
    EXPECT(reloads > 0);
    handshake_expect_subject(swapped.world.tls, "new");
    world_close(&swapped.world);
}

/* A connection of a set that was exchanged long ago. The flag orders nothing: TSan sees whether the
 * set's end comes behind what others have read of it. */
struct late_connection {
    SSL *ssl;
    atomic_bool is_over; /* relaxed by intention */
};

static void *end_late(void *arg)
{
    struct late_connection *late = arg;
    while (!atomic_load_explicit(&late->is_over, memory_order_relaxed)) {
        sched_yield();
    }
    SSL_free(late->ssl);
    OPENSSL_thread_stop();
    return NULL;
}

TEST(test_a_set_ends_on_another_thread_than_the_one_that_looked_at_it)
{
    struct swapped swapped;
    open_swapped(&swapped);
    galley_tls *tls = swapped.world.tls;
    SSL_CTX *front = tls_context_acquire(tls);
    struct late_connection late = {.ssl = SSL_new(front)};
    pthread_t thread;
    SSL_CTX_free(front);
    EXPECT(late.ssl);
    EXPECT_INT(pthread_create(&thread, NULL, end_late, &late), 0);
    galley_tls_certificate_report report = {.size = sizeof report};
    EXPECT_INT(galley_tls_get_certificate(tls, 0, &report), 0);
    EXPECT_INT(galley_tls_reload(tls, NULL), 0);
    atomic_store_explicit(&late.is_over, true, memory_order_relaxed);
    EXPECT_INT(pthread_join(thread, NULL), 0);
    world_close(&swapped.world);
}

/* Only the exchange itself, as often as it goes. */
static void *take_and_give_back(void *arg)
{
    struct client_thread *client = arg;
    for (int i = 0; i < 20000; i++) {
        SSL_CTX *front = tls_context_acquire(client->tls);
        client->failed += SSL_CTX_get_max_early_data(front) != 0;
        SSL_CTX_free(front);
    }
    atomic_fetch_sub(client->running, 1);
    return NULL;
}

TEST_TIMEOUT(test_references_are_taken_while_the_pointer_changes, 120)
{
    struct swapped swapped;
    struct client_thread clients[CLIENTS];
    atomic_uint running = CLIENTS;
    open_swapped(&swapped);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client_thread){.tls = swapped.world.tls, .running = &running};
        EXPECT_INT(pthread_create(&clients[i].thread, NULL, take_and_give_back, &clients[i]), 0);
    }
    do {
        EXPECT_INT(galley_tls_reload(swapped.world.tls, NULL), 0);
    } while (atomic_load(&running) > 0);
    for (int i = 0; i < CLIENTS; i++) {
        EXPECT_INT(pthread_join(clients[i].thread, NULL), 0);
        EXPECT_INT((int)clients[i].failed, 0);
    }
    world_close(&swapped.world);
}
