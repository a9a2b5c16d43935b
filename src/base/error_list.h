/* base/error_list.h — one row for each result code of galley/base.h: the code and its sentence.
 * Read by public.c for galley_strerror. In the order of the codes, 0 downward; a test compares the
 * rows with the public header, so that neither can grow alone. */
#ifndef BASE_ERROR_LIST_H
#define BASE_ERROR_LIST_H

#define ERROR_LIST(ROW)                                                                            \
    ROW(GALLEY_OK, "success")                                                                      \
    ROW(GALLEY_EINVAL, "an argument is out of range or a handle is missing")                       \
    ROW(GALLEY_ENOMEM, "out of memory, or the memory limit is used up")                            \
    ROW(GALLEY_EFULL, "no room now: a queue or a send buffer is full")                             \
    ROW(GALLEY_ECLOSED, "the pool is shut down or the peer has gone")                              \
    ROW(GALLEY_ETIMEDOUT, "the deadline passed")                                                   \
    ROW(GALLEY_EDEADLK, "the call would wait for its own caller")                                  \
    ROW(GALLEY_ESTATE, "not allowed at this point")                                                \
    ROW(GALLEY_ESYS, "a system call failed")                                                       \
    ROW(GALLEY_ETOOBIG, "larger than a configured limit")                                          \
    ROW(GALLEY_EPROTO, "the peer broke the protocol")                                              \
    ROW(GALLEY_ENOTFOUND, "not found")                                                             \
    ROW(GALLEY_ECONFLICT, "two routes could match the same request")                               \
    ROW(GALLEY_EACCESS, "access refused")                                                          \
    ROW(GALLEY_ECANCELED, "canceled before it ran")                                                \
    ROW(GALLEY_EFORKED, "the handle was made before fork() and is useless in the child")           \
    ROW(GALLEY_ENOTSUP, "not built in, or not supported by this kernel")

#endif
