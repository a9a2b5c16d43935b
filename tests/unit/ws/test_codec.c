/* tests/unit/ws/test_codec.c — frames and messages: what RFC 6455 §5 to §8 asks of a server, byte by
 * byte, and what becomes of peers that break it. */
#include "test.h"

#include "base/buf.h"
#include "ws/ws_codec.h"

#include <galley/websocket.h>

struct world {
    struct ws_codec *codec;
    struct buf out;
    struct buf messages; /* "T:text|" or "B:bytes|" */
    int output_result;
    int message_result;
};

static int on_message(void *ctx, int kind, struct span data)
{
    struct world *world = ctx;
    buf_append_text(&world->messages, kind == GALLEY_WS_TEXT ? "T:" : "B:");
    buf_append_span(&world->messages, data);
    buf_append_char(&world->messages, '|');
    return world->message_result;
}

static int on_output(void *ctx, const void *data, size_t len)
{
    struct world *world = ctx;
    if (world->output_result == 0) {
        buf_append(&world->out, data, len);
    }
    return world->output_result;
}

static void begin(struct world *world)
{
    *world = (struct world){0};
    buf_init(&world->out, 0);
    buf_init(&world->messages, 0);
    struct ws_codec_events events = {.message = on_message, .output = on_output, .ctx = world};
    world->codec = ws_codec_create(&events, 1000);
    EXPECT(world->codec);
}

static void end(struct world *world)
{
    ws_codec_destroy(world->codec);
    buf_finish(&world->out);
    buf_finish(&world->messages);
}

#define FEED(world, bytes) ws_codec_feed((world)->codec, bytes, sizeof(bytes) - 1)

static void expect_out(struct world *world, const char *bytes, size_t len)
{
    EXPECT_INT(world->out.len, len);
    EXPECT(world->out.len == len && memcmp(buf_span(&world->out).ptr, bytes, len) == 0);
}
#define EXPECT_OUT(world, bytes) expect_out(world, bytes, sizeof(bytes) - 1)

TEST(test_a_masked_text_comes_through_and_bytes_may_come_one_by_one)
{
    static const char hello[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; /* §5.7 */
    struct world world;
    begin(&world);
    FEED(&world, hello);
    for (size_t i = 0; i < sizeof hello - 1; i++) {
        ws_codec_feed(world.codec, hello + i, 1);
    }
    EXPECT_SPAN(buf_span(&world.messages), "T:Hello|T:Hello|");
    EXPECT_INT(world.out.len, 0);
    end(&world);
}

TEST(test_fragments_become_one_message_with_a_ping_between_them)
{
    struct world world;
    begin(&world);
    FEED(&world, "\x01\x83\0\0\0\0Hel");
    FEED(&world, "\x89\x82\0\0\0\0hi"); /* §5.5.2: answered with the same words */
    FEED(&world, "\x80\x82\0\0\0\0lo");
    EXPECT_SPAN(buf_span(&world.messages), "T:Hello|");
    EXPECT_OUT(&world, "\x8a\x02hi");
    end(&world);
}

TEST(test_messages_are_sent_without_a_mask_in_the_shortest_form)
{
    struct world world;
    static char large[70000];
    begin(&world);
    EXPECT_INT(ws_codec_send(world.codec, GALLEY_WS_TEXT, SPAN("Hello")), 0);
    EXPECT_OUT(&world, "\x81\x05Hello");
    buf_clear(&world.out);
    EXPECT_INT(ws_codec_send(world.codec, GALLEY_WS_BINARY, span_make(large, 126)), 0);
    EXPECT_INT(world.out.len, 4 + 126);
    EXPECT(memcmp(world.out.data, "\x82\x7e\0\x7e", 4) == 0);
    buf_clear(&world.out);
    EXPECT_INT(ws_codec_send(world.codec, GALLEY_WS_BINARY, span_make(large, sizeof large)), 0);
    EXPECT_INT(world.out.len, 10 + sizeof large);
    EXPECT(memcmp(world.out.data, "\x82\x7f\0\0\0\0\0\x01\x11\x70", 10) == 0);
    EXPECT(world.out.len <= ws_codec_frame_bytes(sizeof large));
    buf_clear(&world.out);
    EXPECT_INT(ws_codec_ping(world.codec), 0);
    EXPECT_OUT(&world, "\x89\0");
    end(&world);
}

struct bad_frame {
    const char *name;
    const char *bytes;
    size_t len;
    int code;
};
#define BAD(name, bytes, code)                                                                     \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, code                                                       \
    }

TEST(test_peers_that_break_the_rules_are_told_which_and_left)
{
    static const struct bad_frame bad[] = {
        BAD("not masked, §5.1", "\x81\x02hi", 1002),
        BAD("a reserved bit, §5.2", "\xc1\x82\0\0\0\0hi", 1002),
        BAD("an unknown opcode", "\x83\x82\0\0\0\0hi", 1002),
        BAD("an unknown control opcode", "\x8b\x80\0\0\0\0", 1002),
        BAD("a ping in fragments, §5.5", "\x09\x80\0\0\0\0", 1002),
        BAD("a ping of 126 bytes", "\x89\xfe\0\x7e\0\0\0\0", 1002),
        BAD("a continuation of nothing, §5.4", "\x80\x80\0\0\0\0", 1002),
        BAD("a second text inside the first", "\x01\x81\0\0\0\0a\x81\x81\0\0\0\0b", 1002),
        BAD("a length that needs fewer bytes", "\x81\xfe\0\x02\0\0\0\0hi", 1002),
        BAD("a length of 64 bits", "\x81\xff\xff\0\0\0\0\0\0\0\0\0\0\0", 1002),
        BAD("text that is not UTF-8, §8.1", "\x81\x82\0\0\0\0\xff\xff", 1007),
        BAD("text that ends inside a character", "\x81\x81\0\0\0\0\xe5", 1007),
        BAD("a code below 1000, §7.4", "\x88\x82\0\0\0\0\x03\xe7", 1002),
        BAD("a code that is never sent", "\x88\x82\0\0\0\0\x03\xed", 1002),
        BAD("words that are not UTF-8", "\x88\x83\0\0\0\0\x03\xe8\xff", 1007),
        BAD("half a code", "\x88\x81\0\0\0\0\x03", 1002),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct world world;
        begin(&world);
        ws_codec_feed(world.codec, bad[i].bytes, bad[i].len);
        const char frame[4] = {(char)0x88, 2, (char)(bad[i].code >> 8), (char)bad[i].code};
        expect_out(&world, frame, sizeof frame);
        EXPECT(ws_codec_is_over(world.codec));
        EXPECT_INT(ws_codec_end(world.codec).code, bad[i].code);
        EXPECT_INT(world.messages.len, 0);
        FEED(&world, "\x81\x82\0\0\0\0hi");
        EXPECT_INT(world.messages.len, 0);
        EXPECT_INT(ws_codec_send(world.codec, GALLEY_WS_TEXT, SPAN("x")), GALLEY_ECLOSED);
        end(&world);
    }
}

TEST(test_a_message_over_the_limit_ends_the_socket_before_it_is_there)
{
    struct world world;
    begin(&world);
    FEED(&world, "\x82\xfe\x03\xe9\0\0\0\0some of it");
    EXPECT_OUT(&world, "\x88\x02\x03\xf1"); /* 1009 */
    EXPECT(ws_codec_is_over(world.codec));
    end(&world);
    begin(&world); /* in fragments that are each within it */
    static const char half[600];
    FEED(&world, "\x02\xfe\x02\x58\0\0\0\0");
    ws_codec_feed(world.codec, half, sizeof half);
    FEED(&world, "\x80\xfe\x02\x58\0\0\0\0more");
    EXPECT_OUT(&world, "\x88\x02\x03\xf1");
    EXPECT_INT(ws_codec_end(world.codec).code, GALLEY_WS_TOO_BIG);
    end(&world);
}

TEST(test_the_peers_close_is_answered_and_told)
{
    struct world world;
    begin(&world);
    FEED(&world, "\x88\x85\0\0\0\0\x03\xe9"
                 "bye");
    EXPECT_OUT(&world, "\x88\x05\x03\xe9"
                       "bye");
    EXPECT(ws_codec_is_over(world.codec));
    struct ws_end why = ws_codec_end(world.codec);
    EXPECT_INT(why.code, GALLEY_WS_GOING_AWAY);
    EXPECT_SPAN(why.reason, "bye");
    end(&world);
    begin(&world);
    FEED(&world, "\x88\x80\0\0\0\0");
    EXPECT_OUT(&world, "\x88\0");
    EXPECT_INT(ws_codec_end(world.codec).code, GALLEY_WS_NO_CODE);
    end(&world);
}

TEST(test_our_close_waits_for_the_peers_and_nothing_goes_out_behind_it)
{
    struct world world;
    begin(&world);
    EXPECT_INT(ws_codec_close(world.codec, GALLEY_WS_NORMAL, SPAN("done")), 0);
    EXPECT_OUT(&world, "\x88\x06\x03\xe8"
                       "done");
    EXPECT(ws_codec_is_closing(world.codec) && !ws_codec_is_over(world.codec));
    EXPECT_INT(ws_codec_close(world.codec, GALLEY_WS_NORMAL, SPAN("again")), 0);
    EXPECT_INT(ws_codec_send(world.codec, GALLEY_WS_TEXT, SPAN("x")), GALLEY_ECLOSED);
    EXPECT_INT(ws_codec_ping(world.codec), GALLEY_ECLOSED);
    FEED(&world, "\x81\x82\0\0\0\0hi"); /* on its way when we closed: too late */
    FEED(&world, "\x88\x82\0\0\0\0\x03\xe8");
    EXPECT_INT(world.out.len, 8);
    EXPECT(ws_codec_is_over(world.codec));
    EXPECT_INT(ws_codec_end(world.codec).code, GALLEY_WS_NORMAL);
    end(&world);
}

TEST(test_a_lost_peer_and_a_failing_program_end_the_socket)
{
    struct world world;
    begin(&world);
    world.output_result = GALLEY_ECLOSED;
    EXPECT_INT(ws_codec_send(world.codec, GALLEY_WS_TEXT, SPAN("x")), GALLEY_ECLOSED);
    EXPECT(ws_codec_is_over(world.codec));
    EXPECT_INT(ws_codec_end(world.codec).code, GALLEY_WS_ABNORMAL);
    end(&world);
    begin(&world);
    world.message_result = GALLEY_ENOMEM;
    FEED(&world, "\x81\x82\0\0\0\0hi\x81\x82\0\0\0\0ho");
    EXPECT_OUT(&world, "\x88\x02\x03\xf3"); /* 1011 */
    EXPECT_SPAN(buf_span(&world.messages), "T:hi|");
    end(&world);
}
