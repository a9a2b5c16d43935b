/* exchange/held_report.h — who does not let go: for the report of a server that ends without waiting
 * for them. On the loop, before exchange_pool_orphan(). */
#ifndef EXCHANGE_HELD_REPORT_H
#define EXCHANGE_HELD_REPORT_H

#include "exchange/exchange.h"

/** How many exchanges of the pool are held by handlers and deferrals; text: of which routes, as in
 *  "GET /slow (2), /report", cut to size bytes. */
unsigned exchange_pool_held(const struct exchange_pool *pool, char *text, size_t size);

#endif
