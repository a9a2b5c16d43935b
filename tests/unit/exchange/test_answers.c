/* galley_res_fd(), and answers that are no HTTP: upgrades. On the sim loop. */
#include "support_world.h"

#include "base/alloc.h"
#include "exchange/stream.h"

#include <galley/stream.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* ---- descriptors ---- */

static int make_file(const char *text)
{
    char path[] = "/tmp/galley-test-XXXXXX";
    int fd = mkstemp(path);
    EXPECT(fd >= 0);
    EXPECT_INT(unlink(path), 0);
    EXPECT_INT(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

struct request_of_fd {
    int fd;
    int64_t offset, len;
    int rc;
    const char *type;
};

static uint64_t given_bytes;
static int64_t given_offset;

static int give_fd(galley_request *rq, galley_response *rs, void *arg)
{
    struct request_of_fd *of = arg;
    of->rc = galley_res_fd(rs, 200, of->type, of->fd, of->offset, of->len);
    struct chain *body = &exchange_of_request(rq)->response.body;
    const struct chain_part *part = chain_front(body);
    given_bytes = body->bytes;
    given_offset = part ? (int64_t)part->offset : -1;
    EXPECT(of->rc != GALLEY_OK || of->len == 0 || part == NULL || is_open(of->fd));
    chain_clear(body); /* the world's driver knows memory only */
    exchange_of_request(rq)->response.length = 0;
    return of->rc;
}

static struct request_of_fd ask(struct request_of_fd of)
{
    struct world world;
    world_init(&world);
    world.route.handler = give_fd;
    world.route.arg = &of;
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.status, of.rc == GALLEY_OK ? 200 : 500);
    if (of.rc == GALLEY_OK) {
        EXPECT(strstr(world.fields_text, of.type ? "Content-Type: text/csv\n"
                                                 : "Content-Type: application/octet-stream\n"));
    }
    EXPECT(!is_open(of.fd)); /* taken over, whatever came of it */
    world_finish(&world);
    return of;
}

TEST(test_a_file_by_its_descriptor)
{
    struct request_of_fd of = {.fd = make_file("0123456789"), .len = -1, .type = "text/csv"};
    EXPECT_INT(ask(of).rc, 0);
    EXPECT_INT(given_bytes, 10);
    EXPECT_INT(given_offset, 0);
    of = (struct request_of_fd){.fd = make_file("0123456789"), .offset = 3, .len = 4};
    EXPECT_INT(ask(of).rc, 0);
    EXPECT_INT(given_bytes, 4);
    EXPECT_INT(given_offset, 3);
    of = (struct request_of_fd){.fd = make_file("0123456789"), .offset = 3, .len = -1};
    EXPECT_INT(ask(of).rc, 0);
    EXPECT_INT(given_bytes, 7);
    of = (struct request_of_fd){.fd = make_file("0123456789"), .offset = 10, .len = -1};
    EXPECT_INT(ask(of).rc, 0);
    EXPECT_INT(given_bytes, 0);
    of = (struct request_of_fd){.fd = make_file(""), .len = -1};
    EXPECT_INT(ask(of).rc, 0);
}

TEST(test_a_descriptor_that_cannot_be_sent_is_closed_too)
{
    struct request_of_fd of = {.fd = make_file("0123456789"), .offset = 3, .len = 8};
    EXPECT_INT(ask(of).rc, GALLEY_EINVAL); /* shorter than that already */
    of = (struct request_of_fd){.fd = make_file("x"), .offset = -1, .len = 1};
    EXPECT_INT(ask(of).rc, GALLEY_EINVAL);
    of = (struct request_of_fd){.fd = make_file("x"), .len = -2};
    EXPECT_INT(ask(of).rc, GALLEY_EINVAL);
    of = (struct request_of_fd){.fd = make_file("x"), .len = -1, .type = "a\r\nb"};
    EXPECT_INT(ask(of).rc, GALLEY_EINVAL);
    of = (struct request_of_fd){.fd = open("/dev/null", O_WRONLY), .len = -1};
    EXPECT_INT(ask(of).rc, GALLEY_EINVAL); /* no regular file */
    int ends[2];
    EXPECT_INT(pipe(ends), 0);
    of = (struct request_of_fd){.fd = ends[0], .len = -1};
    EXPECT_INT(ask(of).rc, GALLEY_EINVAL);
    close(ends[1]);
    char path[] = "/tmp/galley-test-XXXXXX";
    int fd = mkstemp(path);
    of = (struct request_of_fd){.fd = open(path, O_WRONLY), .len = -1};
    EXPECT_INT(ask(of).rc, GALLEY_EINVAL); /* not to be read */
    close(fd);
    unlink(path);
    of = (struct request_of_fd){.fd = -1, .len = -1};
    EXPECT_INT(ask(of).rc, GALLEY_EINVAL);
    of = (struct request_of_fd){.fd = 1000, .len = -1};
    EXPECT_INT(ask(of).rc, GALLEY_ESYS); /* not open */
    int lonely = make_file("x");
    EXPECT_INT(galley_res_fd(NULL, 200, NULL, lonely, 0, -1), GALLEY_EINVAL);
    EXPECT(!is_open(lonely));
}

static int give_fd_twice(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    int second = make_file("second");
    EXPECT_INT(galley_res_fd(rs, 99, NULL, make_file("x"), 0, -1), GALLEY_EINVAL);
    EXPECT_INT(galley_res_text(rs, 200, "first"), 0);
    EXPECT_INT(galley_res_fd(rs, 200, NULL, second, 0, -1), GALLEY_ESTATE);
    EXPECT(!is_open(second));
    return 0;
}

TEST(test_a_descriptor_as_a_second_body)
{
    struct world world;
    world_init(&world);
    world.route.handler = give_fd_twice;
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.status, 500);
    world_finish(&world);
}

TEST(test_each_allocation_of_an_answer_by_descriptor_may_fail)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct world world;
        struct request_of_fd of = {.fd = make_file("x"), .len = -1};
        world_init(&world);
        world.route.handler = give_fd;
        world.route.arg = &of;
        mem_fail_nth(n);
        bool has_begun = world_request(&world, "GET", "/");
        if (has_begun) {
            world_go(&world);
        }
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(has_begun != is_open(of.fd));
        if (!has_begun) {
            close(of.fd);
        }
        EXPECT_INT(world.pool.live, 0);
        world_finish(&world);
    }
}

/* ---- upgrades ---- */

static struct stream *tunnel;
static unsigned tunnels_ended;
static int upgrade_result;

static void tunnel_ended(void *arg)
{
    EXPECT(arg == &tunnels_ended);
    tunnels_ended++;
}

static const struct stream_options tunnel_options = {
    .buffer_bytes = 1000, .ended = tunnel_ended, .arg = &tunnels_ended};

static int upgrade(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    struct exchange *exchange = exchange_of_request(rq);
    EXPECT_INT(exchange_upgrade(exchange, SPAN(""), &tunnel_options, &tunnel), GALLEY_EINVAL);
    EXPECT_INT(exchange_upgrade(exchange, SPAN("a\r\nb"), &tunnel_options, &tunnel), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(rs, "X-Accept", "yes"), 0);
    EXPECT_INT(exchange_upgrade(exchange, SPAN("echo"), &tunnel_options, &tunnel), 0);
    EXPECT_INT(exchange_upgrade(exchange, SPAN("echo"), &tunnel_options, &tunnel), GALLEY_ESTATE);
    EXPECT_INT(galley_res_text(rs, 200, "x"), GALLEY_ESTATE);
    EXPECT_INT(stream_write(tunnel, "early ", 6), 0);
    return upgrade_result;
}

static void start_upgrade(struct world *world, int result)
{
    world_init(world);
    tunnel = NULL;
    tunnels_ended = 0;
    upgrade_result = result;
    world->route.handler = upgrade;
    world_request(world, "GET", "/");
    world_go(world);
}

static void end_upgrade(struct world *world)
{
    while (loop_turn(world->loop, 0)) {
    }
    EXPECT_INT(tunnels_ended, 1);
    EXPECT_INT(world->pool.live, 0);
    if (tunnel) {
        EXPECT_INT(stream_write(tunnel, "x", 1), GALLEY_ECLOSED);
        stream_unref(tunnel);
    }
    world_finish(world);
}

/* RFC 9110 §7.8 */
TEST(test_an_upgrade_is_101_and_then_a_stream)
{
    struct world world;
    start_upgrade(&world, 0);
    EXPECT_INT(world.status, 101);
    EXPECT(strstr(world.fields_text, "X-Accept: yes\n"));
    EXPECT_TEXT(world.body, "early ");
    EXPECT_INT(stream_write(tunnel, "headbody", 8), 0);
    exchange_pieces_wanted(world.exchange);
    EXPECT_TEXT(world.body, "early headbody");
    EXPECT_INT(world.pool.streams, 1);
    stream_close(tunnel);
    end_upgrade(&world);
    EXPECT(world.pieces_ended);
}

TEST(test_a_handler_that_is_sorry_for_its_upgrade)
{
    static const int results[] = {403, GALLEY_EFULL, 5};
    static const int statuses[] = {403, 503, 500};
    for (int i = 0; i < 3; i++) {
        struct world world;
        start_upgrade(&world, results[i]);
        EXPECT_INT(world.status, statuses[i]);
        EXPECT(!strstr(world.body, "early"));
        end_upgrade(&world);
    }
}

static int upgrade_old(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    struct exchange *exchange = exchange_of_request(rq);
    exchange->request.version = 10;
    EXPECT_INT(exchange_upgrade(exchange, SPAN("echo"), &tunnel_options, &tunnel), GALLEY_EINVAL);
    return 204;
}

/* RFC 9110 §7.8: a server must ignore an Upgrade that came in an HTTP/1.0 request. */
TEST(test_http_1_0_is_not_upgraded)
{
    struct world world;
    world_init(&world);
    world.route.handler = upgrade_old;
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.status, 204);
    world_finish(&world);
}

static int upgrade_or_fail(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    int rc = exchange_upgrade(exchange_of_request(rq), SPAN("echo"), &tunnel_options, &tunnel);
    tunnels_ended += rc != GALLEY_OK;
    return rc;
}

TEST(test_each_allocation_of_an_upgrade_may_fail)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct world world;
        world_init(&world);
        tunnel = NULL;
        tunnels_ended = 0;
        world.route.handler = upgrade_or_fail;
        mem_fail_nth(n);
        if (world_request(&world, "GET", "/")) {
            world_go(&world);
        } else {
            tunnels_ended++;
        }
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        if (tunnel && world.exchange) {
            stream_close(tunnel);
        }
        end_upgrade(&world);
    }
}
