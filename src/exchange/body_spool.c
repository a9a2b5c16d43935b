/* exchange/body_spool.c — a request body in an unnamed file; see body_spool.h. */
#include "exchange/body_spool.h"

#include "base/check.h"
#include "base/error.h"
#include "base/fd.h"

#include "exchange/exchange_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OWNER_ONLY = 0600 };

static struct log_limit failure_limit;

struct body_spool *body_spool_create(struct exchange *exchange)
{
    /* Nothing may end the exchange while a job runs: want of memory for its head is found now. */
    if (exchange_retain(exchange) != GALLEY_OK) {
        return NULL;
    }
    struct body_spool *spool = arena_alloc(&exchange->arena, sizeof *spool);
    if (!spool) {
        return NULL;
    }
    const char *folder = exchange->services->spool_dir;
    *spool =
        (struct body_spool){.exchange = exchange, .folder = folder ? folder : "/tmp", .fd = -1};
    buf_init(&spool->block, 0);
    return spool;
}

void body_spool_destroy(struct body_spool *spool)
{
    if (spool) {
        CHECK(!spool->is_busy);
        buf_finish(&spool->block);
        fd_close(&spool->fd);
    }
}

/* ---- on a file thread ------------------------------------------------------------------------ */

int body_spool_open_unlinked(const char *folder)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/galley-XXXXXX", folder);
    if (len < 0 || (size_t)len >= sizeof path) {
        return -ENAMETOOLONG;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (unlink(path) < 0) {
        int sys_errno = errno;
        fd_close(&fd);
        return -sys_errno;
    }
    return fd;
}

int body_spool_open(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, OWNER_ONLY);
    if (fd >= 0) {
        return fd;
    }
    /* open(2): EOPNOTSUPP from file systems, EISDIR from kernels that do not know it. */
    bool is_unknown = errno == EOPNOTSUPP || errno == EISDIR;
    return is_unknown ? body_spool_open_unlinked(folder) : -errno;
}

/* By offset: the handler finds the file at its start. 0 or -errno. */
static int write_at(int fd, struct span bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < bytes.len) {
        ssize_t n = pwrite(fd, bytes.ptr + done, bytes.len - done, (off_t)(offset + done));
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void write_block(struct offload *offload)
{
    struct body_spool *spool = CONTAINER_OF(offload, struct body_spool, offload);
    int rc = 0;
    if (spool->fd < 0) {
        rc = body_spool_open(spool->folder);
        spool->fd = rc;
    }
    if (rc >= 0) {
        rc = write_at(spool->fd, buf_span(&spool->block), spool->written_bytes);
    }
    spool->sys_errno = rc < 0 ? -rc : 0;
}

/* ---- on the loop ----------------------------------------------------------------------------- */

/* RFC 4918 §11.5: 507 when there is no room to store what the request needs. */
static int status_of_errno(int sys_errno)
{
    return sys_errno == ENOSPC || sys_errno == EDQUOT ? 507 : 500;
}

static void report(const struct body_spool *spool)
{
    galley_error err;
    (void)error_set_sys(&err, spool->sys_errno, "a request body cannot be kept in %s",
                        spool->folder);
    log_write_limited(spool->exchange->services->log, &failure_limit, LOG_ERROR, "%s", err.message);
}

static void refuse(struct body_spool *spool, int status)
{
    spool->exchange->response.must_close = !spool->has_ended; /* else none of it is unread */
    exchange_reject(spool->exchange, status);
}

/* The status that stands against going on; 0: none. */
static int outcome(const struct body_spool *spool)
{
    if (spool->failure) {
        return spool->failure;
    }
    if (spool->offload.dropped) {
        return 503; /* the file threads end: the server stops */
    }
    return spool->sys_errno ? status_of_errno(spool->sys_errno) : 0;
}

static void job_is_back(struct offload *offload)
{
    struct body_spool *spool = CONTAINER_OF(offload, struct body_spool, offload);
    struct exchange *exchange = spool->exchange;
    spool->is_busy = false;
    int status = outcome(spool);
    if (exchange->client_is_gone) {
        exchange_finish(exchange, GALLEY_ECLOSED);
    } else if (status != 0) {
        if (spool->sys_errno) {
            report(spool);
        }
        refuse(spool, status);
    } else {
        spool->written_bytes += spool->block.len;
        buf_clear(&spool->block);
        if (spool->has_ended) {
            buf_finish(&spool->block); /* a handler may keep the file for long */
            exchange_run(exchange);
        } else {
            exchange->driver->resume_body(exchange);
        }
    }
}

/* 0 or a status. */
static int start_job(struct body_spool *spool)
{
    const struct exchange_services *services = spool->exchange->services;
    static const struct offload_options options = {.label = "request body"};
    int rc = offload_start(&spool->offload, services->loop, services->file_pool, write_block,
                           job_is_back, &options);
    spool->is_busy = rc == 0;
    return rc == 0 ? 0 : 503;
}

int body_spool_put(struct body_spool *spool, struct span piece)
{
    CHECK(!spool->is_busy);
    buf_append(&spool->block, piece.ptr, piece.len);
    if (spool->block.failed) {
        return 503;
    }
    if (spool->block.len < (size_t)BODY_SPOOL_BLOCK) {
        return 0;
    }
    int status = start_job(spool);
    return status ? status : EXCHANGE_BODY_PAUSE;
}

void body_spool_end(struct body_spool *spool)
{
    spool->has_ended = true;
    if (spool->is_busy) {
        return; /* it writes the last block */
    }
    if (spool->fd >= 0 && spool->block.len == 0) {
        exchange_run(spool->exchange);
        return;
    }
    int status = start_job(spool);
    if (status != 0) {
        refuse(spool, status);
    }
}
