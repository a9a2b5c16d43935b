/* tests/unit/frames/test_session.c — the beginning and the end of a connection, and its control frames. */
#include "support_owner.h"

#include "base/alloc.h"

#include "test.h"

static const uint8_t opaque[8] = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

/* ---- the beginning --------------------------------------------------------------------------- */

/* RFC 9113 §3.4, §6.5: the first frame is SETTINGS. */
TEST(test_the_first_that_is_said_are_our_settings_and_the_window)
{
    static const uint8_t expected[] = {
        0, 0,   30, 4, 0,    0,   0, 0, 0, /* SETTINGS */
        0, 3,   0,  0, 0,    100,          /* MAX_CONCURRENT_STREAMS */
        0, 4,   0,  0, 0x40, 0,            /* INITIAL_WINDOW_SIZE */
        0, 6,   0,  0, 0x40, 0,            /* MAX_HEADER_LIST_SIZE */
        0, 8,   0,  0, 0,    1,            /* ENABLE_CONNECT_PROTOCOL: RFC 8441 §3 */
        0, 9,   0,  0, 0,    1,            /* NO_RFC7540_PRIORITIES: RFC 9218 §2.1 */
        0, 0,   4,  8, 0,    0,   0, 0, 0, /* WINDOW_UPDATE of the connection */
        0, 0xf, 0,  1,                     /* 1 MiB - 65535 */
    };
    struct owner owner;
    struct frames_options options = owner_options();
    options.stream_window_bytes = 16384;
    options.conn_window_bytes = 1024 * 1024;
    EXPECT_INT(owner_init(&owner, &options), GALLEY_OK);
    EXPECT_INT(frames_waiting_bytes(&owner.session), sizeof expected);
    EXPECT_INT(frames_write(&owner.session, &owner.out, UINT64_MAX), FRAMES_OK);
    EXPECT_INT(owner.out.count, 1);
    test_equal_bytes(__FILE__, __LINE__, "bytes", chain_front(&owner.out)->ptr, owner.out.bytes,
                     expected, sizeof expected);
    EXPECT_INT(frames_waiting_bytes(&owner.session), 0);
    owner_finish(&owner);
}

TEST(test_a_window_that_every_connection_begins_with_needs_no_word)
{
    struct owner owner;
    struct frames_options options = owner_options();
    options.conn_window_bytes = 100; /* none is smaller (RFC 9113 §6.9.2) */
    EXPECT_INT(owner_init(&owner, &options), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "SETTINGS 30");
    owner_finish(&owner);
}

TEST(test_nothing_is_written_to_a_chain_that_is_full)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_ping(&owner.session, opaque), GALLEY_OK);
    EXPECT_SAID(owner_write(&owner, 0), "");
    EXPECT_INT(frames_waiting_bytes(&owner.session), 17);
    EXPECT_SAID(owner_write(&owner, 1), "PING");
    owner_finish(&owner);
}

/* ---- answers to what a client may repeat ----------------------------------------------------- */

TEST(test_answers_that_wait_for_room_are_counted)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_ack_settings(&owner.session), FRAMES_OK);
    EXPECT_INT(frames_ack_ping(&owner.session, opaque), FRAMES_OK);
    EXPECT_SAID(owner_write_all(&owner), "SETTINGS 0 ack; PING ack");
    for (int i = 0; i < FRAMES_MAX_WAITING_ACKS; i++) {
        EXPECT_INT(frames_ack_ping(&owner.session, opaque), FRAMES_OK);
    }
    size_t waiting = frames_waiting_bytes(&owner.session);
    EXPECT_INT(frames_ack_ping(&owner.session, opaque), FRAMES_FLOODED);
    EXPECT_INT(frames_ack_settings(&owner.session), FRAMES_FLOODED);
    EXPECT_INT(frames_waiting_bytes(&owner.session), waiting);
    (void)owner_write_all(&owner);
    EXPECT_INT(frames_ack_settings(&owner.session), FRAMES_OK);
    owner_finish(&owner);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* RFC 9113 §6.8: first the highest id, then the last that was taken. */
TEST(test_a_drain_says_goaway_twice_and_ends_with_the_last_stream)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 5, true);
    EXPECT_INT(frames_notice(&owner.session), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "GOAWAY 2147483647 0");
    EXPECT_INT(owner.session.last_allowed, FRAMES_MAX_ID);
    EXPECT_INT(frames_goaway(&owner.session), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "GOAWAY 5 0");
    EXPECT_INT(owner.session.last_allowed, 5);
    EXPECT(!frames_has_ended(&owner.session));
    owner_answer(owned, 3);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 5; DATA 5 3 end");
    EXPECT(frames_has_ended(&owner.session));
    owner_finish(&owner);
}

TEST(test_a_goaway_without_streams_ends_when_it_has_left)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT(!frames_has_ended(&owner.session));
    EXPECT_INT(frames_goaway(&owner.session), GALLEY_OK);
    EXPECT(!frames_has_ended(&owner.session));
    EXPECT_SAID(owner_write_all(&owner), "GOAWAY 0 0");
    EXPECT(frames_has_ended(&owner.session));
    owner_finish(&owner);
}

TEST(test_a_client_that_says_goaway_gets_what_it_has_asked_for)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 1, true);
    owner.session.got_goaway = true;
    EXPECT(!frames_has_ended(&owner.session));
    owner_answer(owned, 1);
    (void)owner_write_all(&owner);
    EXPECT(frames_has_ended(&owner.session));
    owner_finish(&owner);
}

TEST(test_behind_the_goaway_of_an_end_nothing_is_said)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *first = owner_open(&owner, 1, false);
    struct owned *second = owner_open(&owner, 3, true);
    struct owned *third = owner_open(&owner, 5, true);
    owner_answer(first, 10);
    EXPECT_INT(frames_end(&owner.session, FRAMES_ENHANCE_YOUR_CALM), GALLEY_OK);
    EXPECT_INT(frames_end(&owner.session, FRAMES_NO_ERROR), GALLEY_OK);
    EXPECT_INT(frames_fail(&owner.session, FRAMES_PROTOCOL_ERROR), GALLEY_OK);
    EXPECT_INT(frames_ping(&owner.session, opaque), GALLEY_OK);
    EXPECT_INT(frames_goaway(&owner.session), GALLEY_OK);
    EXPECT_INT(frames_consume_closed(&owner.session, 0), GALLEY_OK);
    owner_answer(second, 10);
    EXPECT_INT(frames_reset(&third->stream, FRAMES_CANCEL), GALLEY_OK);
    EXPECT(!frames_has_ended(&owner.session));
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; GOAWAY 5 11");
    EXPECT_INT(owner.session.in.at, FRAMES_AT_END);
    EXPECT(frames_has_ended(&owner.session));
    EXPECT_SAID(owner_log(&owner), "head 1; reset 8; closed 5 8");
    EXPECT_INT(frames_reset(&first->stream, FRAMES_CANCEL), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_SAID(owner_log(&owner), "reset 8; closed 1 8");
    owner_finish(&owner);
}

TEST(test_an_error_of_the_connection_is_told_once)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_fail(&owner.session, FRAMES_PROTOCOL_ERROR), GALLEY_OK);
    EXPECT_INT(frames_fail(&owner.session, FRAMES_FRAME_SIZE_ERROR), GALLEY_OK);
    EXPECT_SAID(owner_log(&owner), "failed 1");
    EXPECT_SAID(owner_write_all(&owner), "GOAWAY 0 1");
    EXPECT(frames_has_ended(&owner.session));
    owner_finish(&owner);
}

static void meddle(struct owner *owner, struct owned *owned)
{
    struct owned *other = owner_find(owner, owned->stream.id == 1 ? 3 : 1);
    EXPECT_INT(frames_consume_closed(&owner->session, 100), GALLEY_OK);
    if (other && other->stream.session) {
        EXPECT_INT(frames_reset(&other->stream, FRAMES_CANCEL), GALLEY_OK);
        frames_resume(&other->stream);
    }
}

TEST(test_finishing_closes_what_is_open_whatever_the_owner_does_in_the_event)
{
    struct owner owner;
    int rc = GALLEY_OK;
    owner_start(&owner);
    for (int32_t id = 1; id < 80; id += 2) {
        owner_answer(owner_open(&owner, id, id % 4 == 1), 100000);
    }
    EXPECT(frames_take_data(&owner.session, &owner_find(&owner, 3)->stream, 10000, &rc));
    (void)owner_write_all(&owner);
    EXPECT(owner.session.open_streams > 0);
    owner.on_closed = meddle;
    owner_finish(&owner);
    for (int i = 0; i < OWNER_STREAMS; i++) {
        EXPECT(!owner.streams[i]);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

TEST(test_an_idle_session_keeps_no_large_buffer)
{
    enum { ANSWERS = 100, MUCH = 4096, LITTLE = 512 };
    struct owner owner;
    owner_start(&owner);
    for (int32_t id = 1; id < 2 * ANSWERS; id += 2) {
        owner_answer(owner_open(&owner, id, true), 1);
    }
    for (int i = 0; i < MUCH / 17; i++) {
        EXPECT_INT(frames_ping(&owner.session, opaque), GALLEY_OK);
    }
    EXPECT(owner.session.out.control.capacity > MUCH);
    (void)owner_write_all(&owner);
    EXPECT_INT(owner.session.open_streams, 0);
    EXPECT(owner.session.out.control.capacity <= LITTLE);
    owner_finish(&owner);
}

static int say_all(struct owner *owner)
{
    int rc = GALLEY_OK;
    struct owned *first = owner_open(owner, 1, true);
    if (!first) {
        return GALLEY_ENOMEM;
    }
    rc = owner_head(first, FRAMES_HEAD_INTERIM);
    first->ready = 20000;
    first->is_end = true;
    rc = rc != GALLEY_OK ? rc : owner_head(first, FRAMES_HEAD_WITH_BODY);
    for (int i = 0; i < 40 && rc == GALLEY_OK; i++) {
        rc = frames_ping(&owner->session, opaque);
    }
    rc = rc != GALLEY_OK ? rc : frames_refuse(&owner->session, 3, FRAMES_REFUSED_STREAM);
    rc = rc != GALLEY_OK ? rc : frames_goaway(&owner->session);
    return rc;
}

/* False: memory was out, and that was said. */
static bool has_memory(void)
{
    struct owner owner;
    struct frames_options options = owner_options();
    options.conn_window_bytes = 100000;
    if (owner_init(&owner, &options) != GALLEY_OK) {
        return false; /* nothing is to be finished */
    }
    int rc = say_all(&owner);
    enum frames_result result = frames_write(&owner.session, &owner.out, UINT64_MAX);
    if (rc != GALLEY_OK && owner.session.out.control.failed) {
        /* What is in control may end in the middle of a head: not one byte of it leaves. */
        EXPECT_INT(result, FRAMES_NO_MEMORY);
        EXPECT_INT(owner.out.bytes, 0);
    }
    bool is_well = rc == GALLEY_OK && result == FRAMES_OK;
    EXPECT(is_well == frames_has_ended(&owner.session));
    owner_finish(&owner);
    return is_well;
}

TEST(test_each_lack_of_memory_is_told_and_loses_nothing)
{
    uint64_t n = 0;
    bool did_fail = true;
    while (did_fail) {
        mem_fail_nth(++n);
        bool is_well = has_memory();
        did_fail = mem_fail_happened();
        EXPECT(did_fail || is_well);
    }
    mem_fail_nth(0);
    EXPECT(n > 5);
}
