/* tests/guide/05-blocking-work.c — docs/guide/05-blocking-work.md: deferrals outlive their clients,
 * handlers are told when nobody waits, a handler's pool is the server's. */
#include "support_guide.h"

static atomic_uint steps, canceled;

bool step(void *work)
{
    atomic_fetch_add(&steps, 1);
    usleep(1000);
    return true;
}

static int work_until_told(galley_request *rq, galley_response *rs, void *arg)
{
    int rc = long_work(rq, rs, arg);
    atomic_fetch_add(&canceled, rc == GALLEY_ECANCELED);
    return rc;
}

static int is_on_own_pool(galley_request *rq, galley_response *rs, void *srv)
{
    return galley_worker_pool() && galley_worker_pool() == galley_server_pool(srv) ? 200 : 500;
}

static galley_test_conn *begin(galley_test *t, const char *path)
{
    char head[100];
    galley_test_conn *c = galley_test_connect(t);
    int len = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", path);
    galley_test_send(c, head, (size_t)len);
    return c;
}

static void an_answer_comes_later(galley_test *t)
{
    galley_test_conn *c = begin(t, "/news");
    WANT(galley_test_received(c).len == 0);
    WANT(ask(t, "GET /news") == 503); /* one is enough for this page; and its worker is free */
    tell("land ahead\n");
    galley_test_advance(t, 0);
    WANT(strstr(galley_test_received(c).ptr, "\r\n\r\nland ahead\n"));
}

static void a_deferral_outlives_its_client(galley_test *t)
{
    galley_test_conn *c = begin(t, "/news");
    WANT(waiting && galley_deferred_is_wanted(waiting));
    galley_test_hangup(c);
    WANT(waiting && !galley_deferred_is_wanted(waiting));
    WANT(galley_deferred_finish(waiting, 200) == GALLEY_ECLOSED);
    WANT(galley_deferred_finish(waiting, 200) == GALLEY_ESTATE);
    waiting = NULL;
}

static void who_works_for_nobody_is_told(galley_test *t)
{
    galley_test_set_patience(t, 0);
    galley_test_conn *c = begin(t, "/work");
    while (atomic_load(&steps) == 0) {
        usleep(1000);
    }
    galley_test_hangup(c);
    galley_test_set_patience(t, 10000);
    galley_test_advance(t, 0);
    WANT(atomic_load(&canceled) == 1);
}

int main(void)
{
    galley_server *srv = make_server();
    block_2(srv, NULL, NULL); /* its /report sleeps; the options are what is looked at */
    galley_server_route(srv, "GET /news", wait_for_news, NULL, NULL);
    galley_server_route(srv, "GET /work", work_until_told, NULL, NULL);
    galley_server_route(srv, "GET /pool", is_on_own_pool, srv, NULL);
    galley_test *t = drive(srv);
    an_answer_comes_later(t);
    a_deferral_outlives_its_client(t);
    who_works_for_nobody_is_told(t);
    WANT(ask(t, "GET /pool") == 200);
    galley_test_free(t);
    galley_server_free(srv);
}
