/* files/file_links.c — see file_links.h. A hint goes out before anybody has looked at the disk: it goes
 * by the name that the path would have there, index and clean URL included, and RFC 8297 §2 allows it to
 * be wrong. */
#include "files/file_links.h"

#include "base/error.h"
#include "exchange/early_hints.h"
#include "http/field_value.h"

enum { MAX_RULES = 256 };

/* ---- options --------------------------------------------------------------------------------- */

/* RFC 8288 §3: a target in angle brackets, and parameters behind it. */
static bool is_link(struct span value)
{
    return value.len > 2 && value.ptr[0] == '<' && memchr(value.ptr, '>', value.len) != NULL &&
           field_value_is_valid(value);
}

static int take_rule(galley_static *site, const galley_static_rule *rule, galley_error *err)
{
    if (rule->pattern[0] == '\0' || !rule->value || !is_link(span_of(rule->value))) {
        return error_set(err, GALLEY_EINVAL,
                         "static options: link '%s' needs a pattern and a value like "
                         "'</app.css>; rel=preload; as=style'",
                         rule->pattern);
    }
    int rc =
        file_rules_add(&site->links, &site->memory, span_of(rule->pattern), span_of(rule->value));
    return rc == GALLEY_OK ? rc : error_set(err, rc, "static options: out of memory");
}

int file_links_take(galley_static *site, const galley_static_rule *links, galley_error *err)
{
    size_t count = 0;
    while (links && links[count].pattern) {
        count++;
    }
    if (count > MAX_RULES) {
        return error_set(err, GALLEY_EINVAL, "static options: more than %d links", MAX_RULES);
    }
    site->links.rules = arena_alloc(&site->memory, (count + 1) * sizeof *site->links.rules);
    int rc = site->links.rules ? GALLEY_OK
                               : error_set(err, GALLEY_ENOMEM, "static options: out of memory");
    for (size_t i = 0; i < count && rc == GALLEY_OK; i++) {
        rc = take_rule(site, &links[i], err);
    }
    return rc;
}

/* ---- a file's -------------------------------------------------------------------------------- */

struct links {
    struct span values[FILE_LINKS_MAX];
    unsigned count;
};

static void find_links(struct links *links, const galley_static *site, struct span file_name)
{
    size_t at = 0;
    links->count = 0;
    while (links->count < FILE_LINKS_MAX) {
        struct span value = file_rules_next(&site->links, file_name, &at);
        if (!value.ptr) {
            return;
        }
        links->values[links->count++] = value;
    }
}

void file_links_append(struct buf *lines, const galley_static *site, struct span file_name)
{
    struct links links;
    find_links(&links, site, file_name);
    for (unsigned i = 0; i < links.count; i++) {
        buf_append_text(lines, "Link: ");
        buf_append_span(lines, links.values[i]);
        buf_append_text(lines, "\r\n");
    }
}

/* ---- ahead ----------------------------------------------------------------------------------- */

/* "/guide/" -> "guide/index.html", "/about" -> "about.html" where URLs are clean. */
static struct span name_of(const galley_static *site, struct exchange *exchange, struct span path)
{
    struct span name = span_from(path, path.len > 0 && path.ptr[0] == '/');
    const char *slash = name.len > 0 ? memrchr(name.ptr, '/', name.len) : NULL;
    struct span last = slash ? span_from(name, (size_t)(slash + 1 - name.ptr)) : name;
    if (last.len == 0) {
        struct span index;
        (void)span_cut(span_trim(span_of(file_store_get_options(site->store)->index)), ' ', &index);
        return arena_printf(&exchange->arena, "%.*s%.*s", SPAN_ARGS(name), SPAN_ARGS(index));
    }
    bool has_extension = memchr(last.ptr, '.', last.len) != NULL;
    return (site->flags & GALLEY_STATIC_CLEAN_URLS) && !has_extension
               ? arena_printf(&exchange->arena, "%.*s.html", SPAN_ARGS(name))
               : name;
}

static void send_links(struct exchange *exchange, const struct links *links)
{
    struct response_field fields[FILE_LINKS_MAX];
    for (unsigned i = 0; i < links->count; i++) {
        fields[i] = (struct response_field){
            .next = i + 1 < links->count ? &fields[i + 1] : NULL,
            .name = SPAN("Link"),
            .value = links->values[i],
        };
    }
    (void)early_hints_send(exchange, links->count > 0 ? fields : NULL); /* only a hint */
}

void file_links_hint(const galley_static *site, struct exchange *exchange, struct span path)
{
    bool is_off = site->links.count == 0 || (site->flags & GALLEY_STATIC_NO_HINTS);
    if (is_off || exchange->request.method != METHOD_GET || !early_hints_are_wanted(exchange)) {
        return;
    }
    struct span name = name_of(site, exchange, path);
    if (name.ptr) {
        struct links links;
        find_links(&links, site, name);
        send_links(exchange, &links);
    }
}
