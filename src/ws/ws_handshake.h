/* ws/ws_handshake.h — is this request a WebSocket handshake that may be accepted, and what is the
 * answer? RFC 6455 §4.2. Pure; any thread. */
#ifndef WS_WS_HANDSHAKE_H
#define WS_WS_HANDSHAKE_H

#include "base/span.h"

/** What the request says; ptr NULL for what it does not. */
struct ws_offer {
    struct span upgrade;    /* Upgrade */
    struct span connection; /* Connection */
    struct span version;    /* Sec-WebSocket-Version */
    struct span key;        /* Sec-WebSocket-Key */
    struct span protocols;  /* Sec-WebSocket-Protocol */
    struct span origin;     /* Origin */
    struct span host;       /* Host, with its port */
    bool is_http11;
    bool is_connect; /* RFC 8441: an extended CONNECT, which needs no Upgrade and no key */
    bool is_tls;
};

/** What the server allows. */
struct ws_policy {
    struct span protocols; /* spoken, by preference, separated by commas; ptr NULL: none */
    struct span origins;   /* allowed, separated by spaces; "*": any; ptr NULL: the own host's */
};

/** 0: accept; else a status: 426 (no handshake, or another version), 400 (malformed), 403
 *  (Origin). */
int ws_offer_judge(const struct ws_offer *offer, const struct ws_policy *policy);

/** The first of the policy's subprotocols that is offered; a part of the policy's text. ptr NULL:
 *  none. */
struct span ws_offer_protocol(const struct ws_offer *offer, const struct ws_policy *policy);

enum { WS_ACCEPT_BYTES = 28 };
/** Sec-WebSocket-Accept for a well-formed key, RFC 6455 §4.2.2; with a NUL behind it.
 *  Allocates nothing. */
void ws_accept_value(struct span key, char out[WS_ACCEPT_BYTES + 1]);

#endif
