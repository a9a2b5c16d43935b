/* daemon/apply.c — options become the public API's structs by the table's `where` column; what
 * needs a thought is done by hand below. Main thread, at the start. */
#include "daemon/apply.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/span.h"

#include "daemon/machine.h"
#include "daemon/say.h"
#include "daemon/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { LOOPS_BY_THEMSELVES = 8 };

/* The words of --early-hints. */
enum { HINTS_H2, HINTS_ALL, HINTS_OFF };

/* ---- the plan -------------------------------------------------------------------------------- */

#define APPLY_SELF(field)
#define APPLY_SERVER(field) plan->server.field = (__typeof__(plan->server.field))options->field;
#define APPLY_POOL(field)   plan->pool.field = (__typeof__(plan->pool.field))options->field;
#define APPLY_STATIC(field) plan->site.field = (__typeof__(plan->site.field))options->field;
#define APPLY_LOG(field)    plan->log.field = (__typeof__(plan->log.field))options->field;

static void copy_fields(struct plan *plan, const struct options *options)
{
#define OPTION(kind, field, where, ...) APPLY_##where(field)
#include "daemon/option_list.h"
#undef OPTION
}

static void plan_server(struct plan *plan, const struct options *options)
{
    unsigned cpus = machine_cpus();
    if (plan->server.loops == 0) {
        plan->server.loops = cpus < LOOPS_BY_THEMSELVES ? cpus : LOOPS_BY_THEMSELVES;
    }
    if (options->no_server_name) {
        plan->server.server_name = "";
    }
    plan->server.flags = (options->no_http2 ? GALLEY_SERVER_NO_HTTP2 : 0) |
                         (options->early_hints == HINTS_ALL ? GALLEY_SERVER_HINTS_HTTP1 : 0);
    if (options->quiet && !options->is_given[OPTION_ID_log_level]) {
        plan->server.log_level = GALLEY_LOG_WARNING;
    }
    plan->server.log = say_log;
    plan->server.pool_options = &plan->pool;
}

/* The patterns need an end of their own: PATTERN=VALUE is cut in two. */
static int make_rules(galley_static_rule **ret_rules, const struct text_list *given)
{
    galley_static_rule *rules = mem_alloc_zero(given->count + 1, sizeof *rules);
    *ret_rules = rules;
    if (!rules) {
        return GALLEY_ENOMEM;
    }
    for (size_t i = 0; i < given->count; i++) {
        struct span pattern;
        struct span value = span_cut(span_of(given->items[i]), '=', &pattern);
        rules[i].value = value.ptr;
        rules[i].pattern = mem_copy_text(pattern.ptr, pattern.len);
        if (!rules[i].pattern) {
            return GALLEY_ENOMEM;
        }
    }
    return GALLEY_OK;
}

static void free_rules(galley_static_rule **rules)
{
    for (galley_static_rule *rule = *rules; rule && rule->pattern; rule++) {
        mem_free((void *)(uintptr_t)rule->pattern);
    }
    mem_free(*rules);
    *rules = NULL;
}

static int plan_rules(struct plan *plan, const struct options *options)
{
    int rc = make_rules(&plan->rules, &options->cache_control);
    if (rc == GALLEY_OK) {
        rc = make_rules(&plan->links, &options->link);
    }
    plan->site.rules = plan->rules;
    plan->site.links = plan->links;
    return rc;
}

static int plan_site(struct plan *plan, const struct options *options)
{
    plan->site.flags = (options->list ? GALLEY_STATIC_LIST : 0) |
                       (options->hidden ? GALLEY_STATIC_HIDDEN : 0) |
                       (options->no_precompressed ? GALLEY_STATIC_NO_PRECOMPRESSED : 0) |
                       (options->compress == GALLEY_COMPRESS_OFF ? GALLEY_STATIC_NO_COMPRESS : 0) |
                       (options->early_hints == HINTS_OFF ? GALLEY_STATIC_NO_HINTS : 0) |
                       (options->spa ? GALLEY_STATIC_SPA : 0) |
                       (options->clean_urls ? GALLEY_STATIC_CLEAN_URLS : 0);
    if (!options->is_given[OPTION_ID_not_found]) {
        plan->site.not_found = NULL; /* "404.html" if there is one, and no complaint if not */
    }
    if (options->cors) {
        plan->site.cors_origin = options->cors[0] ? options->cors : "*";
    }
    plan->site.fields = options->header.items;
    if (!options->is_given[OPTION_ID_cache_bytes]) {
        plan->site.cache_bytes = 0; /* the library's, which looks at the control group */
    }
    return plan_rules(plan, options);
}

static void plan_log(struct plan *plan, const struct options *options)
{
    const char *where = options->access_log;
    bool is_stdout = !where || strcmp(where, "-") == 0;
    plan->log_is_terminal = is_stdout && isatty(STDOUT_FILENO) == 1;
    plan->has_log = where ? strcmp(where, "off") != 0 : plan->log_is_terminal && !options->quiet;
    plan->log.path = is_stdout ? NULL : where;
    plan->log.format = options->is_given[OPTION_ID_log_format] ? (int)options->log_format
                       : plan->log_is_terminal                 ? GALLEY_ACCESS_DEV
                                                               : GALLEY_ACCESS_COMBINED;
}

int plan_make(struct plan *plan, const struct options *options)
{
    *plan = (struct plan){.server = GALLEY_SERVER_OPTIONS_INIT,
                          .pool = GALLEY_POOL_OPTIONS_INIT,
                          .site = GALLEY_STATIC_OPTIONS_INIT,
                          .log = GALLEY_ACCESS_LOG_OPTIONS_INIT};
    copy_fields(plan, options);
    plan_server(plan, options);
    plan_log(plan, options);
    return plan_site(plan, options);
}

void plan_finish(struct plan *plan)
{
    free_rules(&plan->rules);
    free_rules(&plan->links);
}

/* ---- the server ------------------------------------------------------------------------------ */

int service_open_site(struct service *service, const struct plan *plan,
                      const struct options *options, galley_error *err)
{
    service->site = galley_static_new(options->directory, &plan->site, err);
    if (!service->site) {
        return err->code;
    }
    /* A folder can be opened without the right to look names up in it; every answer would be
     * 404. */
    if (faccessat(AT_FDCWD, options->directory, X_OK, AT_EACCESS) != 0) {
        return error_set_sys(err, errno, "serve %s", options->directory);
    }
    return GALLEY_OK;
}

int service_make_server(struct service *service, const struct plan *plan, galley_error *err)
{
    service->server = galley_server_new(&plan->server, err);
    if (!service->server) {
        return err->code;
    }
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    on_loop.run = GALLEY_ON_LOOP;
    (void)galley_server_route(service->server, "/{path...}", galley_static_serve, service->site,
                              &on_loop);
    if (plan->has_log) {
        (void)galley_server_access_log(service->server, &plan->log);
    }
    return GALLEY_OK;
}

/* What fails is remembered for the start. */
static void listen_at(struct service *service, const char *listen)
{
    char address[TLS_ADDRESS_MAX];
    if (tls_address(listen, address)) {
        (void)galley_server_listen_tls(service->server, address, service->tls);
    } else {
        (void)galley_server_listen(service->server, listen);
    }
}

int service_open_server(struct service *service, const struct plan *plan,
                        const struct options *options, galley_error *err)
{
    int rc = https_check(options, err);
    if (rc == GALLEY_OK) {
        rc = tls_open(&service->tls, options, err);
    }
    if (rc == GALLEY_OK) {
        rc = service_make_server(service, plan, err);
    }
    if (rc != GALLEY_OK) {
        return rc;
    }
    for (size_t i = 0; i < options->listen.count; i++) {
        listen_at(service, options->listen.items[i]);
    }
    for (size_t i = 0; i < options->proxy_from.count; i++) {
        (void)galley_server_proxy_from(service->server, options->proxy_from.items[i]);
    }
    for (size_t i = 0; i < options->forwarded_from.count; i++) {
        (void)galley_server_forwarded_from(service->server, options->forwarded_from.items[i],
                                           (int)options->forwarded_header);
    }
    (void)https_set_up(&service->https, service->server, options); /* remembered as well */
    return GALLEY_OK;
}

void service_close(struct service *service)
{
    galley_server_free(service->server);
    galley_static_free(service->site);
    galley_tls_free(service->tls);
    *service = (struct service){0};
}
