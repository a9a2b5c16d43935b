/* exchange/public_response.c — galley_res_*: what a handler answers. On the handler's thread.
 * An answer has one body: each giver of one starts with response_claim_body(), which remembers a second try
 * as a mistake of the handler. Errors leave the response as it was. */
#include "base/fd.h"
#include "http/status.h"

#include "exchange/body_writer.h"
#include "exchange/exchange_steps.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

static bool is_settable(int status)
{
    return status >= 200 && status <= 599;
}

int galley_res_status(galley_response *rs, int status)
{
    if (!rs || !is_settable(status)) {
        return GALLEY_EINVAL;
    }
    struct response *response = &exchange_of_response(rs)->response;
    if (!OWNER_OK(exchange_of_response(rs)) || response->is_begun) {
        return GALLEY_ESTATE;
    }
    response->status = status;
    return GALLEY_OK;
}

int galley_res_header(galley_response *rs, const char *name, const char *value)
{
    if (!rs || !name) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_response(rs);
    if (!OWNER_OK(exchange) || exchange->response.is_begun) {
        return GALLEY_ESTATE;
    }
    if (!value) {
        response_remove_field(&exchange->response, span_of(name));
        return GALLEY_OK;
    }
    return response_set_field(exchange, span_of(name), span_of(value));
}

int galley_res_lasting_header(galley_response *rs, const char *name, const char *value)
{
    if (!rs || !name || !value) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_response(rs);
    if (!OWNER_OK(exchange) || exchange->response.is_begun) {
        return GALLEY_ESTATE;
    }
    struct response_field *field = NULL;
    int rc = response_prepare_field(exchange, span_of(name), span_of(value), &field);
    if (rc == GALLEY_OK) {
        field->lasts = true;
        response_put_field(&exchange->response, field);
    }
    return rc;
}

int galley_res_add_header(galley_response *rs, const char *name, const char *value)
{
    if (!rs || !name || !value) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_response(rs);
    return !OWNER_OK(exchange) || exchange->response.is_begun
               ? GALLEY_ESTATE
               : response_add_field(exchange, span_of(name), span_of(value));
}

/* ---- one body ---- */

/* After begin the second one is only refused; before, the client will get a 500. */
int response_claim_body(struct exchange *exchange, int status)
{
    struct response *response = &exchange->response;
    if (!OWNER_OK(exchange)) {
        return GALLEY_ESTATE;
    }
    if (response_has_body(response)) {
        exchange->is_misused |= !response->is_begun;
        return GALLEY_ESTATE;
    }
    return is_settable(status) ? GALLEY_OK : GALLEY_EINVAL;
}

int response_prepare_type(struct exchange *exchange, const char *type, struct span usual,
                          struct response_field **ret_field)
{
    if (!type && response_field(&exchange->response, "Content-Type").ptr) {
        *ret_field = NULL;
        return GALLEY_OK;
    }
    return response_prepare_field(exchange, SPAN("Content-Type"), type ? span_of(type) : usual,
                                  ret_field);
}

/* The body is there; what is left cannot fail. */
static void settle(struct exchange *exchange, int status, struct response_field *field)
{
    response_put_field(&exchange->response, field);
    exchange->response.status = status;
}

static int give_copy(struct exchange *exchange, int status, const char *type, struct span bytes)
{
    struct response_field *field = NULL;
    int rc = response_claim_body(exchange, status);
    if (rc == GALLEY_OK) {
        rc = response_prepare_type(exchange, type, SPAN("text/plain; charset=utf-8"), &field);
    }
    if (rc == GALLEY_OK) {
        rc = response_body_copy(exchange, bytes.ptr, bytes.len);
    }
    if (rc == GALLEY_OK) {
        settle(exchange, status, field);
    }
    return rc;
}

int galley_res_text(galley_response *rs, int status, const char *text)
{
    if (!rs || !text) {
        return GALLEY_EINVAL;
    }
    return give_copy(exchange_of_response(rs), status, NULL, span_of(text));
}

/* A text that is longer than the caller's first guess: formatted once more, to its measure. */
static int give_long_text(struct exchange *exchange, int status, const char *type, const char *fmt,
                          va_list args) __attribute__((format(printf, 4, 0)));

static int give_long_text(struct exchange *exchange, int status, const char *type, const char *fmt,
                          va_list args)
{
    struct span text = arena_vprintf(&exchange->arena, fmt, args);
    return text.ptr ? give_copy(exchange, status, type, text) : GALLEY_ENOMEM;
}

int galley_res_printf(galley_response *rs, int status, const char *type, const char *fmt, ...)
{
    if (!rs || !fmt) {
        return GALLEY_EINVAL;
    }
    char shorter[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(shorter, sizeof shorter, fmt, args);
    va_end(args);
    if (len < 0) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_response(rs);
    if ((size_t)len < sizeof shorter) {
        return give_copy(exchange, status, type, span_make(shorter, (size_t)len));
    }
    va_start(args, fmt);
    int rc = give_long_text(exchange, status, type, fmt, args);
    va_end(args);
    return rc;
}

static int give_data(struct exchange *exchange, int status, const char *type, struct span data,
                     struct chain_part owner)
{
    struct response_field *field = NULL;
    int rc = response_claim_body(exchange, status);
    if (rc == GALLEY_OK) {
        rc = response_prepare_type(exchange, type, SPAN("application/octet-stream"), &field);
    }
    if (rc == GALLEY_OK) {
        rc = response_body_data(exchange, data.ptr, data.len, owner.release, owner.arg);
    }
    if (rc == GALLEY_OK) {
        settle(exchange, status, field);
    }
    return rc;
}

int galley_res_data(galley_response *rs, int status, const char *type, const void *data, size_t len,
                    void (*release)(void *arg), void *arg)
{
    int rc = GALLEY_EINVAL;
    if (rs && (data || len == 0)) {
        struct chain_part owner = {.release = release, .arg = arg};
        rc = give_data(exchange_of_response(rs), status, type,
                       span_make(data ? (const char *)data : "", len), owner);
    }
    if (rc != GALLEY_OK && release) {
        release(arg); /* taken over also on failure: nobody has to free it twice or not at all */
    }
    return rc;
}

int galley_res_file(galley_response *rs, int status, const char *path)
{
    if (!rs || !path || path[0] == '\0') {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_response(rs);
    int rc = response_claim_body(exchange, status);
    if (rc != GALLEY_OK) {
        return rc;
    }
    struct span copy = arena_copy(&exchange->arena, span_of(path));
    if (!copy.ptr) {
        return GALLEY_ENOMEM;
    }
    exchange->response.file_path = copy;
    exchange->response.waits_for_file = true;
    exchange->response.status = status;
    return GALLEY_OK;
}

/* ---- a descriptor ---- */

static void close_fd(void *arg)
{
    int fd = (int)(intptr_t)arg;
    fd_close(&fd);
}

/* How many bytes from offset on: 0 or a code. */
static int measure(int fd, int64_t offset, int64_t len, uint64_t *ret_len)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return GALLEY_ESYS;
    }
    if (!S_ISREG(info.st_mode) || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        return GALLEY_EINVAL;
    }
    int64_t there = info.st_size > offset ? info.st_size - offset : 0;
    if (len > there) {
        return GALLEY_EINVAL; /* it would be broken off with certainty */
    }
    *ret_len = (uint64_t)(len < 0 ? there : len);
    return GALLEY_OK;
}

static int give_fd(struct exchange *exchange, int status, const char *type,
                   const struct loop_file *file, int64_t len)
{
    uint64_t bytes = 0;
    struct response_field *field = NULL;
    int rc = response_claim_body(exchange, status);
    if (rc == GALLEY_OK) {
        rc = measure(file->fd, file->offset, len, &bytes);
    }
    if (rc == GALLEY_OK) {
        rc = response_prepare_type(exchange, type, SPAN("application/octet-stream"), &field);
    }
    if (rc == GALLEY_OK) {
        rc = response_body_file(exchange, file->fd, file->offset, bytes, close_fd,
                                (void *)(intptr_t)file->fd);
    }
    if (rc == GALLEY_OK) {
        settle(exchange, status, field);
    }
    return rc;
}

int galley_res_fd(galley_response *rs, int status, const char *type, int fd, int64_t offset,
                  int64_t len)
{
    int rc = GALLEY_EINVAL;
    if (rs && fd >= 0 && offset >= 0 && len >= -1) {
        const struct loop_file file = {.fd = fd, .offset = offset};
        rc = give_fd(exchange_of_response(rs), status, type, &file, len);
    }
    if (rc != GALLEY_OK) {
        fd_close(&fd); /* taken over also on failure */
    }
    return rc;
}

int galley_res_redirect(galley_response *rs, int status, const char *location)
{
    bool is_redirect =
        status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!rs || !location || location[0] == '\0' || !is_redirect) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_response(rs);
    struct response_field *field = NULL;
    int rc = response_claim_body(exchange, status);
    if (rc == GALLEY_OK) {
        rc = response_prepare_field(exchange, SPAN("Location"), span_of(location), &field);
    }
    if (rc == GALLEY_OK) {
        rc = response_error_page(exchange, status);
    }
    if (rc == GALLEY_OK) {
        settle(exchange, status, field);
    }
    return rc;
}

/* ---- in pieces ---- */

int galley_res_begin(galley_response *rs, int status, const char *type, int64_t length)
{
    if (!rs || length < -1) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_response(rs);
    struct response *response = &exchange->response;
    struct response_field *field = NULL;
    int rc = response_claim_body(exchange, status);
    if (rc == GALLEY_OK) {
        rc = response_prepare_type(exchange, type, SPAN("application/octet-stream"), &field);
    }
    if (rc != GALLEY_OK) {
        return rc;
    }
    settle(exchange, status, field);
    response->length = length;
    response->is_begun = true;
    response_add_nosniff(response);
    rc = response->writer ? body_writer_begin(response->writer) : GALLEY_OK;
    return rc; /* closed: the response is begun, and nobody will see it */
}

/* RFC 9110 §9.3.2: the answer to HEAD is the one to GET without its content. */
static bool is_sent(const struct exchange *exchange)
{
    return status_may_have_body(exchange->response.status, exchange->request.method);
}

static int write_on_loop(struct exchange *exchange, const void *data, size_t len)
{
    struct chain *body = &exchange->response.body;
    if (len > (size_t)BODY_WRITER_HIGH || body->bytes > (size_t)BODY_WRITER_HIGH - len) {
        return GALLEY_EFULL;
    }
    return chain_add_copy(body, data, len);
}

int galley_res_write(galley_response *rs, const void *data, size_t len)
{
    if (!rs || (!data && len > 0)) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_response(rs);
    struct response *response = &exchange->response;
    if (!OWNER_OK(exchange) || !response->is_begun || response->stream || response->source) {
        return GALLEY_ESTATE;
    }
    if (response->length >= 0 && len > (uint64_t)response->length - response->piece_bytes) {
        return GALLEY_ETOOBIG;
    }
    int rc = GALLEY_OK;
    if (is_sent(exchange) && len > 0) {
        rc = response->writer ? body_writer_write(response->writer, data, len)
                              : write_on_loop(exchange, data, len);
    }
    if (rc == GALLEY_OK) {
        response->piece_bytes += len;
    }
    return rc;
}
