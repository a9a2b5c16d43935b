/* tests/guide/03-routes.c — docs/guide/03-routes.md: what patterns match, hosts, what a handler can
 * ask, headers of the answer, middleware. */
#include "support_guide.h"

static void paths(galley_test *t)
{
    WANT(ask(t, "GET /users/7") == 200 && said("user 7\n"));
    WANT(ask(t, "GET /users/me") == 200 && said("you\n"));
    WANT(ask(t, "GET /users") == 404 && said("There is no /users here.\n"));
    WANT(ask(t, "GET /users/") == 404 && ask(t, "GET /users/7/x") == 404);
    WANT(ask(t, "GET /wiki/") == 200 && said("page \n"));
    WANT(ask(t, "GET /wiki/a/b") == 200 && said("page a/b\n"));
    WANT(ask(t, "GET /wiki") == 404);
    WANT(ask(t, "GET /users/a%2Fb%20c") == 200 && said("user a%2Fb c\n"));
    WANT(ask(t, "GET //x/.././users/7") == 200 && said("user 7\n"));
}

static void methods(galley_test *t)
{
    WANT(ask(t, "HEAD /users/7") == 200 && last.body.len == 0);
    WANT(ask(t, "DELETE /users/7") == 405);
    WANT(strcmp(galley_test_header(t, &last, "allow").ptr, "GET, HEAD, OPTIONS") == 0);
    WANT(ask(t, "OPTIONS /users/7") == 204 && galley_test_header(t, &last, "allow").ptr);
    WANT(ask(t, "TRACE /users/7") == 501 && ask(t, "BREW /users/7") == 501);
}

static void hosts(galley_test *t)
{
    WANT(ask(t, "GET /users/7\nHost: API.example.com:8080") == 200 && said("user 7\n"));
    WANT(ask(t, "GET /\nHost: a.b.example.com") == 200 && ask(t, "GET /") == 404);
    WANT(ask(t, "GET /health\nHost: api.example.com") == 200 && ask(t, "GET /health") == 200);
}

static void questions(galley_test *t)
{
    WANT(ask(t, "GET /search?q=a+b%21\nCookie: x=1; session=7\nAccept-Language: de\nHost: H:1") ==
         200);
    WANT(said("a b! for 127.0.0.1, session 7, on h, in de\n"));
    WANT(ask(t, "GET /search") == 400);
    WANT(ask(t, "GET /first") == 200 && last.body.len > 0);
    WANT(ask(t, "GET /login") == 303);
    WANT(strstr(last.head.ptr, "Set-Cookie: session=4f2d") &&
         strstr(last.head.ptr, "Set-Cookie: theme=dark"));
}

static void middleware(galley_test *t)
{
    WANT(ask(t, "GET /account\nCookie: session=4f2d") == 200 && said("Hello, ada.\n"));
    WANT(ask(t, "GET /account") == 303 && ask(t, "GET /account/x") == 303);
    WANT(ask(t, "GET //account") == 303 && ask(t, "GET /x/../account") == 303);
    WANT(ask(t, "GET /%61ccount") == 303 && ask(t, "GET /accountant") == 404);
}

static void conflict(void)
{
    galley_error err;
    galley_server *srv = make_server();
    galley_server_route(srv, "GET /a/{x}", show_user, NULL, NULL);
    WANT(galley_server_route(srv, "GET /{y}/b", show_user, NULL, NULL) == GALLEY_ECONFLICT);
    WANT(!galley_test_new(srv, &err));
    WANT(strstr(err.message, "route \"GET /{y}/b\" conflicts with \"GET /a/{x}\""));
    galley_server_free(srv);
}

int main(void)
{
    galley_server *srv = make_server();
    block_1(srv, NULL, NULL);
    block_2(srv, NULL, NULL);
    block_3(srv, NULL, NULL);
    block_5(srv, NULL, NULL);
    block_6(srv, NULL, NULL);
    galley_server_route(srv, "GET /search", search, NULL, NULL);
    galley_server_route(srv, "GET /first", first_line, NULL, NULL);
    galley_server_route(srv, "GET /login", log_in, NULL, NULL);
    galley_test *t = drive(srv);
    paths(t);
    methods(t);
    hosts(t);
    questions(t);
    WANT(ask(t, "POST /measure\nAccept-Encoding: gzip") == 200 && said("{\"bytes\": 0}\n"));
    middleware(t);
    galley_test_free(t);
    galley_server_free(srv);
    conflict();
}
