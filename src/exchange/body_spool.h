/* exchange/body_spool.h — a request body in an unnamed file, before the handler runs.
 *
 * Pieces are gathered in a block; a full block is written by a short job on the file threads, and
 * while it is, the client is paused: so no thread waits for a slow client, and memory stays at one
 * block. The struct is the exchange's, which does not end while a job is under way
 * (body_spool_is_busy()): the job's end then ends it. Everything on the loop but the jobs, which
 * touch only the block, the descriptor and the outcome. */
#ifndef EXCHANGE_BODY_SPOOL_H
#define EXCHANGE_BODY_SPOOL_H

#include "base/buf.h"
#include "loop/offload.h"

struct exchange;

enum { BODY_SPOOL_BLOCK = 128 * 1024 };

struct body_spool {
    struct offload offload;
    struct exchange *exchange;
    const char *folder;
    struct buf block;
    uint64_t written_bytes;
    int fd;        /* -1 until the first job */
    int sys_errno; /* of the last job; 0: it succeeded */
    int failure;   /* a status: what the client gets once the job is back; 0: none */
    bool is_busy;  /* a job is under way */
    bool has_ended;
};

/** Memory from the exchange's arena, the head is retained. NULL: out of memory. */
struct body_spool *body_spool_create(struct exchange *exchange);
/** On the owner, at the end, not while it is busy. NULL is allowed. */
void body_spool_destroy(struct body_spool *spool);
static inline bool body_spool_is_busy(const struct body_spool *spool)
{
    return spool && spool->is_busy;
}
/** 0, EXCHANGE_BODY_PAUSE, or a status (503). Not while it is busy. */
int body_spool_put(struct body_spool *spool, struct span piece);
/** The body is whole: the handler runs when all of it has been written. The exchange may be gone
 *  afterwards. */
void body_spool_end(struct body_spool *spool);

/** A file in folder that has no name any more (O_TMPFILE, or made and unlinked where the file
 *  system cannot do that). A descriptor or -errno. */
int body_spool_open(const char *folder);
/** The second way alone. */
int body_spool_open_unlinked(const char *folder);

#endif
