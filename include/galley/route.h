/*
 * galley/route.h — which handler answers which request: patterns, hosts, what is special about a
 * route, middleware. Included by galley/server.h.
 *
 * These are set-up calls: they return a code and also remember the first failure in the server, and
 * galley_server_run() then refuses with it. They are made on one thread, before run() or start();
 * afterwards they return GALLEY_ESTATE. None blocks.
 */
#ifndef GALLEY_ROUTE_H
#define GALLEY_ROUTE_H

#include <galley/http.h>
#include <galley/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A server: set up by one thread, run once, stopped from anywhere, freed. */
typedef struct galley_server galley_server;

/** Where a route's handler runs. */
enum {
    GALLEY_ON_POOL = 0, /* on a worker: it may block           */
    GALLEY_ON_LOOP = 1  /* on the event loop: it must not block */
};

/** What happens to the body of a request for a route. */
enum {
    GALLEY_BODY_BUFFER = 0, /* read into memory before the handler is called         */
    GALLEY_BODY_SPOOL = 1,  /* read into an unnamed file before the handler is called */
    GALLEY_BODY_STREAM = 2, /* read by the handler: galley_req_read(), galley_req_sink() */
    GALLEY_BODY_REFUSE = 3  /* a request with a body is answered with 413             */
};

/**
 * Are answers compressed on the way (RFC 9110 §8.4: br, zstd or gzip, as the client
 * accepts)? Of the types that are worth it (text, JSON, XML, SVG, wasm and the
 * like, or the server's compress_types) those from 1 KiB on (or its
 * compress_min_bytes), in one piece or in many; what was written to a
 * stream can be decoded as soon as it is sent. They get Vary: Accept-Encoding, and
 * a strong ETag gets the coding's name ("v1" becomes "v1-br"), which is taken off
 * again before the handler sees If-None-Match or If-Match. Left alone: answers
 * with Content-Encoding or Content-Range, 206, `Cache-Control: no-transform`, files
 * (which have their own way: galley/static.h), upgrades.
 *
 * It is off unless asked for, because of BREACH (CVE-2013-3587): who can have a
 * victim's browser ask again and again, chooses a part of the answer (a query that
 * is shown) and sees its length, also through TLS, may guess a secret in the same
 * answer (a CSRF token, an address) byte by byte. Turn it on for routes whose
 * answers are the same for everybody, or hold nothing that a stranger chose; turn
 * it off where both meet. Files hold nothing of a request, so for them it is on.
 */
enum {
    GALLEY_COMPRESS_DEFAULT = 0, /* of a route: the server's; of a server: off */
    GALLEY_COMPRESS_ON = 1,
    GALLEY_COMPRESS_OFF = 2
};

/**
 * Are request bodies with Content-Encoding br, zstd or gzip given to the handler as
 * they were before, whatever the way (GALLEY_BODY_...)? Then Content-Encoding and
 * Content-Length are not among what it sees, and the size of the body is that of
 * what it gets. max_body_bytes holds for what comes and for what it becomes;
 * beyond that, or a hundred times what came (from 64 KiB on), it is 413; what is
 * cut off or no such coding 400; another coding, or several, 415 with
 * Accept-Encoding.
 */
enum {
    GALLEY_DECODE_OFF = 0, /* the handler sees what came */
    GALLEY_DECODE_ON = 1
};

/** What is special about a route. Start from GALLEY_ROUTE_OPTIONS_INIT; zero means the default. */
typedef struct galley_route_options {
    size_t size;
    int run;                 /* GALLEY_ON_POOL (default) or GALLEY_ON_LOOP               */
    int body;                /* GALLEY_BODY_...; default GALLEY_BODY_BUFFER              */
    uint64_t max_body_bytes; /* default: the server's                                    */
    uint32_t timeout_ms;     /* of a whole exchange, head to last byte; default none. Then
                                503 if nothing was sent yet, else a reset; and
                                galley_should_stop()                                     */
    uint32_t max_running;    /* handlers and deferrals at once; default no limit. The rest
                                wait here, not in the pool                               */
    uint32_t max_waiting;    /* of those; default 64, GALLEY_NO_LIMIT: any; else 503     */
    galley_pool *pool;       /* a pool of its own, so that slow work cannot crowd out the
                                rest; it must outlive the server                         */
    const char *label;       /* in logs and the live view; default: the pattern          */
    int compress;            /* GALLEY_COMPRESS_...; default: the server's               */
    int decode;              /* GALLEY_DECODE_...: request bodies; default off           */
} galley_route_options;
#define GALLEY_ROUTE_OPTIONS_INIT                                                                  \
    {                                                                                              \
        sizeof(galley_route_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                 \
    }

/**
 * Let fn(request, response, arg) answer what the pattern matches:
 * "GET /", "/any/method", "PUT /files/{name}", "/assets/{path...}",
 * "GET api.example.com/users/{id}", "*.example.com/".
 *
 * A pattern matches whole paths; {name} is one non-empty segment, {name...} all
 * that is left. With a host in front of the path it matches only requests for
 * that host, in any case, whatever the port, which is not written; "*." stands
 * for one or more labels; an IPv6 address has its brackets. An exact host goes
 * before a wildcard, the longest of these first, a wildcard before patterns
 * without a host, and these answer what the host's own do not match. The
 * narrowest pattern wins whatever the order of registration; two for the same
 * host that could tie are GALLEY_ECONFLICT, and the sentence names both. A GET
 * route answers HEAD; a path without the method gives 405 with Allow; OPTIONS
 * is answered with Allow; TRACE, CONNECT and unknown methods give 501.
 * Also GALLEY_EINVAL, GALLEY_ENOMEM. opt may be NULL.
 */
GALLEY_API int galley_server_route(galley_server *srv, const char *pattern, galley_handler *fn,
                                   void *arg, const galley_route_options *opt);

/**
 * Answers what no route's path matched; default: 404. At most one:
 * GALLEY_ECONFLICT. Also GALLEY_EINVAL, GALLEY_ENOMEM. opt may be NULL.
 */
GALLEY_API int galley_server_fallback(galley_server *srv, galley_handler *fn, void *arg,
                                      const galley_route_options *opt);

/** What is left of a way through middleware to the handler; lives as long as the call it is for. */
typedef struct galley_chain galley_chain;

/**
 * Stands before handlers: answers a request itself, by returning a handler
 * result, or goes on by galley_next(), and may look at its result.
 */
typedef int galley_middleware(galley_request *rq, galley_response *rs, galley_chain *chain,
                              void *arg);

/**
 * Run the rest of the chain and return its handler result. On a deferral, a
 * stream, a source or a static file that is 0, and the answer comes later: what
 * the middleware returns then is ignored on a deferral and a static file, and
 * ends the others unless it is 0; rq and rs must not be used behind a handler
 * that may defer. A second call in one middleware is GALLEY_ESTATE and runs
 * nothing; chain NULL: GALLEY_EINVAL. Only inside the middleware that was given
 * the chain, on its thread: it is gone when the middleware returns. Blocks as
 * long as the handler does.
 */
GALLEY_API int galley_next(galley_chain *chain);

/**
 * Let fn stand before every route, and the fallback, for requests whose path is
 * prefix or lies below it: "/admin" is for /admin and /admin/x, not for
 * /administrator; "/" is for all. It is the request's path that counts, decoded
 * and without dot segments as galley_req_path() gives it, so no pattern and no
 * spelling can lead around it; an encoded slash counts as one here. The prefix
 * is written decoded, too. The first registered is the outermost. It runs on
 * the thread of the handler behind it, so one before GALLEY_ON_LOOP routes (as
 * static files) must not block. Answers that need no route (405, OPTIONS, 404
 * without a fallback) are not wrapped. A body is read as the route says before
 * fn is called.
 *
 * 0, GALLEY_EINVAL, GALLEY_ENOMEM, GALLEY_ESTATE. Set-up thread; does not block.
 */
GALLEY_API int galley_server_use(galley_server *srv, const char *prefix, galley_middleware *fn,
                                 void *arg);

#ifdef __cplusplus
}
#endif
#endif
