/* files/file_path.c — the router, the cache and the opener all work with the same normalized
 * string; nothing is decoded here a second time. */
#include "files/file_path.h"

#include "base/buf.h"
#include "base/text.h"
#include "http/target_encode.h"

static struct span param_of(const struct exchange *exchange, struct span name)
{
    const struct request *request = &exchange->request;
    for (unsigned i = 0; i < request->param_count; i++) {
        if (span_equal(request->params[i].name, name)) {
            return request->params[i].value;
        }
    }
    return SPAN_NONE;
}

int file_path_of(const galley_static *site, const struct exchange *exchange,
                 struct file_path *ret_path)
{
    const struct target *target = &exchange->request.target;
    if (!target->path.ptr || target->has_encoded_slash) {
        return GALLEY_ENOTFOUND; /* a slash inside a name: no file has it */
    }
    struct span param = param_of(exchange, site->param);
    size_t len = param.len + 1;
    if (!param.ptr) {
        *ret_path = (struct file_path){target->path, SPAN("")};
        return GALLEY_OK;
    }
    /* The parameter is the end of the path, or it is not one that names files. Compared, if
     * it is not that very piece, not trusted: what is opened is always a piece of the path that the router saw. */
    size_t start = target->path.len >= len ? target->path.len - len : 0;
    struct span end = span_from(target->path, start);
    bool is_end = end.len == len && end.ptr[0] == '/' &&
                  (param.ptr == end.ptr + 1 || span_equal(span_from(end, 1), param));
    if (!is_end) {
        return GALLEY_ENOTFOUND;
    }
    *ret_path = (struct file_path){end, span_make(target->path.ptr, start)};
    return GALLEY_OK;
}

int file_path_location(struct exchange *exchange, const struct file_path *path,
                       struct span entry_location, struct span *ret_location)
{
    struct buf location;
    buf_init(&location, 0);
    if (path->prefix.len > 0) {
        target_encode_path(&location, path->prefix);
    }
    buf_append_span(&location, entry_location);
    struct span query = exchange->request.target.query;
    if (query.ptr) {
        buf_append_char(&location, '?');
        buf_append_span(&location, query);
    }
    struct span copy =
        location.failed ? SPAN_NONE : arena_copy(&exchange->arena, buf_span(&location));
    buf_finish(&location);
    if (!copy.ptr) {
        return GALLEY_ENOMEM;
    }
    *ret_location = copy;
    return GALLEY_OK;
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* "q=0", "q=0.00": RFC 9110 §12.4.2, not acceptable. */
static bool is_refused(struct span params)
{
    while (params.ptr) {
        struct span param;
        params = span_cut(params, ';', &param);
        param = span_trim(param);
        if (param.len < 3 || text_lower(param.ptr[0]) != 'q' || param.ptr[1] != '=') {
            continue;
        }
        size_t at = 2;
        while (at < param.len && (param.ptr[at] == '0' || param.ptr[at] == '.')) {
            at++;
        }
        return at == param.len;
    }
    return false;
}

static bool names_html(struct span accept)
{
    while (accept.ptr) {
        struct span member, type;
        accept = span_cut(accept, ',', &member);
        struct span params = span_cut(member, ';', &type);
        if (span_equal_nocase(span_trim(type), SPAN("text/html")) && !is_refused(params)) {
            return true;
        }
    }
    return false;
}

bool file_path_is_page(const struct exchange *exchange, struct span path)
{
    const char *slash = memrchr(path.ptr, '/', path.len);
    struct span last = span_from(path, slash ? (size_t)(slash - path.ptr) : 0);
    const struct fields *fields = exchange->request.fields;
    if (!fields || memchr(last.ptr, '.', last.len)) {
        return false;
    }
    uint32_t it = 0;
    const struct field *line;
    while ((line = fields_next(fields, FIELD_ACCEPT, &it)) != NULL) {
        if (names_html(line->value)) {
            return true;
        }
    }
    return false;
}
