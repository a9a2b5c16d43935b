/* tests/unit/server/test_misdirected.c — no way around a host's rule for clients: a connection that
 * was made for one host asks for another (RFC 9110 §15.5.20). Real sockets, OpenSSL's client. */
#include "test.h"
#include "tls_certs.h"

#include <galley/server.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

struct world {
    char folder[CERT_PATH_MAX];
    galley_tls *tls;
    galley_server *srv;
};

static int hello(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, "hello");
}

static galley_tls *make_tls(const char *folder)
{
    struct cert root = cert_make(&(struct cert_wish){.subject = "root", .is_authority = true});
    struct cert leaf = cert_make(&(struct cert_wish){
        .subject = "leaf", .names = "DNS:open.example,DNS:must.example", .issuer = &root});
    const char *cert = cert_path(folder, "cert.pem"), *key = cert_path(folder, "key.pem");
    const char *authority = cert_path(folder, "authority.pem");
    cert_write(cert, &leaf, NULL);
    cert_write_key(key, &leaf, NULL);
    cert_write(authority, &root, NULL);
    const galley_tls_pair pairs[] = {{cert, key, NULL}, {0}};
    const galley_tls_client_rule rules[] = {{"must.example", GALLEY_TLS_CLIENT_REQUIRED, authority},
                                            {0}};
    galley_tls_options options = GALLEY_TLS_OPTIONS_INIT;
    options.pairs = pairs;
    options.clients = rules;
    galley_error err = {0};
    galley_tls *tls = galley_tls_new(&options, &err);
    if (!tls) {
        test_fail(__FILE__, __LINE__, "%s", err.message);
    }
    cert_free(&leaf);
    cert_free(&root);
    return tls;
}

static void world_open(struct world *world)
{
    cert_folder_make(world->folder);
    world->tls = make_tls(world->folder);
    world->srv = galley_server_new(NULL, NULL);
    EXPECT_INT(galley_server_listen_tls(world->srv, "127.0.0.1:0", world->tls), 0);
    EXPECT_INT(galley_server_route(world->srv, "/", hello, NULL, NULL), 0);
    EXPECT_INT(galley_server_start(world->srv, NULL), 0);
}

static void world_close(struct world *world)
{
    galley_server_free(world->srv);
    galley_tls_free(world->tls);
    cert_folder_remove(world->folder);
}

static int connect_to(const struct world *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)galley_server_port(world->srv, 0))};
    struct timeval patience = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_INT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* The status of the answer to a request for `host` on a connection that was made for `name`. */
static int status_of(const struct world *world, const char *name, const char *host)
{
    char request[128], answer[64] = "";
    int fd = connect_to(world);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_set_tlsext_host_name(ssl, name);
    SSL_set_fd(ssl, fd);
    EXPECT_INT(SSL_connect(ssl), 1);
    int len = snprintf(request, sizeof request,
                       "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
    EXPECT_INT(SSL_write(ssl, request, len), len);
    EXPECT(SSL_read(ssl, answer, 13) == 13);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    EXPECT(strncmp(answer, "HTTP/1.1 ", 9) == 0);
    return (answer[9] - '0') * 100 + (answer[10] - '0') * 10 + (answer[11] - '0');
}

TEST(a_host_that_wants_a_certificate_is_not_reached_by_another_name)
{
    struct world world;
    world_open(&world);
    EXPECT_INT(status_of(&world, "open.example", "open.example"), 200);
    EXPECT_INT(status_of(&world, "open.example", "other.example"), 200);
    EXPECT_INT(status_of(&world, "open.example", "must.example"), 421);
    EXPECT_INT(status_of(&world, "open.example", "MUST.example.:443"), 421);
    size_t it = 0;
    const char *name;
    uint64_t value, misdirected = 0;
    while (galley_server_next_counter(world.srv, &it, &name, &value)) {
        misdirected += strcmp(name, "requests_misdirected") == 0 ? value : 0;
    }
    EXPECT_INT(misdirected, 2);
    world_close(&world);
}
