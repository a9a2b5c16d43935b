/* bench/micro/micro_log.c — the access log: what a request costs its loop, and its line of JSON on
 * the writer's thread. See micro.h. */
#include "micro.h"

#include "observe/access_format.h"
#include "observe/log_output.h"

#include <galley/access_log.h>
#include <sys/socket.h>

static struct exchange exchange;
static struct exchange_services services;
static struct field lines[1];
static struct fields fields;
static struct peer_address peer = {.family = AF_INET, .bytes = {192, 0, 2, 7}};
static struct access_record record;

static void prepare(void)
{
    fields_init(&fields, lines, 1);
    micro_need(fields_add(&fields, SPAN("User-Agent"),
                          SPAN("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0")) == 0,
               "fields");
    exchange.has_responded = true;
    exchange.response.status = 200;
    exchange.response.length = 173;
    exchange.bytes_sent = 173;
    exchange.services = &services;
    exchange.request.method = METHOD_GET;
    exchange.request.method_name = SPAN("GET");
    exchange.request.raw_target = SPAN("/guide/index.html");
    exchange.request.version = 11;
    exchange.request.fields = &fields;
    exchange.request.peer = &peer;
    access_record_fill(&record, &exchange, 1003, false);
}

static void fill(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        access_record_fill(&record, &exchange, 1003 + i, false);
        micro_keep(record.target_len);
    }
}

static void format_json(unsigned rounds)
{
    static struct access_format format;
    struct buf out;
    access_format_init(&format, GALLEY_ACCESS_JSON, false);
    format.wall_minus_mono_ms = 1700000000000;
    buf_init(&out, 0);
    micro_need(buf_reserve(&out, 2 * LOG_LINE_MAX) != NULL, "room");
    for (unsigned i = 0; i < rounds; i++) {
        buf_clear(&out);
        access_format_append(&out, &record, &format);
        micro_keep(out.len);
    }
    buf_finish(&out);
}

const struct micro micro_log[] = {
    {"log_record", prepare, fill}, {"log_line_json", NULL, format_json}, {NULL, NULL, NULL}};
