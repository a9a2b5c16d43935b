/* tests/unit/h1/test_respond.c — what answers look like on the wire: framing, HEAD, 204 and 304,
 * files, pieces. */
#include "support_h1.h"

#include "base/buf.h"
#include "base/fd.h"
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static struct answer ask(struct world *world, struct sim_peer *peer, const char *request,
                         bool for_head)
{
    sim_consume(peer, sim_received(peer).len);
    world_send(world, peer, request);
    struct span rest = sim_received(peer);
    struct answer answer = answer_take(&rest, for_head, sim_is_closed(peer));
    EXPECT(answer.is_whole);
    EXPECT_INT(rest.len, 0);
    return answer;
}

/* The head without its Date and Content-Type lines. */
static void copy_head(char *out, struct span head)
{
    struct span rest = head;
    while (rest.ptr && rest.len) {
        struct span line;
        rest = span_cut(rest, '\n', &line);
        if (!span_starts_with(line, SPAN("Date:"))) {
            memcpy(out, line.ptr, line.len);
            out += line.len;
        }
    }
    *out = '\0';
}

/* RFC 9110 §9.3.2 */
TEST(test_head_is_get_minus_the_body_with_the_same_fields)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    static const char *const paths[] = {"/", "/big", "/ready", "/nowhere", "/empty", "/unchanged"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char request[128];
        char get_head[512];
        char head_head[512];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        struct answer get = ask(&world, peer, request, false);
        copy_head(get_head, get.head);
        snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        struct answer head = ask(&world, peer, request, true);
        copy_head(head_head, head.head);
        EXPECT_TEXT(head_head, get_head);
    }
    sim_peer_free(peer);
    world_close(&world);
}

/* RFC 9110 §8.6, §15.3.5, §15.4.5 */
TEST(test_204_and_304_have_no_body_and_tell_no_lie_about_its_length)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    struct answer answer = ask(&world, peer, "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n", false);
    EXPECT_INT(answer.status, 204);
    EXPECT(!answer.has_length && !answer.is_chunked);
    answer = ask(&world, peer, "GET /unchanged HTTP/1.1\r\nHost: a\r\n\r\n", false);
    EXPECT_INT(answer.status, 304);
    EXPECT(!answer.has_length && !answer.is_chunked);
    EXPECT_SPAN(answer_field(&answer, "ETag"), "\"x\"");
    EXPECT_SPAN(answer_field(&answer, "X-Content-Type-Options"), "nosniff");
    sim_peer_free(peer);
    world_close(&world);
}

/* RFC 9110 §15.3.6: no content, and a length that says so. */
TEST(test_205_has_a_length_of_zero_whatever_the_handler_gave)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    struct answer answer = ask(&world, peer, "GET /reset HTTP/1.1\r\nHost: a\r\n\r\n", false);
    EXPECT_INT(answer.status, 205);
    EXPECT_SPAN(answer_field(&answer, "Content-Length"), "0");
    answer = ask(&world, peer, "HEAD /reset HTTP/1.1\r\nHost: a\r\n\r\n", true);
    EXPECT_SPAN(answer_field(&answer, "Content-Length"), "0");
    EXPECT_INT(ask(&world, peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false).status, 200);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_ready_fields_with_a_length_get_no_second_one)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    struct answer answer = ask(&world, peer, "GET /ready HTTP/1.1\r\nHost: a\r\n\r\n", false);
    EXPECT_SPAN(answer_field(&answer, "Content-Length"), "5"); /* answer_field refuses two */
    EXPECT_SPAN(answer.body, "ready");
    EXPECT_INT(world.big_released, 1); /* small: copied, and let go at once */
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_large_body_goes_uncopied_and_is_released_when_sent)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 100000);
    world_send(&world, peer, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(world.big_released, 0);
    EXPECT_INT(world.logged_count, 0); /* it may still be cut: the log waits */
    sim_set_window(peer, SIZE_MAX);
    sim_run(world.loop);
    EXPECT_INT(world.logged_count, 1);
    EXPECT_INT(world.big_released, 1);
    EXPECT_INT(answers_count(peer), 1);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_an_exchange_whose_memory_is_being_sent_lives_until_the_last_byte)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 1000);
    world_send(&world, peer,
               "GET /borrowed HTTP/1.1\r\nHost: a\r\nX: long enough\r\n\r\n"
               "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(world.logged_count, 0);
    EXPECT_INT(world_conn(&world)->state, CONN_SENDING);
    sim_set_window(peer, SIZE_MAX);
    sim_run(world.loop);
    EXPECT_INT(world.logged_count, 2);
    EXPECT_INT(answers_count(peer), 2);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_head_larger_than_usual_is_written_whole)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    char value[4000];
    memset(value, 'v', sizeof value);
    EXPECT_INT(response_set_field(world.later, SPAN("X-Large"), span_make(value, sizeof value)), 0);
    struct exchange *exchange = world.later;
    world.later = NULL;
    exchange_resume(exchange, 404);
    sim_run(world.loop);
    struct span rest = sim_received(peer);
    struct answer answer = answer_take(&rest, false, false);
    EXPECT(answer.is_whole);
    EXPECT_INT(answer_field(&answer, "X-Large").len, 4000);
    sim_peer_free(peer);
    world_close(&world);
}

static void open_file(struct world *world, uint64_t declared, uint64_t real)
{
    world->file_fd = memfd_create("body", MFD_CLOEXEC);
    EXPECT(world->file_fd >= 0);
    EXPECT(ftruncate(world->file_fd, (off_t)real) == 0);
    world->file_bytes = declared;
}

TEST(test_a_file_is_sent_after_its_head)
{
    struct world world;
    world_open(&world);
    open_file(&world, 300000, 300000);
    struct sim_peer *peer = world_connect(&world);
    struct answer answer = ask(&world, peer, "GET /file HTTP/1.1\r\nHost: a\r\n\r\n", false);
    EXPECT_INT(answer.body.len, 300000);
    EXPECT_INT(world.logged[0].bytes_sent, 300000);
    answer = ask(&world, peer, "HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n", true);
    EXPECT_SPAN(answer_field(&answer, "Content-Length"), "300000");
    sim_peer_free(peer);
    world_close(&world);
    fd_close(&world.file_fd);
}

/* L25 */
TEST(test_a_file_that_ends_early_resets_the_connection_and_nothing_follows)
{
    struct world world;
    world_open(&world);
    open_file(&world, 300000, 100000);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer,
               "GET /file HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT(sim_is_reset(peer));
    EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_FILE_CHANGED]), 1);
    EXPECT(sim_received(peer).len < 101000);
    struct span rest = sim_received(peer);
    EXPECT(!answer_take(&rest, false, false).is_whole);
    sim_peer_free(peer);
    world_close(&world);
    fd_close(&world.file_fd);
}

TEST(test_a_failed_handler_is_an_answer)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    struct answer answer = ask(&world, peer, "GET /fail HTTP/1.1\r\nHost: a\r\n\r\n", false);
    EXPECT_INT(answer.status, 503);
    EXPECT(answer_field(&answer, "Retry-After").ptr);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_date_follows_the_clock)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    char first[64] = "";
    struct answer answer = ask(&world, peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    struct span date = answer_field(&answer, "Date");
    memcpy(first, date.ptr, date.len);
    sim_advance(world.loop, 2000);
    answer = ask(&world, peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    date = answer_field(&answer, "Date");
    EXPECT(memcmp(first, date.ptr, date.len) != 0);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_an_answer_whose_body_is_not_as_long_as_it_says_resets_the_connection)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    struct exchange *exchange = world.later;
    world.later = NULL;
    EXPECT_INT(response_body_copy(exchange, "abc", 3), 0);
    exchange->response.length = 4; /* a file that shrank between its head and its body */
    exchange_resume(exchange, 200);
    sim_run(world.loop);
    EXPECT(sim_is_reset(peer));
    EXPECT_INT(sim_received(peer).len, 0);
    EXPECT_INT(counter_read(&h1_driver_counters(world.driver)->aborted), 1);
    sim_peer_free(peer);
    world_close(&world);
}

/* The log and the handler read the request when its bytes have left the receive buffer long ago. */
TEST(test_a_request_that_outlives_its_turn_keeps_its_head)
{
    struct world world;
    world_open(&world);
    struct sim_peer *slow = world_connect(&world);
    struct sim_peer *other = world_connect(&world);
    sim_set_window(slow, 100);
    world_send(&world, slow, "GET /borrowed HTTP/1.1\r\nHost: slow\r\n\r\n");
    struct sim_peer *body = world_connect(&world);
    world_send(&world, body, "POST /later HTTP/1.1\r\nHost: body\r\nContent-Length: 3\r\n\r\na");
    world_send(&world, other, "GET /ready HTTP/1.1\r\nHost: other\r\nX: 1\r\nY: 2\r\n\r\n");
    world_send(&world, body, "bc");
    EXPECT_SPAN(request_field(&world.later->request, FIELD_HOST), "body");
    EXPECT_SPAN(world.later->request.target.path, "/later");
    sim_set_window(slow, SIZE_MAX);
    sim_run(world.loop);
    EXPECT_TEXT(world.logged[world.logged_count - 1].target, "/borrowed");
    EXPECT_TEXT(world.logged[world.logged_count - 1].method, "GET");
    sim_peer_free(slow);
    sim_peer_free(other);
    sim_peer_free(body);
    world_close(&world);
}
