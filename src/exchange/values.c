/* exchange/values.c — galley_req_set() and galley_req_get(): what middleware hands to the handlers
 * behind it. A list in the exchange's arena, because there are few; a value that is taken away
 * leaves its place for the key's next one. On the handler's thread. */
#include "exchange/exchange.h"

struct request_value {
    struct request_value *next;
    const void *key;
    void *value; /* NULL: taken away */
};

static struct request_value *find(const struct request *request, const void *key)
{
    struct request_value *at = request->values;
    while (at && at->key != key) {
        at = at->next;
    }
    return at;
}

static int add(struct exchange *exchange, const void *key, void *value)
{
    struct request_value *added = arena_alloc(&exchange->arena, sizeof *added);
    if (!added) {
        return GALLEY_ENOMEM;
    }
    *added = (struct request_value){exchange->request.values, key, value};
    exchange->request.values = added;
    return GALLEY_OK;
}

int galley_req_set(galley_request *rq, const void *key, void *value)
{
    if (!rq || !key) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_request(rq);
    if (!OWNER_OK(exchange)) {
        return GALLEY_ESTATE;
    }
    struct request_value *known = find(&exchange->request, key);
    if (known) {
        known->value = value;
        return GALLEY_OK;
    }
    return value ? add(exchange, key, value) : GALLEY_OK;
}

void *galley_req_get(const galley_request *rq, const void *key)
{
    if (!rq || !key || !OWNER_OK(exchange_of_request(rq))) {
        return NULL;
    }
    const struct request_value *known = find(&exchange_of_request(rq)->request, key);
    return known ? known->value : NULL;
}
