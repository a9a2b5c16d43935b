/* tests/harness/wanted_way.h — how the helper programs of the whole-server tests listen: in clear,
 * or with TLS when GALLEY_TEST_CERT and GALLEY_TEST_KEY name the files (tests/harness/ways.py). Included
 * by tests/programs, by one file of each; what cannot be had ends the program. */
#ifndef TESTS_HARNESS_WANTED_WAY_H
#define TESTS_HARNESS_WANTED_WAY_H

#include <galley/server.h>
#include <galley/tls.h>
#include <stdio.h>
#include <stdlib.h>

static galley_tls *wanted_tls; /* of all listeners, from the first one on */

static inline const char *wanted_scheme(void)
{
    return getenv("GALLEY_TEST_CERT") ? "https" : "http";
}

static inline void wanted_tls_make(void)
{
    const galley_tls_pair pairs[] = {
        {.cert_file = getenv("GALLEY_TEST_CERT"), .key_file = getenv("GALLEY_TEST_KEY")}, {0}};
    galley_tls_options options = GALLEY_TLS_OPTIONS_INIT;
    options.pairs = pairs;
    galley_error err = {0};
    wanted_tls = galley_tls_new(&options, &err);
    if (!wanted_tls) {
        fprintf(stderr, "GALLEY_TEST_CERT: %s\n", err.message);
        exit(1);
    }
}

/* As galley_server_listen(). */
static inline int wanted_listen(galley_server *server, const char *address)
{
    if (!getenv("GALLEY_TEST_CERT")) {
        return galley_server_listen(server, address);
    }
    if (!wanted_tls) {
        wanted_tls_make();
    }
    return galley_server_listen_tls(server, address, wanted_tls);
}

/* In place of galley_server_free(). */
static inline void wanted_free(galley_server *server)
{
    galley_server_free(server);
    galley_tls_free(wanted_tls);
}

#endif
