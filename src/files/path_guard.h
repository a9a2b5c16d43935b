/* files/path_guard.h — the only place of the room that opens what a client named.
 *
 * Every open is resolved by the kernel beneath the root (openat2 with RESOLVE_BENEATH and
 * RESOLVE_NO_MAGICLINKS): symlinks inside the root work, none leads out, and there is no moment
 * between check and use. Where openat2 is missing, the path is walked name by name and no symlink
 * is followed. Workers and set-up thread; may block. */
#ifndef FILES_PATH_GUARD_H
#define FILES_PATH_GUARD_H

#include "base/span.h"

#include <sys/stat.h>

/** Open `path` (relative, no NUL; "" or "." is the root itself) for reading, if it is a regular
 *  file or a directory; fills *ret_stat. Never blocks on FIFOs, never opens devices or sockets.
 *  root_fd AT_FDCWD: no root, the path is trusted. Returns the descriptor or -errno: -ENOENT for
 *  what is not there and not of these kinds, -EXDEV for what leads out. */
int path_guard_open(int root_fd, struct span path, struct stat *ret_stat);

/** O_PATH descriptor of a directory beneath the root, or -errno. */
int path_guard_open_directory(int root_fd, struct span path);

/** Is the name of a kind that is not served: dotfiles (but ".well-known" as a first segment), what
 *  editors leave behind ("*~", ".bak", ".swp", ".orig"), what private keys are kept in (".pem",
 *  ".key", "id_rsa"…); in any segment of a path. Pure. */
bool path_guard_is_hidden(struct span path);

/** Did the descriptor's name, as the kernel knows it, come without a symlink: is it exactly root +
 *  '/' + path? False also when that cannot be known (no /proc). */
bool path_guard_is_direct(int fd, struct span root_path, struct span path);

/** Tests: pretend that the kernel has no openat2. */
void path_guard_disable_openat2(bool disabled);

#endif
