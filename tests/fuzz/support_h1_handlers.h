/* tests/fuzz/support_h1_handlers.h — the handlers of support_h1_world.c that need nothing but their
 * request: for routes on the loop, those of hints on the pool, too. */
#ifndef TESTS_FUZZ_SUPPORT_H1_HANDLERS_H
#define TESTS_FUZZ_SUPPORT_H1_HANDLERS_H

#include <galley/http.h>

int fuzz_handle_small(galley_request *rq, galley_response *rs, void *arg);
/** arg: what to return. */
int fuzz_handle_status(galley_request *rq, galley_response *rs, void *arg);
int fuzz_handle_borrowed(galley_request *rq, galley_response *rs, void *arg);
int fuzz_handle_echo(galley_request *rq, galley_response *rs, void *arg);

/** Sends early hints if there is a query, up to 11 times, three more than galley allows. */
void fuzz_send_hints(galley_request *rq, galley_response *rs);
int fuzz_handle_hints(galley_request *rq, galley_response *rs, void *arg);

#endif
