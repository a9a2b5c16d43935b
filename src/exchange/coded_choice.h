/* exchange/coded_choice.h — may this answer be compressed, and how? The rules of RFC 9110 §8.4, §8.8.3
 * and §12.5, in one place. On the loop, when the response is decided; looks only at what its owner
 * does not change any more. */
#ifndef EXCHANGE_CODED_CHOICE_H
#define EXCHANGE_CODED_CHOICE_H

#include "base/span.h"
#include "http/negotiate.h"

#include <stdbool.h>
#include <stddef.h>

struct exchange;

enum {
    CODED_MAX_TAG_SUFFIX = 6, /* "-gzip" */
    CODED_ALL_CODINGS = CODING_BIT(CODING_GZIP) | CODING_BIT(CODING_ZSTD) | CODING_BIT(CODING_BR)
};

/** Could a client get it compressed, whatever this one accepts? */
bool coded_is_possible(const struct exchange *exchange);
/** How this client wants it; CODING_IDENTITY: as it is. */
enum coding coded_choose(const struct exchange *exchange);

/** RFC 9110 §8.8.3.3: representations of different codings have different strong tags: "abc" becomes
 *  "abc-gzip". Writes tag.len + CODED_MAX_TAG_SUFFIX bytes at most and returns how many; 0: the tag
 *  stays as it is (weak, or none). */
size_t coded_tag_write(char *out, struct span tag, enum coding coding);
/** What a client says of tags that were written so, in If-None-Match and If-Match, becomes what the
 *  handler knows: the fields of the request then have values in the arena. Returns the coding of the
 *  first, for a 304 has to say it again; CODING_IDENTITY: there was none. Without memory nothing is
 *  changed. */
enum coding coded_tags_take_back(struct exchange *exchange);

#endif
