/* What several threads write stands apart from what one writes all the time: two words in one line
 * cost as much as one that is shared. docs/scaling.md tells what is written when. */
#include "test.h"

#include "exchange/stall_watch.h"
#include "files/file_site_state.h"
#include "loop/backend.h"
#include "observe/log_writer.h"
#include "pool/pool_state.h"
#include "server/server_state.h"

#define LINE(type, field) (offsetof(struct type, field) / 64)
#define END_LINE(type, field)                                                                      \
    ((offsetof(struct type, field) + sizeof(((struct type *)0)->field) - 1) / 64)

TEST(test_posts_to_a_loop_stand_apart_from_its_clock_and_lists)
{
    EXPECT_INT(_Alignof(struct loop), 64);
    EXPECT(LINE(loop, mailbox) > END_LINE(loop, timers));
    EXPECT(LINE(loop, mailbox) > END_LINE(loop, now_ms));
    EXPECT(LINE(loop, mailbox) > END_LINE(loop, owner));
    EXPECT(LINE(loop, mailbox) > END_LINE(loop, turn));
    EXPECT(LINE(loop, mailbox) > END_LINE(loop, open_sockets));
}

TEST(test_workers_that_come_back_stand_apart_from_the_exchanges)
{
    EXPECT_INT(_Alignof(struct server_loop), 64);
    EXPECT_INT(sizeof(struct server_loop) % 64, 0); /* an array of them */
    EXPECT(LINE(exchange_pool, posting) > END_LINE(exchange_pool, free_count));
    EXPECT(LINE(exchange_pool, posting) > END_LINE(exchange_pool, live_list));
    EXPECT(END_LINE(server_loop, exchanges.streams) < LINE(server_loop, counters));
}

TEST(test_a_server_under_load_writes_to_no_line_that_loops_read)
{
    /* `dispatched`, the one count of requests that all loops share, is for max_requests only. */
    EXPECT(END_LINE(galley_server, routes) != LINE(galley_server, dispatched));
    EXPECT(END_LINE(galley_server, config) < LINE(galley_server, dispatched));
    EXPECT(END_LINE(galley_server, routes) != LINE(galley_server, posts));
}

/* Arrays with an element for each loop or worker, which writes to its own. */
TEST(test_what_is_one_a_loop_shares_no_line_with_its_neighbour)
{
    EXPECT_INT(_Alignof(struct stall_spot), 64);
    EXPECT_INT(sizeof(struct stall_spot) % 64, 0);
    EXPECT_INT(_Alignof(struct file_site_loop), 64);
    EXPECT_INT(sizeof(struct file_site_loop) % 64, 0);
    EXPECT_INT(_Alignof(struct worker), 64);
    EXPECT_INT(sizeof(struct worker) % 64, 0);
    EXPECT_INT(sizeof(struct job_slot), 64);
}

TEST(test_rings_and_queues_keep_their_ends_apart)
{
    EXPECT(LINE(access_ring, head) != LINE(access_ring, tail));
    EXPECT(LINE(access_ring, records) != LINE(access_ring, tail));
    EXPECT(LINE(job_queue, tail) != LINE(job_queue, head));
    EXPECT(LINE(job_queue, tail) != LINE(job_queue, slots));
    EXPECT(LINE(worker, state) > END_LINE(worker, current));
    EXPECT(LINE(galley_pool, rejected) > END_LINE(galley_pool, has_forked));
    EXPECT(LINE(galley_pool, rejected) > END_LINE(galley_pool, is_discarding));
    EXPECT(LINE(galley_pool, sleepers) > END_LINE(galley_pool, queue));
}
