/* pool/pool_config.c — checks a user's options and puts the defaults in. Pure; any thread. Every
 * refusal is one sentence that names the field. */
#include "pool/pool_config.h"

#include "base/error.h"
#include "base/options.h"
#include "pool/cpu.h"
#include "pool/sleepers.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_QUEUE = 4096,
    DEFAULT_STACK = 2 * 1024 * 1024,
    DEFAULT_SPIN_US = 20,
    FEW_CPUS = 2,
    NS_PER_US = 1000
};
#define MAX_QUEUE   ((size_t)1 << 30)
#define ALL_KINDS   ((uint32_t)(2 * GALLEY_EV_THREAD_STOP - 1))
#define NO_SPINNING UINT32_MAX

static const struct options_kind options_kind = {sizeof(galley_pool_options), "pool options",
                                                 "GALLEY_POOL_OPTIONS_INIT"};

static int check_threads(const galley_pool_options *opt, const struct pool_config *config,
                         galley_error *err)
{
    if (config->threads > SLEEPERS_MAX) {
        return error_set(err, GALLEY_EINVAL, "pool options: threads is %u, the most is %d",
                         config->threads, SLEEPERS_MAX);
    }
    if (opt->min_threads > config->threads) {
        return error_set(err, GALLEY_EINVAL,
                         "pool options: min_threads is %u, more than the %u threads",
                         opt->min_threads, config->threads);
    }
    return 0;
}

static int check_cpus(const galley_pool_options *opt, galley_error *err)
{
    if ((opt->cpus != NULL) != (opt->cpu_count != 0)) {
        return error_set(err, GALLEY_EINVAL,
                         "pool options: cpus and cpu_count must be given together");
    }
    for (size_t i = 0; i < opt->cpu_count; i++) {
        if (opt->cpus[i] < 0 || opt->cpus[i] > CPU_INDEX_MAX) {
            return error_set(err, GALLEY_EINVAL, "pool options: there is no CPU %d", opt->cpus[i]);
        }
    }
    return 0;
}

static int check_rest(const galley_pool_options *opt, galley_error *err)
{
    if (opt->queue_capacity > MAX_QUEUE) {
        return error_set(err, GALLEY_EINVAL, "pool options: queue_capacity is %zu, the most is %zu",
                         opt->queue_capacity, MAX_QUEUE);
    }
    if (opt->flags & ~(uint32_t)GALLEY_POOL_TIMING) {
        return error_set(err, GALLEY_EINVAL, "pool options: unknown flags 0x%x",
                         (unsigned)opt->flags);
    }
    if (opt->stack_size > SIZE_MAX / 2) {
        return error_set(err, GALLEY_EINVAL, "pool options: stack_size is %zu", opt->stack_size);
    }
    if (opt->observe & ~ALL_KINDS) {
        return error_set(err, GALLEY_EINVAL,
                         "pool options: observe has bits for no known kind: 0x%x",
                         (unsigned)opt->observe);
    }
    return 0;
}

static uint64_t round_up_to_power_of_two(uint64_t n)
{
    uint64_t power = 1;
    while (power < n) {
        power <<= 1;
    }
    return power;
}

static size_t fitting_stack(size_t wanted)
{
    long least = sysconf(_SC_THREAD_STACK_MIN);
    long page = sysconf(_SC_PAGESIZE);
    size_t step = page > 0 ? (size_t)page : 4096;
    size_t size = wanted ? wanted : DEFAULT_STACK;
    if (least > 0 && size < (size_t)least) {
        size = (size_t)least;
    }
    return (size + step - 1) / step * step;
}

/* On two CPUs a spinning worker takes the time of the thread it waits for, and under a quota it
 * burns the quota. */
static int64_t fitting_spin(uint32_t wanted_us, unsigned usable_cpus, unsigned threads)
{
    if (usable_cpus <= FEW_CPUS || usable_cpus < threads || wanted_us == NO_SPINNING) {
        return 0;
    }
    return (int64_t)(wanted_us ? wanted_us : DEFAULT_SPIN_US) * NS_PER_US;
}

bool pool_config_needs_quota(const galley_pool_options *opt, unsigned affinity)
{
    galley_pool_options own;
    if (options_copy(&own, &options_kind, opt, NULL) != 0 || own.threads == 0) {
        return true;
    }
    return own.spin_us != NO_SPINNING && affinity > FEW_CPUS && affinity >= own.threads;
}

static void copy_callbacks(struct pool_config *config, const galley_pool_options *opt)
{
    config->thread_start = opt->thread_start;
    config->thread_stop = opt->thread_stop;
    config->thread_ctx = opt->thread_ctx;
    config->observer = opt->observer;
    config->observer_ctx = opt->observer_ctx;
    if (opt->observer) {
        config->observe = opt->observe ? opt->observe : ALL_KINDS;
    }
}

int pool_config_from_options(struct pool_config *config, const galley_pool_options *opt,
                             unsigned usable_cpus, galley_error *err)
{
    galley_pool_options own;
    memset(config, 0, sizeof *config);
    int rc = options_copy(&own, &options_kind, opt, err);
    if (rc) {
        return rc;
    }
    if (usable_cpus > SLEEPERS_MAX) {
        usable_cpus = SLEEPERS_MAX;
    }
    config->threads = own.threads ? own.threads : usable_cpus;
    config->min_threads = own.min_threads ? own.min_threads : config->threads;
    rc = check_threads(&own, config, err);
    rc = rc ? rc : check_cpus(&own, err);
    rc = rc ? rc : check_rest(&own, err);
    if (rc) {
        return rc;
    }
    config->queue_capacity =
        round_up_to_power_of_two(own.queue_capacity ? own.queue_capacity : DEFAULT_QUEUE);
    config->stack_size = fitting_stack(own.stack_size);
    snprintf(config->name, sizeof config->name, "%s",
             own.name && own.name[0] ? own.name : "galley");
    config->cpus = own.cpus;
    config->cpu_count = own.cpu_count;
    config->spin_ns = fitting_spin(own.spin_us, usable_cpus, config->threads);
    config->wants_timing = (own.flags & GALLEY_POOL_TIMING) != 0;
    copy_callbacks(config, &own);
    config->create_thread = pthread_create;
    return 0;
}
