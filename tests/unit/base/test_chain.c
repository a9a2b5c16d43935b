/* tests/unit/base/test_chain.c — the queue of output.
 * Order, exactly one release, packing, moving, the pool; a model of plain bytes that is sent in
 * random steps; the sweep of failing allocations. */
#include "test.h"

#include "base/alloc.h"
#include "base/chain.h"

#include <galley/base.h>

static void count_release(void *arg)
{
    ++*(int *)arg;
}

static struct span front_bytes(const struct chain *chain)
{
    const struct chain_part *part = chain_front(chain);
    return part ? span_make(part->ptr, part->len) : SPAN_NONE;
}

TEST(test_pieces_come_out_in_order_and_are_released_once)
{
    struct chain chain;
    int released[3] = {0};
    chain_init(&chain, NULL);
    EXPECT_INT(chain_add(&chain, "abc", 3, count_release, &released[0]), 0);
    EXPECT_INT(chain_add(&chain, "de", 2, count_release, &released[1]), 0);
    EXPECT_INT(chain_add(&chain, "f", 1, NULL, NULL), 0);
    EXPECT_INT(chain.bytes, 6);
    chain_consume(&chain, 2);
    EXPECT_SPAN(front_bytes(&chain), "c");
    EXPECT_INT(released[0], 0);
    chain_consume(&chain, 2);
    EXPECT_INT(released[0], 1);
    EXPECT_SPAN(front_bytes(&chain), "e");
    chain_consume(&chain, 0);
    EXPECT_INT(released[1], 0);
    chain_clear(&chain);
    EXPECT_INT(released[0], 1);
    EXPECT_INT(released[1], 1);
    EXPECT(chain_is_empty(&chain) && chain.bytes == 0 && !chain_front(&chain));
    chain_clear(&chain);
}

TEST(test_an_empty_piece_is_released_at_once)
{
    struct chain chain;
    int released = 0;
    chain_init(&chain, NULL);
    EXPECT_INT(chain_add(&chain, "", 0, count_release, &released), 0);
    EXPECT_INT(released, 1);
    EXPECT_INT(chain_add_file(&chain, 5, 0, 0, count_release, &released), 0);
    EXPECT_INT(released, 2);
    EXPECT_INT(chain_add_copy(&chain, NULL, 0), 0);
    EXPECT(chain_is_empty(&chain));
}

TEST(test_a_piece_grows_where_its_memory_goes_on)
{
    const char *memory = "abcdef";
    struct chain chain;
    int released = 0;
    chain_init(&chain, NULL);
    EXPECT(!chain_ends_at(&chain, memory));
    EXPECT_INT(chain_add(&chain, memory, 2, count_release, &released), 0);
    EXPECT(chain_ends_at(&chain, memory + 2) && !chain_ends_at(&chain, memory + 3));
    chain_consume(&chain, 1);
    chain_lengthen(&chain, 3);
    EXPECT_SPAN(front_bytes(&chain), "bcde");
    EXPECT_INT(chain.bytes, 4);
    EXPECT_INT(chain.count, 1);
    chain_consume(&chain, 3);
    EXPECT(chain_ends_at(&chain, memory + 5) && released == 0);
    EXPECT_INT(chain_add_file(&chain, 5, 0, 10, NULL, NULL), 0);
    EXPECT(!chain_ends_at(&chain, memory + 5) && !chain_ends_at(&chain, NULL));
    chain_consume(&chain, 1);
    EXPECT_INT(released, 1);
    chain_clear(&chain);
}

TEST(test_file_ranges_advance_and_stop_the_vector)
{
    struct chain chain;
    struct iovec iov[4];
    int released = 0;
    chain_init(&chain, NULL);
    EXPECT_INT(chain_add(&chain, "head", 4, NULL, NULL), 0);
    EXPECT_INT(chain_add(&chain, "more", 4, NULL, NULL), 0);
    EXPECT_INT(chain_add_file(&chain, 9, 1000, 500, count_release, &released), 0);
    EXPECT_INT(chain_add(&chain, "tail", 4, NULL, NULL), 0);
    EXPECT_INT(chain_iov(&chain, iov, 1), 1);
    EXPECT_INT(chain_iov(&chain, iov, 4), 2);
    EXPECT_SPAN(span_make(iov[1].iov_base, iov[1].iov_len), "more");
    chain_consume(&chain, 8 + 100);
    EXPECT_INT(chain_iov(&chain, iov, 4), 0);
    const struct chain_part *part = chain_front(&chain);
    EXPECT(part->ptr == NULL);
    EXPECT_INT(part->fd, 9);
    EXPECT_INT(part->offset, 1100);
    EXPECT_INT(part->len, 400);
    chain_consume(&chain, 400);
    EXPECT_INT(released, 1);
    EXPECT_INT(chain_iov(&chain, iov, 4), 1);
    chain_clear(&chain);
}

TEST(test_large_files_do_not_overflow_the_count)
{
    struct chain chain;
    chain_init(&chain, NULL);
    EXPECT_INT(chain_add_file(&chain, 3, 0, UINT64_C(6) << 40, NULL, NULL), 0);
    chain_consume(&chain, UINT64_C(5) << 40);
    EXPECT_INT(chain.bytes, UINT64_C(1) << 40);
    EXPECT_INT(chain_front(&chain)->offset, INT64_C(5) << 40);
    chain_clear(&chain);
}

TEST(test_small_copies_are_packed_into_one_piece)
{
    struct chain chain;
    struct iovec iov[8];
    chain_init(&chain, NULL);
    char word[] = "copy ";
    for (int i = 0; i < 20; i++) {
        EXPECT_INT(chain_add_copy(&chain, word, 5), 0);
    }
    memset(word, 'x', 5); /* it was a copy */
    EXPECT_INT(chain_iov(&chain, iov, 8), 1);
    EXPECT_INT(iov[0].iov_len, 100);
    chain_consume(&chain, 97);
    EXPECT_SPAN(front_bytes(&chain), "py ");
    EXPECT_INT(chain_add_copy(&chain, "more", 4), 0);
    EXPECT_SPAN(front_bytes(&chain), "py more");
    EXPECT_INT(chain_add(&chain, "|", 1, NULL, NULL), 0);
    EXPECT_INT(chain_add_copy(&chain, "not packed", 10), 0); /* order goes first */
    EXPECT_INT(chain_iov(&chain, iov, 8), 3);
    chain_clear(&chain);
}

TEST(test_moved_parts_stand_behind_and_belong_to_the_new_chain)
{
    struct chain_pool pool;
    struct chain to, from;
    int released = 0;
    chain_pool_init(&pool);
    chain_init(&to, &pool);
    chain_init(&from, NULL);
    EXPECT_INT(chain_move(&to, &from), 0);
    EXPECT_INT(chain_add_copy(&from, "one ", 4), 0);
    EXPECT_INT(chain_add(&from, "two", 3, count_release, &released), 0);
    EXPECT_INT(chain_move(&to, &from), 0); /* into an empty chain of another pool */
    EXPECT(chain_is_empty(&from) && from.bytes == 0);
    EXPECT_INT(chain_add_copy(&from, "three", 5), 0);
    EXPECT_INT(chain_move(&to, &from), 0);
    EXPECT_INT(to.bytes, 12);
    chain_consume(&to, 7);
    EXPECT_INT(released, 1);
    EXPECT_SPAN(front_bytes(&to), "three");
    chain_clear(&to);
    chain_pool_finish(&pool);
}

static struct chain *chain_seen_by_release;

static void add_while_released(void *arg)
{
    struct chain *chain = arg;
    EXPECT(chain_is_empty(chain));
    EXPECT_INT(chain->bytes, 0);
    EXPECT_INT(chain_add_copy(chain, "again", 5), 0);
    chain_seen_by_release = chain;
}

TEST(test_a_release_function_may_add_to_the_chain)
{
    struct chain chain;
    chain_init(&chain, NULL);
    EXPECT_INT(chain_add(&chain, "x", 1, add_while_released, &chain), 0);
    chain_consume(&chain, 1);
    EXPECT(chain_seen_by_release == &chain);
    EXPECT_SPAN(front_bytes(&chain), "again");
    chain_clear(&chain);
}

TEST(test_a_queue_that_never_runs_empty_neither_grows_nor_allocates)
{
    struct chain chain;
    chain_init(&chain, NULL);
    EXPECT_INT(chain_add(&chain, "ab", 2, NULL, NULL), 0);
    mem_fail_nth(1);
    for (int i = 0; i < 10000; i++) {
        EXPECT_INT(chain_add(&chain, "ab", 2, NULL, NULL), 0);
        chain_consume(&chain, 2);
    }
    EXPECT(chain.capacity < 64);
    chain_clear(&chain);
}

#ifdef GALLEY_FAULTS
static void send_one_response(struct chain *chain)
{
    EXPECT_INT(chain_add_copy(chain, "HTTP/1.1 200 OK\r\n", 17), 0);
    EXPECT_INT(chain_add_copy(chain, "\r\n", 2), 0);
    EXPECT_INT(chain_add(chain, "body", 4, NULL, NULL), 0);
    chain_consume(chain, 23);
}

TEST(test_steady_state_allocates_nothing_and_an_empty_chain_holds_nothing)
{
    struct chain_pool pool;
    struct chain chain;
    chain_pool_init(&pool);
    chain_init(&chain, &pool);
    send_one_response(&chain);
    EXPECT(chain.parts == NULL);
    EXPECT_INT(mem_live_blocks(), pool.free_count);
    mem_fail_nth(1);
    for (int i = 0; i < 100; i++) {
        send_one_response(&chain);
    }
    EXPECT_INT(mem_fail_happened(), 0);
    chain_pool_finish(&pool);
    EXPECT_INT(mem_live_blocks(), 0);
}

TEST(test_the_pool_keeps_a_bounded_number_of_blocks)
{
    struct chain_pool pool;
    static struct chain chains[1000];
    chain_pool_init(&pool);
    for (int i = 0; i < 1000; i++) {
        chain_init(&chains[i], &pool);
        EXPECT_INT(chain_add(&chains[i], "x", 1, NULL, NULL), 0);
    }
    for (int i = 0; i < 1000; i++) {
        chain_clear(&chains[i]);
    }
    EXPECT(pool.free_count > 0 && pool.free_count <= 256);
    EXPECT_INT(mem_live_blocks(), pool.free_count);
    chain_pool_finish(&pool);
}

struct sweep {
    struct chain to;
    struct chain from;
    int added;
    int released;
};

/* True when nothing failed; every failure must leave the chain's bytes as they were. */
static bool fill(struct sweep *sweep)
{
    static const char text[2000] = "copied";
    bool ok = true;
    for (int i = 0; i < 60; i++) {
        struct chain *chain = i % 2 ? &sweep->to : &sweep->from;
        uint64_t before = chain->bytes;
        int rc = chain_add(chain, "1234567", 7, count_release, &sweep->released);
        EXPECT(rc == 0 || rc == GALLEY_ENOMEM);
        EXPECT_INT(chain->bytes, before + (rc ? 0 : 7));
        sweep->added += rc == 0;
        before = chain->bytes;
        int copy_rc = chain_add_copy(chain, text, (size_t)i % 3 ? 60 : 2000 * (size_t)(i % 2));
        EXPECT(copy_rc == 0 || chain->bytes == before);
        ok = ok && rc == 0 && copy_rc == 0;
    }
    uint64_t sum = sweep->to.bytes + sweep->from.bytes;
    uint64_t from_before = sweep->from.bytes;
    int rc = chain_move(&sweep->to, &sweep->from);
    EXPECT_INT(sweep->from.bytes, rc ? from_before : 0);
    EXPECT_INT(sweep->to.bytes + sweep->from.bytes, sum);
    return ok && rc == 0;
}

TEST(test_each_failed_allocation_appends_nothing_and_releases_nothing)
{
    for (uint64_t n = 1;; n++) {
        struct sweep sweep = {0};
        struct chain_pool pool;
        chain_pool_init(&pool);
        chain_init(&sweep.to, &pool);
        chain_init(&sweep.from, NULL);
        mem_fail_nth(n);
        bool ok = fill(&sweep);
        bool happened = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(ok, !happened);
        EXPECT_INT(sweep.released, 0);
        chain_clear(&sweep.to);
        chain_clear(&sweep.from);
        EXPECT_INT(sweep.released, sweep.added);
        chain_pool_finish(&pool);
        EXPECT_INT(mem_live_blocks(), 0);
        if (!happened) {
            EXPECT(n > 10);
            return;
        }
    }
}
#endif

/* The model: all bytes that shall come out, and how many have; file ranges are read from the same
 * place. */
enum { MODEL_BYTES = 1 << 16, MODEL_FD = 77 };

struct model {
    char bytes[MODEL_BYTES];
    size_t written;
    size_t read;
    int pieces;
    int released;
};

static void add_something(struct chain *chain, struct model *model)
{
    size_t max = MODEL_BYTES - model->written;
    size_t len = (size_t)test_random_below(test_random_below(8) ? 200 : 3000);
    len = len < max ? len : max;
    char *at = model->bytes + model->written;
    for (size_t i = 0; i < len; i++) {
        at[i] = (char)test_random();
    }
    uint64_t kind = test_random_below(3);
    if (kind == 0) {
        EXPECT_INT(chain_add_copy(chain, at, len), 0);
    } else if (kind == 1) {
        EXPECT_INT(chain_add(chain, at, len, count_release, &model->released), 0);
    } else {
        off_t offset = (off_t)model->written;
        EXPECT_INT(chain_add_file(chain, MODEL_FD, offset, len, count_release, &model->released),
                   0);
    }
    model->pieces += kind != 0;
    model->written += len;
}

/* What a transport does: look at the front, "send" a part of it, consume. */
static void send_something(struct chain *chain, struct model *model)
{
    struct iovec iov[5];
    int count = chain_iov(chain, iov, 5);
    uint64_t can_send = 0;
    for (int i = 0; i < count; i++) {
        const char *expected = model->bytes + model->read + can_send;
        EXPECT_INT(memcmp(iov[i].iov_base, expected, iov[i].iov_len), 0);
        can_send += iov[i].iov_len;
    }
    const struct chain_part *front = chain_front(chain);
    if (count == 0 && front) {
        EXPECT_INT(front->fd, MODEL_FD);
        EXPECT_INT(front->offset, model->read);
        can_send = front->len;
    }
    uint64_t n = test_random_below(can_send + 1);
    chain_consume(chain, n);
    model->read += (size_t)n;
}

static void play(struct chain_pool *pool, struct model *model)
{
    struct chain chain, other;
    chain_init(&chain, pool);
    chain_init(&other, test_random_below(2) ? pool : NULL);
    while (model->written < MODEL_BYTES || !chain_is_empty(&chain)) {
        if (test_random_below(2)) {
            add_something(test_random_below(3) ? &chain : &other, model);
            EXPECT_INT(chain_move(&chain, &other), 0); /* before anything else is written */
        } else {
            send_something(&chain, model);
        }
        EXPECT_INT(chain.bytes, model->written - model->read);
    }
    EXPECT_INT(model->released, model->pieces);
}

TEST(test_chain_sends_what_a_byte_string_would)
{
    static struct model model;
    struct chain_pool pool;
    chain_pool_init(&pool);
    for (unsigned i = 0; i < test_rounds(15); i++) {
        memset(&model, 0, sizeof model);
        play(&pool, &model);
    }
    chain_pool_finish(&pool);
}
