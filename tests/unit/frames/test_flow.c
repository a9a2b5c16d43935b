/* tests/unit/frames/test_flow.c — flow control, RFC 9113 §5.2 and §6.9: windows of the connection and of
 * streams, what we may send and what the client may. */
#include "support_owner.h"

#include "base/alloc.h"

#include "test.h"

enum { FRAME = FRAMES_MAX_PAYLOAD, WINDOW = FRAMES_FIRST_WINDOW };

/* ---- what we may send ------------------------------------------------------------------------ */

TEST(test_data_stops_where_the_window_of_the_stream_ends_and_goes_on)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_window_update(&owner.session, 0, 1000000), GALLEY_OK);
    EXPECT_INT(frames_first_window(&owner.session, 20000), GALLEY_OK);
    owner_answer(owner_open(&owner, 1, true), 50000);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; DATA 1 16384; DATA 1 3616");
    EXPECT_INT(owner.session.out.turns, 0); /* it is in no list: nobody looks at it */
    unsigned asked = owner.asked;
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_INT(owner.asked, asked);
    EXPECT_INT(frames_window_update(&owner.session, 1, 1), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 1");
    EXPECT_INT(frames_window_update(&owner.session, 1, 40000), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 16384; DATA 1 13615 end");
    EXPECT_INT(owner.session.send_window, WINDOW + 1000000 - 50000);
    owner_finish(&owner);
}

TEST(test_data_stops_where_the_window_of_the_connection_ends_and_heads_do_not)
{
    struct owner owner;
    owner_start(&owner);
    owner_answer(owner_open(&owner, 1, true), WINDOW + 10);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; DATA 1 16384; DATA 1 16384; DATA 1 16384; "
                                         "DATA 1 16383");
    owner_answer(owner_open(&owner, 3, true), 5);
    EXPECT_INT(owner_head(owner_open(&owner, 5, true), FRAMES_HEAD_ONLY), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 3; HEADERS 5 end");
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_INT(frames_window_update(&owner.session, 0, 12), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "DATA 3 5 end");
    EXPECT_INT(frames_window_update(&owner.session, 1, 12), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 7");
    EXPECT_INT(frames_window_update(&owner.session, 0, 12), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 3 end");
    owner_finish(&owner);
}

/* RFC 9113 §6.9: a frame without payload needs no window, neither the stream's nor the connection's. */
TEST(test_the_end_of_an_answer_needs_no_window)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *first = owner_open(&owner, 1, true);
    struct owned *second = owner_open(&owner, 3, true);
    first->ready = WINDOW;
    EXPECT_INT(owner_head(first, FRAMES_HEAD_WITH_BODY), GALLEY_OK);
    EXPECT_INT(owner_head(second, FRAMES_HEAD_WITH_BODY), GALLEY_OK);
    (void)owner_write_all(&owner);
    EXPECT_INT(owner.session.send_window, 0);
    EXPECT_INT(first->stream.send_window, 0);
    first->is_end = second->is_end = true;
    frames_resume(&first->stream);
    frames_resume(&second->stream);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 0 end; DATA 3 0 end");
    EXPECT_INT(owner.session.open_streams, 0);
    owner_finish(&owner);
}

/* … also of a stream that has become ready while another took all of the window. */
TEST(test_an_end_is_not_held_up_by_others_that_wait_for_the_window)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_first_window(&owner.session, 1000000), GALLEY_OK);
    owner_answer(owner_open_as(&owner, 1, 0, false), 200000);
    owner_answer(owner_open_as(&owner, 3, 7, true), 0);
    owner_answer(owner_open_as(&owner, 5, 7, false), 1);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; HEADERS 3; HEADERS 5; DATA 3 0 end; "
                                         "DATA 1 16384; DATA 1 16384; DATA 1 16384; DATA 1 16383");
    owner_finish(&owner);
}

/* RFC 9113 §6.9.2 */
TEST(test_a_new_first_window_changes_open_streams_also_below_nothing)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_first_window(&owner.session, 16384), GALLEY_OK);
    struct owned *owned = owner_open(&owner, 1, true);
    owner_answer(owned, 100000);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; DATA 1 16384");
    EXPECT_INT(frames_first_window(&owner.session, 1000), GALLEY_OK);
    EXPECT_INT(owned->stream.send_window, 1000 - 16384);
    EXPECT_INT(owner_open(&owner, 3, true)->stream.send_window, 1000);
    EXPECT_INT(frames_window_update(&owner.session, 1, 15384), GALLEY_OK);
    EXPECT_INT(owner.session.out.turns, 0); /* still nothing */
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_INT(frames_window_update(&owner.session, 1, 3), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 3");
    EXPECT_INT(frames_first_window(&owner.session, 1010), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 10");
    owner_finish(&owner);
}

TEST(test_a_window_may_be_shut_while_its_stream_waits_for_its_turn)
{
    struct owner owner;
    owner_start(&owner);
    owner_answer(owner_open(&owner, 1, true), 20000);
    EXPECT_SAID(owner_write(&owner, 1), "HEADERS 1");
    EXPECT_SAID(owner_write(&owner, 1), "DATA 1 16384");
    EXPECT_INT(frames_first_window(&owner.session, 0), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_INT(owner.session.out.turns, 0);
    EXPECT_INT(frames_first_window(&owner.session, WINDOW), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 3616 end");
    owner_finish(&owner);
}

TEST(test_a_window_that_opens_does_not_bring_back_a_stream_that_was_reset)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_first_window(&owner.session, 10), GALLEY_OK);
    owner_answer(owner_open(&owner, 1, true), 100);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; DATA 1 10");
    EXPECT_INT(frames_reset(&owner_find(&owner, 1)->stream, FRAMES_CANCEL), GALLEY_OK);
    EXPECT_INT(frames_window_update(&owner.session, 1, 100), GALLEY_OK);
    EXPECT_INT(frames_first_window(&owner.session, 1000), GALLEY_OK);
    EXPECT_INT(owner.session.out.turns, 0);
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 8");
    EXPECT_INT(owner.session.open_streams, 0);
    EXPECT(list_is_empty(&owner.session.out.resets));
    owner_finish(&owner);
}

/* RFC 9113 §6.9.1: no window may be more than 2^31-1. */
TEST(test_a_send_window_that_is_too_large_is_an_error)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 1, true);
    owner_answer(owned, 1);
    uint32_t most = FRAMES_MAX_WINDOW - WINDOW;
    EXPECT_INT(frames_window_update(&owner.session, 1, most), GALLEY_OK);
    EXPECT_INT(owned->stream.send_window, FRAMES_MAX_WINDOW);
    EXPECT_INT(frames_window_update(&owner.session, 1, 1), GALLEY_OK);
    EXPECT_INT(frames_window_update(&owner.session, 1, FRAMES_MAX_WINDOW), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; RST_STREAM 1 3");
    EXPECT_INT(frames_window_update(&owner.session, 0, most), GALLEY_OK);
    EXPECT_INT(owner.session.send_window, FRAMES_MAX_WINDOW);
    EXPECT_INT(frames_window_update(&owner.session, 0, FRAMES_MAX_WINDOW), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "GOAWAY 1 3");
    owner_finish(&owner);
}

/* RFC 9113 §6.9.2, §6.5.2 */
TEST(test_a_first_window_that_is_too_large_is_an_error_of_the_connection)
{
    struct owner owner;
    owner_start(&owner);
    (void)owner_open(&owner, 1, true);
    EXPECT_INT(frames_window_update(&owner.session, 1, 1), GALLEY_OK);
    EXPECT_INT(frames_first_window(&owner.session, FRAMES_MAX_WINDOW), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "GOAWAY 1 3");
    owner_finish(&owner);

    owner_start(&owner);
    EXPECT_INT(frames_first_window(&owner.session, FRAMES_MAX_WINDOW), GALLEY_OK);
    EXPECT_INT(owner_open(&owner, 1, true)->stream.send_window, FRAMES_MAX_WINDOW);
    EXPECT_INT(frames_first_window(&owner.session, FRAMES_MAX_WINDOW + 1u), GALLEY_OK);
    EXPECT_SAID(owner_log(&owner), "failed 3");
    owner_finish(&owner);
}

/* RFC 9113 §6.9; of a closed stream, too: resets that a client makes us send are counted. */
TEST(test_an_update_by_nothing_is_an_error)
{
    struct owner owner;
    owner_start(&owner);
    (void)owner_open(&owner, 1, true);
    EXPECT_INT(frames_window_update(&owner.session, 1, 0), GALLEY_OK);
    EXPECT_INT(frames_window_update(&owner.session, 1, 0), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 1");
    EXPECT_INT(frames_window_update(&owner.session, 1, 0), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 1");
    EXPECT_SAID(owner_log(&owner), "reset 1; closed 1 1; reset 1");
    EXPECT_INT(frames_window_update(&owner.session, 0, 0), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "GOAWAY 1 1");
    owner_finish(&owner);
}

/* RFC 9113 §5.1: it may come a while after the end. */
TEST(test_an_update_of_a_stream_that_is_closed_or_was_reset_is_ignored)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_reset(&owner_open(&owner, 1, true)->stream, FRAMES_CANCEL), GALLEY_OK);
    EXPECT_INT(frames_window_update(&owner.session, 1, FRAMES_MAX_WINDOW), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 8");
    EXPECT_INT(frames_window_update(&owner.session, 1, FRAMES_MAX_WINDOW), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "");
    owner_finish(&owner);
}

/* ---- what the client may send ---------------------------------------------------------------- */

static bool take(struct owner *owner, int32_t id, uint32_t bytes)
{
    int rc = GALLEY_OK;
    bool is_taken =
        frames_take_data(&owner->session, frames_stream_find(&owner->session, id), bytes, &rc);
    EXPECT_INT(rc, GALLEY_OK);
    return is_taken;
}

TEST(test_windows_are_given_back_when_half_of_them_was_consumed)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 1, false);
    EXPECT(take(&owner, 1, WINDOW));
    EXPECT_INT(owned->stream.recv_window, 0);
    EXPECT_INT(owner.session.recv_window, 0);
    EXPECT_INT(frames_consume(&owned->stream, WINDOW / 2), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_INT(frames_consume(&owned->stream, 1), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "WINDOW_UPDATE 1 32768; WINDOW_UPDATE 0 32768");
    EXPECT(take(&owner, 1, 32768));
    EXPECT_INT(owned->stream.recv_window, 0);
    owner_finish(&owner);
}

TEST(test_a_stream_on_which_nothing_comes_gets_no_more_window)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 1, false);
    EXPECT(take(&owner, 1, WINDOW));
    frames_input_end(&owned->stream);
    EXPECT_INT(frames_consume(&owned->stream, WINDOW), GALLEY_OK);
    EXPECT_INT(frames_widen(&owned->stream, 1000000), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "WINDOW_UPDATE 0 65535");
    owner_finish(&owner);
}

/* RFC 9113 §6.9: of the stream if it was the stream's window; the connection has its bytes back. */
TEST(test_data_beyond_the_window_of_the_stream_resets_it)
{
    struct owner owner;
    struct frames_options options = owner_options();
    options.conn_window_bytes = 200000;
    EXPECT_INT(owner_init(&owner, &options), GALLEY_OK);
    (void)owner_write_all(&owner);
    struct owned *owned = owner_open(&owner, 1, false);
    EXPECT(take(&owner, 1, WINDOW - 1));
    EXPECT(take(&owner, 1, 1));
    EXPECT(!take(&owner, 1, 16384));
    EXPECT_INT(owner.session.consumed, 16384);
    EXPECT(owned->stream.was_reset);
    EXPECT(!take(&owner, 1, 16384)); /* on its way: nobody takes it */
    EXPECT_INT(owner.session.consumed, 2 * 16384);
    EXPECT_SAID(owner_write_all(&owner), "RST_STREAM 1 3");
    EXPECT(!take(&owner, 1, 16384));
    EXPECT_INT(frames_consume_closed(&owner.session, WINDOW), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "WINDOW_UPDATE 0 114687");
    EXPECT_INT(owner.session.recv_window, 200000);
    owner_finish(&owner);
}

TEST(test_data_beyond_the_window_of_the_connection_ends_it)
{
    struct owner owner;
    owner_start(&owner);
    (void)owner_open(&owner, 1, false);
    (void)owner_open(&owner, 3, false);
    EXPECT(take(&owner, 1, 60000));
    EXPECT(!take(&owner, 3, 5536));
    EXPECT_SAID(owner_log(&owner), "failed 3");
    EXPECT_SAID(owner_write_all(&owner), "GOAWAY 3 3");
    owner_finish(&owner);
}

/* ---- the windows that we say ----------------------------------------------------------------- */

TEST(test_a_widened_stream_may_send_more)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_settings_acked(&owner.session), GALLEY_OK);
    struct owned *owned = owner_open(&owner, 1, false);
    EXPECT(take(&owner, 1, 20000));
    EXPECT_INT(frames_consume(&owned->stream, 10000), GALLEY_OK);
    EXPECT_INT(frames_widen(&owned->stream, WINDOW), GALLEY_OK);
    EXPECT_INT(frames_widen(&owned->stream, 100), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_INT(frames_widen(&owned->stream, 100000), GALLEY_OK);
    /* … with what was consumed and not yet said */
    EXPECT_SAID(owner_write_all(&owner), "WINDOW_UPDATE 1 44465");
    EXPECT_INT(owned->stream.recv_window, 90000);
    EXPECT_INT(owned->stream.recv_size, 100000);
    EXPECT_INT(frames_widen(&owned->stream, UINT32_MAX), GALLEY_OK);
    EXPECT(owned->stream.recv_size > 0x7ff00000);
    owner_finish(&owner);
}

static void start_with_window(struct owner *owner, uint32_t bytes)
{
    struct frames_options options = owner_options();
    options.stream_window_bytes = bytes;
    options.conn_window_bytes = 10 * 1000 * 1000;
    EXPECT_INT(owner_init(owner, &options), GALLEY_OK);
    (void)owner_write_all(owner);
}

/* RFC 9113 §6.5.3: until the client has acknowledged them our SETTINGS are not in force. */
TEST(test_streams_before_the_acknowledgement_have_the_first_window)
{
    struct owner owner;
    start_with_window(&owner, 1000);
    struct owned *early = owner_open(&owner, 1, false);
    EXPECT(take(&owner, 1, WINDOW));
    EXPECT_INT(frames_settings_acked(&owner.session), GALLEY_OK);
    EXPECT_INT(early->stream.recv_window, 1000 - WINDOW);
    EXPECT(!take(&owner, 1, 1));
    EXPECT_INT(owner_open(&owner, 3, false)->stream.recv_window, 1000);
    EXPECT(take(&owner, 3, 1000));
    EXPECT(!take(&owner, 3, 1));
    EXPECT_INT(frames_settings_acked(&owner.session), GALLEY_OK);
    EXPECT_INT(owner_open(&owner, 5, false)->stream.recv_window, 1000);
    owner_finish(&owner);
}

TEST(test_a_larger_window_is_in_force_when_it_is_acknowledged)
{
    struct owner owner;
    start_with_window(&owner, 100000);
    struct owned *early = owner_open(&owner, 1, false);
    EXPECT(take(&owner, 1, 60000));
    EXPECT_INT(frames_settings_acked(&owner.session), GALLEY_OK);
    EXPECT_INT(early->stream.recv_window, 40000);
    EXPECT(take(&owner, 1, 40000));
    owner_finish(&owner);
}

/* Else the client, whose window is below 0 now, could never go on. */
TEST(test_what_is_more_than_half_of_a_smaller_window_is_said_when_that_is_in_force)
{
    struct owner owner;
    start_with_window(&owner, 16384);
    struct owned *early = owner_open(&owner, 1, false);
    EXPECT(take(&owner, 1, 20000));
    EXPECT_INT(frames_consume(&early->stream, 20000), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_INT(frames_settings_acked(&owner.session), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "WINDOW_UPDATE 1 20000");
    EXPECT_INT(early->stream.recv_window, 16384);
    owner_finish(&owner);
}

/* The client has our SETTINGS when it reads the update. */
TEST(test_a_stream_that_is_widened_before_the_acknowledgement_gets_that_window)
{
    struct owner owner;
    start_with_window(&owner, 16384);
    struct owned *owned = owner_open(&owner, 1, false);
    EXPECT_INT(frames_widen(&owned->stream, 100000), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "WINDOW_UPDATE 1 83616");
    EXPECT_INT(frames_settings_acked(&owner.session), GALLEY_OK);
    EXPECT_INT(owned->stream.recv_window, 100000);
    EXPECT_INT(owned->stream.recv_size, 100000);
    owner_finish(&owner);

    start_with_window(&owner, 80000);
    owned = owner_open(&owner, 1, false);
    EXPECT_INT(frames_widen(&owned->stream, 80000), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_INT(frames_settings_acked(&owner.session), GALLEY_OK);
    EXPECT_INT(owned->stream.recv_size, 80000);
    owner_finish(&owner);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int do_all(struct owner *owner, struct owned *owned)
{
    int rc = GALLEY_OK;
    for (int i = 0; i < 40 && rc == GALLEY_OK; i++) {
        if (!frames_take_data(&owner->session, &owned->stream, 32768, &rc)) {
            return GALLEY_ENOMEM;
        }
        rc = frames_consume(&owned->stream, 32768);
    }
    rc = rc != GALLEY_OK ? rc : frames_widen(&owned->stream, 1000000);
    rc = rc != GALLEY_OK ? rc : frames_window_update(&owner->session, 1, FRAMES_MAX_WINDOW);
    rc = rc != GALLEY_OK ? rc : frames_window_update(&owner->session, 0, 0);
    return rc;
}

TEST(test_each_lack_of_memory_for_a_window_is_told)
{
    uint64_t n = 0;
    bool did_fail = true;
    while (did_fail) {
        struct owner owner;
        owner_start(&owner);
        struct owned *owned = owner_open(&owner, 1, false);
        EXPECT(buf_reserve(&owner.log, 1000)); /* not of what is tested */
        mem_fail_nth(++n);
        int rc = do_all(&owner, owned);
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(rc, did_fail ? GALLEY_ENOMEM : GALLEY_OK);
        EXPECT_INT(frames_write(&owner.session, &owner.out, UINT64_MAX),
                   did_fail ? FRAMES_NO_MEMORY : FRAMES_OK);
        owner_finish(&owner);
    }
    EXPECT(n > 1);
}
