/* A WebSocket exchange while memory is short, in galley and in the libraries that allocate by
 * themselves: wslay (frames) and libcrypto (the handshake's digest). Each allocation fails once;
 * what is told is GALLEY_ENOMEM, or a socket that ends and says so once; nothing is left (the
 * harness looks, and so does the leak checker of address sanitizer builds).
 *
 * malloc() of this program stands before the C library's (or the sanitizer's) for every library, and
 * tells by its return address who asks. */
#include "test.h"

#include "base/alloc.h"

#include <galley/server.h>
#include <galley/test.h>
#include <galley/websocket.h>

#include <errno.h>
#include <link.h>
#include <stdatomic.h>

/* ---- an allocator that fails for some ---- */

#ifdef __SANITIZE_ADDRESS__
void *__interceptor_malloc(size_t bytes);
void *__interceptor_calloc(size_t count, size_t bytes);
#define REAL(name) __interceptor_##name
#else
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
#define REAL(name) __libc_##name
#endif

#ifdef __SANITIZE_THREAD__
#define MALLOC_IS_OURS 0
#else
#define MALLOC_IS_OURS 1
#endif

static struct {
    uintptr_t start, end;
} libraries[4];
static int library_count;
static atomic_uint foreign_left; /* allocations of theirs, up to the one that fails; 0: none does */
static atomic_bool foreign_failed;

#ifndef __SANITIZE_THREAD__ /* whose own start allocates before it can run instrumented code */
static bool is_foreign(const void *caller)
{
    bool is_so = false;
    for (int i = 0; i < library_count; i++) {
        uintptr_t at = (uintptr_t)caller;
        is_so |= at >= libraries[i].start && at < libraries[i].end;
    }
    return is_so;
}

static bool must_fail(const void *caller)
{
    if (atomic_load(&foreign_left) == 0 || !is_foreign(caller) ||
        atomic_fetch_sub(&foreign_left, 1) != 1) {
        return false;
    }
    atomic_store(&foreign_failed, true);
    errno = ENOMEM;
    return true;
}

/* Seen by the libraries: this room is compiled with hidden symbols. */
__attribute__((visibility("default"))) void *malloc(size_t bytes)
{
    return must_fail(__builtin_return_address(0)) ? NULL : REAL(malloc)(bytes);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t bytes)
{
    return must_fail(__builtin_return_address(0)) ? NULL : REAL(calloc)(count, bytes);
}
#endif

#ifdef __SANITIZE_ADDRESS__
const char *__lsan_default_suppressions(void);

/* wslay 1.1.0 loses the frame it is making when the second allocation for it fails. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:wslay_event_queue_msg_ex\nleak:wslay_event_recv\n";
}
#endif

static int note_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    if (!strstr(info->dlpi_name, "libwslay") && !strstr(info->dlpi_name, "libcrypto")) {
        return 0;
    }
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) && library_count < 4) {
            libraries[library_count].start = info->dlpi_addr + part->p_vaddr;
            libraries[library_count].end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
            library_count++;
        }
    }
    return 0;
}

/* ---- an exchange of messages ---- */

struct world {
    galley_server *server;
    galley_test *test;
    galley_ws *ws;
    int accepted; /* 1: not asked */
    unsigned messages, ends, refused;
};

/* What is sent may be refused, but only for want of memory, or behind the end. */
static void expect_sent(struct world *world, int rc)
{
    EXPECT(rc == 0 || rc == GALLEY_ENOMEM || rc == GALLEY_ECLOSED);
    world->refused += rc == GALLEY_ENOMEM; /* shows: GALLEY_ENOMEM of galley_ws_send() */
}

static void take_message(galley_ws *ws, int kind, galley_str data, void *arg)
{
    struct world *world = arg;
    world->messages++;
    expect_sent(world, galley_ws_send(ws, kind, data.ptr, data.len));
}

static void take_end(galley_ws *ws, int code, galley_str reason, void *arg)
{
    struct world *world = arg;
    (void)ws;
    EXPECT(code >= 1000 && reason.ptr);
    world->ends++;
}

static int accept_socket(galley_request *rq, galley_response *rs, void *arg)
{
    struct world *world = arg;
    galley_ws_options opt = GALLEY_WS_OPTIONS_INIT;
    opt.run = GALLEY_ON_LOOP;
    opt.message = take_message;
    opt.closed = take_end;
    opt.arg = world;
    opt.protocols = "chat";
    world->accepted = galley_ws_accept(rq, rs, &opt, &world->ws);
    EXPECT_INT(world->accepted == 0, world->ws != NULL);
    return world->accepted;
}

static void open_world(struct world *world)
{
    galley_route_options loop = GALLEY_ROUTE_OPTIONS_INIT;
    loop.run = GALLEY_ON_LOOP;
    *world = (struct world){.accepted = 1};
    world->server = galley_server_new(NULL, NULL);
    EXPECT_INT(galley_server_route(world->server, "GET /", accept_socket, world, &loop), 0);
    world->test = galley_test_new(world->server, NULL);
    EXPECT(world->test);
}

static void close_world(struct world *world)
{
    galley_ws_unref(world->ws);
    galley_test_free(world->test);
    galley_server_free(world->server);
}

#define SEND(client, bytes) (void)galley_test_send(client, bytes, sizeof bytes - 1)

/* Messages whole and in pieces, a ping each way, and the closing handshake. */
static void talk(struct world *world)
{
    galley_test_conn *client = galley_test_connect(world->test);
    if (!client) {
        return; /* the simulated client has none either */
    }
    SEND(client, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    if (world->ws) {
        expect_sent(world, galley_ws_send(world->ws, GALLEY_WS_BINARY, "hello", 5));
    }
    SEND(client, "\x81\x85\0\0\0\0whole");
    SEND(client, "\x01\x82\0\0\0\0in\x89\x81\0\0\0\0p\x80\x87\0\0\0\0 pieces");
    (void)galley_test_advance(world->test, 31000); /* our ping */
    SEND(client, "\x8a\x80\0\0\0\0");
    if (world->ws) {
        EXPECT_INT(galley_ws_close(world->ws, GALLEY_WS_NORMAL, "bye"), 0);
        (void)galley_test_advance(world->test, 0);
    }
    SEND(client, "\x88\x82\0\0\0\0\x03\xe8");
    (void)galley_test_advance(world->test, 60000);
    EXPECT(world->accepted != 0 || world->ends == 1);
}

static bool talk_with_foreign_failure(unsigned n, struct world *world)
{
    open_world(world);
    atomic_store(&foreign_failed, false);
    atomic_store(&foreign_left, n);
    talk(world);
    bool did_fail = atomic_load(&foreign_failed);
    atomic_store(&foreign_left, 0);
    return did_fail;
}

static bool talk_with_own_failure(unsigned n, struct world *world)
{
    open_world(world);
    mem_fail_nth(n);
    talk(world);
    bool did_fail = mem_fail_happened();
    mem_fail_nth(0);
    return did_fail;
}

static void sweep(bool (*talk_with)(unsigned n, struct world *world), unsigned least)
{
    unsigned failures = 0, refused = 0;
    struct world world;
    for (unsigned n = 1; talk_with(n, &world); n++) {
        EXPECT(world.accepted == 0 || world.accepted == 1 || world.accepted == GALLEY_ENOMEM);
        failures++;
        refused += world.refused;
        close_world(&world);
    }
    EXPECT_INT(world.accepted, 0); /* nothing failed: all of it came */
    EXPECT_INT(world.messages, 2);
    EXPECT_INT(world.refused, 0);
    close_world(&world);
    EXPECT(failures >= least);
    EXPECT(refused > 0);
}

TEST_TIMEOUT(test_each_allocation_of_the_libraries_below_a_socket_may_fail, 120)
{
    if (!MALLOC_IS_OURS) {
        test_skip("the thread sanitizer's allocator cannot be stood before");
    }
    dl_iterate_phdr(note_library, NULL);
    EXPECT(library_count >= 2);
    sweep(talk_with_foreign_failure, 8);
}

TEST_TIMEOUT(test_each_allocation_of_a_socket_may_fail, 120)
{
    sweep(talk_with_own_failure, 8);
}
