/* exchange/request_tls.h — what is known of the TLS that a request came over. While the connection
 * lives its transport can be asked, on the loop; a request that leaves the loop, or whose client goes
 * first, takes a reference of what is known with it. So nothing is spent on requests that nobody asks
 * about. */
#ifndef EXCHANGE_REQUEST_TLS_H
#define EXCHANGE_REQUEST_TLS_H

#include "net/tls_facts.h"

#include "exchange/request.h"

/** On the loop: from now on it can be asked on any thread, and when the connection has gone. 0 (also
 *  for one that did not come over TLS) or GALLEY_ENOMEM. */
int request_keep_tls(struct request_tls *tls);
/** On the loop: the connection may go before the request does. */
void request_tls_goes(struct request_tls *tls);
/** On its owner's thread; borrowed. NULL: none, or unknown. */
const struct tls_facts *request_tls_facts(const struct request_tls *tls);
/** At the end. Any thread. */
void request_release_tls(struct request_tls *tls);

#endif
