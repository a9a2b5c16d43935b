/* Request bodies that come compressed, on routes that want them as they were: in each mode, in pieces of
 * any size, with pauses; and what is refused. */
#include "support_world.h"

#include "base/alloc.h"
#include "coding/encoder.h"

#include <galley/stream.h>

#include <stdatomic.h>
#include <unistd.h>

enum { TEXT_BYTES = 300 * 1000, SMALL_BYTES = 5000 };

static char text[TEXT_BYTES];
static struct buf coded;

/* A few to one. */
static void fill_text(void)
{
    uint32_t number = 1;
    for (size_t i = 0; i < TEXT_BYTES; i++) {
        number = i % 10 < 3 ? number * 1664525 + 1013904223 : number;
        text[i] = (char)('a' + (number >> 24) % 26);
    }
}

static void encode(enum coding coding, size_t len)
{
    struct encoder_options options = {.level = ENCODER_FAST};
    struct encoder *encoder = encoder_create(coding, &options);
    buf_init(&coded, 0);
    EXPECT_INT(encoder_append(encoder, ENCODER_FINISH, span_make(text, len), &coded), 0);
    encoder_destroy(encoder);
}

static void begin(struct world *world, galley_handler *handler, int body_mode)
{
    fill_text();
    world_init(world);
    world->services.max_memory_bytes = 1 << 20;
    world->route.handler = handler;
    world->route.body_mode = (uint8_t)body_mode;
    world->route.max_body_bytes = TEXT_BYTES;
    world->route.decodes = true;
}

static struct exchange *post(struct world *world, const char *coding, int64_t length)
{
    struct exchange *exchange = world_request(world, "POST", "/");
    if (!exchange) {
        return NULL;
    }
    exchange->request.content_length = length;
    EXPECT_INT(fields_add(&world->fields, SPAN("Content-Length"), SPAN("1")), 0);
    if (coding) {
        EXPECT_INT(fields_add(&world->fields, SPAN("Content-Encoding"), span_of(coding)), 0);
    }
    world_go(world);
    return exchange;
}

static void run_turns(struct world *world)
{
    while (loop_turn(world->loop, 0)) {
    }
}

/* As a driver does: until it is to pause, or fails. */
static int feed(struct world *world, size_t piece_len)
{
    struct span in = buf_span(&coded);
    int rc = 0;
    while (in.len > 0 && rc == 0 && world->exchange) {
        size_t len = piece_len < in.len ? piece_len : in.len;
        rc = exchange_body_piece(world->exchange, span_make(in.ptr, len));
        in = span_from(in, len);
    }
    return rc;
}

static void fail(struct world *world, int status)
{
    if (!exchange_body_failed(world->exchange, status == 413 ? GALLEY_ETOOBIG : GALLEY_EPROTO)) {
        exchange_reject(world->exchange, status);
    }
}

/* ---- read whole ------------------------------------------------------------------------------- */

static size_t expected_len;

static int check_body(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str body = galley_req_body(rq);
    test_equal_bytes(__FILE__, __LINE__, "body", body.ptr, body.len, text, expected_len);
    EXPECT(!galley_req_header(rq, "Content-Encoding").ptr);
    EXPECT(!galley_req_header(rq, "Content-Length").ptr);
    EXPECT_INT(galley_req_content_length(rq), -1);
    EXPECT_INT(galley_req_body_size(rq), expected_len);
    galley_str joined = galley_req_header(rq, "X-A"); /* the others are where they were */
    if (!joined.ptr) {
        return GALLEY_ENOMEM;
    }
    EXPECT_TEXT(joined.ptr, "one, two");
    return galley_res_text(rs, 200, "right");
}

TEST(test_the_handler_gets_the_body_as_it_was)
{
    static const struct {
        const char *name;
        enum coding coding;
    } cases[] = {{"gzip", CODING_GZIP},
                 {"X-GZIP", CODING_GZIP}, /* RFC 9110 §8.4.1.3 */
                 {"br", CODING_BR},
                 {"zstd", CODING_ZSTD}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece < 1000000; piece *= 100) {
            struct world world;
            begin(&world, check_body, EXCHANGE_BODY_BUFFER);
            expected_len = piece == 1 ? SMALL_BYTES : TEXT_BYTES;
            encode(cases[i].coding, expected_len);
            post(&world, cases[i].name, piece == 1 ? -1 : (int64_t)coded.len);
            EXPECT_INT(world.bodies_wanted, 1);
            EXPECT_INT(feed(&world, piece), 0);
            exchange_body_end(world.exchange);
            EXPECT_INT(world.status, 200);
            world_finish(&world);
            buf_finish(&coded);
        }
    }
}

/* RFC 9110 §15.5.16, §12.5.3 */
TEST(test_an_unknown_coding_is_415_before_the_body_is_read)
{
    static const char *const names[] = {"compress", "deflate", "gzip, br", "gzip;q=1", "", "brr"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct world world;
        begin(&world, check_body, EXCHANGE_BODY_BUFFER);
        post(&world, names[i], 10);
        EXPECT_INT(world.status, 415);
        EXPECT(strstr(world.fields_text, "Accept-Encoding: br, zstd, gzip\n"));
        EXPECT(world.must_close && world.bodies_wanted == 0);
        world_finish(&world);
    }
}

TEST(test_two_lines_of_content_encoding_are_415)
{
    struct world world;
    begin(&world, check_body, EXCHANGE_BODY_BUFFER);
    world_request(&world, "POST", "/")->request.content_length = 10;
    EXPECT_INT(fields_add(&world.fields, SPAN("Content-Encoding"), SPAN("gzip")), 0);
    EXPECT_INT(fields_add(&world.fields, SPAN("Content-Encoding"), SPAN("gzip")), 0);
    world_go(&world);
    EXPECT_INT(world.status, 415);
    world_finish(&world);
}

static int check_raw(galley_request *rq, galley_response *rs, void *arg)
{
    galley_str body = galley_req_body(rq);
    EXPECT_TEXT(galley_req_header(rq, "Content-Encoding").ptr, arg);
    EXPECT_SPAN(body, "not compressed");
    return galley_res_text(rs, 200, "right");
}

TEST(test_identity_and_routes_that_do_not_decode_get_what_came)
{
    static const char *const names[] = {"identity", "gzip"};
    for (int i = 0; i < 2; i++) {
        struct world world;
        begin(&world, check_raw, EXCHANGE_BODY_BUFFER);
        char name[16];
        snprintf(name, sizeof name, "%s", names[i]);
        world.route.arg = name;
        world.route.decodes = i == 0;
        post(&world, name, 14);
        EXPECT_INT(exchange_body_piece(world.exchange, SPAN("not compressed")), 0);
        exchange_body_end(world.exchange);
        EXPECT_INT(world.status, 200);
        world_finish(&world);
    }
}

/* ---- what is refused -------------------------------------------------------------------------- */

TEST(test_a_body_over_the_limit_is_413_however_short_it_came)
{
    struct world world;
    begin(&world, check_body, EXCHANGE_BODY_BUFFER);
    world.route.max_body_bytes = TEXT_BYTES - 1;
    encode(CODING_GZIP, TEXT_BYTES);
    post(&world, "gzip", (int64_t)coded.len);
    EXPECT_INT(feed(&world, 1000), 413);
    fail(&world, 413);
    EXPECT_INT(world.status, 413);
    world_finish(&world);
    buf_finish(&coded);
}

/* RFC 8878 §3.1.2: skippable frames give nothing, and are counted all the same. */
TEST(test_what_gives_nothing_is_counted_as_it_came)
{
    struct world world;
    begin(&world, check_body, EXCHANGE_BODY_BUFFER);
    world.route.max_body_bytes = 100;
    post(&world, "zstd", -1);
    static const char frame[] = {0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'a', 'b'};
    int rc = 0;
    unsigned count = 0;
    for (; rc == 0; count++) {
        rc = exchange_body_piece(world.exchange, span_make(frame, sizeof frame));
    }
    EXPECT_INT(rc, 413);
    EXPECT_INT(count, 11);
    fail(&world, 413);
    world_finish(&world);
}

TEST(test_a_bomb_is_413_by_its_ratio)
{
    static const enum coding codings[] = {CODING_GZIP, CODING_BR, CODING_ZSTD};
    static const char *const names[] = {"gzip", "br", "zstd"};
    for (size_t i = 0; i < 3; i++) {
        struct world world;
        begin(&world, check_body, EXCHANGE_BODY_BUFFER);
        world.route.max_body_bytes = UINT64_MAX;
        memset(text, 0, sizeof text);
        encode(codings[i], TEXT_BYTES);
        EXPECT(coded.len < TEXT_BYTES / 200);
        post(&world, names[i], (int64_t)coded.len);
        EXPECT_INT(feed(&world, 100000), 413);
        fail(&world, 413);
        EXPECT_INT(world.status, 413);
        world_finish(&world);
        buf_finish(&coded);
    }
}

TEST(test_what_is_cut_off_or_no_such_coding_is_400)
{
    for (int is_cut = 0; is_cut < 2; is_cut++) {
        struct world world;
        begin(&world, check_body, EXCHANGE_BODY_BUFFER);
        encode(CODING_GZIP, SMALL_BYTES);
        if (is_cut) {
            coded.len -= 1;
        } else {
            buf_append_char(&coded, 'x');
        }
        post(&world, "gzip", -1);
        int rc = feed(&world, 1000);
        if (rc == 0) {
            exchange_body_end(world.exchange);
        } else {
            EXPECT_INT(rc, 400);
            fail(&world, 400);
        }
        EXPECT_INT(world.status, 400);
        world_finish(&world);
        buf_finish(&coded);
    }
}

/* ---- handed on as it comes -------------------------------------------------------------------- */

struct taken {
    size_t len;
    int end;
    size_t stop_at; /* then it answers; 0: never */
    unsigned calls;
};

static int sink(galley_request *rq, galley_response *rs, const void *data, ssize_t len, void *arg)
{
    struct taken *taken = arg;
    (void)rq;
    taken->calls++;
    if (len <= 0) {
        taken->end = (int)len;
        return len < 0 ? (int)len : galley_res_text(rs, 200, "all of it");
    }
    EXPECT(taken->len + (size_t)len <= TEXT_BYTES);
    EXPECT(memcmp(data, text + taken->len, (size_t)len) == 0);
    taken->len += (size_t)len;
    return taken->stop_at && taken->len >= taken->stop_at ? 418 : 0;
}

static int begin_sink(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    return galley_req_sink(rq, sink, arg);
}

TEST(test_a_sink_gets_blocks_of_the_text)
{
    struct taken taken = {.end = 1};
    struct world world;
    begin(&world, begin_sink, EXCHANGE_BODY_STREAM);
    world.route.arg = &taken;
    encode(CODING_BR, TEXT_BYTES);
    post(&world, "br", (int64_t)coded.len);
    EXPECT_INT(feed(&world, 1000), 0);
    exchange_body_end(world.exchange);
    EXPECT_INT(world.status, 200);
    EXPECT(taken.len == TEXT_BYTES && taken.end == 0 && taken.calls > 3);
    world_finish(&world);
    buf_finish(&coded);
}

TEST(test_a_sink_may_end_the_exchange_in_the_middle_of_a_piece)
{
    struct taken taken = {.stop_at = 40000};
    struct world world;
    begin(&world, begin_sink, EXCHANGE_BODY_STREAM);
    world.route.arg = &taken;
    encode(CODING_GZIP, TEXT_BYTES);
    post(&world, "gzip", (int64_t)coded.len);
    EXPECT_INT(feed(&world, SIZE_MAX), 0);
    EXPECT_INT(world.status, 418);
    EXPECT_INT(world.ended, 1);
    EXPECT(taken.len < 60000);
    world_finish(&world);
    buf_finish(&coded);
}

TEST(test_a_sink_is_told_of_a_body_that_is_broken)
{
    struct taken taken = {.end = 1};
    struct world world;
    begin(&world, begin_sink, EXCHANGE_BODY_STREAM);
    world.route.arg = &taken;
    encode(CODING_GZIP, SMALL_BYTES);
    coded.len -= 1;
    post(&world, "gzip", (int64_t)coded.len);
    EXPECT_INT(feed(&world, SIZE_MAX), 0);
    exchange_body_end(world.exchange);
    EXPECT_INT(taken.end, GALLEY_EPROTO);
    EXPECT_INT(world.status, 400);
    world_finish(&world);
    buf_finish(&coded);
}

/* ---- pauses ----------------------------------------------------------------------------------- */

struct reading {
    atomic_size_t len;
    atomic_int end;
};

static int read_all(galley_request *rq, galley_response *rs, void *arg)
{
    struct reading *reading = arg;
    char block[5000];
    ssize_t n;
    while ((n = galley_req_read(rq, block, sizeof block)) > 0) {
        size_t at = atomic_fetch_add(&reading->len, (size_t)n);
        EXPECT(at + (size_t)n <= TEXT_BYTES && memcmp(block, text + at, (size_t)n) == 0);
    }
    atomic_store(&reading->end, (int)n);
    return n < 0 ? (int)n : galley_res_text(rs, 200, "read");
}

/* All of the body is one piece: the reader's pauses fall into the middle of it. cut: so many bytes are
 * missing at its end. */
static int read_on_worker(struct reading *reading, size_t cut)
{
    struct world world;
    begin(&world, read_all, EXCHANGE_BODY_STREAM);
    world.route.arg = reading;
    world.route.on_loop = false;
    world.services.pool = galley_pool_new(1, NULL);
    encode(CODING_ZSTD, TEXT_BYTES);
    coded.len -= cut;
    post(&world, "zstd", (int64_t)coded.len);
    int rc = feed(&world, SIZE_MAX);
    EXPECT(rc == 0 || rc == EXCHANGE_BODY_PAUSE);
    exchange_body_end(world.exchange);
    world_turn_until(&world, &world.ended);
    int status = world.status;
    EXPECT_INT(galley_pool_shutdown(world.services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    world_finish(&world);
    galley_pool_free(world.services.pool);
    buf_finish(&coded);
    return status;
}

TEST(test_a_slow_reader_gets_all_of_a_piece_that_became_long)
{
    struct reading reading = {0};
    EXPECT_INT(read_on_worker(&reading, 0), 200);
    EXPECT_INT(atomic_load(&reading.len), TEXT_BYTES);
}

TEST(test_a_reader_is_told_of_the_cut_behind_what_came)
{
    struct reading reading = {0};
    EXPECT_INT(read_on_worker(&reading, 1), 400);
    EXPECT_INT(atomic_load(&reading.end), GALLEY_EPROTO);
}

static int check_spool(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    int fd = galley_req_body_fd(rq);
    EXPECT_INT(galley_req_body_size(rq), TEXT_BYTES);
    static char back[TEXT_BYTES + 1];
    EXPECT_INT(pread(fd, back, sizeof back, 0), TEXT_BYTES);
    EXPECT(memcmp(back, text, TEXT_BYTES) == 0);
    return galley_res_text(rs, 200, "spooled");
}

TEST(test_a_spooled_body_waits_for_the_disk_in_the_middle_of_a_piece)
{
    for (size_t piece = 1000; piece < 1000000; piece *= 900) {
        struct world world;
        begin(&world, check_spool, EXCHANGE_BODY_SPOOL);
        encode(CODING_GZIP, TEXT_BYTES);
        post(&world, "gzip", (int64_t)coded.len);
        struct span in = buf_span(&coded);
        while (in.len > 0) {
            size_t len = piece < in.len ? piece : in.len;
            unsigned resumed = world.bodies_resumed;
            int rc = exchange_body_piece(world.exchange, span_make(in.ptr, len));
            in = span_from(in, len);
            while (rc == EXCHANGE_BODY_PAUSE && in.len > 0 && world.bodies_resumed == resumed) {
                EXPECT(loop_turn(world.loop, 0));
            }
        }
        exchange_body_end(world.exchange);
        run_turns(&world);
        EXPECT_INT(world.status, 200);
        world_finish(&world);
        buf_finish(&coded);
    }
}

TEST(test_what_coders_take_counts_for_the_memory_plan)
{
    struct route_target route = {.max_body_bytes = 1000};
    uint64_t plain = exchange_body_most_bytes(&route, 1000);
    route.decodes = true;
    uint64_t decoding = exchange_body_most_bytes(&route, 1000);
    EXPECT(decoding - plain >= (16 << 20)); /* RFC 7932 §9.1: the largest window */
    route.compresses = true;
    EXPECT(exchange_body_most_bytes(&route, 1000) > decoding);
    route.max_body_bytes = UINT64_MAX;
    EXPECT(exchange_body_most_bytes(&route, 1000) == UINT64_MAX);
}

/* ---- memory ----------------------------------------------------------------------------------- */

TEST(test_memory_that_is_out_is_an_answer_and_leaks_nothing)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct world world;
        begin(&world, check_body, EXCHANGE_BODY_BUFFER);
        expected_len = SMALL_BYTES;
        encode(CODING_BR, SMALL_BYTES);
        mem_fail_nth(n);
        post(&world, "br", (int64_t)coded.len);
        int rc = world.exchange ? feed(&world, 50) : 0;
        if (rc != 0) {
            fail(&world, rc);
        } else if (world.exchange) {
            exchange_body_end(world.exchange);
        }
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(world.status == 200 || (has_failed && (world.status == 503 || world.status == 0)));
        world_finish(&world);
        buf_finish(&coded);
    }
}
