/* files/file_site.c — a site's life: made from options, joined to the loops of a server, left
 * again. */
#include "files/file_site.h"

#include "base/alloc.h"
#include "base/cgroup.h"
#include "base/check.h"
#include "base/error.h"
#include "base/fd.h"

#include "files/file_fields.h"
#include "files/file_site_state.h"

#include <errno.h>
#include <fcntl.h>

enum { WATCH_TIMER_MS = 500 };

/* ---- making and ending ----------------------------------------------------------------------- */

static galley_static *create_empty(void)
{
    galley_static *site = mem_alloc_zero(1, sizeof *site);
    if (site) {
        arena_init(&site->memory, 0);
        site->watch.fd = -1;
    }
    return site;
}

static int create_store(galley_static *site, struct file_store_options *options, galley_error *err)
{
    options->decorate = file_fields_decorate;
    options->ctx = site;
    options->log = &site->log;
    site->store = file_store_create(options, err);
    return site->store ? GALLEY_OK : GALLEY_ESYS;
}

galley_static *galley_static_new(const char *root, const galley_static_options *opt,
                                 galley_error *err)
{
    if (!root || root[0] == '\0') {
        error_set(err, GALLEY_EINVAL, "serve: no directory was named");
        return NULL;
    }
    galley_static *site = create_empty();
    if (!site) {
        error_set(err, GALLEY_ENOMEM, "serve %s: out of memory", root);
        return NULL;
    }
    struct file_store_options store = {.root = root};
    if (file_site_take_options(site, opt, &store, err) != GALLEY_OK ||
        create_store(site, &store, err) != GALLEY_OK) {
        galley_static_free(site);
        return NULL;
    }
    return site;
}

bool file_site_compresses(const galley_static *site)
{
    return site && file_store_get_options(site->store)->compresses;
}

uint64_t file_site_bytes(const galley_static *site)
{
    uint64_t cache = site ? file_store_get_options(site->store)->cache_bytes
                          : file_store_usual_cache_bytes(&cgroup_system_paths);
    return mem_cost(sizeof *site) + cache;
}

uint64_t file_site_loop_bytes(void)
{
    return sizeof(struct file_site_loop) + file_cache_bytes();
}

galley_static *file_site_for_replies(galley_error *err)
{
    galley_static *site = create_empty();
    if (!site) {
        error_set(err, GALLEY_ENOMEM, "files for answers: out of memory");
        return NULL;
    }
    site->is_for_replies = true;
    struct file_store_options store = {.serves_hidden = true};
    if (create_store(site, &store, err) != GALLEY_OK) {
        galley_static_free(site);
        return NULL;
    }
    return site;
}

void galley_static_free(galley_static *st)
{
    if (!st) {
        return;
    }
    file_site_detach(st);
    file_store_destroy(st->store);
    arena_finish(&st->memory);
    mem_free(st);
}

/* ---- changes on the disk, on the first loop -------------------------------------------------- */

static void socket_closed(struct loop_socket *socket)
{
    (void)socket;
}

static void timer_fired(struct timer *timer)
{
    galley_static *site = CONTAINER_OF(timer, galley_static, watch.timer);
    struct file_site_watch *watch = &site->watch;
    watch->is_on_timer = true;
    file_store_watch_ready(site->store);
    loop_timer_start(watch->loop, timer, loop_now_ms(watch->loop) + WATCH_TIMER_MS, timer_fired);
}

static void poll_done(struct loop_op *op)
{
    galley_static *site = CONTAINER_OF(op, galley_static, watch.poll);
    struct file_site_watch *watch = &site->watch;
    if (!watch->is_polling) {
        return;
    }
    if (op->result < 0) { /* polling again would spin */
        watch->is_polling = false;
        loop_socket_close(watch->loop, &watch->socket, false);
        timer_fired(&watch->timer);
        return;
    }
    file_store_watch_ready(site->store);
    loop_poll(watch->loop, &watch->socket, op, poll_done);
}

static void start_watching(struct loop_post *post)
{
    galley_static *site = CONTAINER_OF(post, galley_static, watch.start);
    struct file_site_watch *watch = &site->watch;
    if (watch->fd < 0) {
        return; /* stopped before it began */
    }
    if (loop_socket_open(watch->loop, &watch->socket, watch->fd, LOOP_SOCKET_FOREIGN,
                         socket_closed) == 0) {
        watch->fd = -1; /* the socket's now */
        watch->is_polling = true;
        loop_poll(watch->loop, &watch->socket, &watch->poll, poll_done);
        return;
    }
    fd_close(&watch->fd);
    timer_fired(&watch->timer);
}

void file_site_stop(galley_static *site)
{
    struct file_site_watch *watch = &site->watch;
    fd_close(&watch->fd);
    if (watch->is_polling) {
        watch->is_polling = false;
        loop_socket_close(watch->loop, &watch->socket, false);
    }
    if (watch->is_on_timer) {
        watch->is_on_timer = false;
        loop_timer_stop(watch->loop, &watch->timer);
    }
}

/* ---- joining a server ------------------------------------------------------------------------ */

static int create_caches(galley_static *site, const struct file_site_env *env)
{
    size_t bytes = env->loop_count * sizeof *site->loops;
    site->loops = mem_alloc_aligned(_Alignof(struct file_site_loop), bytes);
    if (!site->loops) {
        return GALLEY_ENOMEM;
    }
    site->loop_count = env->loop_count;
    const struct file_pools pools = {.file = env->file_pool, .idle = env->idle_pool};
    for (unsigned i = 0; i < env->loop_count; i++) {
        site->loops[i].loop = env->loops[i];
        site->loops[i].cache = file_cache_create(site->store, env->loops[i], pools);
        if (!site->loops[i].cache) {
            return GALLEY_ENOMEM;
        }
    }
    return GALLEY_OK;
}

static int prepare_watch(galley_static *site, struct loop *loop)
{
    int fd = file_store_watch_fd(site->store);
    if (fd < 0) {
        return GALLEY_OK;
    }
    /* A duplicate, because a socket closes its descriptor and the store keeps its own. */
    site->watch.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (site->watch.fd < 0) {
        return GALLEY_EFULL;
    }
    site->watch.loop = loop;
    site->watch.start.run = start_watching;
    return GALLEY_OK;
}

int file_site_attach(galley_static *site, const struct file_site_env *env)
{
    if (site->loops) {
        return GALLEY_ESTATE;
    }
    int rc = create_caches(site, env);
    if (rc == GALLEY_OK) {
        rc = prepare_watch(site, env->loops[0]);
    }
    if (rc != GALLEY_OK) {
        file_site_detach(site);
        return rc;
    }
    if (env->log) {
        site->log = *env->log;
    }
    if (site->watch.fd >= 0) {
        loop_post(site->watch.loop, &site->watch.start);
    }
    return GALLEY_OK;
}

void file_site_detach(galley_static *site)
{
    CHECK(!site->watch.is_polling && !site->watch.is_on_timer); /* file_site_stop() came first */
    fd_close(&site->watch.fd);
    for (unsigned i = 0; i < site->loop_count; i++) {
        file_cache_destroy(site->loops[i].cache);
    }
    mem_free(site->loops);
    site->loops = NULL;
    site->loop_count = 0;
}

/* ---- counters -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t offset;
} site_counters[] = {
    {"file_hits", offsetof(struct file_site_counters, hits)},
    {"file_waits", offsetof(struct file_site_counters, waits)},
    {"file_missing", offsetof(struct file_site_counters, missing)},
    {"file_redirects", offsetof(struct file_site_counters, redirects)},
    {"file_not_modified", offsetof(struct file_site_counters, not_modified)},
    {"file_failed_conditions", offsetof(struct file_site_counters, failed_conditions)},
    {"file_ranges", offsetof(struct file_site_counters, ranges)},
    {"file_bad_ranges", offsetof(struct file_site_counters, bad_ranges)},
    {"file_listings", offsetof(struct file_site_counters, listings)},
    {"file_refused_methods", offsetof(struct file_site_counters, refused_methods)},
    {"file_unavailable", offsetof(struct file_site_counters, unavailable)},
};
static const struct {
    const char *name;
    size_t offset;
} store_counters[] = {
    {"file_loads", offsetof(struct file_store_counters, loads)},
    {"file_unchanged", offsetof(struct file_store_counters, unchanged)},
    {"file_looked_for", offsetof(struct file_store_counters, missing)},
    {"file_refused", offsetof(struct file_store_counters, refused)},
    {"file_errors", offsetof(struct file_store_counters, errors)},
    {"file_evicted", offsetof(struct file_store_counters, evicted)},
    {"file_marked_stale", offsetof(struct file_store_counters, marked_stale)},
    {"file_overflows", offsetof(struct file_store_counters, overflows)},
    {"file_unwatched", offsetof(struct file_store_counters, unwatched)},
    {"file_compressed", offsetof(struct file_store_counters, compressed)},
};
enum {
    SITE_COUNTERS = sizeof site_counters / sizeof *site_counters,
    STORE_COUNTERS = sizeof store_counters / sizeof *store_counters
};

static uint64_t read_at(const void *counters, size_t offset)
{
    return counter_read((const struct counter *)(const void *)((const char *)counters + offset));
}

bool file_site_next_counter(const galley_static *site, size_t *it, const char **name,
                            uint64_t *value)
{
    size_t at = (*it)++;
    if (at < SITE_COUNTERS) {
        uint64_t sum = 0;
        for (unsigned i = 0; i < site->loop_count; i++) {
            sum += read_at(&site->loops[i].counters, site_counters[at].offset);
        }
        *name = site_counters[at].name;
        *value = sum;
        return true;
    }
    at -= SITE_COUNTERS;
    if (at < STORE_COUNTERS) {
        *name = store_counters[at].name;
        *value = read_at(file_store_get_counters(site->store), store_counters[at].offset);
        return true;
    }
    return false;
}
