/* files/file_ranges.h — Range requests (RFC 9110 §14) on the identity variant of a file. On the
 * loop. */
#ifndef FILES_FILE_RANGES_H
#define FILES_FILE_RANGES_H

#include "files/file_respond.h"

/** Is there a Range that may be looked at: GET, one line, bytes? */
bool file_ranges_are_asked(const struct exchange *exchange);
/** 206 or 416, if Range and If-Range ask for it. True: *ret_result is the handler result; false:
 * answer with all of it. */
bool file_ranges_respond(const struct file_answer *answer, int *ret_result);

#endif
