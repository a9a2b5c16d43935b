/* tls/tls_away.c — steps of handshakes on other threads. OpenSSL pauses behind the ClientHello of a
 * client that will get a slow signature (tls_hello.c); the link goes to a pool, its step is made
 * there, and a post brings it back. Called by tls_shake.c and tls_close.c on the loop; make_step()
 * runs on a worker.
 *
 * While it is away (link->away is set, which both may read) the worker alone touches the SSL and the
 * output; the loop alone all the rest, and it leaves the link in peace: a close is remembered. What
 * the client sends meanwhile stays in the socket. */
#include "tls/tls_link.h"

#include "base/alloc.h"
#include "base/check.h"
#include "loop/offload.h"

#include <stdatomic.h>

struct tls_away {
    struct offload job;
    struct tls_link *link;
    struct tls_outcome outcome; /* the worker's, until it is back */
    atomic_bool is_unwanted;    /* the owner has closed; relaxed: a hint that saves work */
};

static void make_step(struct offload *job)
{
    struct tls_away *away = CONTAINER_OF(job, struct tls_away, job);
    if (!atomic_load_explicit(&away->is_unwanted, memory_order_relaxed)) {
        away->outcome = tls_shake_step(away->link->ssl);
    }
}

/* A job that was dropped has made no step: the loop makes it. */
static void came_back(struct offload *job)
{
    struct tls_away *away = CONTAINER_OF(job, struct tls_away, job);
    struct tls_link *link = away->link;
    struct tls_outcome outcome = away->outcome;
    bool was_dropped = job->dropped != 0;
    link->away = NULL;
    mem_free(away);
    if (link->is_closing) {
        tls_socket_close(link); /* nobody wants what the step has made */
    } else if (was_dropped) {
        link->shakes_here = true;
        tls_run(link);
    } else {
        tls_shake_back(link, &outcome);
    }
}

/* Who is alone keeps nobody waiting, and going would cost two threads being woken. */
static bool is_alone(const struct tls_shared *shared)
{
    return *shared->conns <= 1;
}

bool tls_away_may_go(const struct tls_link *link)
{
    /* On the worker, too: of what follows it reads no more than the first. */
    return !link->away && link->shared->pool && !link->shakes_here && !link->out &&
           !is_alone(link->shared);
}

/* The buffer comes from the loop's spare ones. Without memory the step on the loop will say so. */
static bool take_output(struct tls_link *link)
{
    if (tls_out_for(link, 0)) {
        return true;
    }
    link->is_out_of_memory = false;
    return false;
}

bool tls_away_start(struct tls_link *link)
{
    static const struct offload_options options = {.label = "TLS handshake"};
    struct tls_shared *shared = link->shared;
    DEBUG_CHECK(!link->away && !link->in_op.is_pending);
    struct tls_away *away = mem_alloc_zero(1, sizeof *away);
    if (!away || !take_output(link)) {
        mem_free(away);
        return false;
    }
    away->link = link;
    atomic_init(&away->is_unwanted, false);
    link->away = away; /* from the start on the worker may have it */
    if (offload_start(&away->job, shared->loop, shared->pool, make_step, came_back, &options) < 0) {
        link->away = NULL;
        mem_free(away);
        return false;
    }
    return true;
}

void tls_away_unwant(struct tls_link *link)
{
    atomic_store_explicit(&link->away->is_unwanted, true, memory_order_relaxed);
}

uint64_t tls_away_bytes(void)
{
    return mem_cost(sizeof(struct tls_away));
}
