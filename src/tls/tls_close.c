/* tls/tls_close.c — the end of a TLS connection, in the order that RFC 8446 §6.1 wants: the last
 * record, close_notify, TCP's FIN. A close that follows upon a cut answer says none of that, so
 * that the client sees the cut. What is left to say has a second to leave, for the owner has
 * nobody any more who would look at the clock. On the loop's thread. */
#include "tls/tls_link.h"

#include "base/check.h"

static bool may_speak(const struct tls_link *link)
{
    return link->phase == TLS_OPEN && !link->is_broken && link->send.error == 0;
}

/* False: an error of OpenSSL's. */
static bool add_close_notify(struct tls_link *link)
{
    uint8_t wish = TLS_WISH_NONE;
    bool is_due = link->wants_alert;
    link->wants_alert = false;
    if (!may_speak(link)) {
        return true; /* perhaps the SSL is not even ours to ask: it may be away */
    }
    if (!is_due && (SSL_get_shutdown(link->ssl) & SSL_SENT_SHUTDOWN)) {
        return true;
    }
    tls_bio_prepare();
    int rc = SSL_shutdown(link->ssl);
    /* What has no room now is tried again when the output has gone. It may be 0 then, too, which
     * else means that close_notify is out and the peer's is not here. */
    bool has_left = rc >= 0 && !SSL_want_write(link->ssl);
    ssize_t result = has_left ? 0 : tls_bio_result(link, rc, &wish);
    link->wants_alert = result == -EAGAIN && wish == TLS_WISH_WRITE;
    return result == 0 || result == -EAGAIN;
}

/* An error is met again by whoever closes. */
void tls_goodbye(struct tls_link *link)
{
    (void)add_close_notify(link);
}

int tls_shutdown_write(struct transport *transport)
{
    struct tls_link *link = transport->state;
    DEBUG_CHECK(!link->send.op);
    if (link->send.error) {
        return (int)link->send.error;
    }
    if (!add_close_notify(link)) {
        return TRANSPORT_BROKEN;
    }
    link->wants_fin = true;
    link->send.holds_back = false;
    if (!link->is_running) {
        tls_farewell_run(link);
        tls_out_flush(link);
    }
    return 0;
}

void tls_socket_close(struct tls_link *link)
{
    if (!link->is_socket_closed) {
        link->is_socket_closed = true;
        loop_socket_close(link->shared->loop, &link->transport->socket, link->resets);
    }
}

void tls_close(struct transport *transport, bool is_reset)
{
    struct tls_link *link = transport->state;
    bool is_cut = link->send.op || link->send.ahead > 0;
    link->is_closing = true;
    link->resets = is_reset;
    link->send.holds_back = false;
    link->input.len = 0;
    if (link->away) {
        tls_away_unwant(link);
        return;
    }
    if (!is_reset && !is_cut) {
        (void)add_close_notify(link); /* there is no other way to say so */
    }
    bool has_last_word = !is_reset && (!is_cut || link->is_broken) && !link->send.error;
    if (!has_last_word || !tls_out_has_bytes(link)) {
        tls_socket_close(link);
        return;
    }
    tls_out_hurry(link);
    if (!link->is_running) {
        tls_out_flush(link);
        tls_run_later(link); /* the owner's operations */
    }
}

void tls_farewell_run(struct tls_link *link)
{
    if (link->away) {
        return;
    }
    if (link->wants_alert && !tls_out_is_sending(link)) {
        (void)add_close_notify(link);
    }
    if (tls_out_has_bytes(link) || link->wants_alert) {
        return;
    }
    if (link->is_closing) {
        tls_socket_close(link);
    } else if (link->wants_fin && !link->has_fin) {
        link->has_fin = true;
        (void)loop_socket_shutdown_write(link->shared->loop, &link->transport->socket);
    }
}
