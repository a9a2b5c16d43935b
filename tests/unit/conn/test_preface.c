/* Which protocol a client speaks is found out by its first bytes, however they are cut. */
#include "support_conn.h"

#include "conn/preface.h"

#include "test.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct side {
    struct protocol protocol;
    unsigned opened, ended, deadlines, closed;
    size_t len;
    char bytes[256];
    bool open_fails;
};

static struct side usual, special;

static struct side *side_of(const struct conn *conn)
{
    return conn->protocol->ctx;
}

static int open_side(struct conn *conn)
{
    side_of(conn)->opened++;
    return side_of(conn)->open_fails ? GALLEY_ENOMEM : GALLEY_OK;
}

static void received(struct conn *conn, char *data, size_t len)
{
    struct side *side = side_of(conn);
    EXPECT(conn->session == NULL && side->opened == 1 && side->len + len <= sizeof side->bytes);
    memcpy(side->bytes + side->len, data, len);
    side->len += len;
    data[0] = '!'; /* it may be written to */
}

static void input_ended(struct conn *conn)
{
    side_of(conn)->ended++;
    conn_close(conn, CLOSE_CLIENT_CLOSED, false);
}

static void deadline(struct conn *conn)
{
    side_of(conn)->deadlines++;
    conn_close(conn, CLOSE_HEAD_TIMEOUT, false);
}

static void nothing(struct conn *conn)
{
    (void)conn;
}

static void closed(struct conn *conn)
{
    side_of(conn)->closed++;
}

static void side_init(struct side *side, const char *name)
{
    *side = (struct side){.protocol = {.name = name,
                                       .ctx = side,
                                       .open = open_side,
                                       .received = received,
                                       .input_ended = input_ended,
                                       .sent = nothing,
                                       .deadline = deadline,
                                       .drain = nothing,
                                       .closed = closed}};
}

static struct preface_choice choice;

static struct sim_peer *connect_choice(struct conn_world *world)
{
    struct sim_peer *peer = NULL;
    side_init(&usual, "usual");
    side_init(&special, "special");
    preface_choice_init(&choice, &usual.protocol, &special.protocol,
                        span_make(preface, sizeof preface - 1));
    world->protocol = choice.protocol;
    EXPECT(conn_world_connect(world, &peer));
    return peer;
}

static void expect_got(const struct side *side, const struct side *other, const char *text,
                       size_t len)
{
    EXPECT_INT(side->opened, 1);
    EXPECT_INT(side->len, len);
    EXPECT(memcmp(side->bytes, text, len) == 0);
    EXPECT_INT(other->opened, 0);
}

TEST(test_each_protocol_gets_every_byte_however_they_are_cut)
{
    struct conn_world world;
    conn_world_open(&world);
    size_t len = sizeof preface - 1;
    for (size_t same = 0; same <= len; same++) { /* from there on another text */
        char text[sizeof preface + 4];
        memcpy(text, preface, len);
        memcpy(text + len, "more", 4);
        if (same < len) {
            text[same] = '?';
        }
        for (size_t cut = 0; cut <= len + 4; cut++) {
            struct sim_peer *peer = connect_choice(&world);
            EXPECT_INT(sim_send(peer, text, cut), 0);
            sim_run(world.loop);
            EXPECT(cut > same || same == len || usual.opened + special.opened == 0);
            EXPECT_INT(sim_send(peer, text + cut, len + 4 - cut), 0);
            sim_run(world.loop);
            expect_got(same == len ? &special : &usual, same == len ? &usual : &special, text,
                       len + 4);
            sim_peer_free(peer);
            sim_run(world.loop);
        }
    }
    conn_world_close(&world);
}

TEST(test_a_beginning_that_stays_one_is_the_usual_protocols_affair)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer = connect_choice(&world);
    EXPECT_INT(sim_send(peer, preface, 5), 0);
    sim_run(world.loop);
    sim_shutdown(peer);
    sim_run(world.loop);
    expect_got(&usual, &special, preface, 5);
    EXPECT_INT(usual.ended, 1);
    EXPECT_INT(usual.closed, 1);
    sim_peer_free(peer);
    peer = connect_choice(&world);
    EXPECT_INT(sim_send(peer, preface, 20), 0);
    sim_advance(world.loop, 100000);
    expect_got(&usual, &special, preface, 20);
    EXPECT_INT(usual.deadlines, 1);
    sim_peer_free(peer);
    peer = connect_choice(&world);
    sim_reset(peer); /* before anybody was chosen */
    sim_run(world.loop);
    EXPECT_INT(usual.opened + special.opened, 0);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_a_protocol_that_cannot_open_ends_the_connection)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer = connect_choice(&world);
    special.open_fails = true;
    EXPECT_INT(sim_send(peer, preface, sizeof preface - 1), 0);
    sim_run(world.loop);
    EXPECT(sim_is_reset(peer));
    EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_OUT_OF_MEMORY]), 1);
    EXPECT_INT(special.len, 0);
    sim_peer_free(peer);
    conn_world_close(&world);
}
