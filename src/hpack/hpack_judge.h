/* hpack/hpack_judge.h — which bytes may stand in names and values (RFC 9113 §8.2.1). For the
 * decoder. Pure; any thread. */
#ifndef HPACK_HPACK_JUDGE_H
#define HPACK_HPACK_JUDGE_H

#include "base/span.h"

/** As struct hpack_field says. */
bool hpack_is_good_name(struct span name);
bool hpack_is_good_value(struct span value);

#endif
