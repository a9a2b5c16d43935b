/* http/precondition.h — conditional requests: RFC 9110 §13, evaluated in the order of §13.2.2.
 * Callers: the file handler, later reply handlers, before any range is looked at. Pure; any
 * thread. */
#ifndef HTTP_PRECONDITION_H
#define HTTP_PRECONDITION_H

#include "http/fields.h"
#include "http/method.h"

/** What is there now. */
struct validators {
    bool exists;        /* is there a current representation? */
    bool has_modified;  /* is modified_s sent as Last-Modified? */
    struct span etag;   /* as in the ETag field; len 0: none */
    int64_t modified_s; /* Unix time */
};

enum precondition {
    PRECONDITION_PROCEED,
    PRECONDITION_NOT_MODIFIED, /* answer 304 (GET and HEAD only) */
    PRECONDITION_FAILED        /* answer 412 */
};

/** Call for requests that would be answered 2xx without the condition. A malformed If-Match is a
 *  condition that is not true (412: nothing is overwritten on a misunderstanding); a malformed
 *  If-None-Match matches nothing for GET and HEAD and is 412 for others; invalid dates are ignored
 *  (§13.1.3, §13.1.4). */
enum precondition precondition_check(enum method method, const struct fields *fields,
                                     const struct validators *current, int64_t now_s);
/** May Range be used? True without If-Range, or when its validator matches strongly (§13.1.5). A
 *  date matches only exactly, and only when the second of the last change is over. */
bool precondition_if_range(const struct fields *fields, const struct validators *current,
                           int64_t now_s);

#endif
