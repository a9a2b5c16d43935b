/* h2/h2_block.h — memory into which files' bytes are read behind the heads of their frames, at the end of
 * a connection's output; see h2_block.c. On the loop. */
#ifndef H2_H2_BLOCK_H
#define H2_H2_BLOCK_H

#include "h2/h2_session.h"

enum {
    H2_BLOCK_BYTES = 4 * (FRAMES_HEAD_BYTES + FRAMES_MAX_PAYLOAD),
    H2_MAX_BLOCKS = 2 /* of a connection */
};

/** Where so many bytes, at most a block, may be written to go out. NULL: the kernel would not surely take them, or
 *  there is no memory: send the file. After it h2_block_add(), with no other output between. */
char *h2_block_room(struct h2_session *session, size_t len);
/** So many have been written, perhaps none. False: nothing was added. */
bool h2_block_add(struct h2_session *session, size_t len);
/** What a driver keeps, at most … */
uint64_t h2_blocks_kept_bytes(void);
/** … and what a connection holds while it sends. */
uint64_t h2_blocks_most_bytes(void);
void h2_blocks_finish(struct h2_driver *driver);

#endif
