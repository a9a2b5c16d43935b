/* tests/unit/frames/test_write.c — what is written, and in which order: heads, DATA by priorities (RFC 9218
 * §10), room in the chain. */
#include "support_owner.h"

#include "base/alloc.h"

#include "test.h"

enum { FRAME = FRAMES_MAX_PAYLOAD, MUCH = 1000 * 1000 * 1000 };

/* A client without limits. */
static void start_wide(struct owner *owner)
{
    owner_start(owner);
    EXPECT_INT(frames_first_window(&owner->session, MUCH), GALLEY_OK);
    EXPECT_INT(frames_window_update(&owner->session, 0, MUCH), GALLEY_OK);
}

/* ---- heads ----------------------------------------------------------------------------------- */

TEST(test_an_interim_head_changes_nothing)
{
    struct owner owner;
    owner_start(&owner);
    struct owned *owned = owner_open(&owner, 1, true);
    EXPECT_INT(owner_head(owned, FRAMES_HEAD_INTERIM), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1");
    EXPECT_SAID(owner_log(&owner), "");
    EXPECT_INT(owner_head(owned, FRAMES_HEAD_INTERIM), GALLEY_OK);
    owner_answer(owned, 1);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; HEADERS 1; DATA 1 1 end");
    EXPECT_SAID(owner_log(&owner), "head 1; end 1; closed 1 0");
    owner_finish(&owner);
}

/* Of eight bits in Huffman code (RFC 7541 Appendix B): lengths stay what they are. */
static char letter(size_t at)
{
    return "X&*,;Z"[at % 6];
}

struct fields {
    unsigned count;
    unsigned bytes;
};

static bool count_field(void *arg, const struct hpack_field *field)
{
    struct fields *fields = arg;
    EXPECT(field->has_good_name);
    for (size_t i = 0; i < field->value.len; i++) {
        EXPECT_INT(field->value.ptr[i], letter(fields->bytes + i));
    }
    fields->count++;
    fields->bytes += (unsigned)field->value.len;
    return true;
}

/* Put the payloads of HEADERS and CONTINUATION together (RFC 9113 §4.3) and decode them. */
static struct fields decode_head(const uint8_t *bytes, size_t len)
{
    struct fields fields = {0};
    struct hpack_decoder decoder;
    struct buf block;
    struct buf scratch;
    size_t used = 0;
    buf_init(&block, 0);
    buf_init(&scratch, 0);
    for (size_t at = 0; at < len; at += FRAMES_HEAD_BYTES + frames_u16(bytes + at + 1)) {
        bool is_last = at + FRAMES_HEAD_BYTES + frames_u16(bytes + at + 1) == len;
        EXPECT(is_last == ((bytes[at + 4] & FRAMES_END_HEADERS) != 0));
        EXPECT_INT(bytes[at + 3], at == 0 ? FRAMES_HEADERS : FRAMES_CONTINUATION);
        buf_append(&block, bytes + at + FRAMES_HEAD_BYTES, frames_u16(bytes + at + 1));
    }
    hpack_decoder_init(&decoder, HPACK_TABLE_BYTES, 1024 * 1024);
    hpack_decoder_begin(&decoder);
    const struct hpack_taker taker = {count_field, &fields, &scratch};
    EXPECT_INT(hpack_decode(&decoder, buf_span(&block), true, &taker, &used), HPACK_OK);
    EXPECT_INT(used, block.len);
    hpack_decoder_finish(&decoder);
    buf_finish(&block);
    buf_finish(&scratch);
    return fields;
}

/* A head of so many fields with a value of `len` bytes, of letters that go on through all of them. */
static int large_head(struct owned *owned, unsigned count, unsigned len)
{
    struct buf value;
    buf_init(&value, 0);
    frames_head_begin(&owned->stream);
    for (unsigned i = 0; i < count; i++) {
        buf_clear(&value);
        for (unsigned at = 0; at < len; at++) {
            buf_append_char(&value, letter(i * len + at));
        }
        struct hpack_line line = hpack_line_make(SPAN("x-large"), buf_span(&value), HPACK_LITERAL);
        frames_head_line(&owned->stream, &line);
    }
    buf_finish(&value);
    return frames_head_end(&owned->stream, FRAMES_HEAD_ONLY);
}

static struct fields write_and_decode(struct owner *owner)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    EXPECT_INT(frames_write(&owner->session, &owner->out, UINT64_MAX), FRAMES_OK);
    EXPECT_INT(owner->out.count, 1);
    buf_append(&bytes, chain_front(&owner->out)->ptr, chain_front(&owner->out)->len);
    struct fields fields = decode_head((const uint8_t *)bytes.data, bytes.len);
    chain_clear(&owner->out);
    buf_finish(&bytes);
    return fields;
}

TEST(test_a_head_that_is_longer_than_a_frame_goes_on_in_continuations)
{
    static const struct {
        unsigned count;
        unsigned len;
        const char *frames;
    } rows[] = {
        {1, 100, "HEADERS 1 end"},
        {10, 5000, "HEADERS 1 more end; CONTINUATION 1 more; CONTINUATION 1 more; CONTINUATION 1"},
        {5, 40000, NULL},
        {3, 16384, NULL},
        {1000, 150, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct owner owner;
        owner_start(&owner);
        EXPECT_INT(large_head(owner_open(&owner, 1, true), rows[i].count, rows[i].len), GALLEY_OK);
        if (rows[i].frames) {
            EXPECT_SAID(owner_write_all(&owner), rows[i].frames);
        } else {
            struct fields fields = write_and_decode(&owner);
            EXPECT_INT(fields.count, rows[i].count);
            EXPECT_INT(fields.bytes, rows[i].count * rows[i].len);
        }
        EXPECT_INT(owner.session.open_streams, 0);
        owner_finish(&owner);
    }
}

/* Every length around the one that fills a frame, also behind other frames in control. */
TEST(test_heads_are_cut_where_a_frame_is_full)
{
    enum { AROUND = 50, BEFORE = 30 };
    for (unsigned i = 0; i < 2 * AROUND; i++) {
        unsigned len = (i < AROUND ? 1U : 2U) * FRAME + i % AROUND - BEFORE;
        struct owner owner;
        owner_start(&owner);
        EXPECT_INT(large_head(owner_open(&owner, 1, true), 1, len), GALLEY_OK);
        struct fields fields = write_and_decode(&owner);
        EXPECT_INT(fields.bytes, len);
        EXPECT_INT(owner_head(owner_open(&owner, 3, true), FRAMES_HEAD_ONLY), GALLEY_OK);
        EXPECT_INT(large_head(owner_open(&owner, 5, true), 1, len), GALLEY_OK);
        const char *said = owner_write_all(&owner);
        EXPECT(strstr(said, "HEADERS 3 end; HEADERS 5 ") == said);
        owner_finish(&owner);
    }
}

TEST(test_each_lack_of_memory_for_a_head_is_told)
{
    uint64_t n = 0;
    bool did_fail = true;
    while (did_fail) {
        struct owner owner;
        owner_start(&owner);
        struct owned *first = owner_open(&owner, 1, true);
        struct owned *second = owner_open(&owner, 3, true);
        EXPECT(buf_reserve(&owner.log, 1000)); /* not of what is tested */
        mem_fail_nth(++n);
        int rc = owner_head(first, FRAMES_HEAD_ONLY);
        int second_rc = large_head(second, 10, 5000);
        enum frames_result result = frames_write(&owner.session, &owner.out, UINT64_MAX);
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        bool is_well = rc == GALLEY_OK && second_rc == GALLEY_OK;
        EXPECT(rc == GALLEY_OK || second_rc == GALLEY_ENOMEM); /* it is for good */
        EXPECT(did_fail || is_well);
        EXPECT(is_well || result == FRAMES_NO_MEMORY);
        owner_finish(&owner);
    }
    EXPECT(n > 2);
}

/* ---- DATA ------------------------------------------------------------------------------------ */

TEST(test_frames_are_as_large_as_may_be_and_the_last_says_end)
{
    struct owner owner;
    start_wide(&owner);
    owner_answer(owner_open(&owner, 1, true), 3 * FRAME);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; DATA 1 16384; DATA 1 16384; DATA 1 16384 end");
    owner_answer(owner_open(&owner, 3, true), FRAME + 1);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 3; DATA 3 16384; DATA 3 1 end");
    owner_answer(owner_open(&owner, 5, true), 0);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 5; DATA 5 0 end");
    owner_finish(&owner);
}

TEST(test_writing_stops_when_the_chain_is_full_and_goes_on_with_the_same_frame)
{
    struct owner owner;
    start_wide(&owner);
    owner_answer(owner_open(&owner, 1, true), 40000);
    EXPECT_SAID(owner_write(&owner, 1), "HEADERS 1");
    EXPECT_SAID(owner_write(&owner, 1), "DATA 1 16384"); /* whole, not cut to the room */
    EXPECT_SAID(owner_write(&owner, 16393), "DATA 1 16384");
    EXPECT_SAID(owner_write(&owner, 16394), "DATA 1 7232 end");
    owner_finish(&owner);
}

/* Who sends by 64 KiB is not left with a few bytes at the end. */
TEST(test_the_last_frame_ends_where_the_room_does)
{
    enum { ROOM = 128 * 1024 };
    struct owner owner;
    start_wide(&owner);
    owner_answer(owner_open(&owner, 1, true), MUCH);
    EXPECT_SAID(owner_write(&owner, 1), "HEADERS 1");
    (void)owner_write(&owner, ROOM);
    EXPECT_INT(owner.written, ROOM);
    owner_finish(&owner);
}

TEST(test_no_frame_is_cut_to_a_few_bytes)
{
    enum { LEAST = 1024, HEAD = FRAMES_HEAD_BYTES, TWO = 2 * HEAD + FRAME + LEAST };
    struct owner owner;
    start_wide(&owner);
    owner_answer(owner_open(&owner, 1, true), MUCH);
    EXPECT_SAID(owner_write(&owner, 1), "HEADERS 1");
    EXPECT_SAID(owner_write(&owner, TWO), "DATA 1 16384; DATA 1 1024");
    EXPECT_SAID(owner_write(&owner, TWO - 1), "DATA 1 16384");
    owner_answer(owner_open_as(&owner, 3, 0, true), 100); /* one that is short as it is may be */
    EXPECT_SAID(owner_write(&owner, 2 * HEAD + FRAME), "HEADERS 3; DATA 3 100 end; DATA 1 16274");
    owner_finish(&owner);
}

TEST(test_an_answer_in_pieces_is_deferred_while_there_is_none)
{
    struct owner owner;
    start_wide(&owner);
    struct owned *owned = owner_open(&owner, 1, true);
    EXPECT_INT(owner_head(owned, FRAMES_HEAD_WITH_BODY), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1");
    EXPECT(owned->stream.is_deferred);
    unsigned asked = owner.asked;
    owned->ready = 10;
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT_INT(owner.asked, asked); /* nobody looks before it is resumed */
    frames_resume(&owned->stream);
    frames_resume(&owned->stream);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 10");
    EXPECT(owned->stream.is_deferred);
    frames_resume(&owned->stream); /* for nothing */
    EXPECT_SAID(owner_write_all(&owner), "");
    EXPECT(owned->stream.is_deferred);
    owned->is_end = true;
    frames_resume(&owned->stream);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 0 end");
    EXPECT_SAID(owner_log(&owner), "head 1; end 1; closed 1 0");
    owner_finish(&owner);
}

TEST(test_an_answer_whose_end_is_known_in_time_needs_no_empty_frame)
{
    struct owner owner;
    start_wide(&owner);
    struct owned *owned = owner_open(&owner, 1, true);
    owned->ready = 2 * FRAME;
    EXPECT_INT(owner_head(owned, FRAMES_HEAD_WITH_BODY), GALLEY_OK);
    EXPECT_SAID(owner_write(&owner, 1), "HEADERS 1");
    EXPECT_SAID(owner_write(&owner, 1), "DATA 1 16384");
    owned->is_end = true;
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 16384 end");
    owner_finish(&owner);
}

/* ---- priorities ------------------------------------------------------------------------------ */

/* RFC 9218 §10: by urgency, then by id. */
TEST(test_the_most_urgent_comes_first_and_then_the_first_that_was_asked_for)
{
    struct owner owner;
    start_wide(&owner);
    owner_answer(owner_open_as(&owner, 1, 3, false), FRAME + 1);
    owner_answer(owner_open_as(&owner, 3, 7, false), 1);
    owner_answer(owner_open_as(&owner, 5, 3, false), 1);
    owner_answer(owner_open_as(&owner, 7, 0, false), FRAME + 1);
    EXPECT_SAID(owner_write_all(&owner),
                "HEADERS 1; HEADERS 3; HEADERS 5; HEADERS 7; DATA 7 16384; DATA 7 1 end; "
                "DATA 1 16384; DATA 1 1 end; DATA 5 1 end; DATA 3 1 end");
    owner_finish(&owner);
}

TEST(test_answers_of_one_urgency_go_in_the_order_of_ids_whoever_is_ready_first)
{
    struct owner owner;
    start_wide(&owner);
    struct owned *streams[5];
    for (int i = 0; i < 5; i++) {
        streams[i] = owner_open(&owner, 2 * i + 1, true);
    }
    static const int order[] = {2, 4, 0, 3, 1};
    for (int i = 0; i < 5; i++) {
        owner_answer(streams[order[i]], 2);
    }
    EXPECT_SAID(
        owner_write_all(&owner),
        "HEADERS 5; HEADERS 9; HEADERS 1; HEADERS 7; HEADERS 3; DATA 1 2 end; DATA 3 2 end; "
        "DATA 5 2 end; DATA 7 2 end; DATA 9 2 end");
    owner_finish(&owner);
}

TEST(test_incremental_answers_take_turns_behind_those_that_are_not)
{
    struct owner owner;
    start_wide(&owner);
    owner_answer(owner_open_as(&owner, 1, 3, true), 2 * FRAME + 1);
    owner_answer(owner_open_as(&owner, 3, 3, true), FRAME + 1);
    owner_answer(owner_open_as(&owner, 5, 3, false), FRAME + 1);
    owner_answer(owner_open_as(&owner, 7, 3, true), 3);
    EXPECT_SAID(owner_write(&owner, 1), "HEADERS 1; HEADERS 3; HEADERS 5; HEADERS 7");
    EXPECT_SAID(owner_write_all(&owner), "DATA 5 16384; DATA 5 1 end; DATA 1 16384; DATA 3 16384; "
                                         "DATA 7 3 end; DATA 1 16384; DATA 3 1 end; DATA 1 1 end");
    owner_finish(&owner);
}

TEST(test_a_more_urgent_answer_overtakes_at_the_next_frame)
{
    struct owner owner;
    start_wide(&owner);
    owner_answer(owner_open_as(&owner, 1, 3, false), 4 * FRAME);
    EXPECT_SAID(owner_write(&owner, 16500), "HEADERS 1; DATA 1 16384");
    owner_answer(owner_open_as(&owner, 3, 2, true), 2);
    EXPECT_SAID(owner_write(&owner, 16500), "HEADERS 3; DATA 3 2 end; DATA 1 16384");
    owner_finish(&owner);
}

TEST(test_an_answer_that_gets_another_priority_changes_its_place)
{
    struct owner owner;
    start_wide(&owner);
    owner_answer(owner_open_as(&owner, 1, 3, false), 3 * FRAME);
    owner_answer(owner_open_as(&owner, 3, 3, false), 2 * FRAME);
    EXPECT_SAID(owner_write(&owner, 1), "HEADERS 1; HEADERS 3");
    EXPECT_SAID(owner_write(&owner, 1), "DATA 1 16384");
    frames_reprioritize(&owner_find(&owner, 3)->stream, 1, false);
    EXPECT_SAID(owner_write(&owner, 1), "DATA 3 16384");
    frames_reprioritize(&owner_find(&owner, 3)->stream, 3, true);
    EXPECT_SAID(owner_write(&owner, 1), "DATA 1 16384");
    frames_reprioritize(&owner_find(&owner, 1)->stream, 3, true);
    EXPECT_SAID(owner_write_all(&owner), "DATA 3 16384 end; DATA 1 16384 end");
    EXPECT_INT(owner.session.out.turns, 0);
    owner_finish(&owner);
}

TEST(test_a_priority_that_comes_before_the_answer_counts)
{
    struct owner owner;
    start_wide(&owner);
    struct owned *first = owner_open(&owner, 1, true);
    struct owned *second = owner_open(&owner, 3, true);
    frames_reprioritize(&second->stream, 0, false);
    owner_answer(first, 1);
    owner_answer(second, 1);
    frames_reprioritize(&first->stream, 7, true);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; HEADERS 3; DATA 3 1 end; DATA 1 1 end");
    owner_finish(&owner);
}

TEST(test_who_waits_for_its_window_does_not_stop_the_others)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_first_window(&owner.session, 10), GALLEY_OK);
    owner_answer(owner_open_as(&owner, 1, 0, false), 100);
    owner_answer(owner_open_as(&owner, 3, 1, true), 100);
    owner_answer(owner_open_as(&owner, 5, 2, false), 9);
    EXPECT_SAID(owner_write_all(&owner),
                "HEADERS 1; HEADERS 3; HEADERS 5; DATA 1 10; DATA 3 10; DATA 5 9 end");
    EXPECT_INT(frames_window_update(&owner.session, 3, 1), GALLEY_OK);
    EXPECT_INT(frames_window_update(&owner.session, 1, 1), GALLEY_OK);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 1; DATA 3 1");
    owner_finish(&owner);
}

static void answer_next(struct owner *owner, struct owned *owned)
{
    int32_t next = owned->stream.id + 2;
    if (next < 9) {
        owner_answer(owner_open(owner, next, true), 1);
    }
}

/* What an event adds leaves in the same writing: its head ahead of the DATA of others. */
TEST(test_answers_that_begin_in_events_leave_at_once)
{
    struct owner owner;
    start_wide(&owner);
    owner.on_closed = answer_next;
    owner_answer(owner_open(&owner, 1, true), 1);
    owner_answer(owner_open(&owner, 99, true), 1);
    EXPECT_SAID(owner_write_all(&owner),
                "HEADERS 1; HEADERS 99; DATA 1 1 end; HEADERS 3; DATA 3 1 end; HEADERS 5; "
                "DATA 5 1 end; HEADERS 7; DATA 7 1 end; DATA 99 1 end");
    owner_finish(&owner);
}

/* ---- what the owner has not got after all ----------------------------------------------------- */

static void cut_once(struct owner *owner, struct owned *owned)
{
    (void)owned;
    owner->cut = 100;
    owner->on_data = NULL;
}

/* RFC 9113 §6.9.1: windows count what was sent. */
TEST(test_a_frame_that_became_shorter_ends_nothing_and_costs_what_it_has)
{
    struct owner owner;
    owner_start(&owner);
    owner.on_data = cut_once;
    struct owned *owned = owner_open(&owner, 1, true);
    owner_answer(owned, 1000);
    EXPECT_SAID(owner_write(&owner, 1), "HEADERS 1");
    EXPECT_SAID(owner_write(&owner, 1), "DATA 1 100");
    EXPECT_INT(owner.session.send_window, FRAMES_FIRST_WINDOW - 100);
    EXPECT_INT(owned->stream.send_window, FRAMES_FIRST_WINDOW - 100);
    EXPECT_SAID(owner_write_all(&owner), "DATA 1 900 end");
    EXPECT_INT(owner.session.send_window, FRAMES_FIRST_WINDOW - 1000);
    EXPECT_SAID(owner_log(&owner), "head 1; end 1; closed 1 0");
    owner_finish(&owner);
}

/* A window that the whole frame would have shut is open still. */
TEST(test_a_frame_that_became_shorter_leaves_its_window_to_the_rest)
{
    struct owner owner;
    owner_start(&owner);
    EXPECT_INT(frames_first_window(&owner.session, 300), GALLEY_OK);
    owner.on_data = cut_once;
    owner_answer(owner_open_as(&owner, 1, 3, true), 1000);
    owner_answer(owner_open_as(&owner, 3, 3, true), 50);
    EXPECT_SAID(owner_write_all(&owner),
                "HEADERS 1; HEADERS 3; DATA 1 100; DATA 3 50 end; DATA 1 200");
    owner_finish(&owner);
}

static void reset_and_send_none(struct owner *owner, struct owned *owned)
{
    owner->sends_none = true;
    EXPECT_INT(frames_reset(&owned->stream, FRAMES_INTERNAL_ERROR), GALLEY_OK);
}

TEST(test_a_stream_that_is_reset_instead_of_sent_costs_no_window)
{
    struct owner owner;
    owner_start(&owner);
    owner.on_data = reset_and_send_none;
    owner_answer(owner_open(&owner, 1, true), 60000);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 1; RST_STREAM 1 2");
    EXPECT_INT(owner.session.send_window, FRAMES_FIRST_WINDOW);
    owner.on_data = NULL;
    owner.sends_none = false;
    owner_answer(owner_open(&owner, 3, true), 10);
    EXPECT_SAID(owner_write_all(&owner), "HEADERS 3; DATA 3 10 end");
    EXPECT_SAID(owner_log(&owner), "head 1; reset 2; closed 1 2; head 3; end 3; closed 3 0");
    owner_finish(&owner);
}
