/* http/negotiate.h — proactive negotiation (RFC 9110 §12.5): content codings, and JSON against
 * HTML. Members that break the grammar are ignored one by one. Never 406. Pure; any thread. */
#ifndef HTTP_NEGOTIATE_H
#define HTTP_NEGOTIATE_H

#include "http/fields.h"

/** In rising preference of the server: at equal weights the highest number wins. */
enum coding { CODING_IDENTITY = 0, CODING_GZIP, CODING_ZSTD, CODING_BR, CODING_COUNT };

#define CODING_BIT(coding) (1u << (coding))

/** "gzip", "zstd", "br", "identity": the token for Content-Encoding. NUL-terminated. */
struct span coding_name(enum coding coding);
/** The coding to answer with, out of the set of bits `available` (identity is always there). By
 *  weight, then by server preference; weight 0 is never taken, but identity is when nothing else is
 *  left. Without Accept-Encoding: identity. A coding that is named twice: the first counts. x-gzip
 *  is gzip. */
enum coding negotiate_coding(const struct fields *fields, unsigned available);
/** Does Accept weigh application/json higher than text/html? False without Accept. The most
 *  specific range that matches gives the weight; ranges with parameters match neither. */
bool negotiate_prefers_json(const struct fields *fields);

#endif
