/* loop/file_probe.h — what a file's descriptor says without waiting for a disk or a network: is
 * this byte in memory, and on which device does it lie. Any thread. */
#ifndef LOOP_FILE_PROBE_H
#define LOOP_FILE_PROBE_H

#include <stdint.h>
#include <sys/types.h>

/** 0: in memory, or there is no such byte; -EAGAIN: not in memory; -EOPNOTSUPP, -EINVAL, -ENOSYS,
 *  -EPERM: this cannot be asked; others: what reading it says. */
int file_probe_byte(int fd, off_t offset);
/** Read, without waiting for what is not in memory: bytes, perhaps fewer than are there; errors as
 *  above. */
ssize_t file_probe_read(int fd, void *data, size_t len, off_t offset);
/** The number of the file's file system. 0 or -errno. */
int file_probe_device(int fd, uint64_t *ret_device);

#endif
