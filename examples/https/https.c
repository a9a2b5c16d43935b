/* A folder over HTTPS and HTTP/2, and a page made by a handler that says how it was asked for.
 *
 *     https FOLDER [ADDRESS [CERTIFICATE KEY]]
 *
 * Without files it makes a certificate in memory, for localhost. Nobody has signed that, so a client
 * has to be told that it may be trusted: `curl --insecure`, or a look at the fingerprint in a
 * browser. Files are watched: a renewed certificate is used from the next connection on. */
#include <galley/server.h>
#include <galley/static.h>
#include <galley/tls.h>

#include <stdio.h>

static const char *tls_version(galley_request *rq)
{
    galley_tls_report report = {.size = sizeof report};
    return galley_req_tls(rq, &report) == 0 ? report.protocol.ptr : "no TLS";
}

/* HTTP/1.1 or HTTP/2 is what client and server agreed on in the handshake; a handler need not
 * care. */
static int how(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    const char *protocol = galley_req_version(rq) >= 20 ? "HTTP/2" : "HTTP/1";
    return galley_res_printf(rs, 200, NULL, "%s over %s\n", protocol, tls_version(rq));
}

/* A browser that has seen this comes back over TLS only (RFC 6797): not with a certificate that it
 * has no reason to trust, whose warning nobody could click away then. */
static int insist_on_tls(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rq;
    (void)arg;
    galley_res_lasting_header(rs, "Strict-Transport-Security", "max-age=31536000");
    return galley_next(chain);
}

static galley_tls *make_tls(const char *cert_file, const char *key_file, galley_error *err)
{
    const galley_tls_pair pairs[] = {{.cert_file = cert_file, .key_file = key_file}, {0}};
    galley_tls_options options = GALLEY_TLS_OPTIONS_INIT;
    if (cert_file) {
        options.pairs = pairs;
    } else {
        options.flags = GALLEY_TLS_SELF_SIGNED;
    }
    return galley_tls_new(&options, err);
}

static void say_where(galley_server *srv, galley_tls *tls)
{
    galley_str address = galley_server_address(srv, 0);
    galley_tls_certificate_report certificate = {.size = sizeof certificate};
    if (address.ptr && galley_tls_get_certificate(tls, 0, &certificate) == 0) {
        printf("https://%s/\n", address.ptr);
        printf("certificate of %s, for %s, SHA-256 %s\n", certificate.key, certificate.names,
               certificate.fingerprint);
        fflush(stdout);
    }
}

static int run(galley_static *files, galley_tls *tls, char **argv, galley_error *err)
{
    galley_server *srv = galley_server_new(NULL, err);
    if (!srv) {
        return err->code;
    }
    galley_server_route(srv, "GET /how", how, NULL, NULL);
    galley_server_route(srv, "GET /{path...}", galley_static_serve, files, NULL);
    if (argv[2] && argv[3]) {
        galley_server_use(srv, "/", insist_on_tls, NULL);
    }
    galley_server_listen_tls(srv, argv[2] ? argv[2] : "127.0.0.1:7843", tls);
    say_where(srv, tls);
    int rc = galley_server_run(srv, GALLEY_UNTIL_SIGNAL, err); /* says what went wrong above, too */
    galley_server_free(srv);
    return rc;
}

int main(int argc, char **argv)
{
    galley_error err = {0};
    if (argc < 2 || argc == 4 || argc > 5) {
        fprintf(stderr, "usage: https FOLDER [ADDRESS [CERTIFICATE KEY]]\n");
        return 2;
    }
    galley_static *files = galley_static_new(argv[1], NULL, &err);
    galley_tls *tls =
        files ? make_tls(argc > 3 ? argv[3] : NULL, argc > 3 ? argv[4] : NULL, &err) : NULL;
    int rc = tls ? run(files, tls, argv, &err) : -1;
    if (rc != 0) {
        fprintf(stderr, "https: %s\n", err.message);
    }
    galley_tls_free(tls); /* after the server, which watches its files */
    galley_static_free(files);
    return rc != 0;
}
