/* tests/fuzz/fuzz_h1_conn.c — the whole driver under a script: what two clients send, and what
 * happens meanwhile. First byte: limits. Then bytes below 0xF0 are sent as they are; 0xF0 to 0xFF
 * are commands with one byte behind each. Holds: every exchange ends once and gives one answer, in
 * order, as the strictest client reads it; nothing comes after a refusal or "close"; an answer that
 * is cut ends in a reset; all memory lent is released; no connection stays. */
#include "base/alloc.h"
#include "fuzz.h"
#include "support_h1_world.h"

#include <errno.h>

/* rooms: h1 */
/* with: answers h1_handlers h1_world */

enum command {
    COMMAND_WINDOW = 0xF0,
    COMMAND_SEND,
    COMMAND_MAX_READ,
    COMMAND_MAX_WRITE,
    COMMAND_SHUTDOWN,
    COMMAND_RESET,
    COMMAND_ADVANCE,
    COMMAND_RESUME,
    COMMAND_WRITE,
    COMMAND_RETURN,
    COMMAND_FAIL_OP,
    COMMAND_DRAIN,
    COMMAND_FAIL_ALLOC,
    COMMAND_CLIENT,
    COMMAND_STOP,
    COMMAND_LITERAL,
};

struct script {
    unsigned client;
    size_t text_len;
    char text[8192];
};

static void send_text(struct script *script)
{
    if (script->text_len > 0) {
        world_send(script->client, script->text, script->text_len);
        script->text_len = 0;
    }
}

static void add_text(struct script *script, uint8_t c)
{
    if (script->text_len == sizeof script->text) {
        send_text(script);
    }
    script->text[script->text_len++] = (char)c;
}

static int result_of(uint8_t arg)
{
    static const int results[] = {0, 200, 204, 304, 404, 503, GALLEY_EPROTO, GALLEY_EFULL, 7};
    return results[arg % (sizeof results / sizeof *results)];
}

static void fail_operation(struct sim_peer *peer, uint8_t arg)
{
    static const int errors[] = {ECONNRESET, EPIPE, ENOMEM, EIO, ETIMEDOUT};
    static const enum loop_op_kind kinds[] = {LOOP_OP_RECV, LOOP_OP_SEND, LOOP_OP_SEND_FILE};
    world_expect_trouble();
    sim_fail_next(peer, kinds[arg % 3], errors[arg / 3 % 5]);
}

static void control_client(enum command command, struct sim_peer *peer, uint8_t arg)
{
    switch (command) {
    case COMMAND_WINDOW:
        sim_set_window(peer, arg == 0xFF ? SIZE_MAX : (size_t)arg * arg);
        break;
    case COMMAND_MAX_READ:
        sim_set_max_read(peer, arg);
        break;
    case COMMAND_MAX_WRITE:
        sim_set_max_write(peer, (size_t)arg * 16);
        break;
    case COMMAND_SHUTDOWN:
        sim_shutdown(peer);
        break;
    default:
        fail_operation(peer, arg);
    }
    world_settle();
}

static void control_server(struct script *script, enum command command, uint8_t arg)
{
    static const unsigned times_ms[] = {1, 500, 1000, 2500, 5100, 11000, 61000};
    switch (command) {
    case COMMAND_RESET:
        world_reset(script->client);
        break;
    case COMMAND_ADVANCE:
        sim_advance(world_loop(), times_ms[arg % 7]);
        world_settle();
        break;
    case COMMAND_RESUME:
        world_resume(result_of(arg));
        break;
    case COMMAND_WRITE:
        world_worker_writes((size_t)arg * arg);
        break;
    case COMMAND_RETURN:
        world_worker_returns(result_of(arg));
        break;
    case COMMAND_DRAIN:
        world_drain();
        break;
    case COMMAND_FAIL_ALLOC:
        world_expect_trouble();
        mem_fail_nth((uint64_t)arg + 1);
        break;
    default:
        world_stop_now();
    }
}

static void run_command(struct script *script, enum command command, uint8_t arg)
{
    if (command == COMMAND_LITERAL) {
        add_text(script, arg);
        return;
    }
    send_text(script);
    switch (command) {
    case COMMAND_SEND:
        break;
    case COMMAND_CLIENT:
        script->client = arg % WORLD_CLIENTS;
        break;
    case COMMAND_WINDOW:
    case COMMAND_MAX_READ:
    case COMMAND_MAX_WRITE:
    case COMMAND_SHUTDOWN:
    case COMMAND_FAIL_OP:
        control_client(command, world_client(script->client), arg);
        break;
    default:
        control_server(script, command, arg);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {0};
    if (size == 0 || size > 16 * 1024) {
        return 0;
    }
    world_open(data[0]);
    for (size_t i = 1; i < size; i++) {
        if (data[i] < COMMAND_WINDOW) {
            add_text(&script, data[i]);
        } else if (i + 1 < size) {
            run_command(&script, (enum command)data[i], data[i + 1]);
            i++;
        }
    }
    send_text(&script);
    world_close();
    return 0;
}
