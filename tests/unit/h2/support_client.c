/* tests/unit/h2/support_client.c — see support_h2.h: a client by nghttp2, which also judges what the
 * server sends. */
#include "support_h2.h"

#include "test.h"

static struct client_stream *find(struct h2_client *client, int32_t id)
{
    for (unsigned i = 0; i < client->count; i++) {
        if (client->streams[i].id == id) {
            return &client->streams[i];
        }
    }
    return NULL;
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx)
{
    struct client_stream *stream = find(ctx, frame->hd.stream_id);
    (void)ng, (void)flags;
    if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
        int status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + value[2] - '0';
        *(status < 200 ? &stream->interim : &stream->status) = status;
    }
    size_t at = strlen(stream->fields);
    (void)snprintf(stream->fields + at, sizeof stream->fields - at, "%.*s: %.*s\n", (int)name_len,
                   (const char *)name, (int)value_len, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *ctx)
{
    struct h2_client *client = ctx;
    (void)flags;
    buf_append(&find(client, id)->body, data, len);
    if (!client->keeps_windows) {
        EXPECT_INT(nghttp2_session_consume(ng, id, len), 0);
    }
    return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    struct h2_client *client = ctx;
    (void)ng;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client->goaways++;
        client->goaway_error = frame->goaway.error_code;
        client->goaway_last = frame->goaway.last_stream_id;
    }
    client->pings += frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK);
    client->frames += frame->hd.type == NGHTTP2_DATA;
    return 0;
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *ctx)
{
    struct client_stream *stream = find(ctx, id);
    (void)ng;
    if (stream) {
        stream->is_closed = true;
        stream->error = code;
    }
    return 0;
}

static int on_invalid(nghttp2_session *ng, const nghttp2_frame *frame, int code, void *ctx)
{
    (void)ng, (void)frame, (void)code;
    ((struct h2_client *)ctx)->has_failed = true;
    return 0;
}

static ssize_t read_upload(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t room,
                           uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct client_stream *stream = source->ptr;
    (void)ng, (void)id, (void)ctx;
    size_t len = stream->upload.len < room ? stream->upload.len : room;
    if (len == 0 && !stream->upload_ends) {
        stream->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (len > 0) {
        memcpy(buf, stream->upload.data, len);
        buf_consume(&stream->upload, len);
    }
    if (stream->upload.len == 0 && stream->upload_ends) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)len;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void make_session(struct h2_client *client)
{
    nghttp2_session_callbacks *table = NULL;
    nghttp2_option *option = NULL;
    EXPECT_INT(nghttp2_session_callbacks_new(&table), 0);
    EXPECT_INT(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_callbacks_set_on_header_callback(table, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, on_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table, on_invalid);
    EXPECT_INT(nghttp2_session_client_new2(&client->ng, table, client, option), 0);
    nghttp2_session_callbacks_del(table);
    nghttp2_option_del(option);
}

void client_open(struct h2_client *client, struct world *world, uint32_t window)
{
    memset(client, 0, sizeof *client);
    client->world = world;
    client->peer = world_connect(world);
    EXPECT(client->peer);
    make_session(client);
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
    EXPECT_INT(nghttp2_submit_settings(client->ng, 0, &entry, window ? 1 : 0), 0);
    client_turn(client);
}

void client_close(struct h2_client *client)
{
    if (client->peer) {
        sim_peer_free(client->peer);
        sim_run(client->world->loop);
    }
    for (unsigned i = 0; i < client->count; i++) {
        buf_finish(&client->streams[i].body);
        buf_finish(&client->streams[i].upload);
    }
    nghttp2_session_del(client->ng);
    client->ng = NULL;
    client->peer = NULL;
}

static bool send_some(struct h2_client *client)
{
    const uint8_t *data = NULL;
    ssize_t n = nghttp2_session_mem_send(client->ng, &data);
    EXPECT(n >= 0);
    if (n > 0) {
        (void)sim_send(client->peer, data, (size_t)n); /* fails once the server has closed */
    }
    return n > 0;
}

static bool receive_some(struct h2_client *client)
{
    struct span got = sim_received(client->peer);
    if (got.len == 0) {
        return false;
    }
    ssize_t n = nghttp2_session_mem_recv(client->ng, (const uint8_t *)got.ptr, got.len);
    client->has_failed |= n != (ssize_t)got.len;
    sim_consume(client->peer, got.len);
    return true;
}

void client_turn(struct h2_client *client)
{
    bool moves = true;
    while (moves) {
        moves = false;
        while (send_some(client)) {
            moves = true;
        }
        sim_run(client->world->loop);
        moves |= receive_some(client);
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

struct client_stream *client_request(struct h2_client *client, const char *const *fields,
                                     const char *upload, bool upload_ends)
{
    enum { MAX_LINES = 64 };
    nghttp2_nv lines[MAX_LINES];
    size_t count = 0;
    EXPECT(client->count < CLIENT_STREAMS);
    struct client_stream *stream = &client->streams[client->count++];
    buf_init(&stream->body, 0);
    buf_init(&stream->upload, 0);
    for (; fields[0]; fields += 2) {
        EXPECT(count < MAX_LINES);
        lines[count++] =
            (nghttp2_nv){(uint8_t *)(uintptr_t)fields[0], (uint8_t *)(uintptr_t)fields[1],
                         strlen(fields[0]), strlen(fields[1]), 0};
    }
    nghttp2_data_provider provider = {.source = {.ptr = stream}, .read_callback = read_upload};
    if (upload) {
        buf_append_text(&stream->upload, upload);
    }
    stream->upload_ends = upload_ends;
    bool has_body = upload != NULL || !upload_ends;
    stream->id =
        nghttp2_submit_request(client->ng, NULL, lines, count, has_body ? &provider : NULL, NULL);
    EXPECT(stream->id > 0);
    client_turn(client);
    return stream;
}

struct client_stream *client_get(struct h2_client *client, const char *path)
{
    const char *const fields[] = {":method", "GET",   ":scheme", "http", ":authority",
                                  "a",       ":path", path,      NULL};
    return client_request(client, fields, NULL, true);
}

struct client_stream *client_post(struct h2_client *client, const char *path, const void *data,
                                  size_t len)
{
    const char *const fields[] = {":method", "POST",  ":scheme", "http", ":authority",
                                  "a",       ":path", path,      NULL};
    struct client_stream *stream = client_request(client, fields, "", false);
    client_upload(client, stream, data, len, true);
    return stream;
}

void client_upload(struct h2_client *client, struct client_stream *stream, const void *data,
                   size_t len, bool is_end)
{
    buf_append(&stream->upload, data, len);
    stream->upload_ends |= is_end;
    if (stream->is_deferred && !stream->is_closed) {
        stream->is_deferred = false;
        EXPECT_INT(nghttp2_session_resume_data(client->ng, stream->id), 0);
    }
    client_turn(client);
}

void client_reset(struct h2_client *client, struct client_stream *stream)
{
    EXPECT_INT(nghttp2_submit_rst_stream(client->ng, 0, stream->id, NGHTTP2_CANCEL), 0);
    client_turn(client);
}

bool stream_has_field(const struct client_stream *stream, const char *line)
{
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s\n", line);
    const char *at = strstr(stream->fields, whole);
    return at && (at == stream->fields || at[-1] == '\n');
}
