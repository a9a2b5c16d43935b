/* A start for which the system gives no thread, no eventfd or no epoll: each such call fails once.
 * Either the server serves or one sentence says why not, and no thread or descriptor is left (the
 * harness looks). And a file system without unnamed files, for bodies that are spooled.
 *
 * The functions below stand before the C library's for all of the program. */
#include "test.h"

#include <galley/access_log.h>
#include <galley/server.h>
#include <galley/static.h>
#include <galley/test.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

static atomic_uint calls_left; /* up to the one that fails; 0: none does */
static atomic_bool has_failed;
static atomic_int open_errno; /* of each open for an unnamed file; 0: they work */
static atomic_uint unnamed;   /* such opens */

static bool must_fail(void)
{
    if (atomic_load(&calls_left) == 0 || atomic_fetch_sub(&calls_left, 1) != 1) {
        return false;
    }
    atomic_store(&has_failed, true);
    return true;
}

/* The function of this name that would have been called. */
static void *next(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    EXPECT(function);
    return function;
}

#define SEEN __attribute__((visibility("default")))

SEEN int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *arg),
                        void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    real = real ? real : (__typeof__(real))next("pthread_create");
    return must_fail() ? EAGAIN : real(thread, attr, run, arg);
}

SEEN int eventfd(unsigned count, int flags)
{
    static int (*real)(unsigned, int);
    real = real ? real : (__typeof__(real))next("eventfd");
    errno = EMFILE;
    return must_fail() ? -1 : real(count, flags);
}

SEEN int epoll_create1(int flags)
{
    static int (*real)(int);
    real = real ? real : (__typeof__(real))next("epoll_create1");
    errno = EMFILE;
    return must_fail() ? -1 : real(flags);
}

SEEN int inotify_init1(int flags)
{
    static int (*real)(int);
    real = real ? real : (__typeof__(real))next("inotify_init1");
    errno = EMFILE;
    return must_fail() ? -1 : real(flags);
}

SEEN int open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    real = real ? real : (__typeof__(real))next("open");
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        atomic_fetch_add(&unnamed, 1);
        errno = atomic_load(&open_errno);
        if (errno) {
            return -1;
        }
    }
    return real(path, flags, mode);
}

/* ---- starting ---- */

static int handler(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    return galley_res_printf(rs, 200, NULL, "%llu", (unsigned long long)galley_req_body_size(rq));
}

static int drop_lines(void *ctx, const char *lines, size_t len)
{
    (void)ctx;
    (void)lines;
    (void)len;
    return 0;
}

static galley_server *make(galley_static *site)
{
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_access_log_options log = GALLEY_ACCESS_LOG_OPTIONS_INIT;
    galley_route_options spool = GALLEY_ROUTE_OPTIONS_INIT;
    pool.threads = 2;
    opt.pool_options = &pool;
    opt.file_threads = 1;
    opt.loops = 3;
    log.write = drop_lines;
    spool.body = GALLEY_BODY_SPOOL;
    galley_server *srv = galley_server_new(&opt, NULL);
    if (srv) {
        EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
        EXPECT_INT(galley_server_route(srv, "POST /", handler, NULL, &spool), 0);
        EXPECT_INT(galley_server_route(srv, "/s/{path...}", galley_static_serve, site, NULL), 0);
        (void)galley_server_access_log(srv, &log); /* remembered */
    }
    return srv;
}

static bool start_with_failure(unsigned n, galley_static *site, unsigned *refused)
{
    galley_error err = {0};
    atomic_store(&has_failed, false);
    atomic_store(&calls_left, n);
    galley_server *srv = make(site);
    int rc = srv ? galley_server_start(srv, &err) : GALLEY_ESYS;
    bool did_fail = atomic_load(&has_failed);
    atomic_store(&calls_left, 0);
    EXPECT(rc == 0 || (rc == GALLEY_ESYS && did_fail));
    EXPECT(rc == 0 || !srv || err.message[0]);
    *refused += rc != 0;
    galley_server_free(srv);
    return did_fail;
}

TEST_TIMEOUT(test_each_thread_and_descriptor_of_a_start_may_be_refused, 120)
{
    unsigned n = 1, refused = 0;
    galley_static *site = galley_static_new(GALLEY_SOURCE_DIR "/include", NULL, NULL);
    EXPECT(site);
    while (start_with_failure(n, site, &refused)) {
        n++;
    }
    EXPECT(n > 10);
    EXPECT(refused > 8);
    galley_static_free(site);
}

/* ---- spooling ---- */

static int spool(int failure)
{
    static char body[100000];
    galley_server *srv = galley_server_new(NULL, NULL);
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    opt.body = GALLEY_BODY_SPOOL;
    EXPECT_INT(galley_server_route(srv, "POST /", handler, NULL, &opt), 0);
    galley_test *t = galley_test_new(srv, NULL);
    galley_test_reply reply;
    unsigned before = atomic_load(&unnamed);
    atomic_store(&open_errno, failure);
    EXPECT_INT(galley_test_call(t, "POST /", body, sizeof body, &reply), 0);
    atomic_store(&open_errno, 0);
    EXPECT(atomic_load(&unnamed) > before);
    EXPECT(reply.status != 200 || strcmp(reply.body.ptr, "100000") == 0);
    int status = reply.status;
    EXPECT_INT(galley_test_call(t, "POST /", body, sizeof body, &reply), 0);
    EXPECT_INT(reply.status, 200); /* and the next is as ever */
    galley_test_free(t);
    galley_server_free(srv);
    return status;
}

TEST(test_a_body_is_spooled_where_there_are_no_unnamed_files)
{
    EXPECT_INT(spool(0), 200);
    EXPECT_INT(spool(EOPNOTSUPP), 200);
    EXPECT_INT(spool(EISDIR), 200);
}

TEST(test_a_body_that_cannot_be_spooled_is_an_answer)
{
    EXPECT_INT(spool(ENOSPC), 507);
    EXPECT_INT(spool(EDQUOT), 507);
    EXPECT_INT(spool(EACCES), 500);
    EXPECT_INT(spool(EMFILE), 500);
}
