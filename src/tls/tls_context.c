/* tls/tls_context.c — see tls_context.h, and galley/tls.h for what is promised. */
#include "tls/tls_context.h"

#include "base/alloc.h"
#include "base/error.h"
#include "tls/tls_paths.h"
#include "tls/tls_set.h"

#include <openssl/ssl.h>
#include <sched.h>

/* ---- one pointer, many readers --------------------------------------------------------------- */

/* seq_cst: a reader is counted before it looks at the pointer, and whoever exchanges the pointer
 * looks at the count afterwards; so a reader that is not seen has the new one. */
SSL_CTX *tls_context_acquire(galley_tls *tls)
{
    atomic_fetch_add(&tls->readers, 1);
    SSL_CTX *front = atomic_load(&tls->front);
    (void)SSL_CTX_up_ref(front); /* fails for a count of 0 only, and ours is not */
    atomic_fetch_sub(&tls->readers, 1);
    return front;
}

/* The reference that the context had is given back when nobody is about to take one from it, or
 * looks at it without: that is some ten instructions of another thread, or a copy of a report. */
static void publish(galley_tls *tls, SSL_CTX *front)
{
    SSL_CTX *before = atomic_exchange(&tls->front, front);
    while (atomic_load(&tls->readers) != 0) {
        sched_yield();
    }
    tls_set_leave(before);
    SSL_CTX_free(before);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int fill(galley_tls *tls, const galley_tls_options *opt, const struct tls_clock *clock,
                galley_error *err)
{
    int rc = tls_options_take(&tls->options, opt, err);
    if (rc != 0) {
        return rc;
    }
    if (clock) {
        tls->options.clock = *clock;
    }
    if (tls->options.has_tickets) {
        tls->tickets =
            tls_tickets_create(tls->options.ticket_lifetime_s, tls->options.clock.mono_ms, err);
        if (!tls->tickets) {
            return GALLEY_ENOMEM; /* or what err says */
        }
    }
    SSL_CTX *front = NULL;
    tls->stamp = tls_paths_stamp(tls);
    rc = tls_set_build(&front, &tls->options, tls->tickets, NULL, err);
    atomic_init(&tls->front, front);
    return rc;
}

galley_tls *tls_context_create(const galley_tls_options *opt, const struct tls_clock *clock,
                               galley_error *err)
{
    galley_tls *tls = mem_alloc_zero(1, sizeof *tls);
    if (!tls) {
        (void)error_set(err, GALLEY_ENOMEM, "tls: out of memory");
        return NULL;
    }
    atomic_init(&tls->refs, 1);
    (void)pthread_mutex_init(&tls->reload_lock, NULL); /* cannot fail without attributes */
    if (fill(tls, opt, clock, err) != 0) {
        galley_tls_free(tls);
        return NULL;
    }
    return tls;
}

galley_tls *galley_tls_new(const galley_tls_options *opt, galley_error *err)
{
    return tls_context_create(opt, NULL, err);
}

galley_tls *tls_context_ref(galley_tls *tls)
{
    atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void tls_context_unref(galley_tls *tls)
{
    if (atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    SSL_CTX_free(atomic_load(&tls->front));
    tls_tickets_destroy(tls->tickets);
    (void)pthread_mutex_destroy(&tls->reload_lock);
    tls_options_finish(&tls->options);
    mem_free(tls);
}

void galley_tls_free(galley_tls *tls)
{
    if (tls) {
        tls_context_unref(tls);
    }
}

int galley_tls_reload(galley_tls *tls, galley_error *err)
{
    if (!tls) {
        return error_set(err, GALLEY_EINVAL, "reload: there is no galley_tls");
    }
    SSL_CTX *front = NULL;
    pthread_mutex_lock(&tls->reload_lock);
    /* nobody else exchanges it, so it lives while the lock is held */
    const struct tls_set *before = tls_set_of(atomic_load(&tls->front));
    uint64_t stamp = tls_paths_stamp(tls); /* first: what changes behind it looks outdated */
    int rc = tls_set_build(&front, &tls->options, tls->tickets, before, err);
    if (rc == 0) {
        tls->stamp = stamp;
        publish(tls, front);
    }
    pthread_mutex_unlock(&tls->reload_lock);
    return rc;
}

bool tls_context_is_outdated(galley_tls *tls)
{
    pthread_mutex_lock(&tls->reload_lock);
    bool is_outdated = tls->stamp != tls_paths_stamp(tls);
    pthread_mutex_unlock(&tls->reload_lock);
    return is_outdated;
}

/* ---- looking in ------------------------------------------------------------------------------ */

const char *galley_tls_file(const galley_tls *tls, unsigned index)
{
    return tls && index < tls->options.file_count ? tls->options.files[index] : NULL;
}

int galley_tls_get_certificate(galley_tls *tls, unsigned index, galley_tls_certificate_report *ret)
{
    if (!tls || !ret || ret->size < sizeof *ret) {
        return GALLEY_EINVAL;
    }
    atomic_fetch_add(&tls->readers, 1); /* as long as it is looked at: a few hundred bytes */
    const struct tls_set *set = tls_set_of(atomic_load(&tls->front));
    bool has_it = index < set->pair_count;
    if (has_it) {
        tls_pair_report(&set->pairs[index], ret);
    }
    atomic_fetch_sub(&tls->readers, 1);
    return has_it ? 0 : GALLEY_ENOTFOUND;
}

bool tls_context_has_rules(const SSL *ssl)
{
    return tls_identity_of(ssl)->set->options->rule_count > 0;
}

bool tls_context_host_fits(const SSL *ssl, struct span host)
{
    char text[TLS_NAME_MAX];
    const struct tls_identity *own = tls_identity_of(ssl);
    if (span_ends_with(host, SPAN("."))) {
        host.len--; /* the same host for whoever routes by names */
    }
    bool is_short = host.ptr && host.len <= TLS_NAME_MAX;
    if (is_short) {
        tls_name_lower(text, host.ptr, host.len);
    }
    struct span name = is_short ? span_make(text, host.len) : SPAN_NONE;
    const struct tls_identity *identity = tls_set_identity(own->set, name);
    bool is_open = !identity->rule || identity->rule->mode == GALLEY_TLS_CLIENT_OFF;
    return is_open ||
           (own->rule && memcmp(own->rule->digest, identity->rule->digest, TLS_DIGEST_BYTES) == 0);
}
