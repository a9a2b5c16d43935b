/* daemon/say.h — what the program says: messages on standard error, one write for each line, in
 * colours on a terminal only (and not with NO_COLOR). Results that were asked for (banner, --help,
 * --doctor) go to standard output instead. Any thread. */
#ifndef DAEMON_SAY_H
#define DAEMON_SAY_H

#include <stdbool.h>

/** "galley: ..." */
void say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The log function of a server; ctx is not used. */
void say_log(void *ctx, int level, const char *line);
/** May colours be used on this descriptor? */
bool say_has_colours(int fd);

#endif
