/* http/method.h — request methods by number. Same numbers as the public galley_method. Pure; any
 * thread. */
#ifndef HTTP_METHOD_H
#define HTTP_METHOD_H

#include "base/span.h"

enum method {
    METHOD_OTHER = 0, /* any other token: answered 501 */
#define METHOD(id, name, number, is_safe) METHOD_##id = (number),
#include "http/method_list.h"
#undef METHOD
    METHOD_COUNT
};

/** Methods are case-sensitive (RFC 9110 §9.1): "get" is METHOD_OTHER. So is every non-token;
 *  whether the name is well-formed is chars_is_token's question. */
enum method method_of(struct span name);
/** "GET"; empty for METHOD_OTHER. NUL-terminated. */
struct span method_name(enum method method);
/** RFC 9110 §9.2.1; METHOD_OTHER is not safe. */
bool method_is_safe(enum method method);

#endif
