/* A chat room: GET /chat is a WebSocket, GET / the page (chat.html beside this file). What one says
 * all hear. An idle guest costs no thread; one who does not listen is sent away.
 *
 * chat [FOLDER-OF-THE-PAGE] [ADDRESS] */
#include <galley/server.h>
#include <galley/static.h>
#include <galley/websocket.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_GUESTS = 1000, MAX_WORDS = 2000 };

struct room {
    pthread_mutex_t lock;
    galley_ws *guests[MAX_GUESTS]; /* a reference each */
    unsigned count;
};

/* Lock held. */
static void say_to_all(struct room *room, const char *text, size_t len)
{
    for (unsigned i = 0; i < room->count; i++) {
        int rc = galley_ws_send(room->guests[i], GALLEY_WS_TEXT, text, len);
        if (rc == GALLEY_EFULL) {
            (void)galley_ws_close(room->guests[i], GALLEY_WS_POLICY, "too slow");
        }
    }
}

/* Lock held. */
static void tell_count(struct room *room)
{
    char text[64];
    int len = snprintf(text, sizeof text, "* %u in the room", room->count);
    say_to_all(room, text, (size_t)len);
}

/* On the pool, one call at a time for each guest. */
static void heard(galley_ws *guest, int kind, galley_str words, void *arg)
{
    struct room *room = arg;
    if (kind != GALLEY_WS_TEXT) {
        (void)galley_ws_close(guest, GALLEY_WS_UNSUPPORTED, "words only, please");
        return;
    }
    pthread_mutex_lock(&room->lock);
    say_to_all(room, words.ptr, words.len);
    pthread_mutex_unlock(&room->lock);
}

static void left(galley_ws *guest, int code, galley_str reason, void *arg)
{
    (void)code;
    (void)reason;
    struct room *room = arg;
    pthread_mutex_lock(&room->lock);
    for (unsigned i = 0; i < room->count; i++) {
        if (room->guests[i] == guest) {
            room->guests[i] = room->guests[--room->count];
            galley_ws_unref(guest);
            tell_count(room);
            break;
        }
    }
    pthread_mutex_unlock(&room->lock);
}

static int enter(galley_request *rq, galley_response *rs, void *arg)
{
    struct room *room = arg;
    galley_ws_options options = GALLEY_WS_OPTIONS_INIT;
    options.max_message_bytes = MAX_WORDS;
    options.message = heard;
    options.closed = left;
    options.arg = room;
    pthread_mutex_lock(&room->lock);
    galley_ws *guest = NULL;
    int result = room->count < MAX_GUESTS ? galley_ws_accept(rq, rs, &options, &guest)
                                          : galley_res_text(rs, 503, "The room is full.\n");
    if (guest) {
        room->guests[room->count++] = guest;
        tell_count(room); /* goes out behind the handshake */
    }
    pthread_mutex_unlock(&room->lock);
    return result;
}

static int serve(struct room *room, galley_static *pages, const char *address, galley_error *err)
{
    galley_server *srv = galley_server_new(NULL, err);
    if (!srv) {
        return err->code;
    }
    galley_server_route(srv, "GET /chat", enter, room, NULL);
    galley_server_route(srv, "GET /{path...}", galley_static_serve, pages, NULL);
    galley_server_listen(srv, address);
    printf("Listening on http://%s/\n", galley_server_address(srv, 0).ptr);
    fflush(stdout);
    int result = galley_server_run(srv, GALLEY_UNTIL_SIGNAL, err);
    galley_server_free(srv);
    return result;
}

int main(int argc, char **argv)
{
    galley_error err;
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.index = "chat.html";
    galley_static *pages = galley_static_new(argc > 1 ? argv[1] : ".", &options, &err);
    struct room *room = calloc(1, sizeof *room);
    int result = GALLEY_ENOMEM;
    if (pages && room) {
        pthread_mutex_init(&room->lock, NULL);
        result = serve(room, pages, argc > 2 ? argv[2] : "127.0.0.1:7878", &err);
        pthread_mutex_destroy(&room->lock);
    }
    if (result != 0) {
        fprintf(stderr, "chat: %s\n", pages ? err.message : "no folder with chat.html");
    }
    galley_static_free(pages);
    free(room);
    return result != 0;
}
