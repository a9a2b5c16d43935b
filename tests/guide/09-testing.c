/* tests/guide/09-testing.c — docs/guide/09-testing.md: the test in it that is no program passes. */
#include "support_guide.h"

static int large(galley_request *rq, galley_response *rs, void *arg)
{
    static const char much[1024 * 1024];
    return galley_res_data(rs, 200, NULL, much, sizeof much, NULL, NULL);
}

int main(void)
{
    galley_server *srv = make_server();
    galley_server_route(srv, "GET /large", large, NULL, NULL);
    galley_test *t = drive(srv);
    test_who_leaves_is_noticed(t, srv);
    galley_test_free(t);
    galley_server_free(srv);
}
