/* tests/unit/loop/test_warm_file.c — files that are not in memory: read by a job before they are
 * sent, while the loop serves others. In the simulated world files say what the test scripts; the
 * jobs run on a real pool of one worker, which a gate holds up: a disk that does not answer. */
#include "loop/warm_file.h"

#include "support_rig.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "loop/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { KB = 1024, MB = 1024 * 1024, MANY = 3 * WARM_JOBS };

/* ---- the disk -------------------------------------------------------------------------------- */

struct disk {
    struct rig rig;
    galley_pool *pool;
    sem_t reached, opened;
};

static void wait_at_gate(void *arg)
{
    struct disk *disk = arg;
    sem_post(&disk->reached);
    while (sem_wait(&disk->opened) != 0) {
        /* EINTR */
    }
}

/* From now on no job of the pool begins. */
static void disk_hold(struct disk *disk)
{
    const galley_job gate = {.run = wait_at_gate, .arg = disk};
    EXPECT_INT(galley_pool_submit(disk->pool, &gate, 1, 0), 1);
    while (sem_wait(&disk->reached) != 0) {
        /* EINTR */
    }
}

static void disk_release(struct disk *disk)
{
    sem_post(&disk->opened);
}

static void disk_open_over(struct disk *disk, enum loop_backend_kind backend, size_t queue)
{
    rig_open(&disk->rig, backend);
    sem_init(&disk->reached, 0, 0);
    sem_init(&disk->opened, 0, 0);
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = 1;
    options.queue_capacity = queue;
    disk->pool = galley_pool_open(&options, NULL);
    EXPECT(disk->pool != NULL);
    EXPECT_INT(warm_files_start(disk->rig.loop, disk->pool), 0);
}

static void disk_open(struct disk *disk)
{
    disk_open_over(disk, LOOP_BACKEND_SIM, 0);
    sim_set_probe(disk->rig.loop, -EAGAIN);
}

static void disk_close(struct disk *disk)
{
    galley_pool_free(disk->pool);
    rig_close(&disk->rig);
    sem_destroy(&disk->reached);
    sem_destroy(&disk->opened);
}

/* Turn beside the workers until the condition holds. */
#define BESIDE_UNTIL(disk, condition)                                                              \
    do {                                                                                           \
        for (unsigned turns_ = 0; !(condition); turns_++) {                                        \
            EXPECT(turns_ < 3000 && #condition);                                                   \
            if (!(disk)->rig.is_sim) {                                                             \
                loop_turn((disk)->rig.loop, 10);                                                   \
            } else if (!sim_turn((disk)->rig.loop)) {                                              \
                sim_sleep((disk)->rig.loop, 10);                                                   \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* ---- a download ------------------------------------------------------------------------------ */

struct download {
    struct stream stream;
    int fd;
    size_t sent, size;
    ssize_t error; /* 0: the last send sent something */
    bool has_ended;
};

static char byte_at(size_t offset)
{
    return (char)(offset ^ offset >> 8 ^ offset >> 16);
}

static void write_pattern(int fd, size_t size)
{
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = byte_at(i);
    }
    EXPECT_INT(pwrite(fd, bytes, size, 0), size);
    free(bytes);
}

static int make_file(size_t size)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    EXPECT(fd >= 0);
    write_pattern(fd, size);
    return fd;
}

static void go_on(struct loop_op *op);

static void start(struct download *download)
{
    struct stream *stream = &download->stream;
    const struct loop_file rest = {download->fd, (off_t)download->sent,
                                   download->size - download->sent};
    loop_send_file(stream->loop, &stream->socket, &stream->writing, &rest, go_on);
}

static void go_on(struct loop_op *op)
{
    struct stream *stream = CONTAINER_OF(op, struct stream, writing);
    struct download *download = CONTAINER_OF(stream, struct download, stream);
    EXPECT(!op->is_cold);
    if (op->result <= 0) {
        download->error = op->result;
        download->has_ended = true;
        return;
    }
    download->sent += (size_t)op->result;
    download->has_ended = download->sent == download->size;
    if (!download->has_ended) {
        start(download);
    }
}

static void download_open(struct disk *disk, struct download *download, int fd, size_t size)
{
    *download = (struct download){.fd = fd, .size = size};
    stream_open(&disk->rig, &download->stream);
    start(download);
}

static void expect_pattern(struct download *download, size_t size)
{
    struct span got = client_received(&download->stream.client);
    EXPECT_INT(got.len, size);
    for (size_t i = 0; i < size; i++) {
        if (got.ptr[i] != byte_at(i)) {
            EXPECT_INT(i, -1);
        }
    }
}

/* ---- in memory ------------------------------------------------------------------------------- */

TEST(test_what_is_in_memory_is_sent_by_the_loop_and_asked_about_four_times_a_megabyte)
{
    struct disk disk;
    struct download download;
    disk_open(&disk);
    sim_set_probe(disk.rig.loop, 0);
    disk_hold(&disk);
    int fd = make_file(4 * MB);
    download_open(&disk, &download, fd, 4 * MB); /* the simulated socket takes 64 KiB at once */
    sim_run(disk.rig.loop);
    EXPECT(download.has_ended);
    expect_pattern(&download, 4 * MB);
    EXPECT(sim_probes(disk.rig.loop) > 0 && sim_probes(disk.rig.loop) <= 4 * 4);
    EXPECT_INT(warm_files_read_count(disk.rig.loop), 0);
    disk_release(&disk);
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(fd);
}

TEST(test_what_was_found_in_memory_is_asked_again_after_a_while)
{
    struct disk disk;
    struct download download;
    disk_open(&disk);
    sim_set_probe(disk.rig.loop, 0);
    int fd = make_file(MB);
    disk_hold(&disk);
    download_open(&disk, &download, fd, MB);
    sim_set_window(download.stream.client.peer, 10 * KB);
    sim_run(disk.rig.loop);
    EXPECT_INT(download.sent, 10 * KB);
    sim_set_probe(disk.rig.loop, -EAGAIN); /* dropped meanwhile */
    sim_advance(disk.rig.loop, 1000);
    sim_set_window(download.stream.client.peer, 10 * KB);
    sim_run(disk.rig.loop);
    EXPECT_INT(download.sent, 10 * KB);
    EXPECT(download.stream.writing.is_cold);
    disk_release(&disk);
    BESIDE_UNTIL(&disk, download.sent == 20 * KB);
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(fd);
}

/* ---- not in memory --------------------------------------------------------------------------- */

TEST(test_a_cold_file_is_sent_whole_and_others_go_on_while_the_disk_does_not_answer)
{
    struct disk disk;
    struct download download;
    struct stream other;
    disk_open(&disk);
    disk_hold(&disk);
    int fd = make_file(3 * MB + 17);
    download_open(&disk, &download, fd, 3 * MB + 17);
    stream_open(&disk.rig, &other);
    sim_run(disk.rig.loop);
    for (unsigned i = 1; i <= 100; i++) {
        stream_recv(&other);
        client_send_text(&other.client, "?");
        sim_run(disk.rig.loop);
        stream_send(&other, "!", 1);
        sim_run(disk.rig.loop);
        EXPECT_INT(other.recvs, i);
        EXPECT_INT(other.sends, i);
    }
    EXPECT_INT(client_received(&download.stream.client).len, 0);
    disk_release(&disk);
    BESIDE_UNTIL(&disk, download.has_ended);
    expect_pattern(&download, 3 * MB + 17);
    EXPECT_INT(warm_files_read_count(disk.rig.loop), 7);
    stream_close(&disk.rig, &other);
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(fd);
}

TEST(test_the_time_of_the_disk_is_known)
{
    struct disk disk;
    struct download download;
    disk_open(&disk);
    disk_hold(&disk);
    int fd = make_file(10 * KB);
    download_open(&disk, &download, fd, 10 * KB);
    struct loop_op *op = &download.stream.writing;
    sim_run(disk.rig.loop);
    sim_advance(disk.rig.loop, 4321);
    EXPECT_INT(loop_disk_ms(disk.rig.loop, op), 4321);
    disk_release(&disk);
    BESIDE_UNTIL(&disk, download.has_ended);
    EXPECT_INT(op->disk_ms, 4321);
    sim_advance(disk.rig.loop, 1000);
    EXPECT_INT(loop_disk_ms(disk.rig.loop, op), 4321);
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(fd);
}

TEST(test_a_client_that_goes_while_its_file_is_read_is_let_go_at_once)
{
    struct disk disk;
    struct download download;
    disk_open(&disk);
    disk_hold(&disk);
    int fd = make_file(10 * KB);
    download_open(&disk, &download, fd, 10 * KB);
    sim_run(disk.rig.loop);
    stream_close(&disk.rig, &download.stream);
    EXPECT_INT(download.stream.closes, 1);
    EXPECT_INT(download.error, -ECANCELED);
    close(fd); /* the job has its own */
    disk_release(&disk);
    BESIDE_UNTIL(&disk, warm_files_read_count(disk.rig.loop) == 1);
    disk_close(&disk);
}

TEST(test_more_downloads_than_jobs_stand_in_line_and_any_of_them_may_go)
{
    static struct download downloads[MANY];
    struct disk disk;
    disk_open(&disk);
    disk_hold(&disk);
    int fd = make_file(10 * KB);
    for (unsigned i = 0; i < MANY; i++) {
        download_open(&disk, &downloads[i], fd, 10 * KB);
    }
    sim_run(disk.rig.loop);
    EXPECT_INT(sim_errands(disk.rig.loop), WARM_JOBS);
    for (unsigned i = 0; i < MANY; i += 2) {
        loop_cancel(disk.rig.loop, &downloads[i].stream.writing);
    }
    sim_run(disk.rig.loop);
    disk_release(&disk);
    for (unsigned i = 0; i < MANY; i++) {
        BESIDE_UNTIL(&disk, downloads[i].has_ended);
        EXPECT_INT(downloads[i].error, i % 2 ? 0 : -ECANCELED);
        stream_close(&disk.rig, &downloads[i].stream);
    }
    disk_close(&disk);
    close(fd);
}

TEST(test_a_file_that_becomes_shorter_while_it_is_read_ends_early)
{
    struct disk disk;
    struct download download;
    disk_open(&disk);
    disk_hold(&disk);
    int fd = make_file(2 * MB);
    download_open(&disk, &download, fd, 2 * MB);
    sim_run(disk.rig.loop);
    EXPECT_INT(ftruncate(fd, 700 * KB), 0);
    disk_release(&disk);
    BESIDE_UNTIL(&disk, download.has_ended);
    EXPECT_INT(download.error, 0);
    expect_pattern(&download, 700 * KB);
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(fd);
}

TEST(test_what_reading_fails_with_is_the_result)
{
    struct disk disk;
    struct download download;
    disk_open(&disk);
    char path[] = "/tmp/galley-test-XXXXXX";
    int fd = mkstemp(path);
    int write_only = open(path, O_WRONLY | O_CLOEXEC);
    unlink(path);
    write_pattern(fd, 10 * KB);
    download_open(&disk, &download, write_only, 10 * KB);
    BESIDE_UNTIL(&disk, download.has_ended);
    EXPECT_INT(download.error, -EBADF);
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(write_only);
    close(fd);
}

/* ---- no room for a job ----------------------------------------------------------------------- */

static void do_nothing(void *arg)
{
    (void)arg;
}

TEST(test_when_the_pool_is_full_the_download_waits_and_goes_on)
{
    struct disk disk;
    struct download download;
    disk_open_over(&disk, LOOP_BACKEND_SIM, 2);
    sim_set_probe(disk.rig.loop, -EAGAIN);
    disk_hold(&disk);
    const galley_job job = {.run = do_nothing};
    while (galley_pool_submit(disk.pool, &job, 1, 0) == 1) {
        /* until it is full */
    }
    int fd = make_file(10 * KB);
    download_open(&disk, &download, fd, 10 * KB);
    sim_advance(disk.rig.loop, 100);
    EXPECT_INT(sim_errands(disk.rig.loop), 0);
    disk_release(&disk);
    while (!download.has_ended) {
        sim_advance(disk.rig.loop, 20);
        sim_sleep(disk.rig.loop, 1);
    }
    expect_pattern(&download, 10 * KB);
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(fd);
}

TEST(test_a_download_that_waits_for_room_may_go)
{
    struct disk disk;
    struct download download;
    disk_open_over(&disk, LOOP_BACKEND_SIM, 2);
    sim_set_probe(disk.rig.loop, -EAGAIN);
    disk_hold(&disk);
    const galley_job job = {.run = do_nothing};
    while (galley_pool_submit(disk.pool, &job, 1, 0) == 1) {
        /* until it is full */
    }
    int fd = make_file(10 * KB);
    download_open(&disk, &download, fd, 10 * KB);
    sim_run(disk.rig.loop);
    stream_close(&disk.rig, &download.stream);
    EXPECT_INT(download.error, -ECANCELED);
    disk_release(&disk);
    disk_close(&disk); /* no timer is left */
    close(fd);
}

TEST(test_without_a_pool_any_more_the_loop_reads_itself)
{
    struct disk disk;
    struct download waits, comes_later;
    disk_open(&disk);
    disk_hold(&disk);
    int fd = make_file(10 * KB);
    download_open(&disk, &waits, fd, 10 * KB);
    sim_run(disk.rig.loop);
    EXPECT(galley_pool_shutdown(disk.pool, GALLEY_DISCARD, 0, NULL) < 0); /* drops the job */
    download_open(&disk, &comes_later, fd, 10 * KB);
    sim_run(disk.rig.loop);
    EXPECT(waits.has_ended && comes_later.has_ended);
    expect_pattern(&waits, 10 * KB);
    expect_pattern(&comes_later, 10 * KB);
    disk_release(&disk);
    stream_close(&disk.rig, &waits.stream);
    stream_close(&disk.rig, &comes_later.stream);
    disk_close(&disk);
    close(fd);
}

/* A job that cannot be made is made later: the n-th allocation fails. */
TEST(test_without_memory_the_download_waits_and_goes_on)
{
    bool has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        struct disk disk;
        struct download download;
        disk_open(&disk);
        int fd = make_file(10 * KB);
        download_open(&disk, &download, fd, 10 * KB);
        mem_fail_nth(n);
        sim_turn(disk.rig.loop); /* what fails here is the job, or the world's own buffer */
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        while (!download.has_ended) {
            sim_advance(disk.rig.loop, 20);
            sim_sleep(disk.rig.loop, 1);
        }
        EXPECT(download.error == 0 || download.error == -ENOBUFS);
        EXPECT(n > 1 || download.error == 0);
        stream_close(&disk.rig, &download.stream);
        disk_close(&disk);
        close(fd);
    }
}

TEST(test_without_memory_there_is_nothing_to_start)
{
    struct rig rig;
    rig_open(&rig, LOOP_BACKEND_SIM);
    mem_fail_nth(1);
    EXPECT_INT(warm_files_start(rig.loop, NULL), GALLEY_ENOMEM);
    mem_fail_nth(0);
    EXPECT_INT(warm_files_start(rig.loop, NULL), 0);
    rig_close(&rig);
}

TEST(test_without_a_descriptor_the_download_waits_and_goes_on)
{
    struct disk disk;
    struct download download;
    disk_open(&disk);
    int fd = make_file(10 * KB);
    struct rlimit before, none;
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    download_open(&disk, &download, fd, 10 * KB);
    sim_advance(disk.rig.loop, 100);
    EXPECT(download.stream.writing.is_cold);
    EXPECT_INT(sim_errands(disk.rig.loop), 0);
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    sim_advance(disk.rig.loop, 20);
    BESIDE_UNTIL(&disk, download.has_ended);
    expect_pattern(&download, 10 * KB);
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(fd);
}

/* ---- file systems ---------------------------------------------------------------------------- */

TEST(test_a_file_system_that_cannot_tell_is_read_window_by_window)
{
    struct disk disk;
    struct download download;
    disk_open(&disk);
    sim_set_probe(disk.rig.loop, -EOPNOTSUPP);
    char path[] = "/var/tmp/galley-test-XXXXXX"; /* not the memory's */
    int fd = mkstemp(path);
    unlink(path);
    write_pattern(fd, MB);
    download_open(&disk, &download, fd, MB);
    BESIDE_UNTIL(&disk, download.has_ended);
    expect_pattern(&download, MB);
    EXPECT_INT(warm_files_read_count(disk.rig.loop), 2);
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(fd);
}

/* tmpfs cannot be asked by preadv2(2) either, and needs not be: one job finds out what it is. */
EACH(test_files_of_a_file_system_in_memory_are_read_once)
{
    struct disk disk;
    struct download download;
    disk_open_over(&disk, backend, 0);
    if (disk.rig.is_sim) {
        sim_set_probe(disk.rig.loop, -EOPNOTSUPP);
    }
    int fd = make_file(3 * MB);
    download_open(&disk, &download, fd, 3 * MB);
    BESIDE_UNTIL(&disk, (client_received(&download.stream.client), download.has_ended));
    BESIDE_UNTIL(&disk, client_received(&download.stream.client).len == 3 * MB);
    expect_pattern(&download, 3 * MB);
    EXPECT(warm_files_read_count(disk.rig.loop) <= 1); /* 0: a kernel that can be asked */
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(fd);
}

/* A real disk: what was dropped from memory comes, whatever the kernel says about it. */
REAL(test_a_file_dropped_from_memory_is_sent_whole)
{
    struct disk disk;
    struct download download;
    disk_open_over(&disk, backend, 0);
    char path[] = "/var/tmp/galley-test-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    write_pattern(fd, 3 * MB);
    EXPECT_INT(fdatasync(fd), 0);
    EXPECT_INT(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    download_open(&disk, &download, fd, 3 * MB);
    BESIDE_UNTIL(&disk, (client_received(&download.stream.client), download.has_ended));
    BESIDE_UNTIL(&disk, client_received(&download.stream.client).len == 3 * MB);
    expect_pattern(&download, 3 * MB);
    stream_close(&disk.rig, &download.stream);
    disk_close(&disk);
    close(fd);
}

/* ---- awaited, to be read by who asked --------------------------------------------------------- */

struct awaited {
    struct loop_op op;
    ssize_t result;
    unsigned calls;
};

static void note_awaited(struct loop_op *op)
{
    struct awaited *awaited = CONTAINER_OF(op, struct awaited, op);
    awaited->result = op->result;
    awaited->calls++;
}

TEST(test_an_awaited_file_is_read_by_a_job_and_sends_nothing)
{
    struct disk disk;
    struct stream stream;
    struct awaited awaited = {.calls = 0};
    disk_open(&disk);
    stream_open(&disk.rig, &stream);
    int fd = make_file(MB);
    const struct loop_file part = {fd, 0, 64 * KB};
    disk_hold(&disk);
    loop_await_file(disk.rig.loop, &stream.socket, &awaited.op, &part, note_awaited);
    sim_run(disk.rig.loop);
    EXPECT(awaited.calls == 0 && awaited.op.is_cold);
    disk_release(&disk);
    BESIDE_UNTIL(&disk, awaited.calls > 0);
    EXPECT_INT(awaited.result, 64 * KB);
    EXPECT_INT(warm_files_read_count(disk.rig.loop), 1);
    sim_set_probe(disk.rig.loop, 0);
    loop_await_file(disk.rig.loop, &stream.socket, &awaited.op, &part, note_awaited);
    EXPECT_INT(awaited.calls, 1); /* never inside the start */
    sim_run(disk.rig.loop);
    EXPECT_INT(awaited.calls, 2);
    EXPECT_INT(awaited.result, 64 * KB);
    EXPECT_INT(client_received(&stream.client).len, 0);
    loop_await_file(disk.rig.loop, &stream.socket, &awaited.op, &part, note_awaited);
    stream_close(&disk.rig, &stream);
    EXPECT(awaited.calls == 3 && awaited.result == -ECANCELED);
    disk_close(&disk);
    close(fd);
}
