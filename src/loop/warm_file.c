/* loop/warm_file.c — which parts of files are in memory, and the line of those that are not; see
 * warm_file.h. On the loop's thread, but read_window().
 *
 * A window counts as being in memory when its first and its last byte are: the kernel reads and
 * drops pages in runs, so a gap between the two is rare and costs one wait. What was found so is
 * believed for a moment, so that a stream of short sends asks once a window; for the first byte of
 * the window behind it speaks its neighbour. What a job has just
 * read is sent without asking again: that is how a file moves on whose file system cannot tell, or
 * of which more is dropped than kept. */
#include "loop/warm_file.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/fd.h"
#include "loop/backend.h"
#include "loop/file_probe.h"
#include "loop/offload.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

enum {
    SCRATCH_BYTES = 64 * 1024, /* what a job reads at once, to throw it away */
    KNOWN_COUNT = 64,
    KNOWN_MS = 100,         /* how long it is believed that a window is in memory */
    RETRY_MS = 20,          /* no memory, no descriptor or no room in the pool's queue */
    FILE_SYSTEM_COUNT = 8,  /* that cannot be asked */
    FILE_SYSTEM_MS = 60000, /* their numbers may be given to others */
};

/* Found in memory, for one stream. A stale row of the same addresses and numbers costs at worst
 * that the loop waits for one window. */
struct known {
    const struct loop_socket *socket;
    int fd;
    int64_t until_ms;
    off_t begin, end;
};

/* A file system that cannot be asked: tmpfs among them, which never needs to be. */
struct file_system {
    uint64_t device;
    int64_t until_ms; /* believed up to here */
    bool is_memory;
};

struct warm_job {
    struct offload offload;
    struct warm_files *files;
    struct loop_op *op; /* the loop's; NULL: nobody waits for it any more */
    struct loop_file window;
    int error; /* 0 or -errno of the read */
    bool asks_kind;
    struct file_system kind; /* if it asks */
    char scratch[SCRATCH_BYTES];
};

struct warm_files {
    struct loop *loop;
    galley_pool *pool;
    struct list waiting; /* ops without a job */
    struct list reading; /* ops with one */
    struct warm_job *jobs[WARM_JOBS];
    unsigned job_count;
    uint64_t read_count;
    struct timer retry;
    struct known known[KNOWN_COUNT];
    struct file_system file_systems[FILE_SYSTEM_COUNT];
    unsigned next_file_system;
};

static void start_jobs(struct warm_files *files);

/* ---- asking ---------------------------------------------------------------------------------- */

enum presence { IN_MEMORY, ON_DISK, CANNOT_TELL };

static enum presence meaning_of(ssize_t result)
{
    switch (result) {
    case 0:
        return IN_MEMORY;
    case -EOPNOTSUPP: /* the file system */
    case -EINVAL:     /* Linux before 4.14 */
    case -ENOSYS:     /* before 4.6, or a filter */
    case -EPERM:
        return CANNOT_TELL;
    default:
        return ON_DISK; /* an error that is the file's own is met by the job */
    }
}

static enum presence look(struct loop *loop, int fd, off_t offset)
{
    return meaning_of(loop->backend->probe_file ? loop->backend->probe_file(loop, fd, offset)
                                                : file_probe_byte(fd, offset));
}

static bool is_memory_device(struct warm_files *files, uint64_t device)
{
    for (unsigned i = 0; i < FILE_SYSTEM_COUNT; i++) {
        const struct file_system *at = &files->file_systems[i];
        if (at->device == device && at->until_ms > files->loop->now_ms) {
            return at->is_memory;
        }
    }
    return false;
}

/* Asked only of what is there: a network file system answers from what it knows. */
static bool is_in_memory_device(struct warm_files *files, int fd)
{
    uint64_t device;
    return file_probe_device(fd, &device) == 0 && is_memory_device(files, device);
}

static enum presence look_at_ends(struct warm_files *files, const struct loop_file *part,
                                  bool begin_is_known)
{
    enum presence first = begin_is_known ? IN_MEMORY : look(files->loop, part->fd, part->offset);
    if (first == IN_MEMORY && part->len > 1) {
        first = look(files->loop, part->fd, part->offset + (off_t)part->len - 1);
    }
    if (first == CANNOT_TELL && is_in_memory_device(files, part->fd)) {
        return IN_MEMORY;
    }
    return first;
}

static struct known *known_of(struct warm_files *files, const struct loop_socket *socket)
{
    return &files->known[((uintptr_t)socket / sizeof(*socket)) % KNOWN_COUNT];
}

/* How many bytes from the part's begin are known to be in memory; -1: it does not even follow upon
 * what is known. */
static ssize_t known_bytes(const struct known *known, const struct loop_op *op, int64_t now_ms)
{
    const struct loop_file *file = &op->file;
    bool is_ours = known->socket == op->socket && known->fd == file->fd && known->until_ms > now_ms;
    bool is_near = file->offset >= known->begin && file->offset <= known->end;
    return is_ours && is_near ? (ssize_t)(known->end - file->offset) : -1;
}

static void remember(struct warm_files *files, const struct loop_op *op, size_t len)
{
    *known_of(files, op->socket) = (struct known){
        .socket = op->socket,
        .fd = op->file.fd,
        .until_ms = files->loop->now_ms + KNOWN_MS,
        .begin = op->file.offset,
        .end = op->file.offset + (off_t)len,
    };
}

/* ---- reading --------------------------------------------------------------------------------- */

static size_t less_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void find_kind(struct warm_job *job)
{
    struct statfs about;
    job->asks_kind = file_probe_device(job->window.fd, &job->kind.device) == 0 &&
                     fstatfs(job->window.fd, &about) == 0;
    job->kind.is_memory =
        job->asks_kind && (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}

/* On a worker. To be told first that all of it is wanted lets the kernel read it in one go. A short
 * read is a file that has become shorter: the send will find out. */
static void read_window(struct offload *offload)
{
    struct warm_job *job = CONTAINER_OF(offload, struct warm_job, offload);
    const struct loop_file *window = &job->window;
    (void)posix_fadvise(window->fd, window->offset, (off_t)window->len, POSIX_FADV_WILLNEED);
    size_t done = 0;
    while (done < window->len) {
        size_t wanted = less_of(window->len - done, SCRATCH_BYTES);
        ssize_t got = fd_read_at(window->fd, job->scratch, wanted, window->offset + (off_t)done);
        if (got < 0) {
            job->error = (int)got;
        }
        if (got <= 0) {
            break;
        }
        done += (size_t)got;
    }
    if (job->asks_kind) {
        find_kind(job);
    }
    fd_close(&job->window.fd); /* here: closing may wait too */
}

/* The op is tried next, without another look. */
static void let_go(struct warm_files *files, struct loop_op *op)
{
    op->is_cold = false;
    op->is_warm = true;
    op->disk_ms += (uint32_t)files->loop->now_ms;
    list_remove(&op->link);
    list_push_back(&files->loop->started, &op->link);
}

static void remove_job(struct warm_files *files, const struct warm_job *job)
{
    for (unsigned i = 0; i < files->job_count; i++) {
        if (files->jobs[i] == job) {
            files->jobs[i] = files->jobs[--files->job_count];
            return;
        }
    }
}

static void learn_kind(struct warm_files *files, const struct warm_job *job)
{
    if (job->asks_kind && !is_memory_device(files, job->kind.device)) {
        struct file_system *row = &files->file_systems[files->next_file_system];
        files->next_file_system = (files->next_file_system + 1) % FILE_SYSTEM_COUNT;
        *row = job->kind;
        row->until_ms = files->loop->now_ms + FILE_SYSTEM_MS;
    }
}

static void end_op(struct warm_files *files, struct warm_job *job)
{
    if (job->error < 0) {
        operation_decide(files->loop, job->op, job->error);
        return;
    }
    remember(files, job->op, job->window.len);
    let_go(files, job->op);
}

/* A job that was dropped has read nothing: the pool is going, and the loop has to wait itself. */
static void window_read(struct offload *offload)
{
    struct warm_job *job = CONTAINER_OF(offload, struct warm_job, offload);
    struct warm_files *files = job->files;
    remove_job(files, job);
    if (offload->dropped) {
        fd_close(&job->window.fd);
    } else {
        files->read_count++;
        learn_kind(files, job);
    }
    if (job->op) {
        end_op(files, job);
    }
    mem_free(job);
    start_jobs(files);
}

static void fill_job(struct warm_job *job, struct warm_files *files, struct loop_op *op)
{
    job->offload = (struct offload){0};
    job->files = files;
    job->op = op;
    job->window = op->file;
    job->window.len = less_of(op->file.len, WARM_WINDOW_BYTES);
    job->error = 0;
    job->asks_kind = op->asks_kind;
    job->kind = (struct file_system){0};
}

/* 0 or GALLEY_E…: then nothing has happened. */
static int start_job(struct warm_files *files, struct loop_op *op)
{
    struct warm_job *job = mem_alloc(sizeof *job);
    if (!job) {
        return GALLEY_ENOMEM;
    }
    fill_job(job, files, op);
    job->window.fd = fcntl(op->file.fd, F_DUPFD_CLOEXEC, 0);
    static const struct offload_options options = {.label = "read a file ahead"};
    int rc = job->window.fd < 0 ? GALLEY_EFULL
                                : offload_start(&job->offload, files->loop, files->pool,
                                                read_window, window_read, &options);
    if (rc < 0) {
        fd_close(&job->window.fd);
        mem_free(job);
        return rc;
    }
    files->jobs[files->job_count++] = job;
    return 0;
}

static void retry(struct timer *timer)
{
    start_jobs(CONTAINER_OF(timer, struct warm_files, retry));
}

static void start_jobs(struct warm_files *files)
{
    while (files->job_count < WARM_JOBS && !list_is_empty(&files->waiting)) {
        struct loop_op *op = CONTAINER_OF(files->waiting.next, struct loop_op, link);
        int rc = start_job(files, op);
        if (rc == GALLEY_ECLOSED) {
            let_go(files, op); /* no pool any more: see window_read() */
        } else if (rc < 0) {
            loop_timer_start(files->loop, &files->retry, files->loop->now_ms + RETRY_MS, retry);
            return;
        } else {
            list_remove(&op->link);
            list_push_back(&files->reading, &op->link);
        }
    }
}

/* Reading is asking: what comes was in memory. */
ssize_t loop_read_warm(struct loop *loop, int fd, char *data, size_t len, off_t offset)
{
    if (!loop->warm_files) {
        return fd_read_at(fd, data, len, offset);
    }
    ssize_t got = loop->backend->probe_file ? loop->backend->probe_file(loop, fd, offset)
                                            : file_probe_read(fd, data, len, offset);
    if (got < 0) {
        return meaning_of(got) == CANNOT_TELL ? -EOPNOTSUPP : -EAGAIN;
    }
    if (!loop->backend->probe_file) {
        return got;
    }
    bool is_part = got > 0 && (size_t)got < len; /* a test's */
    return fd_read_at(fd, data, is_part ? (size_t)got : len, offset);
}

/* ---- the loop's side ------------------------------------------------------------------------- */

static void stand_in_line(struct warm_files *files, struct loop_op *op, bool asks_kind)
{
    op->is_cold = true;
    op->asks_kind = asks_kind;
    op->disk_ms -= (uint32_t)files->loop->now_ms;
    list_remove(&op->link);
    list_push_back(&files->waiting, &op->link);
    start_jobs(files);
}

bool warm_file_may_send(struct loop *loop, struct loop_op *op, struct loop_file *part)
{
    struct warm_files *files = loop->warm_files;
    if (!files || op->is_warm) {
        op->is_warm = false;
        return true;
    }
    part->len = less_of(part->len, WARM_WINDOW_BYTES);
    ssize_t follows = known_bytes(known_of(files, op->socket), op, loop->now_ms);
    size_t known = follows > 0 ? (size_t)follows : 0;
    if (known >= part->len || known >= WARM_WINDOW_BYTES / 2) {
        part->len = less_of(part->len, known);
        return true;
    }
    enum presence found = look_at_ends(files, part, follows >= 0);
    if (found == IN_MEMORY) {
        remember(files, op, part->len);
        return true;
    }
    if (known > 0) {
        part->len = known; /* what has been read is used up first */
        return true;
    }
    stand_in_line(files, op, found == CANNOT_TELL);
    return false;
}

void warm_file_forget(struct loop *loop, struct loop_op *op)
{
    struct warm_files *files = loop->warm_files;
    op->is_cold = false;
    op->disk_ms += (uint32_t)loop->now_ms;
    for (unsigned i = 0; i < files->job_count; i++) {
        if (files->jobs[i]->op == op) {
            files->jobs[i]->op = NULL;
        }
    }
    if (list_is_empty(&files->waiting)) {
        loop_timer_stop(loop, &files->retry);
    }
}

uint32_t loop_disk_ms(const struct loop *loop, const struct loop_op *op)
{
    return op->is_cold ? op->disk_ms + (uint32_t)loop->now_ms : op->disk_ms;
}

uint64_t warm_files_bytes(void)
{
    return sizeof(struct warm_files) + WARM_JOBS * sizeof(struct warm_job);
}

int warm_files_start(struct loop *loop, galley_pool *pool)
{
    CHECK(!loop->warm_files);
    struct warm_files *files = mem_alloc_zero(1, sizeof *files);
    if (!files) {
        return GALLEY_ENOMEM;
    }
    files->loop = loop;
    files->pool = pool;
    list_init(&files->waiting);
    list_init(&files->reading);
    loop->warm_files = files;
    return GALLEY_OK;
}

uint64_t warm_files_read_count(const struct loop *loop)
{
    return loop->warm_files ? loop->warm_files->read_count : 0;
}

void warm_files_finish(struct loop *loop)
{
    DEBUG_CHECK(!loop->warm_files || loop->warm_files->job_count == 0);
    mem_free(loop->warm_files);
    loop->warm_files = NULL;
}
