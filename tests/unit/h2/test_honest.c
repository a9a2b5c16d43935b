/* Honest clients at full tilt: none is cut by a guard, and no request is lost. What such a client repeats
 * is explained by what it was sent, however late it says so. The clock stands still, so that no bucket
 * leaks: what is not explained counts against the bursts. */
#include "support_h2.h"

#include "test.h"

struct honest {
    struct world *world;
    struct sim_peer *peer;
    nghttp2_session *ng;
    const char *path;
    unsigned parallel;
    unsigned left; /* requests to begin */
    unsigned in_flight;
    unsigned whole;  /* answers with all of their body */
    unsigned failed; /* … and others */
    size_t unread;   /* bytes of bodies that no update has told of */
    int32_t id;      /* of the stream they came on */
    /* What this client does more */
    uint32_t update_bytes; /* tells two windows of so many bytes each; 0: its windows are enough */
    bool updates_late;     /* … when nothing else is to be done */
    bool pings;            /* one for each burst of data (gRPC's measure of the bandwidth) */
    bool resizes;          /* … and tells a new window size each time */
    unsigned priorities;   /* with each request */
    bool resets_answered;  /* cancels what has begun to come */
    bool has_data;
    bool awaits_ping;
    unsigned pings_sent;
    struct buf late; /* frames that wait */
    struct buf now;
};

/* ---- what it is told ------------------------------------------------------------------------- */

static void add_update(struct buf *out, int32_t id, uint32_t n)
{
    const uint8_t payload[] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                               (uint8_t)n};
    raw_add(out, NGHTTP2_WINDOW_UPDATE, 0, id, payload, sizeof payload);
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *ctx)
{
    struct honest *client = ctx;
    struct buf *out = client->updates_late ? &client->late : &client->now;
    (void)ng, (void)flags, (void)data;
    client->has_data = true;
    for (size_t at = 0; client->update_bytes > 0 && at < len; at += client->update_bytes) {
        uint32_t n = len - at < client->update_bytes ? (uint32_t)(len - at) : client->update_bytes;
        add_update(out, id, n);
        add_update(out, 0, n);
    }
    return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    struct honest *client = ctx;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        client->awaits_ping = false;
    }
    if (client->resets_answered && frame->hd.type == NGHTTP2_HEADERS) {
        EXPECT_INT(nghttp2_submit_rst_stream(ng, 0, frame->hd.stream_id, NGHTTP2_CANCEL), 0);
    }
    return 0;
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *ctx)
{
    struct honest *client = ctx;
    (void)ng, (void)id;
    client->in_flight--;
    bool is_whole = code == NGHTTP2_NO_ERROR || (client->resets_answered && code == NGHTTP2_CANCEL);
    *(is_whole ? &client->whole : &client->failed) += 1;
    return 0;
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void open_client(struct honest *client, struct world *world)
{
    enum { LARGE = 1 << 30 };
    nghttp2_session_callbacks *table = NULL;
    nghttp2_option *option = NULL;
    EXPECT_INT(nghttp2_session_callbacks_new(&table), 0);
    EXPECT_INT(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, on_close);
    EXPECT_INT(nghttp2_session_client_new2(&client->ng, table, client, option), 0);
    nghttp2_session_callbacks_del(table);
    nghttp2_option_del(option);
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LARGE};
    EXPECT_INT(nghttp2_submit_settings(client->ng, 0, &entry, 1), 0);
    EXPECT_INT(nghttp2_session_set_local_window_size(client->ng, 0, 0, LARGE), 0);
    client->world = world;
    client->peer = world_connect(world);
    EXPECT(client->peer);
    buf_init(&client->late, 0);
    buf_init(&client->now, 0);
}

static void add_priorities(struct honest *client, int32_t id)
{
    static const uint8_t payload[] = {0, 0, 0, 0, 1};
    for (unsigned i = 0; i < client->priorities; i++) {
        raw_add(&client->now, NGHTTP2_PRIORITY, 0, id, payload, sizeof payload);
    }
}

static void begin_requests(struct honest *client)
{
    while (client->left > 0 && client->in_flight < client->parallel) {
        const char *const fields[] = {":method",    "GET", ":scheme", "http",
                                      ":authority", "a",   ":path",   client->path};
        nghttp2_nv lines[4];
        for (size_t i = 0; i < 4; i++) {
            lines[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)fields[2 * i],
                                    (uint8_t *)(uintptr_t)fields[2 * i + 1], strlen(fields[2 * i]),
                                    strlen(fields[2 * i + 1]), 0};
        }
        int32_t id = nghttp2_submit_request(client->ng, NULL, lines, 4, NULL, NULL);
        EXPECT(id > 0);
        add_priorities(client, id);
        client->left--;
        client->in_flight++;
    }
}

static void measure(struct honest *client)
{
    if (client->has_data && client->resizes) {
        nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                        (1U << 29) + client->pings_sent};
        EXPECT_INT(nghttp2_submit_settings(client->ng, 0, &entry, 1), 0);
    }
    if (client->has_data && client->pings && !client->awaits_ping) {
        EXPECT_INT(nghttp2_submit_ping(client->ng, 0, NULL), 0);
        client->awaits_ping = true;
        client->pings_sent++;
    }
    client->has_data = false;
}

static bool send_all(struct honest *client)
{
    bool moves = client->now.len > 0;
    const uint8_t *data = NULL;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(client->ng, &data)) > 0) {
        (void)sim_send(client->peer, data, (size_t)n);
        moves = true;
    }
    EXPECT_INT(n, 0);
    if (client->now.len > 0) {
        (void)sim_send(client->peer, client->now.data, client->now.len);
        buf_clear(&client->now);
    }
    return moves;
}

static bool receive(struct honest *client)
{
    struct span got = sim_received(client->peer);
    if (got.len == 0) {
        return false;
    }
    EXPECT_INT(nghttp2_session_mem_recv(client->ng, (const uint8_t *)got.ptr, got.len),
               (ssize_t)got.len);
    sim_consume(client->peer, got.len);
    return true;
}

/* The server makes one turn at a time: the client is as fast as it is. */
static void work(struct honest *client)
{
    bool moves = true;
    while (moves) {
        begin_requests(client);
        measure(client);
        moves = send_all(client);
        moves |= sim_turn(client->world->loop);
        moves |= receive(client);
        if (!moves && client->late.len > 0) {
            raw_send(client->world, client->peer, client->late.data, client->late.len);
            buf_clear(&client->late);
            moves = true;
        }
    }
}

static void close_client(struct honest *client)
{
    sim_peer_free(client->peer);
    sim_run(client->world->loop);
    nghttp2_session_del(client->ng);
    buf_finish(&client->late);
    buf_finish(&client->now);
}

/* All of its requests are answered, and nothing was held against it. */
static void expect_served(struct honest kind, unsigned requests)
{
    struct world world;
    struct honest client = kind;
    world_open(&world);
    client.left = requests;
    open_client(&client, &world);
    work(&client);
    EXPECT_INT(client.whole, requests);
    EXPECT_INT(client.failed, 0);
    EXPECT_INT(world.set.count, 1);
    for (int i = 0; i < H2_GUARD_COUNT; i++) {
        EXPECT_INT(world_guarded(&world, (enum h2_guard_kind)i), 0);
    }
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->refused_streams), 0);
    close_client(&client);
    world_close(&world);
}

/* ---- kinds of clients ------------------------------------------------------------------------ */

/* h2load, nghttp: windows that are never in the way, as many streams as are allowed. */
TEST(test_many_streams_of_large_answers_are_all_served)
{
    expect_served((struct honest){.path = "/borrowed", .parallel = 32}, 1000);
    expect_served((struct honest){.path = "/borrowed", .parallel = 100}, 1000);
    expect_served((struct honest){.path = "/big", .parallel = 100}, 300);
}

TEST(test_many_streams_of_small_answers_are_all_served)
{
    expect_served((struct honest){.path = "/", .parallel = 100}, 5000);
}

/* Each frame told at once to both windows: Python's h2, by hand. */
TEST(test_updates_for_each_frame_are_explained_by_its_bytes)
{
    expect_served((struct honest){.path = "/borrowed", .parallel = 32, .update_bytes = 16384},
                  1000);
    expect_served((struct honest){.path = "/", .parallel = 32, .update_bytes = 16384}, 3000);
}

/* A reader that takes a few bytes at a time and tells each time. */
TEST(test_updates_for_a_few_bytes_are_explained_by_them)
{
    expect_served((struct honest){.path = "/borrowed", .parallel = 8, .update_bytes = 64}, 50);
}

/* Bytes that were sent long before, of streams that have ended. */
TEST(test_updates_that_come_late_are_explained_too)
{
    expect_served(
        (struct honest){
            .path = "/borrowed", .parallel = 100, .update_bytes = 4096, .updates_late = true},
        300);
    expect_served(
        (struct honest){.path = "/", .parallel = 100, .update_bytes = 4096, .updates_late = true},
        3000);
}

/* gRPC, hyper: a PING beside the data of each round trip, and a new window size when it was measured. */
TEST(test_pings_and_settings_that_measure_the_way_are_explained_by_data)
{
    expect_served((struct honest){.path = "/borrowed", .parallel = 4, .pings = true}, 1000);
    expect_served((struct honest){.path = "/", .parallel = 1, .pings = true}, 1000);
    expect_served(
        (struct honest){.path = "/borrowed", .parallel = 4, .pings = true, .resizes = true}, 1000);
}

/* Browsers that tell priorities again and again. */
TEST(test_priorities_of_requests_are_no_flood)
{
    expect_served((struct honest){.path = "/", .parallel = 100, .priorities = 8}, 1000);
}

/* Whoever has seen enough: pages that are left, searches while one types. */
TEST(test_answers_may_be_cancelled_once_they_have_begun)
{
    expect_served((struct honest){.path = "/big", .parallel = 100, .resets_answered = true}, 3000);
    expect_served((struct honest){.path = "/", .parallel = 100, .resets_answered = true}, 3000);
}

/* A page is left again and again while none of its hundred requests has been answered: handlers hear of
 * it and end, and the next hundred are taken. */
TEST(test_a_page_may_be_left_before_it_is_answered)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    for (unsigned page = 0; page < 5; page++) {
        client_open(&client, &world, 0);
        for (unsigned i = 0; i < 100; i++) {
            EXPECT(client_get(&client, "/later"));
        }
        for (unsigned i = 0; i < 100; i++) {
            EXPECT_INT(nghttp2_submit_rst_stream(client.ng, 0, client.streams[i].id, 8), 0);
        }
        client_turn(&client);
        while (world_resume(&world, 0)) {
        }
        EXPECT_INT(client_get(&client, "/")->status, 200);
        EXPECT_INT(client.goaways, 0);
        client_close(&client);
    }
    world_close(&world);
}

/* A request that is refused because others are still at work is not held against the client. */
TEST(test_refusals_are_no_faults_of_the_client)
{
    struct world world;
    struct h2_client client;
    world_init(&world);
    world.options.max_streams = 2;
    world_start(&world);
    client_open(&client, &world, 0);
    client_reset(&client, client_get(&client, "/later"));
    client_reset(&client, client_get(&client, "/later"));
    for (unsigned i = 0; i < 150; i++) {
        EXPECT_INT(client_get(&client, "/")->error, NGHTTP2_REFUSED_STREAM);
    }
    EXPECT(world_resume(&world, 0));
    EXPECT_INT(client_get(&client, "/")->status, 200);
    client_close(&client);
    world_close(&world);
}

/* RFC 9113 §8.1: the answer is whole, the upload is not, and the client takes it back. */
TEST(test_uploads_may_be_taken_back_when_the_answer_is_whole)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    static const uint8_t no_error[] = {0, 0, 0, 0};
    struct buf out;
    struct buf block;
    buf_init(&out, 0);
    buf_init(&block, 0);
    raw_add_request(&block, "POST", "/refuse");
    for (int32_t i = 0; i < 3000; i++) {
        buf_clear(&out);
        raw_add(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 2 * i + 1, block.data, block.len);
        raw_add(&out, NGHTTP2_DATA, 0, 2 * i + 1, "body", 4);
        raw_send(&world, peer, out.data, out.len);
        raw_frame(&world, peer, NGHTTP2_RST_STREAM, 0, 2 * i + 1, no_error, sizeof no_error);
        sim_consume(peer, sim_received(peer).len);
    }
    EXPECT_INT(world.set.count, 1);
    EXPECT_INT(world.logged_count, 3000);
    buf_finish(&out);
    buf_finish(&block);
    sim_peer_free(peer);
    world_close(&world);
}

/* Writers that flush behind each write. */
TEST(test_empty_data_between_data_is_no_flood)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    struct buf block;
    buf_init(&out, 0);
    buf_init(&block, 0);
    raw_add_request(&block, "POST", "/sink");
    raw_add(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block.data, block.len);
    for (unsigned i = 0; i < 1000; i++) {
        raw_add(&out, NGHTTP2_DATA, 0, 1, "body", 4);
        raw_add(&out, NGHTTP2_DATA, 0, 1, NULL, 0);
    }
    raw_send(&world, peer, out.data, out.len);
    EXPECT_INT(world.sunk, 4000);
    EXPECT_INT(world.set.count, 1);
    buf_finish(&out);
    buf_finish(&block);
    sim_peer_free(peer);
    world_close(&world);
}

/* ---- SETTINGS that come in two pieces -------------------------------------------------------- */

/* RFC 9113 §6.5.3, §6.9.2: a client takes what a wider window lets out, and a larger table, from the
 * acknowledgement on: nothing may leave ahead of it. gRPC changes its window while data flows. */
TEST(test_nothing_leaves_by_settings_that_are_not_acknowledged)
{
    static const uint8_t open[] = {0, 4, 0, 0, 255, 255, 0, 3, 0, 0, 0, 1};
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    raw_get_shut(&world, peer, "/big");
    struct buf out;
    buf_init(&out, 0);
    unsigned acks = raw_count(peer, NGHTTP2_SETTINGS, 0, NULL);
    buf_clear(&out);
    raw_add(&out, NGHTTP2_SETTINGS, 0, 0, open, sizeof open);
    raw_send(&world, peer, out.data, out.len - 6); /* the window is in it */
    EXPECT_INT(raw_count(peer, NGHTTP2_DATA, 1, NULL), 0);
    raw_send(&world, peer, out.data + out.len - 6, 6);
    EXPECT_INT(raw_count(peer, NGHTTP2_SETTINGS, 0, NULL), acks + 1);
    EXPECT(raw_count(peer, NGHTTP2_DATA, 1, NULL) > 0);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}
