/* tests/unit/loop/test_loop_memory.c — what a loop says it takes, beside what it is made of. */
#include "test.h"

#include "loop/backend.h"
#include "loop/loop_memory.h"

TEST(test_what_a_loop_says_it_takes_covers_what_it_is_made_of)
{
    const struct loop_options options[] = {{.backend = LOOP_BACKEND_EPOLL},
                                           {.backend = LOOP_BACKEND_EPOLL, .recv_bytes = 1 << 20}};
    for (int i = 0; i < 2; i++) {
        struct loop *loop = loop_create(&options[i], NULL);
        EXPECT(loop != NULL);
        EXPECT(loop_bytes(&options[i]) >= sizeof *loop + loop->recv_bytes);
        EXPECT(loop_bytes(&options[i]) <= sizeof *loop + loop->recv_bytes + 64);
        loop_destroy(loop);
    }
    EXPECT_INT(loop_bytes(NULL), loop_bytes(&options[0]));
}
