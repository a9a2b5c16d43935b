/*
 * galley/forwarded.h — HTTP proxies in front of a server: which of them are believed when they say
 * for whom they ask, and what handlers see of it. Nothing here blocks; galley_req_...: on the thread that
 * owns the exchange (galley/http.h).
 */
#ifndef GALLEY_FORWARDED_H
#define GALLEY_FORWARDED_H

#include <galley/http.h>
#include <galley/route.h>

#ifdef __cplusplus
extern "C" {
#endif

/** In which headers a proxy names its client. */
enum {
    GALLEY_FORWARDED_X = 0,      /* X-Forwarded-For, -Proto and -Host                             */
    GALLEY_FORWARDED_RFC7239 = 1 /* Forwarded                                                     */
};

/**
 * A set-up call, as those in galley/server.h, on one thread before the start: HTTP proxies in this
 * network are believed when they say for whom they ask, and the functions below go by it. From
 * anywhere else such headers mean nothing. Of several proxies in a row, each of which appended whom
 * it saw, the client is the first one from the right that is not believed itself.
 *
 * network: as for galley_server_proxy_from(); once for each. header: GALLEY_FORWARDED_..., the one
 * that the proxies set themselves, the same in all calls: the other one comes from clients.
 *
 * 0, GALLEY_EINVAL, GALLEY_ENOMEM.
 */
GALLEY_API int galley_server_forwarded_from(galley_server *srv, const char *network, int header);

/**
 * The client's address without its port: whom the proxies that the server
 * believes speak for (galley_server_forwarded_from()); without such proxies the
 * same as galley_req_peer(). The access log shows it. "unknown" if a proxy does
 * not say, or says it in no proper form, "_name" if it hides it behind a name
 * (RFC 7239 §6). ptr NULL if memory is out.
 */
GALLEY_API galley_str galley_req_client(const galley_request *rq);

/**
 * The client's address itself; its port is 0 where a proxy did not tell. 0,
 * GALLEY_EINVAL when a pointer is NULL, GALLEY_ENOTFOUND when nobody knows it:
 * galley_req_client() is a name then.
 */
GALLEY_API int galley_req_client_addr(const galley_request *rq, struct sockaddr_storage *addr,
                                      socklen_t *len);

/**
 * "https" or "http": what the client used. By the word of the proxy that speaks
 * for it, if the server believes it and it says so, else as
 * galley_req_is_tls(). ptr NULL only for NULL.
 */
GALLEY_API galley_str galley_req_scheme(const galley_request *rq);

/**
 * The host for which the client asked the proxy that speaks for it, in the form
 * of galley_req_host(); ptr NULL if there is no proxy that the server believes,
 * it does not say, or memory is out. Nothing inside galley goes by it: many
 * proxies pass X-Forwarded-Host on as a client made it up. For those that are
 * known to set it.
 */
GALLEY_API galley_str galley_req_forwarded_host(const galley_request *rq);

#ifdef __cplusplus
}
#endif
#endif
