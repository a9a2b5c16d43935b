/* daemon/tls.h — TLS by the command line: which addresses speak it, the certificates and what is
 * said of them. Main thread, at the start. */
#ifndef DAEMON_TLS_H
#define DAEMON_TLS_H

#include "base/buf.h"

#include "daemon/options.h"

#include <galley/tls.h>

enum { TLS_ADDRESS_MAX = 160 };

/** "127.0.0.1:8443,tls" -> true, and the address without the ",tls". Copied and NUL-terminated; what
 *  is too long is cut, and then no address. */
bool tls_address(const char *listen, char ret_address[TLS_ADDRESS_MAX]);

/** The certificates that the options name, read and checked; *ret NULL when no address speaks TLS.
 *  0 or a GALLEY_E… with one sentence, also when the options do not fit together. */
int tls_open(galley_tls **ret, const struct options *options, galley_error *err);

/** Lines about the certificates. */
void tls_append_report(struct buf *out, galley_tls *tls);

#endif
