/* bench/pool/peer_libuv.c — libuv's work queue. There is one set of threads for the whole process;
 * work is submitted on a loop's own thread and its end is told there, so each producer has a loop
 * and turns it now and then. Requests are kept and used again. */
#include "adapter.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { SUBMITS_PER_TURN = 64 };

struct request {
    uv_work_t work;
    struct bench_job *job;
    struct request *next_free, *next_made;
    bool is_under_way;
};

/* Of one producing thread. */
struct producer {
    uv_loop_t loop;
    struct request *free, *made;
    unsigned submits;
    bool is_open;
};

static _Thread_local struct producer self;

static void version(char *out, size_t size)
{
    snprintf(out, size, "%s", uv_version_string());
}

static struct peer_pool *create(unsigned workers, size_t capacity)
{
    (void)capacity; /* has no bound */
    static char the_only_one;
    char text[16];
    snprintf(text, sizeof text, "%u", workers);
    setenv("UV_THREADPOOL_SIZE", text, 1); /* read at the first submission */
    return (struct peer_pool *)(void *)&the_only_one;
}

static struct request *take_request(void)
{
    struct request *request = self.free;
    if (request) {
        self.free = request->next_free;
        return request;
    }
    request = calloc(1, sizeof *request);
    if (request) {
        request->next_made = self.made;
        self.made = request;
    }
    return request;
}

static void run_job(uv_work_t *work)
{
    struct request *request = (struct request *)work;
    request->job->run(request->job);
}

static void after_job(uv_work_t *work, int status)
{
    (void)status;
    struct request *request = (struct request *)work;
    request->is_under_way = false;
    request->next_free = self.free;
    self.free = request;
}

static int submit(struct peer_pool *pool, struct bench_job *job)
{
    (void)pool;
    if (!self.is_open) {
        if (uv_loop_init(&self.loop) != 0) {
            return -1;
        }
        self.is_open = true;
    }
    if (++self.submits % SUBMITS_PER_TURN == 0) {
        uv_run(&self.loop, UV_RUN_NOWAIT);
    }
    struct request *request = take_request();
    if (!request) {
        return -1;
    }
    request->job = job;
    request->is_under_way = true;
    return uv_queue_work(&self.loop, &request->work, run_job, after_job);
}

static void leave(struct peer_pool *pool)
{
    (void)pool;
    if (!self.is_open) {
        return;
    }
    uv_run(&self.loop, UV_RUN_DEFAULT);
    uv_loop_close(&self.loop);
    while (self.made) {
        struct request *request = self.made;
        self.made = request->next_made;
        free(request);
    }
    self = (struct producer){0};
}

static void fan(struct peer_pool *pool, struct bench_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (submit(pool, jobs[i]) != 0) {
            return; /* the row sees that jobs are missing */
        }
    }
    uv_run(&self.loop, UV_RUN_DEFAULT);
}

static void discard(struct peer_pool *pool)
{
    for (struct request *request = self.made; request; request = request->next_made) {
        if (request->is_under_way) {
            uv_cancel((uv_req_t *)&request->work);
        }
    }
    leave(pool);
}

const struct peer bench_peer = {
    .name = "libuv",
    .version = version,
    .create = create,
    .why_no_end = "one pool for the process, made once",
    .drain = leave,
    .discard = discard,
    .submit = submit,
    .why_no_nested = "only a loop's thread may submit",
    .leave = leave,
    .fan = fan,
};
