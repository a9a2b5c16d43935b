/* daemon/doctor_memory.h — the part of --doctor that says where memory can go. Main thread. */
#ifndef DAEMON_DOCTOR_MEMORY_H
#define DAEMON_DOCTOR_MEMORY_H

#include "base/buf.h"

#include "daemon/apply.h"

/** What the server may take, line by line, beside what the control group allows. False: it cannot
 *  start like this. Nothing where the folder cannot be opened, which was told elsewhere. */
bool doctor_append_memory(struct buf *out, const struct plan *plan, const struct options *options);
/** The same of a plan that is there. */
bool doctor_append_plan(struct buf *out, const galley_memory_plan *memory);

#endif
