/* Routes that compress: which answers, with which fields, whole and in pieces; what was flushed can be
 * decoded at once. On the sim loop with a driver that takes everything at once; without file threads a
 * job runs at once and is back in the same turn. */
#include "support_world.h"

#include "base/alloc.h"
#include "coding/decoder.h"

#include <galley/stream.h>

enum { LONG_BYTES = 100 * 1000, SHORT_BYTES = 4000 };

/* ---- a handler that says what a case says ----------------------------------------------------- */

struct answer {
    int status;
    const char *type, *name, *value; /* a field more */
    size_t len;
};

static char text[LONG_BYTES];

static void fill_text(void)
{
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = i % 61 == 60 ? '\n' : (char)('a' + (i * 7 + i / 61 + i / 997) % 23);
    }
}

static int give(galley_request *rq, galley_response *rs, void *arg)
{
    const struct answer *answer = arg;
    (void)rq;
    int rc = answer->name ? galley_res_header(rs, answer->name, answer->value) : 0;
    return rc < 0
               ? rc
               : galley_res_data(rs, answer->status, answer->type, text, answer->len, NULL, NULL);
}

static void begin(struct world *world, galley_handler *handler, void *arg)
{
    fill_text();
    world_init(world);
    world->services.max_memory_bytes = 1 << 20;
    world->route.handler = handler;
    world->route.arg = arg;
    world->route.compresses = true;
}

static void add_field(struct world *world, const char *name, const char *value)
{
    EXPECT_INT(fields_add(&world->fields, span_of(name), span_of(value)), 0);
    struct field *field = &world->entries[world->fields.count - 1];
    EXPECT(field->id != FIELD_OTHER);
}

static void run_turns(struct world *world)
{
    while (loop_turn(world->loop, 0)) {
    }
}

static void ask(struct world *world, const char *method, const char *accepts)
{
    world->body_len = 0;
    world->responded = 0;
    EXPECT(world_request(world, method, "/"));
    if (accepts) {
        add_field(world, "Accept-Encoding", accepts);
    }
}

static void go(struct world *world)
{
    world_go(world);
    run_turns(world);
}

static bool has_line(const struct world *world, const char *line)
{
    return strstr(world->fields_text, line) != NULL;
}

/* As far as it goes; is_whole: and that is all. */
static void expect_body(const struct world *world, enum coding coding, const char *expected,
                        size_t len, bool is_whole)
{
    struct decoder *decoder = decoder_create(coding, NULL);
    char *out = malloc(len + 100);
    EXPECT(decoder && out);
    struct span in = span_make(world->body, world->body_len);
    struct decoder_output output = {out, len + 100};
    EXPECT_INT(decoder_run(decoder, &in, &output), 0);
    test_equal_bytes(__FILE__, __LINE__, "decoded", out, (size_t)(output.at - out), expected, len);
    EXPECT_INT(decoder_end(decoder), is_whole ? 0 : GALLEY_EPROTO);
    decoder_destroy(decoder);
    free(out);
}

/* ---- which answers ---------------------------------------------------------------------------- */

TEST(test_the_coding_is_what_the_client_weighs_highest)
{
    struct answer answer = {200, "text/html", NULL, NULL, SHORT_BYTES};
    struct world world;
    begin(&world, give, &answer);
    static const struct {
        const char *accepts, *line;
        enum coding coding;
    } cases[] = {{"gzip, br, zstd", "Content-Encoding: br\n", CODING_BR},
                 {"gzip, zstd", "Content-Encoding: zstd\n", CODING_ZSTD},
                 {"gzip", "Content-Encoding: gzip\n", CODING_GZIP},
                 {"gzip;q=1, br;q=0.5", "Content-Encoding: gzip\n", CODING_GZIP},
                 {"*", "Content-Encoding: br\n", CODING_BR}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(&world, "GET", cases[i].accepts);
        go(&world);
        EXPECT(has_line(&world, cases[i].line) && has_line(&world, "Vary: Accept-Encoding\n"));
        EXPECT(world.body_len < SHORT_BYTES);
        expect_body(&world, cases[i].coding, text, SHORT_BYTES, true);
    }
    world_finish(&world);
}

/* RFC 9110 §12.5.5: what another client would have got compressed says so. */
TEST(test_who_accepts_nothing_gets_it_as_it_is_and_is_told_of_vary)
{
    struct answer answer = {200, "text/html", "Vary", "Cookie", SHORT_BYTES};
    struct world world;
    begin(&world, give, &answer);
    static const char *const accepts[] = {NULL, "", "identity", "gzip;q=0", "compress"};
    for (size_t i = 0; i < sizeof accepts / sizeof *accepts; i++) {
        ask(&world, "GET", accepts[i]);
        go(&world);
        EXPECT(!has_line(&world, "Content-Encoding"));
        EXPECT(has_line(&world, "Vary: Accept-Encoding\n") && has_line(&world, "Vary: Cookie\n"));
        EXPECT_INT(world.body_len, SHORT_BYTES);
    }
    world_finish(&world);
}

/* RFC 9110 §8.4, §14, RFC 9111 §5.2.2.6. */
TEST(test_what_is_not_worth_it_or_must_not_be_stays_as_it_is)
{
    static const struct answer cases[] = {
        {200, "image/png", NULL, NULL, SHORT_BYTES},
        {200, "text/html", NULL, NULL, 1023},
        {200, "text/html", "Content-Encoding", "gzip", SHORT_BYTES},
        {200, "text/html", "Cache-Control", "max-age=1, No-Transform", SHORT_BYTES},
        {206, "text/html", "Content-Range", "bytes 0-3999/10000", SHORT_BYTES},
        {206, "text/html", NULL, NULL, SHORT_BYTES},
        {204, "text/html", NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = cases[i];
        struct world world;
        begin(&world, give, &answer);
        ask(&world, "GET", "gzip, br");
        go(&world);
        EXPECT_INT(world.status, answer.status);
        EXPECT(!has_line(&world, "Vary") && !has_line(&world, "Content-Encoding: br"));
        EXPECT_INT(world.body_len, answer.len);
        world_finish(&world);
    }
}

TEST(test_a_server_may_say_which_types_and_from_which_size_on)
{
    static const struct {
        const char *types, *type;
        uint64_t least;
        bool is_coded;
    } cases[] = {{"image/*", "image/png", 0, true},
                 {"image/*", "text/html", 0, false},
                 {NULL, "text/html", SHORT_BYTES, true},
                 {NULL, "text/html", SHORT_BYTES + 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = {200, cases[i].type, NULL, NULL, SHORT_BYTES};
        struct world world;
        begin(&world, give, &answer);
        world.services.compressible =
            (struct compressible){span_of(cases[i].types), cases[i].least};
        ask(&world, "GET", "br");
        go(&world);
        EXPECT(has_line(&world, "Content-Encoding: br\n") == cases[i].is_coded);
        world_finish(&world);
    }
}

TEST(test_a_route_that_does_not_compress_does_not)
{
    struct answer answer = {200, "text/html", NULL, NULL, SHORT_BYTES};
    struct world world;
    begin(&world, give, &answer);
    world.route.compresses = false;
    ask(&world, "GET", "gzip");
    go(&world);
    EXPECT(!has_line(&world, "Vary"));
    EXPECT_INT(world.body_len, SHORT_BYTES);
    world_finish(&world);
}

/* RFC 9110 §9.3.2. The driver here sends the content of HEAD too: it is the same. */
TEST(test_head_has_the_fields_of_get)
{
    struct answer answer = {200, "text/html", "ETag", "\"v1\"", SHORT_BYTES};
    struct world world;
    begin(&world, give, &answer);
    ask(&world, "GET", "gzip");
    go(&world);
    char fields[sizeof world.fields_text];
    memcpy(fields, world.fields_text, sizeof fields);
    size_t len = world.body_len;
    ask(&world, "HEAD", "gzip");
    go(&world);
    EXPECT_TEXT(world.fields_text, fields);
    EXPECT_INT(world.body_len, len);
    world_finish(&world);
}

/* ---- entity tags: RFC 9110 §8.8.3.3 ----------------------------------------------------------- */

static int give_or_304(galley_request *rq, galley_response *rs, void *arg)
{
    struct answer *answer = arg;
    const char *known = galley_req_header(rq, "If-None-Match").ptr;
    EXPECT_INT(galley_res_header(rs, "ETag", answer->value), 0);
    return known && strcmp(known, answer->value) == 0 ? 304 : give(rq, rs, arg);
}

TEST(test_a_strong_tag_names_its_coding_and_comes_back_as_the_handlers_own)
{
    struct answer answer = {200, "text/html", "ETag", "\"v1\"", SHORT_BYTES};
    struct world world;
    begin(&world, give_or_304, &answer);
    ask(&world, "GET", "gzip");
    go(&world);
    EXPECT(has_line(&world, "ETag: \"v1-gzip\"\n"));
    ask(&world, "GET", "gzip");
    add_field(&world, "If-None-Match", "\"v1-gzip\"");
    go(&world);
    EXPECT_INT(world.status, 304);
    EXPECT(has_line(&world, "ETag: \"v1-gzip\"\n") && has_line(&world, "Vary: Accept-Encoding\n"));
    ask(&world, "GET", NULL);
    add_field(&world, "If-None-Match", "\"v1\"");
    go(&world);
    EXPECT_INT(world.status, 304);
    EXPECT(has_line(&world, "ETag: \"v1\"\n"));
    ask(&world, "GET", "br");
    add_field(&world, "If-None-Match", "\"v0-br\"");
    go(&world);
    EXPECT_INT(world.status, 200);
    EXPECT(has_line(&world, "ETag: \"v1-br\"\n"));
    world_finish(&world);
}

TEST(test_a_weak_tag_stays)
{
    struct answer answer = {200, "text/html", "ETag", "W/\"v1\"", SHORT_BYTES};
    struct world world;
    begin(&world, give, &answer);
    ask(&world, "GET", "gzip");
    go(&world);
    EXPECT(has_line(&world, "ETag: W/\"v1\"\n") && has_line(&world, "Content-Encoding: gzip\n"));
    world_finish(&world);
}

static int tell_tags(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    return galley_res_text(rs, 200, galley_req_header(rq, "If-None-Match").ptr);
}

TEST(test_suffixes_are_taken_off_in_lists_and_nowhere_else)
{
    static const struct {
        const char *said, *heard;
    } cases[] = {{"\"a-gzip\", W/\"b-br\", \"c-zstd\"", "\"a\", W/\"b\", \"c\""},
                 {"\"gzip\", \"-gzip\"", "\"gzip\", \"-gzip\""},
                 {"\"a-gzipped\", \"a-identity\"", "\"a-gzipped\", \"a-identity\""},
                 {"*", "*"},
                 {"\"x-br-gzip\"", "\"x-br\""}};
    struct world world;
    begin(&world, tell_tags, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(&world, "GET", NULL);
        add_field(&world, "If-None-Match", cases[i].said);
        go(&world);
        EXPECT_SPAN(span_make(world.body, world.body_len), cases[i].heard);
    }
    world_finish(&world);
}

/* ---- long ones are jobs ----------------------------------------------------------------------- */

TEST(test_a_long_answer_is_compressed_by_a_job_and_comes_later)
{
    struct answer answer = {200, "text/html", NULL, NULL, LONG_BYTES};
    struct world world;
    begin(&world, give, &answer);
    ask(&world, "GET", "gzip");
    world_go(&world);
    EXPECT_INT(world.responded, 0);
    memset(world.head, '#', sizeof world.head); /* the driver's buffer is its own again */
    run_turns(&world);
    EXPECT_INT(world.responded, 1);
    EXPECT(has_line(&world, "Content-Encoding: gzip\n"));
    EXPECT_INT(world.ended, 1);
    world_finish(&world);
}

TEST(test_a_client_may_leave_while_the_job_is_under_way)
{
    struct answer answer = {200, "text/html", NULL, NULL, LONG_BYTES};
    struct world world;
    begin(&world, give, &answer);
    ask(&world, "GET", "gzip");
    world_go(&world);
    exchange_client_gone(world.exchange);
    EXPECT_INT(world.ended, 0);
    run_turns(&world);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.responded, 0);
    world_finish(&world);
}

TEST(test_without_room_in_the_queue_it_goes_as_it_is)
{
    struct answer answer = {200, "text/html", NULL, NULL, LONG_BYTES};
    struct world world;
    begin(&world, give, &answer);
    world.services.file_pool = galley_pool_new(1, NULL);
    EXPECT_INT(galley_pool_shutdown(world.services.file_pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL),
               0);
    ask(&world, "GET", "gzip");
    go(&world);
    EXPECT_INT(world.responded, 1);
    EXPECT(!has_line(&world, "Content-Encoding") && has_line(&world, "Vary: Accept-Encoding\n"));
    world_finish(&world);
    galley_pool_free(world.services.file_pool);
}

TEST(test_what_would_become_longer_goes_as_it_is)
{
    struct answer answer = {200, "text/html", NULL, NULL, SHORT_BYTES};
    struct world world;
    begin(&world, give, &answer);
    for (size_t i = 0; i < SHORT_BYTES; i++) {
        text[i] = (char)test_random_below(256);
    }
    ask(&world, "GET", "gzip");
    go(&world);
    EXPECT(!has_line(&world, "Content-Encoding") && has_line(&world, "Vary: Accept-Encoding\n"));
    test_equal_bytes(__FILE__, __LINE__, "body", world.body, world.body_len, text, SHORT_BYTES);
    world_finish(&world);
}

/* ---- in pieces -------------------------------------------------------------------------------- */

static galley_stream *the_stream;

static int begin_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    galley_stream_options *options = arg;
    the_stream = galley_res_stream(rs, 200, "text/event-stream", options);
    EXPECT(the_stream);
    return 0;
}

static void start_stream(struct world *world, const char *method, const char *accepts)
{
    static galley_stream_options options;
    options = (galley_stream_options)GALLEY_STREAM_OPTIONS_INIT;
    options.heartbeat_ms = 1000;
    options.buffer_bytes = 1 << 20;
    begin(world, begin_stream, &options);
    ask(world, method, accepts);
    go(world);
    EXPECT_INT(world->responded, 1);
}

static void all_sent(struct world *world)
{
    if (world->exchange) {
        exchange_pieces_wanted(world->exchange);
    }
    run_turns(world);
}

static void end_stream(struct world *world)
{
    galley_stream_close(the_stream);
    galley_stream_unref(the_stream);
    all_sent(world);
}

TEST(test_each_event_can_be_decoded_when_it_is_there)
{
    static const struct {
        const char *name;
        enum coding coding;
    } cases[] = {{"gzip", CODING_GZIP}, {"br", CODING_BR}, {"zstd", CODING_ZSTD}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        start_stream(&world, "GET", cases[i].name);
        EXPECT(has_line(&world, "Content-Encoding") && has_line(&world, "Vary: Accept-Encoding\n"));
        char sent[256] = "";
        for (int event = 0; event < 5; event++) {
            char line[32];
            snprintf(line, sizeof line, "data: %d\n\n", event);
            strncat(sent, line, sizeof sent - strlen(sent) - 1);
            EXPECT_INT(galley_stream_write(the_stream, line, strlen(line)), 0);
            run_turns(&world);
            expect_body(&world, cases[i].coding, sent, strlen(sent), false);
            all_sent(&world);
        }
        world_advance(&world, 1000); /* a heartbeat */
        strncat(sent, ":\n", sizeof sent - strlen(sent) - 1);
        expect_body(&world, cases[i].coding, sent, strlen(sent), false);
        end_stream(&world);
        EXPECT(world.pieces_ended && world.ended == 1);
        expect_body(&world, cases[i].coding, sent, strlen(sent), true);
        world_finish(&world);
    }
}

TEST(test_a_stream_that_ends_while_its_job_is_under_way_is_whole)
{
    struct world world;
    start_stream(&world, "GET", "gzip");
    EXPECT_INT(galley_stream_write(the_stream, text, LONG_BYTES / 2), 0);
    EXPECT_INT(galley_stream_write(the_stream, text + LONG_BYTES / 2, LONG_BYTES / 2), 0);
    galley_stream_close(the_stream);
    galley_stream_unref(the_stream);
    run_turns(&world);
    all_sent(&world);
    EXPECT(world.pieces_ended && world.ended == 1);
    EXPECT(world.body_len < sizeof world.body - 1);
    expect_body(&world, CODING_GZIP, text, LONG_BYTES, true);
    world_finish(&world);
}

/* Turns are made one by one, and the client leaves behind each of them once. */
TEST(test_a_client_may_leave_a_stream_at_any_moment)
{
    for (int turns = 0; turns < 6; turns++) {
        struct world world;
        start_stream(&world, "GET", "gzip");
        EXPECT_INT(galley_stream_write(the_stream, text, LONG_BYTES), 0);
        for (int i = 0; i < turns && world.exchange; i++) {
            loop_turn(world.loop, 0);
        }
        exchange_client_gone(world.exchange);
        EXPECT_INT(world.ended, 1);
        galley_stream_unref(the_stream);
        run_turns(&world);
        world_finish(&world);
    }
}

TEST(test_head_of_a_stream_has_the_head_alone)
{
    struct world world;
    start_stream(&world, "HEAD", "gzip");
    EXPECT(has_line(&world, "Content-Encoding: gzip\n"));
    all_sent(&world);
    EXPECT_INT(world.body_len, 0);
    EXPECT_INT(world.ended, 1);
    galley_stream_unref(the_stream);
    world_finish(&world);
}

struct countdown {
    unsigned left;
};

static ssize_t give_block(void *buf, size_t len, void *arg)
{
    struct countdown *countdown = arg;
    if (countdown->left == 0) {
        return 0;
    }
    countdown->left--;
    size_t n = len < LONG_BYTES / 2 ? len : LONG_BYTES / 2;
    memcpy(buf, text, n);
    return (ssize_t)n;
}

static int begin_source(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_source(rs, 200, "application/json", LONG_BYTES, give_block, NULL, arg);
}

TEST(test_a_source_of_a_declared_length_is_compressed_whole)
{
    struct countdown countdown = {2};
    struct world world;
    begin(&world, begin_source, &countdown);
    memcpy(text + LONG_BYTES / 2, text, LONG_BYTES / 2);
    ask(&world, "GET", "br");
    go(&world);
    for (int i = 0; i < 4 && world.exchange; i++) {
        all_sent(&world);
    }
    EXPECT(world.pieces_ended && world.ended == 1);
    expect_body(&world, CODING_BR, text, LONG_BYTES, true);
    world_finish(&world);
}

static int write_on_worker(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    EXPECT_INT(galley_res_begin(rs, 200, "text/plain", LONG_BYTES), 0);
    for (size_t at = 0; at < LONG_BYTES; at += LONG_BYTES / 10) {
        EXPECT_INT(galley_res_write(rs, text + at, LONG_BYTES / 10), 0);
    }
    return 0;
}

TEST(test_pieces_of_a_worker_are_compressed_by_file_threads)
{
    struct world world;
    begin(&world, write_on_worker, NULL);
    world.route.on_loop = false;
    world.services.pool = galley_pool_new(1, NULL);
    world.services.file_pool = galley_pool_new(1, NULL);
    for (int i = 0; i < 10; i++) {
        ask(&world, "GET", "zstd");
        world_go(&world);
        world.ended = 0;
        while (world.ended == 0) {
            unsigned before = world.pieces + world.responded;
            loop_turn(world.loop, 1);
            if (world.exchange && world.pieces + world.responded != before) {
                exchange_pieces_wanted(world.exchange);
            }
        }
        EXPECT(has_line(&world, "Content-Encoding: zstd\n"));
        expect_body(&world, CODING_ZSTD, text, LONG_BYTES, true);
    }
    EXPECT_INT(galley_pool_shutdown(world.services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    EXPECT_INT(galley_pool_shutdown(world.services.file_pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL),
               0);
    world_finish(&world);
    galley_pool_free(world.services.pool);
    galley_pool_free(world.services.file_pool);
}

/* ---- memory ----------------------------------------------------------------------------------- */

/* Whatever fails: the answer as it is, compressed, an error page, or broken off; and nothing leaks. */
static bool try_with_failure(galley_handler *handler, void *arg, uint64_t n)
{
    struct world world;
    begin(&world, handler, arg);
    ask(&world, "GET", "gzip");
    mem_fail_nth(n);
    world_go(&world);
    run_turns(&world);
    for (int i = 0; i < 4 && world.exchange; i++) {
        all_sent(&world);
    }
    bool has_failed = mem_fail_happened();
    mem_fail_nth(0);
    EXPECT_INT(world.ended, 1);
    EXPECT(world.responded == 1 || world.aborted == 1);
    if (has_line(&world, "Content-Encoding") && world.aborted == 0) {
        expect_body(&world, CODING_GZIP, text, LONG_BYTES, true);
    }
    world_finish(&world);
    return has_failed;
}

TEST(test_memory_that_is_out_ends_the_answer_cleanly)
{
    struct answer answer = {200, "text/html", "ETag", "\"v1\"", LONG_BYTES};
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        has_failed = try_with_failure(give, &answer, n);
    }
}

static int begin_one_source(galley_request *rq, galley_response *rs, void *arg)
{
    struct countdown *countdown = arg;
    countdown->left = 2;
    memcpy(text + LONG_BYTES / 2, text, LONG_BYTES / 2);
    return begin_source(rq, rs, arg);
}

TEST(test_memory_that_is_out_ends_pieces_cleanly)
{
    struct countdown countdown = {0};
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        has_failed = try_with_failure(begin_one_source, &countdown, n);
    }
}
