/* tests/unit/tls/test_tickets.c — resumption: across rotations of the keys, to the end of a
 * ticket's life, and never for another name or under another rule. */
#include "support_tls.h"
#include "test.h"

enum { HOUR_S = 3600 };

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
enum { VERSIONS = 2 };

static void start(struct world *world, uint32_t flags)
{
    world_open(world);
    const galley_tls_pair pairs[] = {
        world_pair(world, "both", NULL, "DNS:a.example,DNS:b.example,DNS:*.wild.example"), {0}};
    galley_tls_options options = world_options(world, pairs);
    options.flags = flags;
    options.ticket_lifetime_s = 12 * HOUR_S;
    EXPECT(world_start(world, &options));
}

/* The session that a client has after a full handshake; NULL if it was given none. */
static SSL_SESSION *session_of(struct world *world, const char *name, int version)
{
    struct handshake hs;
    handshake_run(&hs, world->tls, &(struct client_wish){.name = name, .version = version});
    EXPECT(hs.is_done && !SSL_session_reused(hs.client));
    SSL_SESSION *session = hs.session;
    hs.session = NULL;
    handshake_finish(&hs);
    return session;
}

/* Does the server take it up? Either way the handshake must work. */
static bool resumes(struct world *world, const char *name, int version, SSL_SESSION *session)
{
    struct handshake hs;
    handshake_run(&hs, world->tls,
                  &(struct client_wish){.name = name, .version = version, .session = session});
    EXPECT(hs.is_done);
    bool is_resumed = SSL_session_reused(hs.client);
    EXPECT_INT(SSL_session_reused(hs.server), is_resumed);
    handshake_finish(&hs);
    return is_resumed;
}

TEST(test_a_session_is_resumed)
{
    struct world world;
    start(&world, 0);
    for (int i = 0; i < VERSIONS; i++) {
        SSL_SESSION *session = session_of(&world, "a.example", versions[i]);
        EXPECT(session && resumes(&world, "a.example", versions[i], session));
        SSL_SESSION_free(session);
    }
    world_close(&world);
}

TEST(test_a_session_without_a_name_is_resumed_without_one)
{
    struct world world;
    start(&world, 0);
    for (int i = 0; i < VERSIONS; i++) {
        SSL_SESSION *session = session_of(&world, NULL, versions[i]);
        EXPECT(resumes(&world, NULL, versions[i], session));
        SSL_SESSION_free(session);
    }
    world_close(&world);
}

/* RFC 8446 §4.6.1, RFC 6066 §3: though one certificate has both names. */
TEST(test_a_ticket_of_one_name_is_not_accepted_for_another)
{
    struct world world;
    start(&world, 0);
    for (int i = 0; i < VERSIONS; i++) {
        SSL_SESSION *session = session_of(&world, "a.example", versions[i]);
        EXPECT(!resumes(&world, "b.example", versions[i], session));
        EXPECT(!resumes(&world, "x.wild.example", versions[i], session));
        SSL_SESSION_free(session);
    }
    world_close(&world);
}

/* The client's own checks of names are not what is tested: it sends the ticket in each case. */
TEST(test_two_names_of_one_wildcard_do_not_share_tickets)
{
    struct world world;
    start(&world, 0);
    for (int i = 0; i < VERSIONS; i++) {
        SSL_SESSION *session = session_of(&world, "x.wild.example", versions[i]);
        EXPECT(resumes(&world, "X.Wild.example", versions[i], session));
        EXPECT(!resumes(&world, "y.wild.example", versions[i], session));
        SSL_SESSION_free(session);
    }
    world_close(&world);
}

/* Too long to be a session's context as they are: they are hashed. */
TEST(test_two_long_names_do_not_share_tickets)
{
    struct world world;
    start(&world, 0);
    for (int i = 0; i < VERSIONS; i++) {
        SSL_SESSION *session =
            session_of(&world, "a-name-of-more-than-32-letters-1.wild.example", versions[i]);
        EXPECT(
            resumes(&world, "a-name-of-more-than-32-letters-1.wild.example", versions[i], session));
        EXPECT(!resumes(&world, "a-name-of-more-than-32-letters-2.wild.example", versions[i],
                        session));
        EXPECT(!resumes(&world, "a-name-of-more-than-32-letters-1", versions[i], session));
        SSL_SESSION_free(session);
    }
    world_close(&world);
}

TEST(test_tickets_outlive_a_change_of_keys)
{
    struct world world;
    start(&world, 0);
    for (int i = 0; i < VERSIONS; i++) {
        world_ahead_s = 0;
        SSL_SESSION *session = session_of(&world, "a.example", versions[i]);
        world_ahead_s += 7 * HOUR_S;
        SSL_SESSION_free(session_of(&world, "a.example", versions[i])); /* draws a new key */
        EXPECT(resumes(&world, "a.example", versions[i], session));
        world_ahead_s += 7 * HOUR_S;
        SSL_SESSION_free(session_of(&world, "a.example", versions[i]));
        EXPECT(resumes(&world, "a.example", versions[i], session));
        SSL_SESSION_free(session);
    }
    world_close(&world);
}

TEST(test_a_key_ends_with_the_last_ticket_that_it_sealed)
{
    struct world world;
    start(&world, 0);
    for (int i = 0; i < VERSIONS; i++) {
        SSL_SESSION *session = session_of(&world, "a.example", versions[i]);
        int64_t before_s = world_ahead_s;
        world_ahead_s = before_s + 18 * HOUR_S; /* half a life of sealing and a life of opening */
        EXPECT(!resumes(&world, "a.example", versions[i], session));
        SSL_SESSION_free(session);
    }
    world_close(&world);
}

/* RFC 5077 §3.3: the server may send a new ticket. */
TEST(test_a_ticket_of_an_old_key_is_renewed)
{
    struct world world;
    struct handshake hs;
    start(&world, 0);
    for (int i = 0; i < VERSIONS; i++) {
        SSL_SESSION *session = session_of(&world, "a.example", versions[i]);
        world_ahead_s += 7 * HOUR_S;
        struct client_wish wish = {.name = "a.example", .version = versions[i], .session = session};
        handshake_run(&hs, world.tls, &wish);
        EXPECT(SSL_session_reused(hs.client));
        /* OpenSSL calls back for TLS 1.3 only; for 1.2 the ticket in the session is another one */
        SSL_SESSION *renewed = hs.session ? hs.session : SSL_get1_session(hs.client);
        hs.session = NULL;
        handshake_finish(&hs);
        world_ahead_s += 12 * HOUR_S; /* the first one's key has ended */
        EXPECT(!resumes(&world, "a.example", versions[i], session));
        EXPECT(resumes(&world, "a.example", versions[i], renewed));
        SSL_SESSION_free(session);
        SSL_SESSION_free(renewed);
    }
    world_close(&world);
}

/* RFC 8446 §C.4: who uses a ticket only once has another one for the next connection. */
TEST(test_each_resumed_connection_of_tls_1_3_brings_the_ticket_for_the_next)
{
    struct world world;
    struct handshake hs;
    start(&world, 0);
    SSL_SESSION *session = session_of(&world, "a.example", TLS1_3_VERSION);
    for (int i = 0; i < 3; i++) {
        struct client_wish wish = {
            .name = "a.example", .version = TLS1_3_VERSION, .session = session};
        handshake_run(&hs, world.tls, &wish);
        EXPECT(SSL_session_reused(hs.client));
        EXPECT(hs.session != NULL);
        SSL_SESSION_free(session);
        session = hs.session;
        hs.session = NULL;
        handshake_finish(&hs);
    }
    SSL_SESSION_free(session);
    world_close(&world);
}

TEST(test_tickets_outlive_a_reload)
{
    struct world world;
    start(&world, 0);
    SSL_SESSION *session = session_of(&world, "a.example", TLS1_3_VERSION);
    EXPECT_INT(galley_tls_reload(world.tls, &world.err), 0);
    EXPECT(resumes(&world, "a.example", TLS1_3_VERSION, session));
    SSL_SESSION_free(session);
    world_close(&world);
}

TEST(test_tickets_of_another_server_mean_a_full_handshake)
{
    struct world world;
    struct world other;
    start(&world, 0);
    start(&other, 0);
    for (int i = 0; i < VERSIONS; i++) {
        SSL_SESSION *session = session_of(&other, "a.example", versions[i]);
        EXPECT(!resumes(&world, "a.example", versions[i], session));
        SSL_SESSION_free(session);
    }
    world_close(&other);
    world_close(&world);
}

TEST(test_tickets_can_be_turned_off)
{
    struct world world;
    start(&world, GALLEY_TLS_NO_TICKETS);
    for (int i = 0; i < VERSIONS; i++) {
        SSL_SESSION *session = session_of(&world, "a.example", versions[i]);
        EXPECT(!session || !resumes(&world, "a.example", versions[i], session));
        SSL_SESSION_free(session);
    }
    world_close(&world);
}

/* One ticket for a full handshake, and nothing kept here. */
TEST(test_the_server_keeps_no_session)
{
    struct world world;
    struct handshake hs;
    start(&world, 0);
    handshake_run(&hs, world.tls, &(struct client_wish){.name = "a.example"});
    EXPECT_INT(SSL_CTX_sess_number(SSL_get_SSL_CTX(hs.server)), 0);
    EXPECT_INT(SSL_CTX_get_session_cache_mode(SSL_get_SSL_CTX(hs.server)), SSL_SESS_CACHE_OFF);
    EXPECT_INT((int)SSL_SESSION_get_ticket_lifetime_hint(hs.session), 12 * HOUR_S);
    handshake_finish(&hs);
    world_close(&world);
}
