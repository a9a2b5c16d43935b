/*
 * galley/hints.h — what a client is told ahead: early hints, of what an answer will need while it is
 * being made, and alternative services, of where else it could ask. Nothing here blocks.
 */
#ifndef GALLEY_HINTS_H
#define GALLEY_HINTS_H

#include <galley/http.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Send the Link lines that have been set so far as an interim answer, 103 (Early
 * Hints, RFC 8297), so that the client can fetch what they name while the answer
 * is being made; with them goes Content-Security-Policy, if it is set. The answer
 * repeats all of them. They leave at once from a handler on the pool or the
 * holder of a deferral, and from a handler on the loop when that lets go of it:
 * there they help answers that come later.
 *
 * Each call sends what was set since the one before, up to 8 times for a request.
 * Nothing new, or a client that gets none: 0, and nothing is sent. Clients of
 * HTTP/1.0 get none (RFC 9110 §15.2), those of HTTP/1.1 only if the server has
 * GALLEY_SERVER_HINTS_HTTP1, because some take it for the answer (RFC 8297 §3).
 * A hint for which the loop finds no memory is lost; the answer is not.
 *
 * 0; GALLEY_EINVAL; GALLEY_ESTATE after galley_res_begin(), or when a stream or a
 * source was given; GALLEY_EFULL after the eighth; GALLEY_ECLOSED: the client has
 * gone; GALLEY_ENOMEM. After an error nothing was sent. The thread that the
 * exchange belongs to.
 */
GALLEY_API int galley_res_early_hints(galley_response *rs);

/**
 * Is this a value of Alt-Svc (RFC 7838 §3): "clear", or alternatives like
 * 'h3=":443"; ma=86400' with commas between? By it a server says where else it
 * can be asked, by which protocol; whatever that is called will do. For a program
 * that takes the value from its user and sends it with galley_res_header(), over
 * TLS only: elsewhere a client has no proof that it comes from this server
 * (RFC 7838 §2.1).
 *
 * 0, or GALLEY_EINVAL with one sentence in err, which may be NULL. Any thread.
 */
GALLEY_API int galley_alt_svc_check(const char *value, galley_error *err);

#ifdef __cplusplus
}
#endif
#endif
