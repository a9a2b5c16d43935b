/* h2/h2_block.c — memory into which files' bytes are read behind the heads of their frames, so that many
 * frames leave in one send: TLS copies a file in any case, and frame by frame it would be a read, two
 * records and a send for each. On the loop, inside of frames_write().
 *
 * A block is the end of conn->out while frames are added to it, and goes with its last byte. It is taken
 * only if the kernel will take what is read, which is asked here: what a client does not read stays in its
 * file. */
#include "h2/h2_block.h"

#include "base/alloc.h"
#include "base/check.h"

enum { KEPT_BLOCKS = 2 /* of a driver: those of one connection at work */ };

struct h2_block {
    struct h2_session *session;
    struct list link; /* driver->free_blocks */
    size_t used;
    char data[H2_BLOCK_BYTES];
};

static void give_back(struct h2_driver *driver, struct h2_block *block)
{
    if (driver->free_block_count >= KEPT_BLOCKS) {
        mem_free(block);
        return;
    }
    list_push_front(&driver->free_blocks, &block->link);
    driver->free_block_count++;
}

/* Its bytes are not in conn->out any more, or never were. */
static void block_gone(void *arg)
{
    struct h2_block *block = arg;
    struct h2_session *session = block->session;
    session->blocks--;
    if (session->block == block) {
        session->block = NULL;
    }
    give_back(session->driver, block);
}

static void take_block(struct h2_session *session)
{
    struct h2_driver *driver = session->driver;
    struct list *link = list_pop_front(&driver->free_blocks);
    driver->free_block_count -= link != NULL;
    struct h2_block *block =
        link ? CONTAINER_OF(link, struct h2_block, link) : mem_alloc(sizeof *block);
    session->block = block;
    if (block) {
        block->session = session;
        block->used = 0;
        list_init(&block->link);
        session->blocks++;
    }
}

/* The kernel's room is for what it needs itself, too: half of it is sure. What has been found too little
 * is not asked for again before something has left. A socket that has refused something says when it has
 * much room again; until then it may have some, and takes nothing. */
static bool kernel_takes(struct h2_session *session, size_t len)
{
    struct conn *conn = session->conn;
    uint64_t waiting = conn->out.bytes;
    if (!conn->transport.socket.may_write) {
        return false;
    }
    if (session->room >= len) {
        return true;
    }
    if (session->no_room_at != 0 && waiting >= session->no_room_at) {
        return false;
    }
    uint64_t sure = loop_send_room(conn_loop(conn), &conn->transport.socket) / 2;
    session->room = sure > waiting ? sure - waiting : 0;
    session->no_room_at = session->room < len ? waiting + 1 : 0;
    return session->room >= len;
}

static bool is_open(const struct h2_session *session, size_t len)
{
    const struct h2_block *block = session->block;
    return block && H2_BLOCK_BYTES - block->used >= len &&
           chain_ends_at(&session->conn->out, block->data + block->used);
}

char *h2_block_room(struct h2_session *session, size_t len)
{
    DEBUG_CHECK(len <= H2_BLOCK_BYTES);
    if (!kernel_takes(session, len)) {
        return NULL;
    }
    if (!is_open(session, len)) {
        session->block = NULL;
        if (session->blocks < H2_MAX_BLOCKS) {
            take_block(session);
        }
    }
    struct h2_block *block = session->block;
    return block ? block->data + block->used : NULL;
}

bool h2_block_add(struct h2_session *session, size_t len)
{
    struct h2_block *block = session->block;
    struct chain *out = &session->conn->out;
    if (block->used > 0 && len > 0) {
        chain_lengthen(out, len);
    } else if (block->used == 0 &&
               (len == 0 || chain_add(out, block->data, len, block_gone, block) != GALLEY_OK)) {
        block_gone(block);
        return false;
    }
    block->used += len;
    return len > 0;
}

uint64_t h2_blocks_kept_bytes(void)
{
    return KEPT_BLOCKS * mem_cost(sizeof(struct h2_block));
}

uint64_t h2_blocks_most_bytes(void)
{
    return H2_MAX_BLOCKS * mem_cost(sizeof(struct h2_block));
}

void h2_blocks_finish(struct h2_driver *driver)
{
    struct list *link;
    while ((link = list_pop_front(&driver->free_blocks)) != NULL) {
        mem_free(CONTAINER_OF(link, struct h2_block, link));
    }
}
