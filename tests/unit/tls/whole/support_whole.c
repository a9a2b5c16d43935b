/* tests/unit/tls/whole/support_whole.c — see support_whole.h. */
#include "support_whole.h"

#include "test.h"

static SSL_CTX *take_context(void *arg)
{
    struct whole *whole = arg;
    SSL_CTX_up_ref(whole->tls.server);
    return whole->tls.server;
}

static int never_open(struct conn *conn)
{
    (void)conn;
    test_fail(__FILE__, __LINE__, "nobody agreed on this");
}

static void keep_line(void *ctx, int level, const char *line)
{
    struct whole *whole = ctx;
    (void)level;
    snprintf(whole->logged, sizeof whole->logged, "%s", line);
}

void whole_open(struct whole *whole, int version)
{
    memset(whole, 0, sizeof *whole);
    world_open(&whole->world);
    whole->log = (struct log_sink){.write = keep_line, .ctx = whole, .level = LOG_DEBUG};
    whole->world.set.log = &whole->log;
    whole->tls.loop = whole->world.loop;
    whole->tls.shared = tls_shared_create(whole->world.loop);
    EXPECT(whole->tls.shared != NULL);
    whole->tls.server = tls_world_server_context();
    whole->tls.client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(whole->tls.client, version);
    SSL_CTX_set_max_proto_version(whole->tls.client, version);
    tls_opener_init(&whole->opener, whole->tls.shared, take_context, whole);
    whole->other = (struct protocol){.name = "h2", .open = never_open};
    whole->protocols[0] = &whole->other;
    whole->protocols[1] = h1_driver_protocol(whole->world.driver);
    whole->entry = (struct conn_entry){
        .opener = &whole->opener.opener, .protocols = whole->protocols, .protocol_count = 2};
}

void whole_close(struct whole *whole)
{
    conn_set_close_all(&whole->world.set, CLOSE_STOP_NOW);
    sim_run(whole->world.loop);
    tls_shared_destroy(whole->tls.shared);
    SSL_CTX_free(whole->tls.server);
    SSL_CTX_free(whole->tls.client);
    world_close(&whole->world);
}

struct conn *whole_connect(struct whole *whole, struct tls_end *end)
{
    static const unsigned char names[] = "\x08http/1.1";
    tls_end_prepare(end, &whole->tls);
    SSL_set_alpn_protos(end->client, names, sizeof names - 1);
    return conn_create_by(&whole->world.set, end->server_fd, &whole->entry);
}

struct conn *whole_client(struct whole *whole, struct tls_end *end)
{
    struct conn *conn = whole_connect(whole, end);
    tls_end_run(end);
    EXPECT(conn != NULL && conn->state == CONN_FIRST);
    return conn;
}

void whole_client_close(struct whole *whole, struct tls_end *end)
{
    sim_reset(end->peer);
    sim_run(whole->world.loop);
    tls_end_drop(end);
}

void whole_say(struct tls_end *end, const char *text)
{
    tls_client_write(end, text, strlen(text));
    tls_end_run(end);
}

struct answer whole_answer(struct tls_end *end)
{
    struct span rest = span_from(buf_span(&end->client_got), end->sent);
    struct answer answer = answer_take(&rest, false, sim_is_closed(end->peer));
    end->sent = end->client_got.len - rest.len;
    return answer;
}

uint64_t whole_closed(const struct whole *whole, enum close_reason reason)
{
    return counter_read(&whole->world.set.counters.closed[reason]);
}
