/* exchange/exchange_steps.h — the steps that the files of this room call among each other; nobody
 * else includes this. All on the loop but where it is said. After exchange_finish() and
 * exchange_respond() the exchange may be gone. */
#ifndef EXCHANGE_EXCHANGE_STEPS_H
#define EXCHANGE_EXCHANGE_STEPS_H

#include "exchange/exchange.h"

/** A galley_on_end() of the handler. */
struct exchange_end_hook {
    struct exchange_end_hook *next;
    void (*fn)(void *arg);
    void *arg;
};

/** A handler result becomes a response, or the rest of one. */
void exchange_finish(struct exchange *exchange, int result);
/** Hand the decided response to the driver. */
void exchange_respond(struct exchange *exchange);
/** The answer cannot become whole: its connection is reset. */
void exchange_break_off(struct exchange *exchange, int code);
/** What flowed has failed: broken off if a part of it was sent, else the code's page. */
void exchange_fail(struct exchange *exchange, int code);
/** A programmer's error in a handler: counted, and told to the log. */
void exchange_report_mistake(const struct exchange *exchange, const char *what, int result);
/** From now on it is one of the loop's streams. */
void exchange_count_stream(struct exchange *exchange);
/** Not any more, if it was. */
void exchange_uncount_stream(struct exchange *exchange);
/** 503 with Retry-After instead of whatever is set: the server has too much to do. */
void exchange_shed(struct exchange *exchange);
/** Give the exchange to a worker; or 503. */
void exchange_start_job(struct exchange *exchange);
typedef int exchange_call_fn(struct exchange *exchange, void *arg);
/** Call a handler, or its sink, on the loop: in EXCHANGE_HANDLING, and watched for how long. */
int exchange_call_on_loop(struct exchange *exchange, exchange_call_fn *call, void *arg);
/** A handler on the loop, or its sink, has returned: it answers, is suspended, or goes on. */
void exchange_returned(struct exchange *exchange, int result);
/** On the loop: make it fit to be held by others, and held by one. 0 or GALLEY_ENOMEM. */
int exchange_prepare_to_leave(struct exchange *exchange);
/** On the loop: its handler has returned and has deferred. */
void exchange_leave_deferred(struct exchange *exchange);
/** On the loop: held by one from now on; `back` runs on the loop when nobody holds it any more. */
void exchange_hold(struct exchange *exchange, void (*back)(struct loop_post *post));
/** To the pool of the route's handlers, as an errand (loop/errand.h): run and drop of the job end
 *  with exchange_end_job(). 0, GALLEY_EFULL, GALLEY_ECLOSED. */
int exchange_submit(struct exchange *exchange, const galley_job *job);
/** The last touch of such a job: exchange_let_go(), and the errand ends. */
void exchange_end_job(struct exchange *exchange);
/** A holder's last touch; any thread. Behind the last one it goes back to its loop. */
void exchange_let_go(struct exchange *exchange);
/** Middleware and the route's handler, on its thread; what came out. Without a tie to the loop. */
int exchange_call_handler(struct exchange *exchange);
/** The handler is on its way to a worker: the body may begin to come, unless the client waits. */
void exchange_body_begin(struct exchange *exchange);
/** A piece as the route wants it, behind exchange_body_piece(); returns as it. */
int exchange_body_take(struct exchange *exchange, struct span piece);
/** All such pieces have come: behind exchange_body_end(). */
void exchange_body_end_now(struct exchange *exchange);
/** A handler has returned 0: true when its sink goes on; the exchange may be gone then. */
bool exchange_sink_begin(struct exchange *exchange);
/** Nobody waits for the answer: who reads the body is told. */
void exchange_body_close(struct exchange *exchange);
/** The client has gone: true when the body's way ends the exchange, now or later. */
bool exchange_body_goes_on(struct exchange *exchange);
/** What a handler returns because the body failed. */
int exchange_body_result(const struct exchange *exchange, int result);
/** At the end: what the body holds besides memory of the arena. Any thread. */
void exchange_body_release(struct exchange *exchange);
/** Take it off the list of live ones. */
void exchange_forget(struct exchange *exchange);
/** On the worker that returned with an orphan: free it, touching nothing of its loop. */
void exchange_free_orphan(struct exchange *exchange);

/** May a body be given, with this status? 0, GALLEY_ESTATE (remembered as a mistake), GALLEY_EINVAL.
 *  The first step of whatever gives one; on the owner's thread. */
int response_claim_body(struct exchange *exchange, int status);
/** Content-Type, to be put when nothing can fail any more; type NULL: what is set stays (*ret_field
 *  NULL), or else the usual one. As response_prepare_field(). */
int response_prepare_type(struct exchange *exchange, const char *type, struct span usual,
                          struct response_field **ret_field);

static inline galley_request *exchange_rq(struct exchange *exchange)
{
    return (galley_request *)(void *)exchange;
}
static inline galley_response *exchange_rs(struct exchange *exchange)
{
    return (galley_response *)(void *)exchange;
}

#endif
