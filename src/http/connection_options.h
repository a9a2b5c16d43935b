/* http/connection_options.h — what Connection and Expect ask for (RFC 9110 §7.6.1, §10.1.1; RFC
 * 9112 §9.3). Pure; any thread. */
#ifndef HTTP_CONNECTION_OPTIONS_H
#define HTTP_CONNECTION_OPTIONS_H

#include "http/fields.h"

/** May the connection serve another request? version 11: unless `close`; 10: only with `keep-alive`
 *  and without `close`. Other options are tolerated. */
bool connection_wants_keep_alive(int version, const struct fields *fields);

enum expectation {
    EXPECT_NOTHING,
    EXPECT_CONTINUE, /* 100-continue, alone */
    EXPECT_UNKNOWN   /* answer 417 */
};
/** In HTTP/1.0 the field is ignored. */
enum expectation expectation_of(int version, const struct fields *fields);

#endif
