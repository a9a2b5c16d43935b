/* tests/fuzz/support_h1_handlers.c — see the header. */
#include "support_h1_handlers.h"

#include <galley/hints.h>

#include <string.h>

int fuzz_handle_small(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_text(rs, 200, "small");
}

int fuzz_handle_status(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)rs;
    return (int)(intptr_t)arg;
}

int fuzz_handle_borrowed(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    enum { BYTES = 3000 };
    char *memory = galley_alloc(rq, BYTES);
    if (!memory) {
        return GALLEY_ENOMEM;
    }
    memset(memory, 'b', BYTES);
    return galley_res_data(rs, 200, "text/plain", memory, BYTES, NULL, NULL);
}

int fuzz_handle_echo(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str body = galley_req_body(rq);
    (void)galley_res_header(rs, "X-Query",
                            galley_req_query(rq).ptr); /* refused if it is no value */
    return galley_res_data(rs, 200, "text/plain", body.ptr, body.len, NULL, NULL);
}

/* The query is the link, if it can be one; its length says how often more is hinted at. Nothing of
 * that fails an answer. */
void fuzz_send_hints(galley_request *rq, galley_response *rs)
{
    galley_str query = galley_req_query(rq);
    if (!query.ptr) {
        return;
    }
    (void)galley_res_header(rs, "Content-Security-Policy", "default-src 'self'");
    for (size_t i = 0; i < query.len % 12; i++) {
        (void)galley_res_add_header(rs, "Link", i == 0 ? query.ptr : "</style.css>; rel=preload");
        (void)galley_res_early_hints(rs);
    }
}

int fuzz_handle_hints(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    fuzz_send_hints(rq, rs);
    return galley_res_text(rs, 200, "hinted");
}
