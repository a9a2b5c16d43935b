/* base/random.h — bytes nobody can guess, for hash keys and multipart boundaries.
 * Any thread. A system call each time: draw once and keep, do not call it for each request. Not for
 * keys of certificates or sessions; those are the TLS library's. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** From getrandom(2), falling back to address and clock bits only if the kernel refuses. Never
 * fails. */
void random_bytes(void *out, size_t len);
uint64_t random_u64(void);

#endif
