/* galley_stream_event(): WHATWG HTML, "Server-sent events". */
#include "support_world.h"

#include <galley/stream.h>

static galley_stream *the_stream;

static int begin_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    galley_stream_options options = GALLEY_STREAM_OPTIONS_INIT;
    options.buffer_bytes = 64;
    the_stream = galley_res_stream(rs, 200, NULL, &options);
    EXPECT(the_stream);
    return 0;
}

static galley_stream *start(struct world *world)
{
    world_init(world);
    world->route.handler = begin_stream;
    world_request(world, "GET", "/");
    world_go(world);
    return the_stream;
}

static void end(struct world *world)
{
    galley_stream_unref(the_stream);
    while (loop_turn(world->loop, 0)) {
    }
    EXPECT_INT(world->pool.live, 0);
    world_finish(world);
}

struct example {
    const char *id, *event, *data, *bytes;
};

static const struct example examples[] = {
    {NULL, NULL, "hello", "data: hello\n\n"},
    {NULL, NULL, "", "data: \n\n"},
    {"7", NULL, "x", "id: 7\ndata: x\n\n"},
    {NULL, "tick", "x", "event: tick\ndata: x\n\n"},
    {"7", "tick", "x", "event: tick\nid: 7\ndata: x\n\n"},
    {"", "", "x", "event: \nid: \ndata: x\n\n"},
    /* "Interpreting an event stream": LF, CR LF and CR each end a line */
    {NULL, NULL, "a\nb", "data: a\ndata: b\n\n"},
    {NULL, NULL, "a\r\nb", "data: a\ndata: b\n\n"},
    {NULL, NULL, "a\rb", "data: a\ndata: b\n\n"},
    {NULL, NULL, "a\n\rb", "data: a\ndata: \ndata: b\n\n"},
    {NULL, NULL, "a\r\r\nb", "data: a\ndata: \ndata: b\n\n"},
    {NULL, NULL, "\n", "data: \ndata: \n\n"},
    {NULL, NULL, "a\r", "data: a\ndata: \n\n"},
    {NULL, NULL, " a: b", "data:  a: b\n\n"},
    {NULL, NULL, ":no comment", "data: :no comment\n\n"},
    {NULL, NULL, "x\n\nid: 9\n", "data: x\ndata: \ndata: id: 9\ndata: \n\n"},
};

TEST(test_events_as_they_are_sent)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        struct world world;
        galley_stream *st = start(&world);
        const struct example *example = &examples[i];
        EXPECT_INT(galley_stream_event(st, example->id, example->event, example->data), 0);
        while (loop_turn(world.loop, 0)) {
        }
        EXPECT_TEXT(world.body, example->bytes);
        end(&world);
    }
}

TEST(test_an_id_or_an_event_with_a_line_end_is_refused)
{
    struct world world;
    galley_stream *st = start(&world);
    static const char *const bad[] = {"a\nb", "a\rb", "\n", "\r", "a\r\n", "data\n\nevent: x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT_INT(galley_stream_event(st, bad[i], NULL, "x"), GALLEY_EINVAL);
        EXPECT_INT(galley_stream_event(st, NULL, bad[i], "x"), GALLEY_EINVAL);
    }
    EXPECT_INT(galley_stream_event(st, NULL, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_stream_event(NULL, NULL, NULL, "x"), GALLEY_EINVAL);
    EXPECT_INT(galley_stream_write(NULL, "x", 1), GALLEY_EINVAL);
    EXPECT_INT(galley_stream_write(st, NULL, 1), GALLEY_EINVAL);
    EXPECT_INT(galley_stream_write(st, NULL, 0), 0);
    EXPECT(!galley_stream_ref(NULL));
    EXPECT(!galley_stream_is_open(NULL));
    EXPECT_INT(galley_stream_waiting(NULL), 0);
    galley_stream_close(NULL);
    galley_stream_unref(NULL);
    EXPECT_INT(galley_stream_waiting(st), 0);
    end(&world);
}

TEST(test_an_event_goes_whole_or_not)
{
    struct world world;
    galley_stream *st = start(&world);
    EXPECT_INT(galley_stream_event(st, NULL, NULL, "0123456789012345678901234567890123456789"), 0);
    size_t waiting = galley_stream_waiting(st);
    EXPECT_INT(galley_stream_event(st, "12345", "tick", "01234567890"), GALLEY_EFULL);
    EXPECT_INT(galley_stream_waiting(st), waiting);
    galley_stream_close(st);
    EXPECT_INT(galley_stream_event(st, NULL, NULL, "x"), GALLEY_ECLOSED);
    end(&world);
}
