/* tests/unit/h1/test_table.c — the tables of bad and of good requests (tests/data) through the
 * whole driver: in one piece, byte by byte, and in every two-part split. L7, L9, L21, L27. */
#include "support_h1.h"

#include "base/buf.h"

#include "bad_requests.h"
#include "test.h"

enum { SHORT_BYTES = 600, LONG_STEP = 211 };

static const char smuggled[] = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/* What one way of cutting a request led to. */
struct outcome {
    int status;
    unsigned answers;
    bool is_closed;
};

static int final_status(const struct sim_peer *peer)
{
    struct span rest = sim_received(peer);
    struct answer answer = answer_take(&rest, false, true);
    while (answer.is_whole && answer.status < 200) {
        answer = answer_take(&rest, false, true);
    }
    return answer.status;
}

/* Sent in two parts (cut 0: in one), or byte by byte. */
static struct outcome run(struct world *world, const struct request_case *test, size_t cut,
                          bool by_bytes)
{
    struct sim_peer *peer = world_connect(world);
    sim_set_max_read(peer, by_bytes ? 1 : 0);
    if (cut > 0) {
        world_send_bytes(world, peer, test->bytes.data, cut);
    }
    world_send_bytes(world, peer, test->bytes.data + cut, test->bytes.len - cut);
    struct outcome outcome = {final_status(peer), answers_count(peer), sim_is_closed(peer)};
    sim_set_max_read(peer, 0);
    world_send(world, peer, smuggled);
    unsigned more = answers_count(peer) - outcome.answers;
    if (outcome.is_closed && (more > 0 || world->smuggled > 0)) {
        test_fail(__FILE__, __LINE__, "%s, cut at %zu: a second answer", test->name, cut);
    }
    if (sim_is_reset(peer)) {
        test_fail(__FILE__, __LINE__, "%s, cut at %zu: reset", test->name, cut);
    }
    world->smuggled = 0;
    sim_peer_free(peer);
    sim_run(world->loop);
    return outcome;
}

/* Behind the refused request in the same packet. */
static void run_with_follower(struct world *world, const struct request_case *test)
{
    struct sim_peer *peer = world_connect(world);
    (void)sim_send(peer, test->bytes.data, test->bytes.len);
    (void)sim_send(peer, smuggled, strlen(smuggled));
    sim_run(world->loop);
    if (world->smuggled > 0 || answers_count(peer) != 1) {
        test_fail(__FILE__, __LINE__, "%s: read on behind it", test->name);
    }
    sim_peer_free(peer);
    sim_run(world->loop);
}

static void expect_bad(const struct request_case *test, struct outcome outcome, size_t cut)
{
    if (outcome.status != test->status || outcome.answers != 1 ||
        outcome.is_closed != test->closes) {
        test_fail(
            __FILE__, __LINE__,
            "%s (RFC %s), cut at %zu: status %d, %u answers, closed %d; expected %d, closed %d",
            test->name, test->rfc, cut, outcome.status, outcome.answers, outcome.is_closed,
            test->status, test->closes);
    }
}

static size_t step_of(const struct request_case *test)
{
    return test->bytes.len > SHORT_BYTES ? LONG_STEP : 1;
}

/* Methods on a route are the router's. */
static bool is_routers(const struct request_case *test)
{
    return test->status == 405;
}

TEST_TIMEOUT(test_every_bad_request_gets_its_status_once_however_it_is_cut, 120)
{
    struct world world;
    world_open(&world);
    struct request_table table;
    bad_requests_load(&table);
    EXPECT(table.count >= 150);
    for (size_t i = 0; i < table.count; i++) {
        const struct request_case *test = &table.cases[i];
        if (is_routers(test)) {
            continue;
        }
        expect_bad(test, run(&world, test, 0, false), 0);
        expect_bad(test, run(&world, test, 0, true), 0);
        for (size_t cut = 1; cut < test->bytes.len; cut += step_of(test)) {
            expect_bad(test, run(&world, test, cut, false), cut);
        }
        if (test->closes) {
            run_with_follower(&world, test);
        }
    }
    request_table_finish(&table);
    world_close(&world);
}

TEST(test_every_refusal_is_counted_by_its_reason)
{
    struct world world;
    world_open(&world);
    struct request_table table;
    bad_requests_load(&table);
    const struct h1_counters *counters = h1_driver_counters(world.driver);
    uint64_t expected = 0;
    for (size_t i = 0; i < table.count; i++) {
        const struct request_case *test = &table.cases[i];
        if (is_routers(test) || test->stage == STAGE_SERVER) {
            continue;
        }
        (void)run(&world, test, 0, false);
        expected++;
    }
    uint64_t counted = counter_read(&counters->bad_targets);
    for (int i = 0; i < H1_ERROR_COUNT; i++) {
        counted += counter_read(&counters->refused[i]);
    }
    for (int i = 0; i < FRAMING_REASON_COUNT; i++) {
        counted += counter_read(&counters->misframed[i]);
    }
    EXPECT_INT(counted, expected);
    request_table_finish(&table);
    world_close(&world);
}

static void expect_good(const struct request_case *test, struct outcome outcome,
                        struct outcome first, size_t cut)
{
    bool is_refused = outcome.status == 400 || outcome.status == 414 || outcome.status == 431 ||
                      outcome.status == 505 || outcome.status == 408;
    if (is_refused || outcome.answers != 1 || outcome.status != first.status) {
        test_fail(__FILE__, __LINE__, "%s (RFC %s), cut at %zu: status %d, %u answers (first %d)",
                  test->name, test->rfc, cut, outcome.status, outcome.answers, first.status);
    }
}

TEST_TIMEOUT(test_every_good_request_is_answered_alike_however_it_is_cut, 120)
{
    struct world world;
    world_open(&world);
    struct request_table table;
    good_requests_load(&table);
    for (size_t i = 0; i < table.count; i++) {
        const struct request_case *test = &table.cases[i];
        if (strcmp(test->method, "HEAD") == 0) {
            continue; /* its answer has a length and no body: covered in test_respond */
        }
        struct outcome first = run(&world, test, 0, false);
        expect_good(test, first, first, 0);
        expect_good(test, run(&world, test, 0, true), first, 0);
        for (size_t cut = 1; cut < test->bytes.len; cut += step_of(test)) {
            expect_good(test, run(&world, test, cut, false), first, cut);
        }
    }
    request_table_finish(&table);
    world_close(&world);
}

/* ---- property: cutting changes nothing ------------------------------------------------------- */

static void add_random_request(struct buf *out, const struct request_table *table)
{
    const struct request_case *test = &table->cases[test_random_below(table->count)];
    if (test->bytes.len < SHORT_BYTES && !strstr(test->bytes.data, "xpect:")) {
        buf_append(out, test->bytes.data, test->bytes.len); /* 100 Continue depends on the cut */
    }
}

static void spoil(struct buf *requests)
{
    static const char bytes[] = {'\r', '\n', ' ', '\0', ':', '0', ',', ';', '\t', 'a', (char)0x80};
    if (requests->len > 0 && test_random_below(2)) {
        requests->data[test_random_below(requests->len)] = bytes[test_random_below(sizeof bytes)];
    }
}

static struct sim_peer *send_cut(struct world *world, const struct buf *requests, size_t most)
{
    struct sim_peer *peer = world_connect(world);
    for (size_t at = 0; at < requests->len;) {
        size_t left = requests->len - at;
        size_t n = most == 0 ? left : 1 + test_random_below(most);
        n = n < left ? n : left;
        world_send_bytes(world, peer, requests->data + at, n);
        at += n;
    }
    return peer;
}

TEST_TIMEOUT(test_pipelines_spoiled_or_not_get_the_same_answers_however_they_are_cut, 120)
{
    struct world world;
    world_open(&world);
    struct request_table table;
    good_requests_load(&table);
    unsigned rounds = test_rounds(2000);
    for (unsigned i = 0; i < rounds; i++) {
        struct buf requests;
        buf_init(&requests, 0);
        for (uint64_t k = test_random_below(5); k < 5; k++) {
            add_random_request(&requests, &table);
        }
        spoil(&requests);
        struct sim_peer *whole = send_cut(&world, &requests, 0);
        struct sim_peer *cut = send_cut(&world, &requests, 1 + test_random_below(40));
        struct span expected = sim_received(whole);
        struct span actual = sim_received(cut);
        test_equal_bytes(__FILE__, __LINE__, "cut", actual.ptr, actual.len, expected.ptr,
                         expected.len);
        EXPECT_INT(sim_is_closed(cut), sim_is_closed(whole));
        sim_peer_free(whole);
        sim_peer_free(cut);
        sim_run(world.loop);
        EXPECT_INT(world.set.count, 0);
        buf_finish(&requests);
    }
    request_table_finish(&table);
    world_close(&world);
}
