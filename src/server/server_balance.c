/* server/server_balance.c — connections spread evenly over the loops. On the loop that accepted one.
 *
 * All loops wait on one socket, and the kernel wakes the one that went to sleep last: a server with
 * little to do would keep most connections on one loop, and there they stay when there is more to
 * do. So a loop that has more than another gives a newcomer away; but only to a loop that sleeps,
 * which takes it at once: nobody waits behind a loop that is held up. Two others are looked at for a
 * newcomer, however many there are. docs/decisions/0006 has the counts. */
#include "base/alloc.h"

#include "server/server_state.h"

enum { OTHERS_LOOKED_AT = 2 };

struct newcomer {
    struct loop_post post;
    struct server_loop *loop;
    unsigned door;
    int fd;
};

static unsigned count_of(const struct server_loop *loop)
{
    return atomic_load_explicit(&loop->conns_now, memory_order_relaxed);
}

void server_balance_count(struct server_loop *loop)
{
    atomic_store_explicit(&loop->conns_now, loop->conns.count, memory_order_relaxed);
}

/* On the loop that it was given to. One that has begun to drain takes nobody any more. */
static void arrive(struct loop_post *post)
{
    struct newcomer *newcomer = CONTAINER_OF(post, struct newcomer, post);
    struct server_loop *loop = newcomer->loop;
    if (loop->is_draining) {
        loop_close_fd(loop->loop, newcomer->fd);
    } else {
        server_take_connection(loop, newcomer->door, newcomer->fd);
    }
    mem_free(newcomer);
}

/* Worth it for a lead of two, and an eighth where there are many. */
static bool has_fewer(const struct server_loop *other, unsigned own)
{
    unsigned count = count_of(other);
    return own > count + 1 + count / 8 && count < other->max_connections &&
           loop_is_asleep(other->loop);
}

static struct server_loop *find_other(struct server_loop *loop)
{
    struct galley_server *srv = loop->server;
    unsigned loops = srv->config.loops;
    unsigned looks = loops - 1 < OTHERS_LOOKED_AT ? loops - 1 : OTHERS_LOOKED_AT;
    for (unsigned i = 0; i < looks; i++) {
        unsigned step = loop->next_other++ % (loops - 1);
        struct server_loop *other = &srv->loops[(loop->index + 1 + step) % loops];
        if (has_fewer(other, loop->conns.count)) {
            return other;
        }
    }
    return NULL;
}

bool server_hand_over(struct server_loop *loop, unsigned door, int fd)
{
    struct server_loop *other = find_other(loop);
    struct newcomer *newcomer = other ? mem_alloc(sizeof *newcomer) : NULL;
    if (!newcomer) {
        return false;
    }
    *newcomer = (struct newcomer){.post.run = arrive, .loop = other, .door = door, .fd = fd};
    /* Whose address it is has been kept for this loop and this number: nobody asks for it here. */
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    (void)loop_peer_name(loop->loop, fd, (struct sockaddr *)&peer, &len);
    counter_add(&loop->counters.handed_over, 1);
    loop_post(other->loop, &newcomer->post);
    return true;
}
