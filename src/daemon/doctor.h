/* daemon/doctor.h — what would happen, without doing it: --doctor and --print-config. Main
 * thread. */
#ifndef DAEMON_DOCTOR_H
#define DAEMON_DOCTOR_H

#include "base/buf.h"

#include "daemon/apply.h"

/** Every option, its value, and where that comes from. */
void doctor_append_config(struct buf *out, const struct plan *plan, const struct options *options);
/** The machine, the limits in force, the addresses and the folder. True: it could serve. */
bool doctor_append_report(struct buf *out, const struct plan *plan, const struct options *options);

#endif
