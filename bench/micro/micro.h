/* bench/micro/micro.h — the steps of a request's hot path, each in a loop of its own, so that their
 * instructions can be counted. Linked with the rooms themselves. Single thread; a failure in the
 * set-up ends the program. See bench/README.md. */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include <stdbool.h>
#include <stdint.h>

struct micro {
    const char *name;
    /** Once, not counted; NULL: nothing to do. */
    void (*prepare)(void);
    /** The step, so many times. */
    void (*run)(unsigned rounds);
};

/* Ends in an entry without a name. */
extern const struct micro micro_wire[], micro_http[], micro_route[], micro_files[], micro_timer[],
    micro_log[], micro_hpack[];

/** Ends the program if the condition does not hold: what is counted must work. */
void micro_need(bool condition, const char *what);
/** Makes the compiler believe that the value is used. */
void micro_keep(uint64_t value);

#endif
