/* ws/ws_codec.c — see ws_codec.h. wslay checks frames (masks, lengths, reserved bits, order of
 * fragments) and text; a callback that fails makes it stop with nothing said, and so do some
 * malformed frames: then the Close is ours. */
#include "ws/ws_codec.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <galley/websocket.h>

#include <string.h>
#include <wslay/wslay.h>

enum { MAX_REASON_BYTES = 123 /* RFC 6455 §5.5: 125, less the code */ };

struct ws_codec {
    struct ws_codec_events events;
    wslay_event_context_ptr wslay;
    const unsigned char *input; /* while feeding: what is left of it */
    size_t input_left;
    int output_failed; /* what output returned, once and for all */
    int sent_code;     /* of our Close; 0: none was sent */
    int got_code;      /* of the peer's Close; GALLEY_WS_NO_CODE: it had none; 0: none came */
    size_t got_len;
    int fault;      /* a code: of what the peer did wrong in its Close, which wslay let pass */
    bool is_broken; /* the peer broke the rules: nothing more is read */
    char got_reason[MAX_REASON_BYTES];
};

/* ---- what wslay calls ------------------------------------------------------------------------ */

static ssize_t give_input(wslay_event_context_ptr wslay, uint8_t *buf, size_t len, int flags,
                          void *ctx)
{
    struct ws_codec *codec = ctx;
    (void)flags;
    if (codec->input_left == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = len < codec->input_left ? len : codec->input_left;
    memcpy(buf, codec->input, n);
    codec->input += n;
    codec->input_left -= n;
    return (ssize_t)n;
}

static int put_out(struct ws_codec *codec, const void *data, size_t len)
{
    if (codec->output_failed == 0) {
        codec->output_failed = codec->events.output(codec->events.ctx, data, len);
    }
    return codec->output_failed;
}

static ssize_t take_output(wslay_event_context_ptr wslay, const uint8_t *data, size_t len,
                           int flags, void *ctx)
{
    (void)flags;
    if (put_out(ctx, data, len) != 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)len;
}

/* RFC 6455 §5.5.1: a code and words in UTF-8, or nothing. wslay misses broken words that come in
 * pieces, and one byte alone. */
static void take_close(struct ws_codec *codec, const struct wslay_event_on_msg_recv_arg *msg)
{
    struct span reason = SPAN("");
    if (msg->msg_length > 2) {
        reason = span_make((const char *)msg->msg + 2, msg->msg_length - 2);
    }
    if (msg->msg_length == 1) {
        codec->fault = GALLEY_WS_PROTOCOL_ERROR;
    } else if (!utf8_is_valid(reason)) {
        codec->fault = GALLEY_WS_BAD_DATA;
    } else {
        codec->got_code = msg->status_code ? msg->status_code : GALLEY_WS_NO_CODE;
        codec->got_len = reason.len;
        memcpy(codec->got_reason, reason.ptr, reason.len);
    }
}

static void take_message(wslay_event_context_ptr wslay,
                         const struct wslay_event_on_msg_recv_arg *msg, void *ctx)
{
    struct ws_codec *codec = ctx;
    if (msg->opcode == WSLAY_CONNECTION_CLOSE) {
        take_close(codec, msg);
        return;
    }
    if (wslay_is_ctrl_frame(msg->opcode) || codec->sent_code != 0) {
        return; /* a ping is answered by wslay, a pong is a sign of life: the socket saw bytes */
    }
    struct span data = span_make(msg->msg ? (const char *)msg->msg : "", msg->msg_length);
    int rc = codec->events.message(codec->events.ctx, msg->opcode, data);
    if (rc != 0) {
        (void)wslay_event_queue_close(wslay, GALLEY_WS_SERVER_ERROR, NULL, 0);
        wslay_event_shutdown_read(wslay);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

struct ws_codec *ws_codec_create(const struct ws_codec_events *events, size_t max_message_bytes)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = give_input,
        .send_callback = take_output,
        .on_msg_recv_callback = take_message,
    };
    struct ws_codec *codec = mem_alloc_zero(1, sizeof *codec);
    if (!codec) {
        return NULL;
    }
    codec->events = *events;
    if (wslay_event_context_server_init(&codec->wslay, &callbacks, codec) != 0) {
        mem_free(codec);
        return NULL;
    }
    wslay_event_config_set_max_recv_msg_length(codec->wslay, max_message_bytes);
    return codec;
}

void ws_codec_destroy(struct ws_codec *codec)
{
    if (codec) {
        wslay_event_context_free(codec->wslay);
        mem_free(codec);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Everything that is queued; notices a Close that wslay sent by itself. */
static int flush(struct ws_codec *codec)
{
    int rc = wslay_event_send(codec->wslay);
    if (wslay_event_get_close_sent(codec->wslay) && codec->sent_code == 0) {
        int code = wslay_event_get_status_code_sent(codec->wslay);
        codec->sent_code = code ? code : GALLEY_WS_NO_CODE;
    }
    if (codec->output_failed) {
        return codec->output_failed;
    }
    return rc == 0 ? GALLEY_OK : rc == WSLAY_ERR_NOMEM ? GALLEY_ENOMEM : GALLEY_ECLOSED;
}

static int queue(struct ws_codec *codec, int opcode, struct span data)
{
    if (codec->output_failed || ws_codec_is_closing(codec)) {
        return codec->output_failed ? codec->output_failed : GALLEY_ECLOSED;
    }
    struct wslay_event_msg msg = {(uint8_t)opcode, (const uint8_t *)data.ptr, data.len};
    int rc = wslay_event_queue_msg(codec->wslay, &msg);
    if (rc != 0) {
        return rc == WSLAY_ERR_NOMEM ? GALLEY_ENOMEM : GALLEY_ECLOSED;
    }
    return flush(codec);
}

int ws_codec_send(struct ws_codec *codec, int kind, struct span data)
{
    return queue(codec, kind, data);
}

int ws_codec_ping(struct ws_codec *codec)
{
    return queue(codec, WSLAY_PING, SPAN(""));
}

int ws_codec_close(struct ws_codec *codec, int code, struct span reason)
{
    if (ws_codec_is_closing(codec)) {
        return GALLEY_OK;
    }
    int rc = wslay_event_queue_close(codec->wslay, (uint16_t)code, (const uint8_t *)reason.ptr,
                                     reason.len);
    return rc == WSLAY_ERR_NOMEM ? GALLEY_ENOMEM : flush(codec);
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* A Close of our own, where wslay stopped without one that says why. */
static void break_off(struct ws_codec *codec, int code)
{
    const unsigned char frame[4] = {0x88, 2, (unsigned char)(code >> 8), (unsigned char)code};
    codec->is_broken = true;
    wslay_event_shutdown_read(codec->wslay);
    wslay_event_shutdown_write(codec->wslay);
    if (codec->sent_code == 0 && put_out(codec, frame, sizeof frame) == 0) {
        codec->sent_code = code;
    }
}

void ws_codec_feed(struct ws_codec *codec, const void *data, size_t len)
{
    if (ws_codec_is_over(codec) || codec->got_code != 0) {
        return;
    }
    codec->input = data;
    codec->input_left = len;
    int rc = wslay_event_recv(codec->wslay);
    codec->input_left = 0;
    if (rc != 0) {
        codec->fault = rc == WSLAY_ERR_NOMEM ? GALLEY_WS_SERVER_ERROR : GALLEY_WS_PROTOCOL_ERROR;
    }
    if (codec->fault != 0) {
        break_off(codec, codec->fault);
        return;
    }
    (void)flush(codec); /* pongs and the answer to a Close; a failure stays in output_failed */
    if (!wslay_event_get_read_enabled(codec->wslay) && codec->got_code == 0) {
        codec->is_broken = true; /* wslay has closed for a broken rule, and said which */
    }
}

/* ---- looking in ------------------------------------------------------------------------------ */

bool ws_codec_is_closing(const struct ws_codec *codec)
{
    return codec->sent_code != 0 || codec->is_broken;
}

bool ws_codec_is_over(const struct ws_codec *codec)
{
    bool both_closed = codec->sent_code != 0 && codec->got_code != 0;
    return codec->output_failed || codec->is_broken || both_closed;
}

struct ws_end ws_codec_end(const struct ws_codec *codec)
{
    if (codec->got_code != 0) {
        return (struct ws_end){codec->got_code, span_make(codec->got_reason, codec->got_len)};
    }
    bool is_told = codec->is_broken && codec->sent_code != 0;
    return (struct ws_end){is_told ? codec->sent_code : GALLEY_WS_ABNORMAL, SPAN("")};
}
