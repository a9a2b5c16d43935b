/* conn/close_reason_list.h — why a connection ended: one row gives the enum, the counter's name,
 * whether it is an error, and the sentence for the log. X(name, is_error, sentence) */
#define CLOSE_REASON_LIST(X)                                                                       \
    X(NONE, 0, "still open")                                                                       \
    X(CLIENT_CLOSED, 0, "the client closed the connection")                                        \
    X(KEEPALIVE_OFF, 0, "the answer said Connection: close")                                       \
    X(IDLE_TIMEOUT, 0, "idle longer than the keep-alive time")                                     \
    X(REQUEST_LIMIT, 0, "the limit of requests a connection was reached")                          \
    X(DRAIN, 0, "the server is stopping")                                                          \
    X(STOP_NOW, 1, "the server stopped before the answer was sent")                                \
    X(CONNECTION_LIMIT, 0, "closed while idle to make room for a new connection")                  \
    X(CLIENT_RESET, 1, "the client reset the connection")                                          \
    X(CLIENT_VANISHED, 1, "the client closed in the middle of a request")                          \
    X(BAD_REQUEST, 1, "the request was malformed")                                                 \
    X(HEAD_TIMEOUT, 1, "the request head did not come in time")                                    \
    X(BODY_TIMEOUT, 1, "the request body came too slowly")                                         \
    X(BODY_TOO_LARGE, 1, "the request body was over the limit")                                    \
    X(SEND_TIMEOUT, 1, "the client read the answer too slowly")                                    \
    X(PROTOCOL_ERROR, 1, "the client broke a rule of HTTP/2")                                      \
    X(FLOOD, 1, "the client asked for more work than a client may")                                \
    X(BAD_PROXY_HEADER, 1, "what a proxy sent first was no PROXY header")                          \
    X(HANDSHAKE_FAILED, 1, "the TLS handshake failed")                                             \
    X(HANDSHAKE_REFUSED, 1, "the client refused the TLS handshake with an alert")                  \
    X(HANDSHAKE_GIVEN_UP, 1, "the client went away during the TLS handshake")                      \
    X(HANDSHAKE_TIMEOUT, 1, "the TLS handshake took too long")                                     \
    X(PLAIN_ON_TLS, 1, "the client spoke plain HTTP to a TLS port")                                \
    X(NOT_TLS, 1, "what the client spoke was not TLS")                                             \
    X(TLS_FAILED, 1, "the client broke a rule of TLS")                                             \
    X(TLS_TRUNCATED, 1, "the client ended TCP without ending TLS, in the middle of a request")     \
    X(FILE_CHANGED, 1, "a file shrank or could not be read while it was sent")                     \
    X(HANDLER_FAILED, 1, "a handler broke off its answer")                                         \
    X(OUT_OF_MEMORY, 1, "memory was used up")                                                      \
    X(SYSTEM_ERROR, 1, "a system call failed")
