/* tests/public/test_websocket.c — sockets from the handshake to the end, without a network: what a
 * program sees of them, on the loop and on the pool, and what becomes of peers that are slow, silent
 * or gone. Frames are in tests/unit/ws; a real client and a browser are in tests/integration. */
#include "test.h"

#include <galley/server.h>
#include <galley/test.h>
#include <galley/websocket.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* ---- a server with one socket route ---- */

struct world {
    galley_server *server;
    galley_test *test;
    galley_test_conn *client;
    galley_ws_options options;
    galley_ws *ws; /* of the last handshake; the handler's reference */
    int accept_result;
    int handler_result; /* what the handler returns after a good handshake */
    size_t seen;        /* bytes of the client's that have been looked at */
    atomic_int messages;
    atomic_int ends;
    atomic_int end_code;
    char last[256];
    char reason[128];
    bool echo;
    pthread_mutex_t gate; /* held by a test: the program is slow */
};

static void on_message(galley_ws *ws, int kind, galley_str data, void *arg)
{
    struct world *world = arg;
    pthread_mutex_lock(&world->gate);
    pthread_mutex_unlock(&world->gate);
    size_t n = data.len < sizeof world->last - 1 ? data.len : sizeof world->last - 1;
    memcpy(world->last, data.ptr, n);
    world->last[n] = '\0';
    EXPECT_INT(data.ptr[data.len], 0);
    if (world->echo) {
        EXPECT_INT(galley_ws_send(ws, kind, data.ptr, data.len), 0);
    }
    atomic_fetch_add(&world->messages, 1);
}

static void on_closed(galley_ws *ws, int code, galley_str reason, void *arg)
{
    struct world *world = arg;
    (void)ws;
    snprintf(world->reason, sizeof world->reason, "%s", reason.ptr);
    atomic_store(&world->end_code, code);
    atomic_fetch_add(&world->ends, 1);
}

static int handle(galley_request *rq, galley_response *rs, void *arg)
{
    struct world *world = arg;
    galley_ws_options options = world->options;
    options.message = on_message;
    options.closed = on_closed;
    options.arg = world;
    galley_ws *ws = NULL;
    world->accept_result = galley_ws_accept(rq, rs, &options, &ws);
    if (world->accept_result != 0) {
        return world->accept_result;
    }
    world->ws = ws;
    EXPECT_INT(galley_ws_send(ws, GALLEY_WS_TEXT, "welcome", 7), 0);
    return world->handler_result;
}

static void begin(struct world *world, int run)
{
    *world = (struct world){.options = GALLEY_WS_OPTIONS_INIT};
    world->options.run = run;
    pthread_mutex_init(&world->gate, NULL);
    galley_route_options route = GALLEY_ROUTE_OPTIONS_INIT;
    route.run = run;
    world->server = galley_server_new(NULL, NULL);
    EXPECT_INT(galley_server_route(world->server, "GET /ws", handle, world, &route), 0);
    world->test = galley_test_new(world->server, NULL);
    EXPECT(world->test);
}

static void end(struct world *world)
{
    galley_ws_unref(world->ws);
    galley_test_free(world->test);
    galley_server_free(world->server);
    pthread_mutex_destroy(&world->gate);
}

#define HANDSHAKE                                                                                  \
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                 \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* What has come since the last look. */
static galley_str fresh(struct world *world)
{
    galley_str all = galley_test_received(world->client);
    galley_str rest = {all.ptr + world->seen, all.len - world->seen};
    world->seen = all.len;
    return rest;
}

static void expect_fresh(struct world *world, const char *bytes, size_t len)
{
    galley_str got = fresh(world);
    EXPECT_INT(got.len, len);
    EXPECT(got.len == len && memcmp(got.ptr, bytes, len) == 0);
}
#define EXPECT_FRESH(world, bytes) expect_fresh(world, bytes, sizeof(bytes) - 1)

static void shake_hands(struct world *world)
{
    world->client = galley_test_connect(world->test);
    world->seen = 0;
    EXPECT_INT(galley_test_send(world->client, HANDSHAKE "\r\n", sizeof HANDSHAKE + 1), 0);
    galley_str got = fresh(world);
    EXPECT(strstr(got.ptr, "HTTP/1.1 101 Switching Protocols\r\n") == got.ptr);
    EXPECT(strstr(got.ptr, "\r\nConnection: Upgrade\r\n"));
    EXPECT(strstr(got.ptr, "\r\nUpgrade: websocket\r\n"));
    EXPECT(strstr(got.ptr, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    EXPECT(!strstr(got.ptr, "Content-Length") && !strstr(got.ptr, "Transfer-Encoding"));
    EXPECT(got.len > 13 && memcmp(got.ptr + got.len - 13, "\r\n\r\n\x81\x07welcome", 13) == 0);
}

#define SEND(world, bytes) galley_test_send((world)->client, bytes, sizeof(bytes) - 1)

/* ---- the handshake ---- */

TEST(test_messages_go_both_ways_on_the_loop)
{
    struct world world;
    begin(&world, GALLEY_ON_LOOP);
    world.echo = true;
    shake_hands(&world);
    SEND(&world, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    EXPECT_TEXT(world.last, "Hello");
    EXPECT_FRESH(&world, "\x81\x05Hello");
    EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_BINARY, "\0\xff", 2), 0);
    galley_test_advance(world.test, 0);
    EXPECT_FRESH(&world, "\x82\x02\0\xff");
    end(&world);
    EXPECT_INT(world.ends, 1);
}

TEST(test_messages_go_both_ways_on_the_pool)
{
    struct world world;
    begin(&world, GALLEY_ON_POOL);
    world.echo = true;
    shake_hands(&world);
    SEND(&world, "\x81\x82\0\0\0\0hi\x81\x82\0\0\0\0ho\x01\x81\0\0\0\0a");
    EXPECT_FRESH(&world, "\x81\x02hi\x81\x02ho");
    SEND(&world, "\x80\x81\0\0\0\0b");
    EXPECT_FRESH(&world, "\x81\x02"
                         "ab");
    EXPECT_INT(world.messages, 3);
    end(&world);
    EXPECT_INT(world.ends, 1);
}

TEST(test_frames_behind_the_handshake_in_one_packet_are_not_lost)
{
    struct world world;
    begin(&world, GALLEY_ON_POOL);
    world.client = galley_test_connect(world.test);
    static const char both[] = HANDSHAKE "\r\n\x81\x82\0\0\0\0hi";
    EXPECT_INT(galley_test_send(world.client, both, sizeof both - 1), 0);
    EXPECT_TEXT(world.last, "hi");
    end(&world);
}

TEST(test_requests_that_are_no_handshake_get_an_answer_that_says_why)
{
    struct world world;
    galley_test_reply reply;
    begin(&world, GALLEY_ON_LOOP);
    EXPECT_INT(galley_test_get(world.test, "/ws", &reply), 0);
    EXPECT_INT(reply.status, 426);
    EXPECT_TEXT(galley_test_header(world.test, &reply, "Upgrade").ptr, "websocket");
    EXPECT_TEXT(galley_test_header(world.test, &reply, "Connection").ptr, "Upgrade");
    EXPECT_TEXT(galley_test_header(world.test, &reply, "Sec-WebSocket-Version").ptr, "13");
    static const char shake[] = "GET /ws\nUpgrade: websocket\nConnection: upgrade\n"
                                "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: ";
    char text[256];
    snprintf(text, sizeof text, "%sshort", shake);
    EXPECT_INT(galley_test_call(world.test, text, NULL, 0, &reply), 0);
    EXPECT_INT(reply.status, 400);
    snprintf(text, sizeof text, "%sdGhlIHNhbXBsZSBub25jZQ==\nOrigin: http://evil.example", shake);
    EXPECT_INT(galley_test_call(world.test, text, NULL, 0, &reply), 0);
    EXPECT_INT(reply.status, 403);
    EXPECT_INT(world.ends, 0);
    end(&world);
}

TEST(test_a_subprotocol_is_agreed_on)
{
    struct world world;
    begin(&world, GALLEY_ON_LOOP);
    world.options.protocols = "chat.v2, chat.v1";
    world.client = galley_test_connect(world.test);
    static const char shake[] = HANDSHAKE "Sec-WebSocket-Protocol: chat.v1, other\r\n\r\n";
    EXPECT_INT(galley_test_send(world.client, shake, sizeof shake - 1), 0);
    EXPECT(strstr(fresh(&world).ptr, "\r\nSec-WebSocket-Protocol: chat.v1\r\n"));
    EXPECT_TEXT(galley_ws_protocol(world.ws).ptr, "chat.v1");
    end(&world);
}

TEST(test_a_handler_that_changes_its_mind_answers_and_the_socket_ends)
{
    struct world world;
    begin(&world, GALLEY_ON_POOL);
    world.handler_result = 403;
    world.client = galley_test_connect(world.test);
    EXPECT_INT(SEND(&world, HANDSHAKE "\r\n"), 0);
    EXPECT(strstr(fresh(&world).ptr, "HTTP/1.1 403 "));
    EXPECT_INT(world.ends, 1);
    EXPECT_INT(world.end_code, GALLEY_WS_ABNORMAL);
    EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_TEXT, "x", 1), GALLEY_ECLOSED);
    end(&world);
}

/* ---- the end ---- */

TEST(test_the_client_closes_and_the_program_hears_why)
{
    struct world world;
    begin(&world, GALLEY_ON_POOL);
    shake_hands(&world);
    SEND(&world, "\x81\x82\0\0\0\0hi\x88\x85\0\0\0\0\x03\xe9"
                 "bye");
    EXPECT_FRESH(&world, "\x88\x05\x03\xe9"
                         "bye");
    EXPECT_TEXT(world.last, "hi"); /* before the end */
    EXPECT_INT(world.ends, 1);
    EXPECT_INT(world.end_code, GALLEY_WS_GOING_AWAY);
    EXPECT_TEXT(world.reason, "bye");
    galley_test_advance(world.test, 3000);
    EXPECT(galley_test_is_closed(world.client));
    EXPECT_INT(galley_ws_close(world.ws, GALLEY_WS_NORMAL, NULL), 0); /* late: nothing happens */
    end(&world);
    EXPECT_INT(world.ends, 1);
}

TEST(test_the_program_closes_and_waits_for_the_clients_half)
{
    struct world world;
    begin(&world, GALLEY_ON_LOOP);
    shake_hands(&world);
    EXPECT_INT(galley_ws_close(world.ws, 4000, "enough"), 0);
    galley_test_advance(world.test, 1000);
    EXPECT_FRESH(&world, "\x88\x08\x0f\xa0"
                         "enough");
    EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_TEXT, "x", 1), GALLEY_ECLOSED);
    EXPECT_INT(world.ends, 0);
    SEND(&world, "\x88\x82\0\0\0\0\x0f\xa0");
    EXPECT_INT(world.ends, 1);
    EXPECT_INT(world.end_code, 4000);
    end(&world);
}

TEST(test_a_client_that_does_not_answer_our_close_is_left)
{
    struct world world;
    begin(&world, GALLEY_ON_LOOP);
    shake_hands(&world);
    EXPECT_INT(galley_ws_close(world.ws, GALLEY_WS_NORMAL, NULL), 0);
    galley_test_advance(world.test, 4900);
    EXPECT_INT(world.ends, 0);
    galley_test_advance(world.test, 200);
    EXPECT_INT(world.ends, 1);
    EXPECT_INT(world.end_code, GALLEY_WS_ABNORMAL);
    end(&world);
}

TEST(test_a_client_that_hangs_up_is_told_as_lost)
{
    for (int run = GALLEY_ON_POOL; run <= GALLEY_ON_LOOP; run++) {
        struct world world;
        begin(&world, run);
        shake_hands(&world);
        galley_test_hangup(world.client);
        EXPECT_INT(world.ends, 1);
        EXPECT_INT(world.end_code, GALLEY_WS_ABNORMAL);
        EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_TEXT, "x", 1), GALLEY_ECLOSED);
        EXPECT_INT(galley_ws_waiting(world.ws), 0);
        end(&world);
    }
}

TEST(test_the_last_reference_closes)
{
    struct world world;
    begin(&world, GALLEY_ON_LOOP);
    shake_hands(&world);
    EXPECT(galley_ws_ref(world.ws) == world.ws);
    galley_ws_unref(world.ws);
    galley_test_advance(world.test, 0);
    EXPECT_INT(fresh(&world).len, 0);
    galley_ws_unref(world.ws);
    galley_test_advance(world.test, 0);
    EXPECT_FRESH(&world, "\x88\x02\x03\xe8");
    SEND(&world, "\x88\x82\0\0\0\0\x03\xe8");
    EXPECT_INT(world.ends, 1);
    world.ws = NULL;
    end(&world);
}

/* ---- time ---- */

TEST(test_silence_is_met_with_a_ping_and_more_of_it_with_the_end)
{
    struct world world;
    begin(&world, GALLEY_ON_LOOP);
    shake_hands(&world);
    galley_test_advance(world.test, 29000);
    EXPECT_INT(fresh(&world).len, 0);
    galley_test_advance(world.test, 1100);
    EXPECT_FRESH(&world, "\x89\0");
    SEND(&world, "\x8a\x80\0\0\0\0"); /* the pong is a sign of life */
    galley_test_advance(world.test, 29000);
    EXPECT_INT(fresh(&world).len, 0);
    galley_test_advance(world.test, 2000);
    EXPECT_FRESH(&world, "\x89\0");
    galley_test_advance(world.test, 31000);
    EXPECT_INT(world.ends, 1);
    EXPECT_INT(world.end_code, GALLEY_WS_ABNORMAL);
    end(&world);
}

TEST(test_an_idle_socket_lasts_without_pings)
{
    struct world world;
    begin(&world, GALLEY_ON_LOOP);
    world.options.ping_ms = GALLEY_NO_LIMIT;
    shake_hands(&world);
    galley_test_advance(world.test, 24 * 3600 * 1000);
    EXPECT_INT(fresh(&world).len, 0);
    EXPECT_INT(world.ends, 0);
    end(&world);
}

/* ---- limits ---- */

TEST(test_a_message_over_the_limit_is_refused)
{
    struct world world;
    begin(&world, GALLEY_ON_POOL);
    world.options.max_message_bytes = 4;
    shake_hands(&world);
    SEND(&world, "\x81\x84\0\0\0\0four\x81\x85\0\0\0\0fifth");
    EXPECT_FRESH(&world, "\x88\x02\x03\xf1");
    EXPECT_TEXT(world.last, "four");
    EXPECT_INT(world.end_code, GALLEY_WS_TOO_BIG);
    end(&world);
}

TEST(test_a_reader_that_is_too_slow_fills_its_buffer_and_no_more)
{
    struct world world;
    static char large[10000];
    begin(&world, GALLEY_ON_LOOP);
    world.options.buffer_bytes = 25000;
    shake_hands(&world);
    galley_test_window(world.client, 0);
    EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_BINARY, large, sizeof large), 0);
    EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_BINARY, large, sizeof large), 0);
    EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_BINARY, large, sizeof large), GALLEY_EFULL);
    EXPECT_INT(galley_ws_waiting(world.ws), 2 * (4 + sizeof large));
    galley_test_window(world.client, 1000000);
    EXPECT_INT(galley_ws_waiting(world.ws), 0);
    EXPECT_INT(fresh(&world).len, 2 * (4 + sizeof large));
    EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_BINARY, large, sizeof large), 0);
    end(&world);
}

TEST(test_a_buffer_without_limit_takes_a_message)
{
    struct world world;
    static char large[10000];
    begin(&world, GALLEY_ON_LOOP);
    world.options.buffer_bytes = SIZE_MAX;
    shake_hands(&world);
    galley_test_window(world.client, 0);
    EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_BINARY, large, sizeof large), 0);
    EXPECT_INT(galley_ws_waiting(world.ws), 4 + sizeof large);
    end(&world);
}

/* RFC 9110 §7.8: nothing of the new protocol before the request is whole. */
TEST(test_a_handshake_whose_body_still_comes_is_refused)
{
    struct world world;
    begin(&world, GALLEY_ON_POOL);
    galley_route_options route = GALLEY_ROUTE_OPTIONS_INIT;
    route.body = GALLEY_BODY_STREAM;
    galley_test_free(world.test);
    galley_server_free(world.server);
    world.server = galley_server_new(NULL, NULL);
    EXPECT_INT(galley_server_route(world.server, "GET /ws", handle, &world, &route), 0);
    world.test = galley_test_new(world.server, NULL);
    world.client = galley_test_connect(world.test);
    static const char request[] = HANDSHAKE "Content-Length: 6\r\n\r\n\x81\x80";
    EXPECT_INT(galley_test_send(world.client, request, sizeof request - 1), 0);
    EXPECT(strncmp(fresh(&world).ptr, "HTTP/1.1 400 ", 13) == 0);
    EXPECT_INT(world.accept_result, 400);
    EXPECT_INT(world.messages, 0);
    EXPECT_INT(world.ends, 0);
    end(&world);
}

TEST(test_a_program_that_is_too_slow_stops_the_client)
{
    struct world world;
    static char frame[10 + 60000] = {(char)0x82, (char)0xfe, (char)(60000 >> 8), (char)60000};
    begin(&world, GALLEY_ON_POOL);
    shake_hands(&world);
    galley_test_set_patience(world.test, 0);
    pthread_mutex_lock(&world.gate);
    for (int i = 0; i < 20; i++) {
        galley_test_send(world.client, frame, 8 + 60000);
    }
    EXPECT_INT(world.messages, 0);
    galley_server_stats stats = {.size = sizeof stats};
    galley_server_get_stats(world.server, &stats);
    EXPECT(stats.bytes_in < 20 * 60000); /* the rest has not been read */
    pthread_mutex_unlock(&world.gate);
    galley_test_set_patience(world.test, GALLEY_NO_LIMIT);
    for (int i = 0; i < 100 && world.messages < 20; i++) {
        galley_test_advance(world.test, 10);
    }
    EXPECT_INT(world.messages, 20);
    end(&world);
}

/* Callbacks of a socket on the pool may block: not even its end may come to the loop's thread. */
static pthread_t ended_on;
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;

static void note_thread(galley_ws *ws, int code, galley_str reason, void *arg)
{
    struct world *world = arg;
    (void)ws;
    (void)code;
    (void)reason;
    ended_on = pthread_self();
    atomic_fetch_add(&world->ends, 1);
}

static int accept_only(galley_request *rq, galley_response *rs, void *arg)
{
    struct world *world = arg;
    galley_ws_options options = GALLEY_WS_OPTIONS_INIT;
    options.closed = note_thread;
    options.arg = world;
    return galley_ws_accept(rq, rs, &options, &world->ws);
}

static int wait_long(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    pthread_mutex_lock(&busy);
    pthread_mutex_unlock(&busy);
    return galley_res_text(rs, 200, "done");
}

TEST(test_a_socket_that_ends_while_the_pool_is_full_is_not_told_on_the_loop)
{
    struct world world = {0};
    galley_pool_options one = GALLEY_POOL_OPTIONS_INIT;
    one.threads = 1;
    one.queue_capacity = 1;
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.pool_options = &one;
    world.server = galley_server_new(&options, NULL);
    galley_server_route(world.server, "GET /ws", accept_only, &world, NULL);
    galley_server_route(world.server, "GET /wait", wait_long, NULL, NULL);
    world.test = galley_test_new(world.server, NULL);
    world.client = galley_test_connect(world.test);
    EXPECT_INT(SEND(&world, HANDSHAKE "\r\n"), 0);
    EXPECT(world.ws);
    galley_test_set_patience(world.test, 0);
    pthread_mutex_lock(&busy);
    static const char wait[] = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
    for (int i = 0; i < 2; i++) { /* one runs, one fills the queue */
        galley_test_send(galley_test_connect(world.test), wait, sizeof wait - 1);
        galley_pool_stats stats = {.size = sizeof stats};
        do {
            galley_test_advance(world.test, 0);
            galley_pool_get_stats(galley_server_pool(world.server), &stats);
        } while (stats.running == 0);
    }
    galley_test_hangup(world.client);
    while (atomic_load(&world.ends) == 0) {
        galley_test_advance(world.test, 0);
    }
    EXPECT(!pthread_equal(ended_on, pthread_self()));
    pthread_mutex_unlock(&busy);
    galley_test_set_patience(world.test, GALLEY_NO_LIMIT);
    end(&world);
}

/* ---- misuse ---- */

TEST(test_bad_arguments_and_dead_handles_are_errors)
{
    struct world world;
    galley_ws *ws = NULL;
    EXPECT_INT(galley_ws_accept(NULL, NULL, NULL, &ws), GALLEY_EINVAL);
    EXPECT_INT(galley_ws_send(NULL, GALLEY_WS_TEXT, "x", 1), GALLEY_EINVAL);
    EXPECT_INT(galley_ws_close(NULL, GALLEY_WS_NORMAL, NULL), GALLEY_EINVAL);
    EXPECT(!galley_ws_ref(NULL) && !galley_ws_protocol(NULL).ptr);
    EXPECT_INT(galley_ws_waiting(NULL), 0);
    galley_ws_unref(NULL);
    begin(&world, GALLEY_ON_LOOP);
    shake_hands(&world);
    EXPECT_INT(galley_ws_send(world.ws, 3, "x", 1), GALLEY_EINVAL);
    EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_TEXT, "\xff", 1), GALLEY_EINVAL);
    EXPECT_INT(galley_ws_send(world.ws, GALLEY_WS_TEXT, NULL, 1), GALLEY_EINVAL);
    static const int bad_codes[] = {0, 999, 1002, 1004, 1005, 1006, 1012, 2999, 5000, -1};
    for (size_t i = 0; i < sizeof bad_codes / sizeof *bad_codes; i++) {
        EXPECT_INT(galley_ws_close(world.ws, bad_codes[i], NULL), GALLEY_EINVAL);
    }
    char words[125];
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    EXPECT_INT(galley_ws_close(world.ws, GALLEY_WS_NORMAL, words), GALLEY_EINVAL);
    EXPECT_INT(galley_ws_close(world.ws, GALLEY_WS_NORMAL, "\xff"), GALLEY_EINVAL);
    galley_ws *dead = world.ws;
    galley_ws_unref(dead);
    world.ws = NULL;
    EXPECT_INT(galley_ws_send(dead, GALLEY_WS_TEXT, "x", 1), GALLEY_ESTATE);
    EXPECT_INT(galley_ws_close(dead, GALLEY_WS_NORMAL, NULL), GALLEY_ESTATE);
    EXPECT(!galley_ws_ref(dead));
    galley_ws_unref(dead);
    end(&world);
    EXPECT_INT(galley_ws_send(dead, GALLEY_WS_TEXT, "x", 1), GALLEY_ESTATE);
}

TEST(test_options_of_another_version_are_understood_or_refused)
{
    struct world world;
    begin(&world, GALLEY_ON_LOOP);
    world.options.size = 4;
    world.client = galley_test_connect(world.test);
    EXPECT_INT(SEND(&world, HANDSHAKE "\r\n"), 0);
    EXPECT_INT(world.accept_result, GALLEY_EINVAL);
    world.options.size = sizeof world.options;
    world.options.run = 7;
    world.client = galley_test_connect(world.test);
    EXPECT_INT(SEND(&world, HANDSHAKE "\r\n"), 0);
    EXPECT_INT(world.accept_result, GALLEY_EINVAL);
    end(&world);
}
