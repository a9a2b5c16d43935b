/* tls/tls_tickets.h — the keys that protect session tickets: a client keeps its session, sealed,
 * and nothing about it is kept here (RFC 5077, RFC 8446 §4.6.1). Shared by all loops and all sets
 * of certificates of one context, made at the start, never stored, wiped at the end.
 *
 * A key seals for half of a ticket's life and opens until the last ticket it sealed has ended; the
 * change happens when somebody needs a key, so nothing has to be called in time. Whoever steals the
 * memory reads the TLS 1.2 sessions of that long at most; TLS 1.3 mixes in a fresh exchange. */
#ifndef TLS_TLS_TICKETS_H
#define TLS_TLS_TICKETS_H

#include <galley/base.h>

#include <openssl/types.h>

struct tls_tickets;

/** NULL: no memory, or no random numbers. */
struct tls_tickets *tls_tickets_create(uint32_t lifetime_s, int64_t (*mono_ms)(void),
                                       galley_error *err);
/** Wipes the keys. NULL is allowed. */
void tls_tickets_destroy(struct tls_tickets *tickets);

/** For SSL_CTX_set_tlsext_ticket_key_evp_cb: sets up `cipher` and `mac` to seal (is_sealing; name
 *  and iv are filled) or to open what the key called `name` sealed. 1; 0: no such key, so a full
 *  handshake; 2: opened, and the client should get a new ticket; -1: failed. */
int tls_tickets_use(struct tls_tickets *tickets, unsigned char name[16], unsigned char *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing);

#endif
