/* ws/ws_handshake.c — see ws_handshake.h. SHA-1 is OpenSSL's: it proves here only that the server
 * understood the question (RFC 6455 §10.8), nothing is kept secret by it. */
#include "ws/ws_handshake.h"

#include "http/field_list.h"
#include "http/field_value.h"
#include "http/host.h"

#include <galley/base.h>

/* EVP_Digest() in their place allocates, and OpenSSL 3.0 crashes where its first use finds no
 * memory. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>

enum { KEY_CHARS = 24 };

/* ---- Sec-WebSocket-Key ----------------------------------------------------------------------- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 6455 §4.1: sixteen bytes in base64, so 22 characters, the last of which holds two bits, and
 * "==". */
static bool is_key(struct span key)
{
    if (key.len != KEY_CHARS || !span_ends_with(key, SPAN("=="))) {
        return false;
    }
    for (size_t i = 0; i < KEY_CHARS - 2; i++) {
        if (base64_value(key.ptr[i]) < 0) {
            return false;
        }
    }
    return (base64_value(key.ptr[KEY_CHARS - 3]) & 0xf) == 0;
}

/* ---- Origin ---------------------------------------------------------------------------------- */

/* RFC 6454 §6.2: scheme "://" host [":" port]; anything else ("null") has no authority. */
static struct span authority_of(struct span origin, bool *ret_is_https)
{
    struct span http = SPAN("http://");
    struct span https = SPAN("https://");
    *ret_is_https = span_starts_with(origin, https);
    if (*ret_is_https) {
        return span_from(origin, https.len);
    }
    return span_starts_with(origin, http) ? span_from(origin, http.len) : SPAN_NONE;
}

static unsigned port_of(const struct host *host, bool is_tls)
{
    return host->has_port ? host->port : is_tls ? 443 : 80;
}

/* Is the page one of the server's own? A proxy in front may end TLS or move ports: the name must be
 * the same, and the port if both name one. */
static bool is_own_page(const struct ws_offer *offer)
{
    bool is_https = false;
    struct span authority = authority_of(offer->origin, &is_https);
    struct host page;
    struct host own;
    if (!authority.ptr || host_parse(authority, &page) != GALLEY_OK || !offer->host.ptr ||
        host_parse(offer->host, &own) != GALLEY_OK) {
        return false;
    }
    bool is_same_port = !own.has_port || port_of(&page, is_https) == port_of(&own, offer->is_tls);
    return is_same_port && span_equal_nocase(page.name, own.name);
}

static bool is_listed(struct span origin, struct span list)
{
    while (list.ptr) {
        struct span one;
        list = span_cut(list, ' ', &one);
        if (span_equal(one, SPAN("*")) || (one.len > 0 && span_equal_nocase(one, origin))) {
            return true;
        }
    }
    return false;
}

/* RFC 6455 §10.2: a browser says which page asks, and cookies are sent whoever asks. */
static bool is_welcome(const struct ws_offer *offer, const struct ws_policy *policy)
{
    if (!offer->origin.ptr) {
        return true; /* no browser */
    }
    return policy->origins.ptr ? is_listed(offer->origin, policy->origins) : is_own_page(offer);
}

/* ---- the handshake --------------------------------------------------------------------------- */

int ws_offer_judge(const struct ws_offer *offer, const struct ws_policy *policy)
{
    bool is_upgrade = offer->is_http11 && offer->upgrade.ptr && offer->connection.ptr &&
                      field_list_has(offer->upgrade, SPAN("websocket")) &&
                      field_list_has(offer->connection, SPAN("upgrade"));
    if (!is_upgrade && !offer->is_connect) {
        return 426;
    }
    bool has_key = offer->is_connect || (offer->key.ptr && is_key(offer->key));
    if (!offer->version.ptr || !has_key) {
        return 400;
    }
    if (!span_equal(offer->version, SPAN("13"))) {
        return 426; /* RFC 6455 §4.4, with the version that is spoken */
    }
    return is_welcome(offer, policy) ? 0 : 403;
}

/* RFC 6455 §4.2.2: one of the client's, by the server's preference; names differ by case. */
struct span ws_offer_protocol(const struct ws_offer *offer, const struct ws_policy *policy)
{
    struct span spoken = policy->protocols.ptr ? policy->protocols : SPAN("");
    struct span mine;
    while (field_list_next(&spoken, &mine)) {
        struct span offered = offer->protocols.ptr ? offer->protocols : SPAN("");
        struct span theirs;
        while (field_list_next(&offered, &theirs)) {
            if (span_equal(mine, theirs)) {
                return mine;
            }
        }
    }
    return SPAN_NONE;
}

void ws_accept_value(struct span key, char out[WS_ACCEPT_BYTES + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 §1.3 */
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA_CTX sha1;
    SHA1_Init(&sha1);
    SHA1_Update(&sha1, key.ptr, KEY_CHARS);
    SHA1_Update(&sha1, guid, sizeof guid - 1);
    SHA1_Final(digest, &sha1);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
}
