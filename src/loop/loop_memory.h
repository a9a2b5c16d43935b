/* loop/loop_memory.h — what loops take of the memory: for sums that are made before a loop is. Any
 * thread. */
#ifndef LOOP_LOOP_MEMORY_H
#define LOOP_LOOP_MEMORY_H

#include "loop/loop.h"

/** A loop by these options, with its buffers. */
uint64_t loop_bytes(const struct loop_options *options);

#endif
