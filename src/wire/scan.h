/* wire/scan.h — finds the first byte that does not belong: in a field value, a token, a request
 * target. Each finder returns a pointer to the first byte of another class in [at, end), or end.
 * Never reads outside [at, end). The fast ones use SSE2 (always there on x86-64) and AVX2 where the
 * CPU has it; elsewhere they are the plain ones, which stay built as the reference that the tests
 * compare with. Pure; any thread. */
#ifndef WIRE_SCAN_H
#define WIRE_SCAN_H

/** RFC 9110 §5.5: a field value holds VCHAR, obs-text (0x80 and up), space and tab. */
const char *scan_value(const char *at, const char *end);
/** RFC 9110 §5.6.2: tchar, what methods and field names are made of. */
const char *scan_token(const char *at, const char *end);
/** A request target here: 0x21 to 0x7e but not '#'. Wider than RFC 3986 because browsers send | ^ {
 *  } as they are; a fragment and bytes over 0x7f never belong (RFC 9112 §3.2). */
const char *scan_target(const char *at, const char *end);

/* The plain twins: the same promises, one byte at a time. */
const char *scan_value_plain(const char *at, const char *end);
const char *scan_token_plain(const char *at, const char *end);
const char *scan_target_plain(const char *at, const char *end);

#endif
