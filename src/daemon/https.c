/* daemon/https.c — see https.h. Middleware before the site. */
#include "daemon/https.h"

#include "base/span.h"

#include "daemon/tls.h"

#include <stdio.h>

enum { HTTPS_PORT = 443 };

/* RFC 8555 §8.3: who proves by HTTP that a name is his answers on port 80. */
static bool is_challenge(const galley_request *rq)
{
    galley_str path = galley_req_path(rq);
    return path.ptr &&
           span_starts_with(span_make(path.ptr, path.len), SPAN("/.well-known/acme-challenge/"));
}

static struct span span_of_str(galley_str text)
{
    return span_make(text.ptr, text.len);
}

/* Who came to a proxy comes to it again, and its port is not ours. */
static const char *port_for(const galley_request *rq, const struct https *https)
{
    struct span client = span_of_str(galley_req_client(rq));
    return span_equal(client, span_of_str(galley_req_peer(rq))) ? https->port : "";
}

/* RFC 9110 §15.4.9: 308 keeps the method. Where the name is not known (HTTP/1.0), there is nowhere
 * to send the client. */
static int redirect(galley_request *rq, galley_response *rs, const struct https *https)
{
    galley_str host = galley_req_host(rq);
    galley_str path = galley_req_target(rq);
    if (!host.ptr || path.len == 0 || path.ptr[0] != '/') {
        return 400;
    }
    char *location = galley_sprintf(rq, "https://%.*s%s%.*s", (int)host.len, host.ptr,
                                    port_for(rq, https), (int)path.len, path.ptr);
    return location ? galley_res_redirect(rs, 308, location) : 503;
}

/* What the client used: behind a proxy that is believed, it knows. */
static bool is_https(const galley_request *rq)
{
    return span_equal(span_of_str(galley_req_scheme(rq)), SPAN("https"));
}

static int before_site(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    const struct https *https = arg;
    bool is_secure = is_https(rq);
    if (!is_secure && https->redirects && !is_challenge(rq)) {
        return redirect(rq, rs, https);
    }
    /* RFC 6797 §7.2: not to clients without TLS. */
    if (is_secure && https->hsts &&
        galley_res_lasting_header(rs, "Strict-Transport-Security", https->hsts) != GALLEY_OK) {
        return 500;
    }
    /* RFC 7838 §2.1: elsewhere clients must not believe it without proof. */
    if (galley_req_is_tls(rq) && https->alt_svc &&
        galley_res_lasting_header(rs, "Alt-Svc", https->alt_svc) != GALLEY_OK) {
        return 500;
    }
    return galley_next(chain);
}

static int first_tls_port(galley_server *server, const struct options *options)
{
    char address[TLS_ADDRESS_MAX];
    for (unsigned i = 0; i < options->listen.count; i++) {
        if (tls_address(options->listen.items[i], address)) {
            return galley_server_port(server, i);
        }
    }
    return HTTPS_PORT;
}

int https_check(const struct options *options, galley_error *err)
{
    return options->alt_svc ? galley_alt_svc_check(options->alt_svc, err) : GALLEY_OK;
}

int https_set_up(struct https *https, galley_server *server, const struct options *options)
{
    *https = (struct https){.redirects = options->redirect_to_https, .alt_svc = options->alt_svc};
    if (options->hsts) {
        https->hsts = options->hsts[0] ? options->hsts : "max-age=31536000";
    }
    int port = first_tls_port(server, options);
    if (port > 0 && port != HTTPS_PORT) {
        (void)snprintf(https->port, sizeof https->port, ":%d", port);
    }
    if (!https->redirects && !https->hsts && !https->alt_svc) {
        return GALLEY_OK;
    }
    return galley_server_use(server, "/", before_site, https);
}
