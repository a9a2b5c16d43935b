/* tests/unit/frames/test_write_model.c — random owners and random clients: a client that counts its windows
 * itself must never get a byte too many, lose one, or be left without one that it could have had. */
#include "support_owner.h"

#include "test.h"

enum { MOST_STREAMS = 12, IDS = 2 * OWNER_STREAMS };

/** What the client knows. */
struct client {
    struct owner owner; /* first: hooks get it */
    int64_t window;     /* of the connection */
    int64_t first;      /* of new streams */
    int64_t windows[OWNER_STREAMS];
    bool has_head[OWNER_STREAMS];
    bool has_end[OWNER_STREAMS];
    bool was_reset[OWNER_STREAMS];
    uint64_t total[OWNER_STREAMS]; /* that its answer shall have */
    uint64_t asked[OWNER_STREAMS]; /* … of that the owner has given up to now */
    int32_t next_id;
    uint64_t ended;
};

static struct client *client_of(struct owner *owner)
{
    return CONTAINER_OF(owner, struct client, owner);
}

/* ---- what is checked ------------------------------------------------------------------------- */

static void check_data(struct client *client, uint8_t flags, int32_t id, uint32_t len)
{
    unsigned at = (unsigned)id / 2;
    EXPECT(client->has_head[at]);
    EXPECT(!client->has_end[at]);
    client->window -= len;
    client->windows[at] -= len;
    EXPECT(len == 0 || client->window >= 0);
    EXPECT(len == 0 || client->windows[at] >= 0);
    EXPECT(len > 0 || flags & FRAMES_END_STREAM);
    client->has_end[at] = flags & FRAMES_END_STREAM;
    EXPECT(!client->has_end[at] || client->owner.read[at] == client->total[at]);
    client->ended += client->has_end[at];
}

static void on_frame(struct owner *owner, uint8_t type, uint8_t flags, int32_t id, uint32_t len)
{
    struct client *client = client_of(owner);
    if (type == FRAMES_DATA) {
        EXPECT(!client->was_reset[id / 2]);
        check_data(client, flags, id, len);
    } else if (type == FRAMES_HEADERS) {
        client->has_head[id / 2] = true;
    } else if (type == FRAMES_RST_STREAM) {
        client->was_reset[id / 2] = true;
    }
}

static bool could_send(const struct client *client, const struct owned *owned)
{
    const struct frames_stream *stream = &owned->stream;
    return stream->session && client->has_head[stream->id / 2] && stream->has_answer &&
           stream->has_body && !stream->was_reset && !stream->output_ended &&
           !stream->is_deferred && owned->ready > 0 && stream->send_window > 0;
}

/* RFC 9218 §10 */
static bool is_ahead(const struct frames_stream *a, const struct frames_stream *b)
{
    if (a->urgency != b->urgency || a->is_incremental != b->is_incremental) {
        return a->urgency != b->urgency ? a->urgency < b->urgency : b->is_incremental;
    }
    return !a->is_incremental && a->id < b->id;
}

static void check_turn(struct owner *owner, struct owned *owned)
{
    for (int32_t id = 1; id < client_of(owner)->next_id && owned->ready > 0; id += 2) {
        const struct owned *other = owner_find(owner, id);
        bool is_passed = other && other != owned && could_send(client_of(owner), other) &&
                         is_ahead(&other->stream, &owned->stream);
        EXPECT(!is_passed);
    }
}

/* Sometimes it has less than it thought. */
static void send_some(struct owner *owner, struct owned *owned)
{
    check_turn(owner, owned);
    if (test_random_below(4) == 0) {
        owner->cut = 1 + (uint32_t)test_random_below(10000);
    }
}

/* There was room for all. */
static void check_nothing_is_left(struct client *client)
{
    EXPECT_INT(client->owner.session.send_window, client->window);
    for (int32_t id = 1; id < client->next_id; id += 2) {
        const struct owned *owned = owner_find(&client->owner, id);
        if (!owned) {
            continue;
        }
        EXPECT_INT(owned->stream.send_window, client->windows[id / 2]);
        EXPECT(client->window <= 0 || !could_send(client, owned));
        EXPECT(owned->stream.is_deferred || owned->ready > 0 || !owned->stream.has_answer ||
               owned->stream.output_ended);
    }
}

/* ---- what may happen ------------------------------------------------------------------------- */

static struct owned *some_stream(struct client *client)
{
    int32_t id = 1 + 2 * (int32_t)test_random_below((uint64_t)(client->next_id / 2) + 1);
    return id < client->next_id ? owner_find(&client->owner, id) : NULL;
}

static void ask_for_one(struct client *client)
{
    bool is_full = client->owner.session.open_streams >= MOST_STREAMS;
    if (is_full || client->next_id >= IDS) {
        return;
    }
    int32_t id = client->next_id;
    client->next_id += 2;
    struct owned *owned =
        owner_open_as(&client->owner, id, (uint8_t)test_random_below(3), test_random_below(2));
    client->windows[id / 2] = client->first;
    client->total[id / 2] =
        test_random_below(3) == 0 ? test_random_below(100) : test_random_below(100000);
    owned->stream.input_ended = test_random_below(4) > 0;
}

/* More of its answer, or the end. */
static void produce(struct client *client, struct owned *owned, bool all)
{
    unsigned at = (unsigned)owned->stream.id / 2;
    uint64_t left = client->total[at] - client->asked[at];
    uint64_t more = all ? left : test_random_below(left + 1);
    client->asked[at] += more;
    owned->ready += more;
    owned->is_end |= all || (client->asked[at] == client->total[at] && test_random_below(2));
    if (!owned->stream.has_answer) {
        EXPECT_INT(owner_head(owned, FRAMES_HEAD_WITH_BODY), GALLEY_OK);
    }
    if (owned->ready > 0 || owned->is_end) {
        frames_resume(&owned->stream);
    }
}

static void update_window(struct client *client, struct owned *owned)
{
    uint32_t more = 1 + (uint32_t)test_random_below(test_random_below(2) ? 10 : 30000);
    if (test_random_below(2)) {
        client->window += more;
        EXPECT_INT(frames_window_update(&client->owner.session, 0, more), GALLEY_OK);
    } else if (owned) {
        client->windows[owned->stream.id / 2] += more;
        EXPECT_INT(frames_window_update(&client->owner.session, owned->stream.id, more), GALLEY_OK);
    }
}

static void change_first(struct client *client)
{
    int64_t first = (int64_t)test_random_below(test_random_below(2) ? 50 : 70000);
    for (int i = 0; i < OWNER_STREAMS; i++) {
        client->windows[i] += first - client->first;
    }
    client->first = first;
    EXPECT_INT(frames_first_window(&client->owner.session, (uint32_t)first), GALLEY_OK);
}

static void break_one(struct client *client, struct owned *owned)
{
    (void)client;
    if (test_random_below(2)) {
        frames_stream_close(&owned->stream, FRAMES_CANCEL);
    } else {
        EXPECT_INT(frames_reset(&owned->stream, FRAMES_CANCEL), GALLEY_OK);
    }
}

static void change_one(struct client *client, struct owned *owned)
{
    uint64_t what = test_random_below(8);
    if (what == 0) {
        frames_reprioritize(&owned->stream, (uint8_t)test_random_below(4), test_random_below(2));
    } else if (what == 1 && test_random_below(3) == 0) {
        break_one(client, owned);
    } else if (what == 2 && !owned->stream.input_ended) {
        frames_input_end(&owned->stream);
    } else if (!owned->is_end && !owned->stream.was_reset) {
        produce(client, owned, false);
    }
}

static void write_some(struct client *client)
{
    bool has_room = test_random_below(2);
    (void)owner_write(&client->owner, has_room ? UINT64_MAX : test_random_below(20000));
    if (has_room) {
        check_nothing_is_left(client);
    }
}

static void step(struct client *client)
{
    struct owned *owned = some_stream(client);
    switch (test_random_below(8)) {
    case 0:
        ask_for_one(client);
        break;
    case 1:
    case 2:
        update_window(client, owned);
        break;
    case 3:
        if (test_random_below(4) == 0) {
            change_first(client);
        }
        break;
    case 4:
        write_some(client);
        break;
    default:
        if (owned) {
            change_one(client, owned);
        }
        break;
    }
}

/* The client opens all windows and the owners give all: every stream ends. */
static void end_all(struct client *client)
{
    for (int32_t id = 1; id < client->next_id; id += 2) {
        struct owned *owned = owner_find(&client->owner, id);
        if (owned && !owned->stream.was_reset) {
            produce(client, owned, true);
        }
        owned = owner_find(&client->owner, id);
        if (owned && !owned->stream.input_ended) {
            frames_input_end(&owned->stream);
        }
    }
    const uint32_t much = 100 * 1000 * 1000;
    for (int i = 0; i < OWNER_STREAMS; i++) {
        client->windows[i] += (int64_t)much - client->first;
    }
    client->first = much;
    client->window += much;
    EXPECT_INT(frames_first_window(&client->owner.session, much), GALLEY_OK);
    EXPECT_INT(frames_window_update(&client->owner.session, 0, much), GALLEY_OK);
    (void)owner_write_all(&client->owner);
    EXPECT_INT(client->owner.session.open_streams, 0);
    EXPECT_INT(client->owner.session.out.turns, 0);
}

TEST(test_random_owners_and_windows_lose_nothing_and_pass_no_window)
{
    enum { STEPS = 600 };
    uint64_t ended = 0;
    for (unsigned round = 0; round < test_rounds(40); round++) {
        static struct client client;
        memset(&client, 0, sizeof client);
        owner_start(&client.owner);
        client.owner.on_frame = on_frame;
        client.owner.on_data = send_some;
        client.window = client.first = FRAMES_FIRST_WINDOW;
        client.next_id = 1;
        for (int i = 0; i < STEPS; i++) {
            step(&client);
        }
        end_all(&client);
        ended += client.ended;
        owner_finish(&client.owner);
    }
    EXPECT(ended > 100);
}
