/* pool/cpu.h — how many CPUs this process may use: its affinity mask and its cgroup's quota. Called
 * when a pool is made; reads a few small files. Any thread. The places of those files are a
 * parameter, so that tests can bring their own. */
#ifndef POOL_CPU_H
#define POOL_CPU_H

#include "base/cgroup.h"

#include <pthread.h>

/** CPUs in the affinity mask; at least 1. */
unsigned cpu_count_affinity(void);
/** CPUs' worth of time the cgroup quota allows, rounded up; 0: no quota. Version 2 and version 1
 *  groups, and the tightest of the group and those above it. */
unsigned cpu_count_quota(const struct cgroup_paths *paths);
/** The smaller of the two; at least 1, whatever the machine says. */
unsigned cpu_count_usable(const struct cgroup_paths *paths);

enum { CPU_INDEX_MAX = 8191 };
/** Let the thread run on that CPU only. 0 or a positive errno. */
int cpu_pin(pthread_t thread, int cpu);

#endif
