/* tests/unit/server/test_listen_tls.c — addresses that speak TLS: what set-up refuses, and a start
 * without memory. What is spoken there is tested with the program and in tls/. */
#include "base/alloc.h"
#include "test.h"
#include "tls_certs.h"

#include <galley/server.h>

#include <sys/wait.h>
#include <unistd.h>

static galley_tls *certificates(void)
{
    galley_error err = {0};
    galley_tls_options opt = GALLEY_TLS_OPTIONS_INIT;
    opt.flags = GALLEY_TLS_SELF_SIGNED;
    galley_tls *tls = galley_tls_new(&opt, &err);
    if (!tls) {
        test_fail(__FILE__, __LINE__, "%s", err.message);
    }
    return tls;
}

static galley_server *make(void)
{
    galley_error err = {0};
    galley_server *srv = galley_server_new(NULL, &err);
    EXPECT(srv != NULL);
    return srv;
}

TEST(what_is_missing_is_said)
{
    galley_tls *tls = certificates();
    galley_error err = {0};
    EXPECT_INT(galley_server_listen_tls(NULL, ":0", tls), GALLEY_EINVAL);
    galley_server *srv = make();
    EXPECT_INT(galley_server_listen_tls(srv, "127.0.0.1:0", NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_EINVAL);
    EXPECT_TEXT(err.message, "listen: no certificates were given");
    galley_server_free(srv);
    srv = make();
    EXPECT_INT(galley_server_listen_tls(srv, NULL, tls), GALLEY_EINVAL);
    EXPECT_INT(galley_server_listen_tls(srv, "nowhere", tls), GALLEY_EINVAL);
    galley_server_free(srv);
    galley_tls_free(tls);
}

TEST(a_taken_port_is_told)
{
    galley_tls *tls = certificates();
    galley_server *first = make(), *second = make();
    EXPECT_INT(galley_server_listen_tls(first, "127.0.0.1:0", tls), 0);
    const char *address = galley_server_address(first, 0).ptr;
    EXPECT_INT(galley_server_listen_tls(second, address, tls), GALLEY_ESYS);
    galley_server_free(second);
    galley_server_free(first);
    galley_tls_free(tls);
}

TEST(a_server_that_runs_takes_no_more_addresses)
{
    galley_tls *tls = certificates();
    galley_server *srv = make();
    EXPECT_INT(galley_server_listen_tls(srv, "127.0.0.1:0", tls), 0);
    EXPECT_INT(galley_server_start(srv, NULL), 0);
    EXPECT_INT(galley_server_listen_tls(srv, "127.0.0.1:0", tls), GALLEY_ESTATE);
    EXPECT_INT(galley_server_proxy_from(srv, "::1"), GALLEY_ESTATE);
    pid_t child = fork();
    if (child == 0) {
        bool is_refused = galley_server_listen_tls(srv, "127.0.0.1:0", tls) == GALLEY_EFORKED;
        is_refused &= galley_server_proxy_from(srv, "::1") == GALLEY_EFORKED;
        _exit(is_refused ? 0 : 1);
    }
    int status = -1;
    EXPECT_INT(waitpid(child, &status, 0), child);
    EXPECT_INT(status, 0);
    galley_server_free(srv);
    galley_tls_free(tls);
}

TEST(without_memory_there_is_no_address)
{
    galley_tls *tls = certificates();
    galley_server *srv = make();
    mem_fail_nth(1);
    EXPECT_INT(galley_server_listen_tls(srv, "127.0.0.1:0", tls), GALLEY_ENOMEM);
    mem_fail_nth(0);
    galley_server_free(srv);
    galley_tls_free(tls);
}

static galley_server *without_memory(void)
{
    galley_server *srv = make();
    mem_fail_nth(1);
    return srv;
}

TEST(networks_of_proxies_are_read_with_care)
{
    EXPECT_INT(galley_server_proxy_from(NULL, "::1"), GALLEY_EINVAL);
    galley_error err = {0};
    galley_server *srv = make();
    EXPECT_INT(galley_server_proxy_from(srv, "10.0.0.0/8"), 0);
    EXPECT_INT(galley_server_proxy_from(srv, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_proxy_from(srv, "10.0.0.1/8"), GALLEY_EINVAL);
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_EINVAL);
    EXPECT_TEXT(err.message, "proxy from: no network was given");
    galley_server_free(srv);
    srv = without_memory();
    EXPECT_INT(galley_server_proxy_from(srv, "::1"), GALLEY_ENOMEM);
    mem_fail_nth(0);
    galley_server_free(srv);
}

static void start_and_stop(galley_server *srv, galley_error *err)
{
    if (galley_server_start(srv, err) == 0) {
        galley_server_stop(srv, GALLEY_STOP_DRAIN);
        EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, err), 0);
    }
}

/* From files, which are watched. */
static galley_tls *certificates_in(const char *folder)
{
    const char *cert = cert_path(folder, "cert.pem"), *key = cert_path(folder, "key.pem");
    struct cert leaf = cert_make(&(struct cert_wish){.subject = "leaf", .names = "DNS:a.example"});
    cert_write(cert, &leaf, NULL);
    cert_write_key(key, &leaf, NULL);
    cert_free(&leaf);
    const galley_tls_pair pairs[] = {{cert, key, NULL}, {0}};
    galley_tls_options opt = GALLEY_TLS_OPTIONS_INIT;
    opt.pairs = pairs;
    galley_tls *tls = galley_tls_new(&opt, NULL);
    EXPECT(tls);
    return tls;
}

TEST_TIMEOUT(every_failing_allocation_of_a_start_with_tls_is_one_sentence, 120)
{
    char folder[CERT_PATH_MAX];
    cert_folder_make(folder);
    galley_tls *tls = certificates_in(folder);
    bool did_fail = true;
    for (uint64_t n = 1; did_fail; n++) {
        galley_error err = {0};
        galley_server *srv = make();
        EXPECT_INT(galley_server_listen_tls(srv, "127.0.0.1:0", tls), 0);
        EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
        mem_fail_nth(n);
        start_and_stop(srv, &err);
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(did_fail || err.code == 0);
        EXPECT(err.code == 0 || err.code == GALLEY_ENOMEM);
        galley_server_free(srv);
    }
    galley_tls_free(tls);
    cert_folder_remove(folder);
}
