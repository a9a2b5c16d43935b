/* tests/unit/conn/test_cold_file.c — a connection whose file is on a disk that does not answer: the
 * client is not to blame, may go at any time, and is judged again as soon as the bytes are there.
 * Virtual time; the jobs run on a pool of one worker that the test holds. */
#include "support_conn.h"

#include "loop/warm_file.h"
#include "test.h"

#include <errno.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILE_BYTES = 100 * 1024, DISK_MS = 600000 };

struct cold {
    struct conn_world world;
    galley_pool *pool;
    sem_t reached, opened;
    int fd;
    unsigned released;
    struct sim_peer *peer;
    struct conn *conn;
};

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
        /* EINTR */
    }
}

static void hold(void *arg)
{
    struct cold *cold = arg;
    sem_post(&cold->reached);
    wait_for(&cold->opened);
}

static void release_file(void *arg)
{
    ((struct cold *)arg)->released++;
}

/* A connection that sends a file from a disk that does not answer, or (probe 0) from memory. */
static void cold_open_with(struct cold *cold, int probe, size_t window)
{
    *cold = (struct cold){.pool = galley_pool_new(1, NULL)};
    conn_world_open(&cold->world);
    sem_init(&cold->reached, 0, 0);
    sem_init(&cold->opened, 0, 0);
    EXPECT_INT(warm_files_start(cold->world.loop, cold->pool), 0);
    sim_set_probe(cold->world.loop, probe);
    const galley_job gate = {.run = hold, .arg = cold};
    EXPECT_INT(galley_pool_submit(cold->pool, &gate, 1, 0), 1);
    wait_for(&cold->reached);
    cold->fd = memfd_create("file", MFD_CLOEXEC);
    EXPECT_INT(ftruncate(cold->fd, FILE_BYTES), 0);
    cold->conn = conn_world_connect(&cold->world, &cold->peer);
    sim_set_window(cold->peer, window);
    EXPECT_INT(chain_add_file(&cold->conn->out, cold->fd, 0, FILE_BYTES, release_file, cold), 0);
    conn_enter(cold->conn, CONN_SENDING);
    conn_flush(cold->conn);
    sim_run(cold->world.loop);
}

static void cold_open(struct cold *cold)
{
    cold_open_with(cold, -EAGAIN, SIZE_MAX);
}

/* The disk answers; until the job has come back. */
static void disk_answers(struct cold *cold)
{
    sem_post(&cold->opened);
    while (warm_files_read_count(cold->world.loop) == 0) {
        if (!sim_turn(cold->world.loop)) {
            sim_sleep(cold->world.loop, 10);
        }
    }
    sim_run(cold->world.loop);
}

static void cold_close(struct cold *cold)
{
    sim_peer_free(cold->peer);
    galley_pool_free(cold->pool);
    conn_world_close(&cold->world);
    EXPECT_INT(cold->released, 1);
    close(cold->fd);
    sem_destroy(&cold->reached);
    sem_destroy(&cold->opened);
}

TEST(test_a_disk_that_takes_minutes_is_not_held_against_the_client)
{
    struct cold cold;
    cold_open(&cold);
    sim_advance(cold.world.loop, DISK_MS);
    EXPECT_INT(cold.world.told.deadlines, 0);
    EXPECT_INT(cold.world.told.closed, 0);
    disk_answers(&cold);
    EXPECT_INT(sim_received(cold.peer).len, FILE_BYTES);
    EXPECT_INT(cold.world.told.sent, 1);
    cold_close(&cold);
}

TEST(test_a_client_that_takes_nothing_after_the_disk_is_cut_after_its_own_time)
{
    struct cold cold;
    cold_open(&cold);
    sim_set_window(cold.peer, 0);
    sim_advance(cold.world.loop, 3000 + DISK_MS); /* 0 ms of these are the client's */
    disk_answers(&cold);
    EXPECT_INT(sim_received(cold.peer).len, 0);
    sim_advance(cold.world.loop, cold.world.limits.send_grace_ms - 1);
    EXPECT_INT(cold.world.told.deadlines, 0);
    sim_advance(cold.world.loop, 1);
    EXPECT_INT(cold.world.told.deadlines, 1);
    cold_close(&cold);
}

TEST(test_a_client_that_stalls_after_some_bytes_is_cut_by_its_average_without_the_disk)
{
    struct cold cold;
    cold_open(&cold);
    sim_set_window(cold.peer, 20 * 1024); /* pays for 20 s at 1024 bytes/s */
    sim_advance(cold.world.loop, DISK_MS);
    disk_answers(&cold);
    EXPECT_INT(sim_received(cold.peer).len, 20 * 1024);
    sim_advance(cold.world.loop, 20 * 1000 - 1);
    EXPECT_INT(cold.world.told.deadlines, 0);
    sim_advance(cold.world.loop, 1);
    EXPECT_INT(cold.world.told.deadlines, 1);
    cold_close(&cold);
}

/* The deadline moves with the clock: a timer at each of its places would fire without end. */
TEST(test_a_disk_that_is_asked_just_before_the_deadline_costs_a_look_a_second)
{
    struct cold cold;
    cold_open_with(&cold, 0, 0);
    sim_advance(cold.world.loop, cold.world.limits.send_grace_ms - 5);
    sim_set_probe(cold.world.loop, -EAGAIN);
    sim_set_window(cold.peer, SIZE_MAX);
    sim_run(cold.world.loop);
    unsigned looks = 0;
    int64_t until_ms = loop_now_ms(cold.world.loop) + DISK_MS;
    while (sim_step(cold.world.loop, until_ms)) {
        sim_run(cold.world.loop);
        looks++;
    }
    EXPECT_INT(cold.world.told.deadlines, 0);
    EXPECT(looks > 0 && looks <= 4 * DISK_MS / 1000); /* the wheel has steps of its own */
    disk_answers(&cold);
    EXPECT_INT(sim_received(cold.peer).len, FILE_BYTES);
    cold_close(&cold);
}

TEST(test_a_client_that_resets_while_the_disk_reads_is_gone_at_once)
{
    struct cold cold;
    cold_open(&cold);
    sim_reset(cold.peer);
    sim_run(cold.world.loop);
    EXPECT_INT(cold.world.told.closed, 1);
    EXPECT_INT(cold.world.told.reason, CLOSE_CLIENT_RESET);
    EXPECT_INT(cold.released, 1);
    disk_answers(&cold);
    cold_close(&cold);
}

TEST(test_stopping_does_not_wait_for_the_disk)
{
    struct cold cold;
    cold_open(&cold);
    conn_set_close_all(&cold.world.set, CLOSE_STOP_NOW);
    sim_run(cold.world.loop);
    EXPECT_INT(cold.world.emptied, 1);
    EXPECT(sim_is_reset(cold.peer));
    disk_answers(&cold);
    cold_close(&cold);
}
