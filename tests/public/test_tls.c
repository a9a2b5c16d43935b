/* tests/public/test_tls.c — TLS and HTTP/2 through the public API: listeners, what handlers are told
 * of a client on the loop, on the pool and later, and clients' certificates. */
#include "support_server.h"
#include "tls_client.h"

#include <galley/access_log.h>

#include <pthread.h>
#include <stdatomic.h>

enum { TEXT_BYTES = 4096 };

/* ---- a server -------------------------------------------------------------------------------- */

struct world {
    char folder[CERT_PATH_MAX];
    struct cert root, leaf, alice;
    galley_tls *tls;
    galley_server *srv;
    int port, plain_port;
};

static const char *or_none(galley_str text)
{
    return text.ptr ? text.ptr : "none";
}

/* The report as text, in the request's memory. */
static const char *describe(galley_request *rq)
{
    galley_tls_report report = {.size = sizeof report};
    int rc = galley_req_tls(rq, &report);
    if (rc != 0) {
        return galley_sprintf(rq, "error %d", rc);
    }
    return galley_sprintf(
        rq, "%s %s name=%s alpn=%s resumed=%d client=%d subject=%s names=%s %s",
        report.protocol.ptr, report.cipher.ptr ? "cipher" : "", or_none(report.server_name),
        or_none(report.alpn), report.is_resumed, report.has_client, or_none(report.client_subject),
        or_none(report.client_names), report.client_fingerprint.len == 95 ? "fingerprint" : "none");
}

static int report(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    return galley_res_text(rs, 200, describe(rq));
}

static void *finish_later(void *arg)
{
    galley_deferred *later = arg;
    const char *text = describe(galley_deferred_request(later));
    int rc = galley_res_text(galley_deferred_response(later), 200, text);
    EXPECT_INT(galley_deferred_finish(later, rc), 0);
    return NULL;
}

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    pthread_t thread;
    galley_deferred *later = galley_res_defer(rs);
    EXPECT(later && pthread_create(&thread, NULL, finish_later, later) == 0);
    pthread_detach(thread);
    return 0;
}

static galley_tls *make_tls(struct world *world)
{
    const char *cert = cert_path(world->folder, "cert.pem");
    const char *key = cert_path(world->folder, "key.pem");
    const char *authority = cert_path(world->folder, "authority.pem");
    cert_write(cert, &world->leaf, NULL);
    cert_write_key(key, &world->leaf, NULL);
    cert_write(authority, &world->root, NULL);
    const galley_tls_pair pairs[] = {{cert, key, NULL}, {0}};
    const galley_tls_client_rule rules[] = {{"must.example", GALLEY_TLS_CLIENT_REQUIRED, authority},
                                            {"may.example", GALLEY_TLS_CLIENT_OPTIONAL, authority},
                                            {0}};
    galley_tls_options opt = GALLEY_TLS_OPTIONS_INIT;
    opt.pairs = pairs;
    opt.clients = rules;
    galley_error err = {0};
    galley_tls *tls = galley_tls_new(&opt, &err);
    if (!tls) {
        test_fail(__FILE__, __LINE__, "%s", err.message);
    }
    return tls;
}

static void make_certificates(struct world *world)
{
    world->root = cert_make(&(struct cert_wish){.subject = "root", .is_authority = true});
    world->leaf =
        cert_make(&(struct cert_wish){.subject = "leaf",
                                      .names = "DNS:open.example,DNS:must.example,DNS:may.example",
                                      .issuer = &world->root});
    world->alice = cert_make(&(struct cert_wish){
        .subject = "alice", .names = "email:al@a.example", .issuer = &world->root});
}

static void world_open(struct world *world, const galley_server_options *opt)
{
    galley_error err = {0};
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    on_loop.run = GALLEY_ON_LOOP;
    cert_folder_make(world->folder);
    make_certificates(world);
    world->tls = make_tls(world);
    world->srv = galley_server_new(opt, &err);
    EXPECT(world->srv);
    EXPECT_INT(galley_server_listen_tls(world->srv, "127.0.0.1:0", world->tls), 0);
    EXPECT_INT(galley_server_listen(world->srv, "127.0.0.1:0"), 0);
    EXPECT_INT(galley_server_route(world->srv, "/loop", report, NULL, &on_loop), 0);
    EXPECT_INT(galley_server_route(world->srv, "/pool", report, NULL, NULL), 0);
    EXPECT_INT(galley_server_route(world->srv, "/later", defer, NULL, NULL), 0);
    EXPECT_INT(galley_server_route(world->srv, "/later-on-loop", defer, NULL, &on_loop), 0);
}

static void world_start(struct world *world)
{
    world->port = start(world->srv);
    world->plain_port = galley_server_port(world->srv, 1);
}

static void world_close(struct world *world)
{
    EXPECT_INT(stop(world->srv, GALLEY_STOP_DRAIN, NULL), 0);
    galley_tls_free(world->tls);
    cert_free(&world->alice);
    cert_free(&world->leaf);
    cert_free(&world->root);
    cert_folder_remove(world->folder);
}

/* ---- what handlers are told ------------------------------------------------------------------ */

static const char *const paths[] = {"/loop", "/pool", "/later", "/later-on-loop", "/pool", "/loop"};
enum { PATHS = sizeof paths / sizeof *paths };

/* On one connection, from every kind of handler. */
static void expect_report(const struct world *world, const struct tls_wish *wish, const char *text)
{
    char body[TEXT_BYTES];
    struct tls_client client;
    EXPECT(tls_client_open(&client, world->port, wish));
    for (unsigned i = 0; i < PATHS; i++) {
        EXPECT_INT(tls_client_get(&client, paths[i], body, sizeof body), 200);
        EXPECT_TEXT(body, text);
    }
    tls_client_close(&client);
}

TEST(test_handlers_everywhere_know_the_protocol_and_the_name)
{
    struct world world;
    galley_server_options opt = options();
    world_open(&world, &opt);
    world_start(&world);
    expect_report(
        &world,
        &(struct tls_wish){.name = "Open.example", .alpn = "http/1.1", .version = TLS1_3_VERSION},
        "TLSv1.3 cipher name=Open.example alpn=http/1.1 resumed=0 client=0 subject=none "
        "names=none none");
    expect_report(&world, &(struct tls_wish){.version = TLS1_2_VERSION},
                  "TLSv1.2 cipher name=none alpn=none resumed=0 client=0 subject=none names=none "
                  "none");
    /* RFC 9113 §9.2: HTTP/2 over TLS */
    expect_report(&world, &(struct tls_wish){.name = "open.example", .alpn = "h2"},
                  "TLSv1.3 cipher name=open.example alpn=h2 resumed=0 client=0 subject=none "
                  "names=none none");
    world_close(&world);
}

TEST(test_handlers_everywhere_know_who_the_client_is)
{
    static const char *const protocols[] = {"http/1.1", "h2"};
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    struct world world;
    galley_server_options opt = options();
    world_open(&world, &opt);
    world_start(&world);
    for (unsigned i = 0; i < 2; i++) {
        char text[TEXT_BYTES];
        snprintf(text, sizeof text,
                 "TLSv1.%d cipher name=must.example alpn=%s resumed=0 client=1 subject=CN=alice "
                 "names=email:al@a.example fingerprint",
                 3 - (int)i, protocols[i]);
        expect_report(&world,
                      &(struct tls_wish){.name = "must.example",
                                         .alpn = protocols[i],
                                         .version = versions[i],
                                         .certificate = &world.alice},
                      text);
    }
    expect_report(&world, &(struct tls_wish){.name = "may.example", .version = TLS1_2_VERSION},
                  "TLSv1.2 cipher name=may.example alpn=none resumed=0 client=0 subject=none "
                  "names=none none");
    world_close(&world);
}

/* Any thread. */
static void note_failure(void *ctx, int level, const char *line)
{
    if (level == GALLEY_LOG_DEBUG && strstr(line, "the TLS handshake failed (peer did not")) {
        atomic_store((atomic_bool *)ctx, true);
    }
}

/* RFC 8446 §4.4.2.4: TLS 1.3 tells it with the first read. */
TEST(test_a_client_without_the_certificate_that_its_host_wants_gets_no_answer)
{
    char body[TEXT_BYTES];
    struct world world;
    struct tls_client client;
    atomic_bool was_logged = false;
    galley_server_options opt = options();
    opt.log = note_failure;
    opt.log_ctx = &was_logged;
    opt.log_level = GALLEY_LOG_DEBUG;
    world_open(&world, &opt);
    world_start(&world);
    bool is_open = tls_client_open(&client, world.port, &(struct tls_wish){.name = "must.example"});
    EXPECT(!is_open || SSL_write(client.ssl, "GET / HTTP/1.1\r\n", 16) != 16 ||
           !tls_client_read(&client, body, 1));
    tls_client_close(&client);
    WAIT_UNTIL(counter_of(world.srv, "closed_handshake_failed") == 1 && atomic_load(&was_logged));
    world_close(&world);
}

TEST(test_a_resumed_connection_says_so)
{
    char body[TEXT_BYTES];
    struct world world;
    struct tls_client client;
    galley_server_options opt = options();
    world_open(&world, &opt);
    world_start(&world);
    struct tls_wish wish = {.name = "must.example", .certificate = &world.alice};
    EXPECT(tls_client_open(&client, world.port, &wish));
    EXPECT_INT(tls_client_get(&client, "/loop", body, sizeof body), 200);
    wish.session = SSL_get1_session(client.ssl);
    tls_client_close(&client);
    EXPECT(tls_client_open(&client, world.port, &wish));
    EXPECT_INT(tls_client_get(&client, "/pool", body, sizeof body), 200);
    EXPECT(strstr(body, "resumed=1 client=1 subject=CN=alice"));
    tls_client_close(&client);
    SSL_SESSION_free(wish.session);
    world_close(&world);
}

/* ---- when the client has gone ---------------------------------------------------------------- */

struct patient {
    galley_server *srv;
    atomic_bool has_begun;
    atomic_bool has_ended;
    char text[TEXT_BYTES];
};

/* Asks only when its client has left and the connection is no more. */
static int ask_afterwards(galley_request *rq, galley_response *rs, void *arg)
{
    struct patient *patient = arg;
    galley_server_stats stats = {.size = sizeof stats};
    atomic_store(&patient->has_begun, true);
    WAIT_UNTIL(galley_should_stop());
    WAIT_UNTIL(galley_server_get_stats(patient->srv, &stats) == 0 && stats.connections == 0);
    snprintf(patient->text, sizeof patient->text, "%s", describe(rq));
    atomic_store(&patient->has_ended, true);
    return galley_res_text(rs, 200, "nobody reads this");
}

TEST(test_a_client_that_has_left_is_still_known)
{
    static const char *const protocols[] = {"http/1.1", "h2"};
    static struct patient patient;
    struct world world;
    galley_server_options opt = options();
    opt.linger_ms = 1;
    world_open(&world, &opt);
    patient.srv = world.srv;
    EXPECT_INT(galley_server_route(world.srv, "/patient", ask_afterwards, &patient, NULL), 0);
    world_start(&world);
    for (unsigned i = 0; i < 2; i++) {
        struct tls_client client;
        atomic_store(&patient.has_begun, false);
        atomic_store(&patient.has_ended, false);
        EXPECT(tls_client_open(&client, world.port,
                               &(struct tls_wish){.name = "must.example",
                                                  .alpn = protocols[i],
                                                  .certificate = &world.alice}));
        tls_client_send(&client, "/patient");
        WAIT_UNTIL(atomic_load(&patient.has_begun));
        tls_client_close(&client);
        WAIT_UNTIL(atomic_load(&patient.has_ended));
        EXPECT(strstr(patient.text, "subject=CN=alice names=email:al@a.example fingerprint"));
    }
    world_close(&world);
}

/* On the loop nobody has asked before the client went. */
struct ending {
    galley_request *rq;
    galley_stream *stream;
    atomic_bool has_ended;
    int rc;
    char subject[64];
};

static void ask_at_the_end(void *arg)
{
    struct ending *ending = arg;
    galley_tls_report known = {.size = sizeof known};
    ending->rc = galley_req_tls(ending->rq, &known);
    if (ending->rc == 0) {
        snprintf(ending->subject, sizeof ending->subject, "%s", or_none(known.client_subject));
    }
    atomic_store(&ending->has_ended, true);
}

static int stream_for_ever(galley_request *rq, galley_response *rs, void *arg)
{
    struct ending *ending = arg;
    ending->rq = rq;
    EXPECT_INT(galley_on_end(rq, ask_at_the_end, ending), 0);
    ending->stream = galley_res_stream(rs, 200, "text/plain", NULL);
    EXPECT(ending->stream);
    return 0;
}

TEST(test_the_end_of_a_stream_knows_its_client)
{
    static struct ending ending;
    char byte;
    struct world world;
    struct tls_client client;
    galley_server_options opt = options();
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    on_loop.run = GALLEY_ON_LOOP;
    world_open(&world, &opt);
    EXPECT_INT(galley_server_route(world.srv, "/stream", stream_for_ever, &ending, &on_loop), 0);
    world_start(&world);
    EXPECT(
        tls_client_open(&client, world.port,
                        &(struct tls_wish){.name = "must.example", .certificate = &world.alice}));
    tls_client_send(&client, "/stream");
    EXPECT(tls_client_read(&client, &byte, 1)); /* of the head */
    tls_client_close(&client);
    WAIT_UNTIL(atomic_load(&ending.has_ended));
    galley_stream_unref(ending.stream);
    EXPECT_INT(ending.rc, 0);
    EXPECT_TEXT(ending.subject, "CN=alice");
    world_close(&world);
}

/* ---- the log --------------------------------------------------------------------------------- */

struct lines {
    pthread_mutex_t lock;
    char text[TEXT_BYTES];
};

static int keep_lines(void *ctx, const char *text, size_t len)
{
    struct lines *lines = ctx;
    pthread_mutex_lock(&lines->lock);
    size_t before = strlen(lines->text);
    snprintf(lines->text + before, sizeof lines->text - before, "%.*s", (int)len, text);
    pthread_mutex_unlock(&lines->lock);
    return 0;
}

static bool have_lines(struct lines *lines, const char *text)
{
    pthread_mutex_lock(&lines->lock);
    bool have = strstr(lines->text, text) != NULL;
    pthread_mutex_unlock(&lines->lock);
    return have;
}

/* A name with control bytes is one that its authority has signed; the log is still one line. */
TEST(test_the_log_tells_who_the_client_is)
{
    static struct lines lines = {.lock = PTHREAD_MUTEX_INITIALIZER};
    char body[TEXT_BYTES];
    struct world world;
    struct tls_client client;
    galley_server_options opt = options();
    galley_access_log_options log = GALLEY_ACCESS_LOG_OPTIONS_INIT;
    log.format = GALLEY_ACCESS_JSON;
    log.write = keep_lines;
    log.write_ctx = &lines;
    world_open(&world, &opt);
    EXPECT_INT(galley_server_access_log(world.srv, &log), 0);
    world_start(&world);
    struct cert hostile =
        cert_make(&(struct cert_wish){.subject = "a\"b,CN=c\n\x1b[1m", .issuer = &world.root});
    EXPECT(tls_client_open(&client, world.port,
                           &(struct tls_wish){.name = "must.example", .certificate = &hostile}));
    EXPECT_INT(tls_client_get(&client, "/loop", body, sizeof body), 200);
    tls_client_close(&client);
    cert_free(&hostile);
    WAIT_UNTIL(have_lines(&lines, "\"target\":\"/loop\""));
    EXPECT(have_lines(&lines, ",\"tls\":{\"version\":\"TLSv1.3\",\"cipher\":\"TLS_AES_"));
    EXPECT(have_lines(&lines, "\"server_name\":\"must.example\",\"client\":\"CN=a\\\\\\\"b\\\\,"
                              "CN=c\\\\0A\\\\1B[1m\"}"));
    world_close(&world);
}

/* ---- certificates that change ---------------------------------------------------------------- */

static void replace_certificate(struct world *world, const char *subject)
{
    struct cert next = cert_make(&(struct cert_wish){
        .subject = subject, .names = "DNS:open.example", .issuer = &world->root});
    cert_write(cert_path(world->folder, "cert.pem"), &next, NULL);
    cert_write_key(cert_path(world->folder, "key.pem"), &next, NULL);
    cert_free(&next);
}

static bool shows(int port, const char *subject)
{
    struct tls_client client;
    char name[64] = "";
    EXPECT(tls_client_open(&client, port, &(struct tls_wish){.name = "open.example"}));
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(client.ssl)),
                              NID_commonName, name, sizeof name);
    tls_client_close(&client);
    return strcmp(name, subject) == 0;
}

/* Two servers listen by it, one of them twice. */
TEST(test_replaced_certificates_are_used_by_every_server)
{
    char body[TEXT_BYTES];
    struct world world;
    struct tls_client kept;
    galley_server_options opt = options();
    world_open(&world, &opt);
    EXPECT_INT(galley_server_listen_tls(world.srv, "127.0.0.1:0", world.tls), 0);
    world_start(&world);
    galley_server *other = galley_server_new(&opt, NULL);
    EXPECT_INT(galley_server_listen_tls(other, "127.0.0.1:0", world.tls), 0);
    int other_port = start(other);
    EXPECT(shows(world.port, "leaf"));
    EXPECT(tls_client_open(&kept, world.port, &(struct tls_wish){.name = "open.example"}));
    replace_certificate(&world, "second");
    WAIT_UNTIL(shows(world.port, "second") && shows(other_port, "second"));
    EXPECT_INT(stop(other, GALLEY_STOP_DRAIN, NULL), 0);
    replace_certificate(&world, "third");
    WAIT_UNTIL(shows(galley_server_port(world.srv, 2), "third"));
    EXPECT_INT(tls_client_get(&kept, "/loop", body, sizeof body), 200);
    tls_client_close(&kept);
    world_close(&world);
}

static unsigned count_watches(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++) {
        char link[32], target[64] = "";
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, target, sizeof target - 1);
        count += len > 0 && strstr(target, "inotify") != NULL;
    }
    return count;
}

static unsigned watches_with(uint32_t flags)
{
    struct world world;
    galley_server_options opt = options();
    world_open(&world, &opt);
    galley_tls_options own = GALLEY_TLS_OPTIONS_INIT;
    const galley_tls_pair pairs[] = {
        {cert_path(world.folder, "cert.pem"), cert_path(world.folder, "key.pem"), NULL}, {0}};
    own.pairs = pairs;
    own.flags = flags;
    galley_tls *tls = galley_tls_new(&own, NULL);
    EXPECT(tls);
    EXPECT_INT(galley_server_listen_tls(world.srv, "127.0.0.1:0", tls), 0);
    world_start(&world);
    unsigned count = count_watches();
    world_close(&world);
    galley_tls_free(tls);
    return count;
}

TEST(test_a_program_may_watch_by_itself)
{
    unsigned watched = watches_with(0);
    EXPECT_INT(watches_with(GALLEY_TLS_NO_WATCH), watched - 1);
    EXPECT_INT(watches_with(GALLEY_TLS_NO_WATCH | GALLEY_TLS_NO_HTTP2), watched - 1);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static int ask_wrongly(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_tls_report small = {.size = sizeof small - 1};
    EXPECT_INT(galley_req_tls(NULL, &small), GALLEY_EINVAL);
    EXPECT_INT(galley_req_tls(rq, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_req_tls(rq, &small), GALLEY_EINVAL);
    galley_tls_report good = {.size = sizeof good};
    EXPECT_INT(galley_req_tls(rq, &good), GALLEY_ENOTFOUND);
    return galley_res_text(rs, 200, "all is wrong");
}

TEST(test_a_plain_request_has_no_report)
{
    static struct reply reply;
    struct world world;
    galley_server_options opt = options();
    world_open(&world, &opt);
    EXPECT_INT(galley_server_route(world.srv, "/wrong", ask_wrongly, NULL, NULL), 0);
    world_start(&world);
    client_ask(world.plain_port, GET("/wrong"), &reply);
    EXPECT_TEXT(reply.body, "all is wrong");
    world_close(&world);
}

/* ---- protocols ------------------------------------------------------------------------------- */

TEST(test_a_program_may_leave_http2_to_others)
{
    static struct reply reply;
    struct world world;
    galley_server_options opt = options();
    opt.flags = GALLEY_SERVER_NO_HTTP2;
    world_open(&world, &opt);
    world_start(&world);
    /* RFC 9113 §3.4: made to be refused by who speaks HTTP/1.1 only */
    client_ask(world.plain_port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 505);
    world_close(&world);
}
