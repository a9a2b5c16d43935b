/* base/cgroup.h — what the control groups of this process allow it: version 2 and version 1, the
 * tightest of its own group and those above it. Reads a few small files; any thread, no allocation.
 * The places of those files are a parameter, so that tests can bring their own. */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include "base/span.h"

#include <stdint.h>

struct cgroup_paths {
    const char *list; /* which group each controller puts this process in */
    const char *root; /* where the groups are mounted                     */
};

/** /proc/self/cgroup and /sys/fs/cgroup */
extern const struct cgroup_paths cgroup_system_paths;

/** What the files in one group's folder allow; 0: no limit. */
typedef uint64_t cgroup_limit_fn(const char *folder);

/** One kind of limit. */
struct cgroup_kind {
    const char *controller; /* its name in version 1 */
    cgroup_limit_fn *v2, *v1;
};

/** The tightest limit of that kind; 0: none. */
uint64_t cgroup_limit(const struct cgroup_paths *paths, const struct cgroup_kind *kind);
/** A small file in a group's folder, without the line end behind it; missing when it cannot be read
 *  or fills the buffer. */
struct span cgroup_read(const char *folder, const char *name, char *buf, size_t size);

/** Bytes of memory that this process may use, with all others of its group; 0: no limit. */
uint64_t cgroup_memory_limit(const struct cgroup_paths *paths);

#endif
