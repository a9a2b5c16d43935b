/* Bodies in an unnamed file: GALLEY_BODY_SPOOL. */
#include "support_lab.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "exchange/body_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- a disk that fails when it is told to ---------------------------------------------------- */

static atomic_int disk_errno;  /* 0: the disk works */
static atomic_int disk_skips;  /* writes that succeed before it fails */
static atomic_int disk_halves; /* writes take half of what they are given */
static atomic_int disk_writes;

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset);

/* In the place of the C library's. */
ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
    atomic_fetch_add(&disk_writes, 1);
    if (atomic_load(&disk_errno) && atomic_fetch_sub(&disk_skips, 1) <= 0) {
        errno = atomic_load(&disk_errno);
        return -1;
    }
    if (atomic_load(&disk_halves) && len > 1) {
        len /= 2;
    }
    return syscall(SYS_pwrite64, fd, data, len, offset);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    return pwrite64(fd, data, len, offset);
}

/* ---- reading it ------------------------------------------------------------------------------ */

static int read_file(galley_request *rq, galley_response *rs, void *arg)
{
    struct lab *lab = arg;
    char bite[4096];
    struct stat info;
    int fd = galley_req_body_fd(rq);
    EXPECT(fd >= 0);
    EXPECT_INT(galley_req_read(rq, bite, 1), GALLEY_ESTATE);
    EXPECT_INT(lseek(fd, 0, SEEK_CUR), 0);
    EXPECT_INT(fstat(fd, &info), 0);
    EXPECT_INT(info.st_nlink, 0); /* no name */
    EXPECT_INT(info.st_size, galley_req_body_size(rq));
    EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ssize_t n = 0;
    while ((n = read(fd, bite, sizeof bite)) > 0) {
        lab_note(lab, bite, (size_t)n);
    }
    EXPECT_INT(n, 0);
    atomic_fetch_add(&lab->entered, 1);
    return galley_res_printf(rs, 200, NULL, "%u", atomic_load(&lab->got));
}

static void open_spool(struct lab *lab, bool has_files)
{
    lab_open(lab, read_file, EXCHANGE_BODY_SPOOL, true);
    if (has_files) {
        lab->file_pool = galley_pool_new(1, NULL);
        EXPECT(lab->file_pool);
        lab->world.services.file_pool = lab->file_pool;
    }
}

static void send_part(struct lab *lab, size_t declared, size_t bytes)
{
    char head[128];
    snprintf(head, sizeof head, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
             declared);
    (void)sim_send(lab->peer, head, strlen(head));    /* fails once the server has closed, … */
    (void)sim_send(lab->peer, lab->world.big, bytes); /* … or in want of memory */
    sim_run(lab->world.loop);
}

static void send_body(struct lab *lab, size_t bytes)
{
    send_part(lab, bytes, bytes);
}

TEST(test_a_body_lies_in_a_file_of_the_same_bytes)
{
    static const size_t sizes[] = {1,
                                   100,
                                   BODY_SPOOL_BLOCK - 1,
                                   BODY_SPOOL_BLOCK,
                                   BODY_SPOOL_BLOCK + 1,
                                   2 * BODY_SPOOL_BLOCK,
                                   BIG_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int has_files = 0; has_files < 2; has_files++) {
            struct lab lab;
            open_spool(&lab, has_files);
            for (size_t k = 0; k < (size_t)BIG_BYTES; k++) {
                lab.world.big[k] = (char)(k % 251);
            }
            send_body(&lab, sizes[i]);
            EXPECT_INT(lab_answer(&lab, 1).status, 200);
            EXPECT_INT(atomic_load(&lab.got), sizes[i]);
            size_t seen = sizes[i] < sizeof lab.body ? sizes[i] : sizeof lab.body;
            EXPECT(memcmp(lab.body, lab.world.big, seen) == 0);
            lab_send(&lab, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            EXPECT_SPAN(lab_answer(&lab, 2).body, "plain");
            lab_close(&lab);
        }
    }
}

TEST(test_a_chunked_body_split_anywhere_lies_in_a_file)
{
    static const char request[] = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                  "\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n";
    for (size_t at = 0; at < strlen(request); at++) {
        struct lab lab;
        open_spool(&lab, false);
        world_send_bytes(&lab.world, lab.peer, request, at);
        world_send_bytes(&lab.world, lab.peer, request + at, strlen(request) - at);
        EXPECT_SPAN(lab_answer(&lab, 1).body, "10");
        EXPECT(memcmp(lab.body, "0123456789", 10) == 0);
        lab_close(&lab);
    }
}

TEST(test_an_empty_body_is_an_empty_file)
{
    static const char *const requests[] = {
        "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"};
    for (int i = 0; i < 3; i++) {
        struct lab lab;
        open_spool(&lab, i == 1);
        lab_send(&lab, requests[i]);
        EXPECT_SPAN(lab_answer(&lab, 1).body, "0");
        EXPECT(!sim_is_closed(lab.peer));
        lab_close(&lab);
    }
}

TEST(test_short_writes_are_gone_on_with)
{
    struct lab lab;
    atomic_store(&disk_halves, 1);
    open_spool(&lab, true);
    send_body(&lab, 300000);
    EXPECT_SPAN(lab_answer(&lab, 1).body, "300000");
    lab_close(&lab);
}

TEST(test_a_file_system_without_unnamed_files_gets_a_name_for_a_moment)
{
    struct stat info;
    char folder[] = "/tmp/spool-XXXXXX";
    EXPECT(mkdtemp(folder));
    int fd = body_spool_open_unlinked(folder);
    EXPECT(fd >= 0);
    EXPECT_INT(fstat(fd, &info), 0);
    EXPECT_INT(info.st_nlink, 0);
    EXPECT_INT(info.st_mode & 0777, 0600);
    EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    fd_close(&fd);
    EXPECT_INT(rmdir(folder), 0); /* it is empty */
    EXPECT_INT(body_spool_open_unlinked("/nonexistent"), -ENOENT);
    EXPECT_INT(body_spool_open("/nonexistent"), -ENOENT);
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

static void expect_refusal(struct lab *lab, int status, bool goes_on)
{
    struct answer answer = lab_answer(lab, 1);
    EXPECT_INT(answer.status, status);
    EXPECT_INT(answer_field(&answer, "Connection").ptr != NULL, !goes_on);
    EXPECT_INT(atomic_load(&lab->entered), 0);
    if (!goes_on) {
        lab_turn_until_closed(lab);
    }
    EXPECT(!sim_is_reset(lab->peer));
    lab_close(lab);
}

TEST(test_a_full_disk_is_507)
{
    /* RFC 4918 §11.5 */
    static const int codes[] = {ENOSPC, EDQUOT};
    for (int i = 0; i < 2; i++) {
        struct lab lab;
        atomic_store(&disk_errno, codes[i]);
        atomic_store(&disk_skips, i); /* in the first block, in the second */
        open_spool(&lab, i == 1);
        send_part(&lab, 1000000, i ? 600000 : 300000);
        expect_refusal(&lab, 507, false);
    }
}

TEST(test_a_disk_that_is_full_at_the_last_block_leaves_the_connection)
{
    struct lab lab;
    atomic_store(&disk_errno, ENOSPC);
    open_spool(&lab, false);
    send_body(&lab, 1000);
    expect_refusal(&lab, 507, true);
}

TEST(test_another_failure_of_the_disk_is_500)
{
    struct lab lab;
    open_spool(&lab, true);
    lab.world.services.spool_dir = "/nonexistent";
    send_body(&lab, 300000);
    expect_refusal(&lab, 500, false);
    atomic_store(&disk_errno, EIO);
    open_spool(&lab, true);
    send_body(&lab, 1000);
    expect_refusal(&lab, 500, true);
}

TEST(test_a_body_over_the_limit_is_413_also_while_a_block_is_written)
{
    struct lab lab;
    open_spool(&lab, false);
    lab.route.max_body_bytes = 1000;
    send_body(&lab, 1001);
    expect_refusal(&lab, 413, false);
    open_spool(&lab, true);
    lab.route.max_body_bytes = 200000;
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    lab_send(&lab, "1ffff\r\n"); /* a block, but for one byte; then one that is too long */
    world_send_bytes(&lab.world, lab.peer, lab.world.big, 0x1ffff);
    lab_send(&lab, "\r\n20000\r\nxxxxxxxx");
    expect_refusal(&lab, 413, false);
}

TEST(test_file_threads_that_have_ended_are_503)
{
    for (int i = 0; i < 2; i++) {
        struct lab lab;
        open_spool(&lab, true);
        EXPECT_INT(galley_pool_shutdown(lab.file_pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
        send_body(&lab, i ? 300000 : 1000);
        expect_refusal(&lab, 503, i == 0);
    }
}

/* ---- while a block is being written ---------------------------------------------------------- */

struct hold {
    atomic_int has_begun, may_end;
};

static void hold_thread(void *arg)
{
    struct hold *hold = arg;
    atomic_store(&hold->has_begun, 1);
    while (!atomic_load(&hold->may_end)) {
        usleep(100);
    }
}

/* The only file thread does not come to the block before hold is let go. */
static void hold_files(struct lab *lab, struct hold *hold)
{
    galley_job job = {.run = hold_thread, .arg = hold};
    *hold = (struct hold){0};
    EXPECT_INT(galley_pool_submit(lab->file_pool, &job, 1, 0), 1);
    while (!atomic_load(&hold->has_begun)) {
        usleep(100);
    }
}

TEST(test_the_client_is_paused_and_not_blamed_while_a_block_is_written)
{
    struct lab lab;
    struct hold hold;
    open_spool(&lab, true);
    hold_files(&lab, &hold);
    send_body(&lab, 1000000);
    EXPECT_INT(world_conn(&lab.world)->state, CONN_BUSY);
    EXPECT(counter_read(&lab.world.set.counters.bytes_in) < 400 * 1024);
    sim_advance(lab.world.loop, 3600000);
    atomic_store(&hold.may_end, 1);
    EXPECT_SPAN(lab_answer(&lab, 1).body, "1000000");
    lab_close(&lab);
}

TEST(test_a_client_that_leaves_while_a_block_is_written_ends_behind_it)
{
    static const size_t sizes[] = {1000, 1000000}; /* the last block, one in the middle */
    for (int i = 0; i < 2; i++) {
        struct lab lab;
        struct hold hold;
        open_spool(&lab, true);
        hold_files(&lab, &hold);
        send_body(&lab, sizes[i]);
        sim_reset(lab.peer);
        sim_run(lab.world.loop);
        EXPECT_INT(lab.world.set.count, i); /* unseen, as long as nothing more is read */
        EXPECT_INT(lab.world.exchanges.live, 1);
        atomic_store(&hold.may_end, 1);
        lab_turn_until_empty(&lab);
        EXPECT_INT(atomic_load(&lab.entered), 0);
        lab_close(&lab);
    }
}

TEST(test_the_time_of_a_route_is_up_also_while_a_block_is_written)
{
    struct lab lab;
    struct hold hold;
    open_spool(&lab, true);
    lab.route.timeout_ms = 1000;
    hold_files(&lab, &hold);
    send_part(&lab, 1000000, 200000);
    sim_advance(lab.world.loop, 1001);
    EXPECT_INT(lab_answer(&lab, 1).status, 503);
    EXPECT_INT(lab.world.exchanges.live, 1);
    atomic_store(&hold.may_end, 1);
    lab_turn_until_empty(&lab);
    EXPECT_INT(atomic_load(&lab.entered), 0);
    lab_close(&lab);
}

TEST(test_a_client_that_leaves_between_blocks_leaves_nothing)
{
    struct lab lab;
    open_spool(&lab, false);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    world_send_bytes(&lab.world, lab.peer, lab.world.big, 300000);
    sim_reset(lab.peer);
    sim_run(lab.world.loop);
    EXPECT_INT(lab.world.exchanges.live, 0);
    lab_close(&lab);
}

TEST(test_every_allocation_of_a_spooled_body_may_fail)
{
    bool has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        struct lab lab;
        open_spool(&lab, false);
        mem_fail_nth(n);
        send_body(&lab, 200000);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(has_failed || first_status(lab.peer) == 200);
        lab_close(&lab);
    }
}
