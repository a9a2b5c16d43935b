/* tls/tls_names.h — names of certificates and what they match: a sorted list of patterns, each with
 * the numbers of those who have it. Pure. Built by one thread, then only read, by all loops.
 *
 * A pattern is a DNS name, or "*." before one, in lower case. RFC 9525 §6.3: the wildcard is the
 * whole leftmost label and stands for exactly one label. Names are bytes: internationalised ones
 * come as "xn--…" from clients and stand so in certificates (RFC 9525 §6.3, RFC 6066 §3). */
#ifndef TLS_TLS_NAMES_H
#define TLS_TLS_NAMES_H

#include "base/span.h"

enum {
    TLS_NAME_MAX = 253,
    TLS_ASKED_MAX = 255 /* that a client may ask for; longer ones OpenSSL refuses */
};

/** Can a certificate have it as a name that is ever matched: "a.example", "*.example"? */
bool tls_name_is_pattern(struct span text);
/** ASCII letters only. */
void tls_name_lower(char *out, const char *text, size_t len);
/** "*.example" for "a.example", written to out without NUL; SPAN_NONE when there is no such. */
struct span tls_name_wildcard(char out[TLS_NAME_MAX], struct span name);

/** The name that a ClientHello asks for, in lower case, from the content of its server_name
 *  extension: RFC 6066 §3, one name of type host_name. Missing when it is not like that. What is in
 *  it can be anything. */
struct span tls_name_asked(char out[TLS_ASKED_MAX], struct span extension);

struct tls_name_row {
    struct span pattern; /* in tls_names.text */
    unsigned value;
};

struct tls_names {
    struct tls_name_row *rows; /* sorted by pattern, then by value, once sealed */
    size_t count;
    size_t capacity;
};

/** Zeroed is empty. */
void tls_names_finish(struct tls_names *names);
/** A lower-case copy of a pattern; what is none is passed over. False: no memory. */
bool tls_names_add(struct tls_names *names, struct span pattern, unsigned value);
/** Sort, and drop what stands there twice. No add afterwards. */
void tls_names_seal(struct tls_names *names);
/** The rows of just this pattern: *ret_first is the first of so many; 0: nobody has it. */
size_t tls_names_find(const struct tls_names *names, struct span pattern, size_t *ret_first);
/** The rows for a name in lower case: those with the name itself, else those with its wildcard. */
size_t tls_names_match(const struct tls_names *names, struct span name, size_t *ret_first);
/** The same for those whose wildcard stands for one label or more: the longest counts. */
size_t tls_names_match_deep(const struct tls_names *names, struct span name, size_t *ret_first);

#endif
