/* tls/tls_bio.c — the two ends of OpenSSL: it reads what has been received, without a system call,
 * and writes into the output buffer; and what its errors mean. Called from inside OpenSSL's own
 * functions, which the other files of the transport call, on the thread that has the SSL. Neither
 * end ever fails but for memory: there is something, or there is not now. While the link is away
 * there is nothing to read, and the output that it took along to write to. */
#include "tls/tls_link.h"
#include "tls/tls_set.h"

#include <openssl/err.h>

/* SSL_AD_REASON_OFFSET: reasons in this range are alerts that the peer has sent. */
enum { FIRST_ALERT = 1000, LAST_ALERT = FIRST_ALERT + 255 };

static int read_input(BIO *bio, char *data, size_t len, size_t *ret_len)
{
    struct tls_link *link = BIO_get_data(bio);
    struct tls_input *input = &link->input;
    BIO_clear_retry_flags(bio);
    if (link->away || input->len == 0 || len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    size_t n = len < input->len ? len : input->len;
    memcpy(data, input->data, n);
    input->data += n;
    input->len -= n;
    *ret_len = n;
    return 1;
}

static struct tls_out *output(struct tls_link *link)
{
    if (link->away) {
        return link->out->end < link->out->room ? link->out : NULL;
    }
    return tls_out_for(link, 0);
}

static int write_output(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
    struct tls_link *link = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    struct tls_out *out = len > 0 ? output(link) : NULL;
    if (!out) {
        if (link->away || !link->is_out_of_memory) {
            BIO_set_retry_write(bio);
        }
        return 0;
    }
    size_t room = out->room - out->end;
    size_t n = len < room ? len : room;
    memcpy(out->data + out->end, data, n);
    out->end += n;
    *ret_len = n;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    if (command == TLS_BIO_MAY_PAUSE) {
        return tls_away_may_go(BIO_get_data(bio));
    }
    return command == BIO_CTRL_FLUSH; /* what leaves when is ours to say */
}

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "galley");
    if (method) {
        BIO_meth_set_read_ex(method, read_input);
        BIO_meth_set_write_ex(method, write_output);
        BIO_meth_set_ctrl(method, control);
    }
    return method;
}

int tls_bio_attach(struct tls_link *link)
{
    BIO *bio = BIO_new(link->shared->method);
    if (!bio) {
        return -ENOMEM;
    }
    BIO_set_data(bio, link);
    BIO_set_init(bio, 1);
    SSL_set_bio(link->ssl, bio, bio); /* takes it over */
    return 0;
}

void tls_bio_prepare(void)
{
    if (ERR_peek_error()) {
        ERR_clear_error(); /* somebody else's: SSL_get_error() would take it for ours */
    }
}

static bool is_alert(unsigned long error)
{
    int reason = ERR_GET_REASON(error);
    return ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= FIRST_ALERT && reason <= LAST_ALERT;
}

static ssize_t meaning_of(unsigned long error)
{
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) {
        return -ENOMEM;
    }
    return is_alert(error) ? TRANSPORT_REFUSED : TRANSPORT_BROKEN;
}

struct tls_outcome tls_bio_outcome(const SSL *ssl, int rc)
{
    switch (SSL_get_error(ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return (struct tls_outcome){.result = -EAGAIN, .wish = TLS_WISH_READ};
    case SSL_ERROR_WANT_WRITE:
        return (struct tls_outcome){.result = -EAGAIN, .wish = TLS_WISH_WRITE};
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
        return (struct tls_outcome){.result = TLS_PAUSED};
    case SSL_ERROR_ZERO_RETURN:
        return (struct tls_outcome){0};
    default: { /* contexts that want to wait for something else are not ours */
        unsigned long first = ERR_peek_error();
        ERR_clear_error();
        return (struct tls_outcome){meaning_of(first), first, TLS_WISH_NONE, true};
    }
    }
}

ssize_t tls_bio_take(struct tls_link *link, const struct tls_outcome *outcome, uint8_t *ret_wish)
{
    if (outcome->result == -EAGAIN) {
        *ret_wish = outcome->wish;
    }
    if (!outcome->is_broken) {
        return outcome->result;
    }
    link->is_broken = true;
    link->error = outcome->error;
    return link->is_out_of_memory ? -ENOMEM : outcome->result;
}

ssize_t tls_bio_result(struct tls_link *link, int rc, uint8_t *ret_wish)
{
    struct tls_outcome outcome = tls_bio_outcome(link->ssl, rc);
    return tls_bio_take(link, &outcome, ret_wish);
}
