/* tests/unit/files/support_site.c — see the header. */
#include "support_site.h"

#include "files/file_site.h"
#include "http/status.h"

#include "support_tree.h"
#include "test.h"

#include <poll.h>
#include <unistd.h>

static struct site_rig *rig_of(const struct exchange *exchange)
{
    return exchange->driver_ctx;
}

/* ---- the driver ------------------------------------------------------------------------------ */

static void add_head(struct site_answer *answer, struct span bytes)
{
    EXPECT(answer->head_len + bytes.len < sizeof answer->head);
    if (bytes.len > 0) {
        memcpy(answer->head + answer->head_len, bytes.ptr, bytes.len);
    }
    answer->head_len += bytes.len;
    answer->head[answer->head_len] = '\0';
}

static void add_line(struct site_answer *answer, struct span name, struct span value)
{
    add_head(answer, name);
    add_head(answer, SPAN(": "));
    add_head(answer, value);
    add_head(answer, SPAN("\r\n"));
}

static void collect_head(struct site_answer *answer, const struct response *response)
{
    for (const struct response_field *field = response->fields; field; field = field->next) {
        add_line(answer, field->name, field->value);
    }
    add_head(answer, response->ready_fields);
}

static void collect_part(struct site_answer *answer, const struct chain_part *part)
{
    if (part->ptr) {
        memcpy(answer->body + answer->body_len, part->ptr, part->len);
    } else {
        answer->has_file_part = true;
        EXPECT_INT(pread(part->fd, answer->body + answer->body_len, part->len, part->offset),
                   part->len);
    }
    answer->body_len += part->len;
}

static void collect_body(struct site_answer *answer, struct chain *body)
{
    answer->body = malloc(body->bytes + 1);
    EXPECT(answer->body != NULL);
    while (!chain_is_empty(body)) {
        const struct chain_part *part = chain_front(body);
        collect_part(answer, part);
        chain_consume(body, part->len);
    }
    answer->body[answer->body_len] = '\0';
}

static void respond(struct exchange *exchange)
{
    struct site_rig *rig = rig_of(exchange);
    struct site_answer *answer = &rig->answer;
    struct response *response = &exchange->response;
    answer->count++;
    answer->status = response->status;
    collect_head(answer, response);
    answer->length = response->length;
    EXPECT_INT(response->body.bytes, response->length);
    if (!status_may_have_body(response->status, exchange->request.method)) {
        chain_clear(&response->body); /* RFC 9110 §9.3.2: as every driver does */
    }
    collect_body(answer, &response->body);
    rig->last = NULL;
    exchange_end(exchange, &rig->exchanges);
}

static void read_body(struct exchange *exchange)
{
    exchange_body_end(exchange);
}

static void pieces(struct exchange *exchange)
{
    (void)exchange;
    EXPECT(!"a file never comes in pieces");
}

static void give_up(struct exchange *exchange, int galley_code)
{
    (void)galley_code;
    pieces(exchange);
}

static int interim(struct exchange *exchange, int status, const struct response_field *fields)
{
    struct site_answer *answer = &rig_of(exchange)->answer;
    EXPECT_INT(status, 103);
    EXPECT_INT(answer->count, 0);
    answer->hint_count++;
    for (const struct response_field *field = fields; field; field = field->next) {
        size_t used = strlen(answer->hints);
        EXPECT(field->name.len + field->value.len + 4 < sizeof answer->hints - used);
        snprintf(answer->hints + used, sizeof answer->hints - used, "%.*s: %.*s\n",
                 SPAN_ARGS(field->name), SPAN_ARGS(field->value));
    }
    return GALLEY_OK;
}

static const struct exchange_driver driver = {
    .respond = respond,
    .read_body = read_body,
    .pieces = pieces,
    .abort = give_up,
    .interim = interim,
};

/* ---- the server ------------------------------------------------------------------------------ */

static void add_param(struct exchange *exchange, const char *prefix)
{
    size_t len = strlen(prefix) + 1;
    struct span path = exchange->request.target.path;
    if (path.ptr && path.len >= len) {
        exchange->request.params[0] = (struct request_param){SPAN("path"), span_from(path, len)};
        exchange->request.param_count = 1;
    }
}

static void dispatch(void *ctx, struct exchange *exchange)
{
    struct site_rig *rig = ctx;
    exchange->route = &rig->route;
    if (rig->prefix) {
        add_param(exchange, rig->prefix);
    }
    exchange_run(exchange);
}

static void send_file(void *ctx, struct exchange *exchange, struct span path)
{
    struct site_rig *rig = ctx;
    file_site_reply(rig->site, exchange, path);
}

static void count_line(void *ctx, int level, const char *line)
{
    (void)level;
    (void)line;
    ((struct site_rig *)ctx)->logged++;
}

void site_open(struct site_rig *rig)
{
    *rig = (struct site_rig){.root = tree_make()};
}

static void make_site(struct site_rig *rig, const galley_static_options *opt)
{
    galley_error err = {0};
    if (!rig->site) {
        rig->site = galley_static_new(rig->root, opt, &err);
    }
    if (!rig->site) {
        test_fail(__FILE__, __LINE__, "%s", err.message);
    }
}

static void make_loop(struct site_rig *rig, const struct site_rig *first, unsigned index)
{
    galley_error err;
    rig->loop = loop_create(&(struct loop_options){.backend = LOOP_BACKEND_EPOLL}, &err);
    EXPECT(rig->loop != NULL);
    rig->site = first->site;
    rig->pool = first->pool;
    chain_pool_init(&rig->chains);
    rig->services = (struct exchange_services){
        .dispatch = dispatch,
        .send_file = send_file,
        .ctx = rig,
        .loop = rig->loop,
        .loop_index = index,
        .file_pool = rig->pool,
        .chains = &rig->chains,
    };
    rig->route = (struct route_target){
        .handler = rig->handler ? rig->handler : galley_static_serve,
        .arg = rig->site,
        .on_loop = true,
    };
    exchange_pool_init(&rig->exchanges, &rig->services);
}

void site_start_all(struct site_rig *rigs, unsigned count, const galley_static_options *opt,
                    unsigned threads)
{
    enum { MAX_RIGS = 8 };
    struct loop *loops[MAX_RIGS];
    static struct log_sink sink;
    galley_error err;
    EXPECT(count <= MAX_RIGS);
    make_site(&rigs[0], opt);
    if (threads > 0) {
        rigs[0].pool = galley_pool_new(threads, &err);
        rigs[0].idle = galley_pool_new(1, &err);
        EXPECT(rigs[0].pool && rigs[0].idle);
    }
    for (unsigned i = 0; i < count; i++) {
        make_loop(&rigs[i], &rigs[0], i);
        loops[i] = rigs[i].loop;
    }
    sink = (struct log_sink){.write = count_line, .ctx = rigs, .level = LOG_DEBUG};
    struct file_site_env env = {.loops = loops,
                                .loop_count = count,
                                .file_pool = rigs[0].pool,
                                .idle_pool = rigs[0].idle,
                                .log = &sink};
    EXPECT_INT(file_site_attach(rigs[0].site, &env), 0);
}

void site_start(struct site_rig *rig, const galley_static_options *opt, unsigned threads)
{
    site_start_all(rig, 1, opt, threads);
    site_settle(rig);
}

void site_stop(struct site_rig *rig)
{
    if (rig->services.loop_index == 0) {
        file_site_stop(rig->site);
    }
    site_settle(rig);
}

/* What they did comes back by the mailboxes. */
static void drain_pools(const struct site_rig *rig)
{
    if (rig->pool) {
        EXPECT_INT(galley_pool_shutdown(rig->idle, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
        EXPECT_INT(galley_pool_shutdown(rig->pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    }
}

void site_close_all(struct site_rig *rigs, unsigned count)
{
    drain_pools(&rigs[0]);
    for (unsigned i = 0; i < count; i++) {
        struct site_rig *rig = &rigs[i];
        if (loop_is_current(rig->loop)) {
            site_stop(rig);
        } else { /* its own thread has ended: what the pool has brought since is taken here */
            loop_adopt(rig->loop);
            site_settle(rig);
        }
        free(rig->answer.body);
        exchange_pool_finish(&rig->exchanges);
        chain_pool_finish(&rig->chains);
    }
    galley_static_free(rigs[0].site);
    for (unsigned i = 0; i < count; i++) {
        loop_destroy(rigs[i].loop);
    }
    galley_pool_free(rigs[0].idle);
    galley_pool_free(rigs[0].pool);
    tree_remove();
}

void site_close(struct site_rig *rig)
{
    site_settle(rig);
    site_close_all(rig, 1);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void add_field(struct fields *fields, struct span line)
{
    struct span name;
    struct span value = span_cut(line, ':', &name);
    EXPECT_INT(fields_add(fields, name, span_trim(value)), 0);
}

/* head holds "target\nName: value\n…" in one piece, as a receive buffer would. */
static int fill(struct exchange *exchange, struct fields *fields, struct span head)
{
    struct span line, rest = span_cut(head, '\n', &line);
    struct request *request = &exchange->request;
    request->head = head;
    request->raw_target = line;
    request->version = 11;
    while (rest.len > 0) {
        struct span field;
        rest = span_cut(rest, '\n', &field);
        add_field(fields, field);
    }
    request->fields = fields;
    return target_parse(line, request->method, &exchange->arena, &request->target);
}

static void clear_answer(struct site_rig *rig)
{
    free(rig->answer.body);
    memset(&rig->answer, 0, sizeof rig->answer);
}

bool site_begin(struct site_rig *rig, const char *method, const char *target, const char *fields)
{
    clear_answer(rig);
    struct exchange *exchange = exchange_create(&rig->exchanges, &driver, rig);
    if (!exchange) {
        return false;
    }
    struct field entries[32];
    struct fields lines;
    fields_init(&lines, entries, 32);
    size_t room = strlen(target) + strlen(fields) + 2;
    char *head = malloc(room);
    EXPECT(head != NULL);
    int len = snprintf(head, room, "%s\n%s", target, fields);
    exchange->request.method = method_of(span_of(method));
    exchange->request.method_name = span_of(method);
    rig->last = exchange;
    int rc = fill(exchange, &lines, span_make(head, (size_t)len));
    if (rc == GALLEY_OK) {
        exchange_dispatch(exchange);
    } else {
        exchange_reject(exchange, rc == GALLEY_ENOMEM ? 503 : 400);
    }
    rig->answer.was_suspended = rig->answer.count == 0;
    memset(head, 'X', room);
    memset(entries, 0xA5, sizeof entries);
    free(head);
    return true;
}

void site_wait(struct site_rig *rig)
{
    for (int i = 0; i < 5000 && rig->answer.count == 0; i++) {
        loop_turn(rig->loop, 2);
    }
    EXPECT_INT(rig->answer.count, 1);
}

const struct site_answer *site_ask(struct site_rig *rig, const char *method, const char *target,
                                   const char *fields)
{
    EXPECT(site_begin(rig, method, target, fields));
    site_wait(rig);
    return &rig->answer;
}

const struct site_answer *site_get(struct site_rig *rig, const char *target)
{
    return site_ask(rig, "GET", target, "");
}

void site_settle(struct site_rig *rig)
{
    for (unsigned quiet = 0; quiet < 2;) {
        quiet = loop_turn(rig->loop, 0)
                    ? 0
                    : quiet + 1; /* inotify tells within the call that changes */
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static struct span next_line(struct span head, struct span *ret_name, struct span *ret_value)
{
    const char *end = memmem(head.ptr, head.len, "\r\n", 2);
    EXPECT(end != NULL); /* lines are whole */
    struct span line = span_make(head.ptr, (size_t)(end - head.ptr));
    *ret_value = span_trim(span_cut(line, ':', ret_name));
    return span_from(head, line.len + 2);
}

static struct span find(const struct site_answer *answer, const char *name, unsigned *ret_count)
{
    struct span rest = span_make(answer->head, answer->head_len);
    struct span found = SPAN_NONE;
    *ret_count = 0;
    while (rest.len > 0) {
        struct span line_name, value;
        rest = next_line(rest, &line_name, &value);
        if (span_equal_nocase(line_name, span_of(name))) {
            found = value;
            (*ret_count)++;
        }
    }
    return found;
}

const char *site_field(const struct site_answer *answer, const char *name)
{
    static char value[8][4096];
    static unsigned turn;
    unsigned count;
    struct span found = find(answer, name, &count);
    if (count == 0) {
        return NULL;
    }
    EXPECT_INT(count, 1);
    char *out = value[turn++ % 8];
    snprintf(out, sizeof value[0], "%.*s", SPAN_ARGS(found));
    return out;
}

unsigned site_field_count(const struct site_answer *answer, const char *name)
{
    unsigned count;
    (void)find(answer, name, &count);
    return count;
}

void site_expect(struct site_rig *rig, const char *target, int status, const char *content)
{
    const struct site_answer *answer = site_get(rig, target);
    EXPECT_INT(answer->status, status);
    if (content) {
        EXPECT_TEXT(answer->body, content);
    }
}

uint64_t site_counter(const struct site_rig *rig, const char *name)
{
    size_t it = 0;
    const char *found;
    uint64_t value;
    while (file_site_next_counter(rig->site, &it, &found, &value)) {
        if (strcmp(found, name) == 0) {
            return value;
        }
    }
    test_fail(__FILE__, __LINE__, "no counter %s", name);
}
