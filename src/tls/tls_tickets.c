/* tls/tls_tickets.c — see tls_tickets.h. Any loop thread. The lock is held to copy 80 bytes, and
 * twice a day to draw new ones. */
#include "tls/tls_tickets.h"

#include "base/alloc.h"
#include "base/error.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

enum {
    NAME_BYTES = 16,
    SECRET_BYTES = 32,
    /* A key is of use for one and a half lives and there is a new one every half: three of them,
     * and the newest. */
    KEYS = 4
};

struct key {
    unsigned char name[NAME_BYTES];
    unsigned char cipher[SECRET_BYTES];
    unsigned char mac[SECRET_BYTES];
    int64_t born_ms;
    bool is_set;
};

struct tls_tickets {
    pthread_mutex_t lock; /* keys and newest */
    struct key keys[KEYS];
    unsigned newest;
    int64_t lifetime_ms;
    int64_t (*mono_ms)(void);
    EVP_CIPHER *aes; /* fetched once: a search each time otherwise */
};

/* ---- keys ------------------------------------------------------------------------------------ */

static bool draw_key(struct key *key, int64_t now_ms)
{
    struct key drawn = {.born_ms = now_ms, .is_set = true};
    bool is_drawn = RAND_bytes(drawn.name, NAME_BYTES) == 1 &&
                    RAND_priv_bytes(drawn.cipher, SECRET_BYTES) == 1 &&
                    RAND_priv_bytes(drawn.mac, SECRET_BYTES) == 1;
    if (is_drawn) {
        *key = drawn;
    }
    OPENSSL_cleanse(&drawn, sizeof drawn);
    return is_drawn;
}

static bool opens(const struct tls_tickets *tickets, const struct key *key, int64_t now_ms)
{
    return key->is_set && now_ms - key->born_ms < tickets->lifetime_ms / 2 + tickets->lifetime_ms;
}

static bool seals(const struct tls_tickets *tickets, const struct key *key, int64_t now_ms)
{
    return key->is_set && now_ms - key->born_ms < tickets->lifetime_ms / 2;
}

static void wipe_old(struct tls_tickets *tickets, int64_t now_ms)
{
    for (unsigned i = 0; i < KEYS; i++) {
        if (!opens(tickets, &tickets->keys[i], now_ms)) {
            OPENSSL_cleanse(&tickets->keys[i], sizeof tickets->keys[i]);
        }
    }
}

/* Locked. A key to seal with; when no random numbers are to be had there is none. */
static bool newest_key(struct tls_tickets *tickets, struct key *ret)
{
    int64_t now_ms = tickets->mono_ms();
    if (!seals(tickets, &tickets->keys[tickets->newest], now_ms)) {
        wipe_old(tickets, now_ms);
        unsigned next = (tickets->newest + 1) % KEYS;
        if (!draw_key(&tickets->keys[next], now_ms)) {
            return false;
        }
        tickets->newest = next;
    }
    *ret = tickets->keys[tickets->newest];
    return true;
}

/* Locked. The key of that name, and whether it still seals. */
static bool find_key(const struct tls_tickets *tickets, const unsigned char *name, struct key *ret,
                     bool *ret_seals)
{
    int64_t now_ms = tickets->mono_ms();
    for (unsigned i = 0; i < KEYS; i++) {
        const struct key *key = &tickets->keys[i];
        if (opens(tickets, key, now_ms) && memcmp(key->name, name, NAME_BYTES) == 0) {
            *ret = *key;
            *ret_seals = seals(tickets, key, now_ms);
            return true;
        }
    }
    return false;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct tls_tickets *tls_tickets_create(uint32_t lifetime_s, int64_t (*mono_ms)(void),
                                       galley_error *err)
{
    struct tls_tickets *tickets = mem_alloc_zero(1, sizeof *tickets);
    if (!tickets) {
        (void)error_set(err, GALLEY_ENOMEM, "session tickets: out of memory");
        return NULL;
    }
    tickets->lifetime_ms = (int64_t)lifetime_s * 1000;
    tickets->mono_ms = mono_ms;
    (void)pthread_mutex_init(&tickets->lock, NULL); /* cannot fail without attributes */
    tickets->aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (!tickets->aes || !draw_key(&tickets->keys[0], mono_ms())) {
        (void)error_set(err, GALLEY_ESYS, "session tickets: OpenSSL has no AES or no random bytes");
        tls_tickets_destroy(tickets);
        return NULL;
    }
    return tickets;
}

void tls_tickets_destroy(struct tls_tickets *tickets)
{
    if (!tickets) {
        return;
    }
    EVP_CIPHER_free(tickets->aes);
    (void)pthread_mutex_destroy(&tickets->lock);
    OPENSSL_cleanse(tickets->keys, sizeof tickets->keys);
    mem_free(tickets);
}

/* ---- use ------------------------------------------------------------------------------------- */

static bool set_mac(EVP_MAC_CTX *mac, struct key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, SECRET_BYTES),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(const struct tls_tickets *tickets, struct key *key, unsigned char *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    bool is_ready = RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets->aes)) == 1 &&
                    EVP_EncryptInit_ex2(cipher, tickets->aes, key->cipher, iv, NULL) == 1 &&
                    set_mac(mac, key);
    return is_ready ? 1 : -1;
}

int tls_tickets_use(struct tls_tickets *tickets, unsigned char name[16], unsigned char *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing)
{
    struct key key;
    bool is_current = true;
    pthread_mutex_lock(&tickets->lock);
    bool has_key =
        is_sealing ? newest_key(tickets, &key) : find_key(tickets, name, &key, &is_current);
    pthread_mutex_unlock(&tickets->lock);
    if (!has_key) {
        return is_sealing ? -1 : 0;
    }
    int result = -1;
    if (is_sealing) {
        memcpy(name, key.name, NAME_BYTES);
        result = seal(tickets, &key, iv, cipher, mac);
    } else if (EVP_DecryptInit_ex2(cipher, tickets->aes, key.cipher, iv, NULL) == 1 &&
               set_mac(mac, &key)) {
        result = is_current ? 1 : 2;
    }
    OPENSSL_cleanse(&key, sizeof key);
    return result;
}
