/* http/field_list.h — comma lists in field values (RFC 9110 §5.6.1) and weights (§12.4.2).
 * Walks one value in place; a comma in a quoted string does not separate. Empty members are skipped
 * as recipients must do. One pass, no allocation. Pure; any thread. */
#ifndef HTTP_FIELD_LIST_H
#define HTTP_FIELD_LIST_H

#include "base/span.h"

/** Take the next member, without outer white space and never empty, off *rest. False at the end. An
 *  open quoted string reaches to the end of the value. */
bool field_list_next(struct span *rest, struct span *ret_member);
/** Is the token among the members, in any case? Malformed members are just not equal. */
bool field_list_has(struct span value, struct span token);

/** A member `value *( ; parameter ) [ ; q=weight ]`. */
struct weighted {
    struct span value;      /* before the first ';', without white space */
    struct span parameters; /* between value and weight, "" if none */
    unsigned weight;        /* 0..1000 */
};
/** False when the weight or the parameters' outline is malformed (RFC 9110 §12.4.2: at most three
 *  decimals, not above 1, nothing behind it). */
bool weighted_parse(struct span member, struct weighted *ret);

#endif
