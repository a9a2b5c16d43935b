/* daemon/machine.h — what this process may use: CPUs, descriptors, memory, features of the kernel.
 * Main thread; reads /proc and /sys, so it may block for a moment. */
#ifndef DAEMON_MACHINE_H
#define DAEMON_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine {
    unsigned cpus_by_affinity;
    double cpus_by_quota;       /* of the control group; 0: no quota, or none that can be read */
    uint64_t memory_limit;      /* of the control group, bytes; 0: none */
    uint64_t fds_now, fds_most; /* soft and hard limit */
    uint64_t watches;           /* inotify, of this user; 0: cannot be read */
    bool has_openat2;
    bool has_inotify;
    char kernel[256];
};

/** CPUs that this process may use, at least 1. */
unsigned machine_cpus(void);
/** As many descriptors as the hard limit allows: a connection takes one, and the usual soft limit
 * is 1024. */
void machine_raise_fds(void);
void machine_look(struct machine *machine);

#endif
