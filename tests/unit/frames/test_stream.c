/* tests/unit/frames/test_stream.c — the life of streams: table, resets, refusals, ends, and owners that do things
 * inside of events. */
#include "support_owner.h"

#include "test.h"

TEST(test_streams_are_found_by_their_id_until_they_are_closed)
{
    struct owner owner;
    owner_start(&owner);
    for (int32_t id = 1; id < 200; id += 2) {
        (void)owner_open(&owner, id, false);
    }
    EXPECT_INT(owner.session.open_streams, 100);
    for (int32_t id = 1; id < 200; id += 2) {
        EXPECT(frames_stream_find(&owner.session, id) == &owner_find(&owner, id)->stream);
        EXPECT(!frames_stream_find(&owner.session, id + 1));
    }
    for (int32_t id = 199; id > 0; id -= 4) {
        frames_stream_close(&owner_find(&owner, id)->stream, FRAMES_CANCEL);
        EXPECT(!frames_stream_find(&owner.session, id));
    }
    EXPECT_INT(owner.session.open_streams, 50);
    EXPECT(frames_stream_find(&owner.session, 197));
    owner_finish(&owner);
}

TEST(test_a_stream_begins_as_its_block_said)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_first_window(&owner.session, 1000), GALLEY_OK);
    const struct frames_stream *stream = &owner_open_as(&owner, 7, 2, true)->stream;
    EXPECT_INT(stream->id, 7);
    EXPECT_INT(stream->urgency, 2);
    EXPECT(stream->is_incremental);
    EXPECT(stream->input_ended);
    EXPECT(!stream->is_counted);
    EXPECT_INT(stream->send_window, 1000);
    EXPECT_INT(stream->recv_window, FRAMES_FIRST_WINDOW);
    owner_finish(&owner);
}

/* ---- ends ------------------------------------------------------------------------------------ */

TEST(test_a_stream_is_closed_when_both_sides_have_ended)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(owner_head(owner_open(&owner, 1, true), FRAMES_HEAD_ONLY), GALLEY_OK);
    EXPECT_SAID(owner_log(&owner), "");
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1 end");
    EXPECT_SAID(owner_log(&owner), "head 1; end 1; closed 1 0");

    owner_answer(owner_open(&owner, 3, false), 4);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 3; DATA 3 4 end");
    EXPECT_SAID(owner_log(&owner), "head 3; end 3");
    frames_input_end(&owner_find(&owner, 3)->stream);
    EXPECT_SAID(owner_log(&owner), "input_ended 3; closed 3 0");

    struct owned *owned = owner_open(&owner, 5, false);
    frames_input_end(&owned->stream);
    EXPECT_SAID(owner_log(&owner), "input_ended 5");
    owner_answer(owned, 0);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 5; DATA 5 0 end");
    EXPECT_SAID(owner_log(&owner), "head 5; end 5; closed 5 0");
    owner_finish(&owner);
}

static void reset_it(struct owner *owner, struct owned *owned)
{
    (void)owner;
    EXPECT_INT(frames_reset(&owned->stream, FRAMES_NO_ERROR), GALLEY_OK);
}

/* RFC 9113 §8.1: the answer is complete, the rest of the request is not wanted. */
TEST(test_a_reset_in_the_event_of_the_end_leaves_in_the_same_writing)
{
    struct owner owner;
    owner_start(&owner);
    owner.on_end_sent = reset_it;
    owner_answer(owner_open(&owner, 1, false), 5);
    EXPECT_INT(owner_head(owner_open(&owner, 3, false), FRAMES_HEAD_ONLY), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; HEADERS 3 end; RST_STREAM 3 0; "
                                         "DATA 1 5 end; RST_STREAM 1 0");
    EXPECT_SAID(owner_log(&owner), "head 1; head 3; end 3; reset 0; closed 3 0; "
                                   "end 1; reset 0; closed 1 0");
    owner_finish(&owner);
}

TEST(test_a_reset_in_the_event_of_the_end_closes_once)
{
    struct owner owner;
    owner_start(&owner);
    owner.on_end_sent = reset_it;
    owner_answer(owner_open(&owner, 1, true), 5);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; DATA 1 5 end; RST_STREAM 1 0");
    EXPECT_SAID(owner_log(&owner), "head 1; end 1; reset 0; closed 1 0");
    owner_finish(&owner);
}

TEST(test_a_reset_when_the_input_ends_closes_once)
{
    struct owner owner;
    owner_start(&owner);
    owner.on_input_ended = reset_it;
    owner_answer(owner_open(&owner, 1, false), 1);
    (void)owner_write_all(&owner);
    (void)owner_log(&owner);
    frames_input_end(&owner_find(&owner, 1)->stream);
    EXPECT_SAID(owner_log(&owner), "input_ended 1");
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 0");
    EXPECT_SAID(owner_log(&owner), "reset 0; closed 1 0");
    owner_finish(&owner);
}

/* ---- resets ---------------------------------------------------------------------------------- */

TEST(test_a_reset_is_said_once_and_closes_when_it_has_left)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 1, false);
    EXPECT_INT(frames_reset(&owned->stream, FRAMES_CANCEL), GALLEY_OK);
    EXPECT_INT(frames_reset(&owned->stream, FRAMES_INTERNAL_ERROR), GALLEY_OK);
    EXPECT(owned->stream.was_reset);
    EXPECT(frames_stream_find(&owner.session, 1));
    EXPECT_SAID(owner_log(&owner), "");
    EXPECT_SAID(owner_write(&owner, 0), "");
    EXPECT_SAID(owner_log(&owner), "");
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 8");
    EXPECT_SAID(owner_log(&owner), "reset 8; closed 1 8");
    owner_finish(&owner);
}

TEST(test_a_reset_drops_what_is_not_in_the_chain)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 1, true);
    owner_answer(owned, 60000);
    EXPECT_SAID(owner_write(&owner, 16500), "HEADERS 1; DATA 1 16384");
    EXPECT_INT(frames_reset(&owned->stream, FRAMES_CANCEL), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 8");
    EXPECT_SAID(owner_log(&owner), "head 1; reset 8; closed 1 8");
    owner_finish(&owner);
}

/* What is encoded has changed the table of the other side: it leaves all the same. */
TEST(test_a_head_that_is_encoded_leaves_although_its_stream_was_reset)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 1, true);
    owner_answer(owned, 10);
    EXPECT_INT(frames_reset(&owned->stream, FRAMES_INTERNAL_ERROR), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; RST_STREAM 1 2");
    EXPECT_SAID(owner_log(&owner), "reset 2; closed 1 2");
    owner_finish(&owner);
}

TEST(test_a_head_behind_a_reset_is_not_encoded)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 1, true);
    EXPECT_INT(frames_reset(&owned->stream, FRAMES_CANCEL), GALLEY_OK);
    owner_answer(owned, 10);
    frames_resume(&owned->stream);
    frames_reprioritize(&owned->stream, 1, true);
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 8");
    owner_finish(&owner);
}

TEST(test_streams_that_are_not_taken_are_refused_and_counted)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_refuse(&owner.session, 1, FRAMES_REFUSED_STREAM), GALLEY_OK);
    EXPECT_INT(frames_refuse(&owner.session, 3, FRAMES_PROTOCOL_ERROR), GALLEY_OK);
    EXPECT_INT(frames_refuse(&owner.session, 5, FRAMES_REFUSED_STREAM), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 7; RST_STREAM 3 1; RST_STREAM 5 7");
    EXPECT_SAID(owner_log(&owner), "reset 1; reset 7; reset 7");
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_SAID(owner_log(&owner), "");
    owner_finish(&owner);
}

/* Else who provokes resets could keep them from being counted. */
TEST(test_a_reset_is_told_although_the_client_has_reset_the_stream_too)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 1, false);
    EXPECT_INT(frames_reset(&owned->stream, FRAMES_PROTOCOL_ERROR), GALLEY_OK);
    frames_stream_close(&owned->stream, FRAMES_CANCEL);
    EXPECT_SAID(owner_log(&owner), "closed 1 8");
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 1");
    EXPECT_SAID(owner_log(&owner), "reset 1");
    owner_finish(&owner);
}

TEST(test_a_stream_that_the_client_resets_leaves_every_list)
{
    struct owner owner;
    owner_start(&owner);
    owner_answer(owner_open(&owner, 1, true), 100000); /* waits for its window */
    owner_answer(owner_open_as(&owner, 3, 1, false), 50000);
    EXPECT_SAID(owner_write(&owner, 1), "HEADERS 1; HEADERS 3");
    owner_answer(owner_open_as(&owner, 5, 3, true), 50000); /* its head waits */
    frames_stream_close(&owner_find(&owner, 3)->stream, FRAMES_CANCEL);
    frames_stream_close(&owner_find(&owner, 5)->stream, FRAMES_CANCEL);
    EXPECT_SAID(owner_write(&owner, 33000), "HEADERS 5; DATA 1 16384; DATA 1 16384");
    frames_stream_close(&owner_find(&owner, 1)->stream, FRAMES_CANCEL);
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_INT(owner.session.out.turns, 0);
    owner_finish(&owner);
}

/* ---- owners that do something in events ------------------------------------------------------ */

static void reset_all(struct owner *owner, struct owned *owned)
{
    (void)owned;
    for (int32_t id = 1; id < 12; id += 2) {
        if (owner_find(owner, id) && owner_find(owner, id)->stream.session) {
            EXPECT_INT(frames_reset(&owner_find(owner, id)->stream, FRAMES_CANCEL), GALLEY_OK);
        }
    }
}

static void open_some(struct owner *owner)
{
    owner_start(owner);
    for (int32_t id = 1; id < 8; id += 2) {
        owner_answer(owner_open(owner, id, true), 10);
    }
    EXPECT_INT(owner_head(owner_open(owner, 9, true), FRAMES_HEAD_ONLY), GALLEY_OK);
    EXPECT_INT(frames_reset(&owner_open(owner, 11, true)->stream, FRAMES_CANCEL), GALLEY_OK);
}

static const char *const all_closed =
    "closed 11 8; reset 8; closed 1 8; reset 8; closed 3 8; "
    "reset 8; closed 5 8; reset 8; closed 7 8; reset 8; closed 9 8";

TEST(test_all_may_be_reset_in_the_event_of_a_head)
{
    struct owner owner;
    open_some(&owner);
    owner.on_head_sent = reset_all;
    EXPECT_SAID(owner_write_all(&owner),
                "HEADERS 1; HEADERS 3; HEADERS 5; HEADERS 7; HEADERS 9 end; RST_STREAM 11 8; "
                "RST_STREAM 1 8; RST_STREAM 3 8; RST_STREAM 5 8; RST_STREAM 7 8; RST_STREAM 9 8");
    const char *log = owner_log(&owner);
    EXPECT(strstr(log, "head 1; reset 8; closed 11") == log);
    EXPECT(strstr(log, all_closed));
    owner_finish(&owner);
}

TEST(test_all_may_be_reset_when_a_body_is_asked_for)
{
    struct owner owner;
    open_some(&owner);
    owner.on_body = reset_all;
    EXPECT_SAID(owner_write_all(&owner),
                "HEADERS 1; HEADERS 3; HEADERS 5; HEADERS 7; HEADERS 9 end; RST_STREAM 11 8; "
                "RST_STREAM 1 8; RST_STREAM 3 8; RST_STREAM 5 8; RST_STREAM 7 8");
    EXPECT_INT(owner.session.open_streams, 0);
    owner_finish(&owner);
}

static void reset_all_later(struct owner *owner, struct owned *owned)
{
    if (owner->asked > 3) { /* all four were asked: the first has its turn */
        reset_all(owner, owned);
    }
}

TEST(test_all_may_be_reset_when_a_turn_has_come)
{
    struct owner owner;
    open_some(&owner);
    owner.on_body = reset_all_later;
    EXPECT_SAID(owner_write_all(&owner),
                "HEADERS 1; HEADERS 3; HEADERS 5; HEADERS 7; HEADERS 9 end; RST_STREAM 11 8; "
                "RST_STREAM 1 8; RST_STREAM 3 8; RST_STREAM 5 8; RST_STREAM 7 8");
    EXPECT_INT(owner.session.open_streams, 0);
    owner_finish(&owner);
}

TEST(test_all_may_be_reset_when_data_is_sent)
{
    struct owner owner;
    open_some(&owner);
    owner.on_data = reset_all;
    EXPECT_SAID(owner_write_all(&owner),
                "HEADERS 1; HEADERS 3; HEADERS 5; HEADERS 7; HEADERS 9 end; RST_STREAM 11 8; "
                "DATA 1 10 end; RST_STREAM 1 8; RST_STREAM 3 8; RST_STREAM 5 8; RST_STREAM 7 8");
    EXPECT_INT(owner.session.open_streams, 0);
    owner_finish(&owner);
}

TEST(test_all_may_be_reset_when_a_stream_closes)
{
    struct owner owner;
    open_some(&owner);
    owner.on_closed = reset_all;
    (void)owner_write_all(&owner);
    EXPECT_INT(owner.session.open_streams, 0);
    EXPECT(list_is_empty(&owner.session.out.resets));
    owner_finish(&owner);
}

static void end_it(struct owner *owner, struct owned *owned)
{
    (void)owned;
    EXPECT_INT(frames_end(&owner->session, FRAMES_ENHANCE_YOUR_CALM), GALLEY_OK);
}

TEST(test_a_connection_that_is_ended_in_an_event_sends_no_more_data)
{
    struct owner owner;
    owner_start(&owner);
    owner.on_data = end_it;
    owner_answer(owner_open(&owner, 1, true), 60000);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; DATA 1 16384; GOAWAY 1 11");
    EXPECT(frames_has_ended(&owner.session));
    owner_finish(&owner);
}

TEST(test_an_owner_that_cannot_send_stops_the_writing)
{
    struct owner owner;
    owner_start(&owner);
    owner.fails = true;
    owner_answer(owner_open(&owner, 1, true), 60000);
    EXPECT_INT(frames_write(&owner.session, &owner.out, UINT64_MAX), FRAMES_STOPPED);
    owner_finish(&owner);
}
