/* observe/access_record.c — fills a record from an exchange that ended, and takes it apart again.
 * On the loop: a few copies, no formatting. The request's spans are still valid there
 * (exchange_services.ended). */
#include "observe/access_record.h"

#include "exchange/request_tls.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Did the client get less than it was promised? Of a short answer that was handed to the kernel in
 * one piece nobody can know. */
static bool is_aborted(const struct exchange *exchange)
{
    const struct response *response = &exchange->response;
    if (exchange->client_is_gone || !exchange->has_responded) {
        return true;
    }
    bool has_no_body = exchange->request.method == METHOD_HEAD || response->status == 204 ||
                       response->status == 304; /* RFC 9110 §6.4.1 */
    return !has_no_body && response->length >= 0 &&
           exchange->bytes_sent < (uint64_t)response->length;
}

/* The next piece of text, cut to `room`. Returns what was taken. */
static size_t keep(struct access_record *record, size_t *used, struct span text, size_t room,
                   unsigned cut_flag)
{
    size_t taken = smaller(text.len, room);
    if (taken > 0) {
        memcpy(record->text + *used, text.ptr, taken);
    }
    if (taken < text.len) {
        record->flags |= (uint8_t)cut_flag;
    }
    *used += taken;
    return taken;
}

/* What the log says of TLS; missing where a text is too long: a part of a name can be another's. */
struct tls_texts {
    struct span name;
    struct span client;
};

static struct span whole_or_missing(struct access_record *record, struct span text)
{
    if (text.len <= ACCESS_TLS_BYTES) {
        return text;
    }
    record->flags |= ACCESS_TLS_CUT;
    return SPAN_NONE;
}

/* A certificate may name its owner in its subjectAltName only. */
static struct span shown_by(const struct tls_facts *facts)
{
    return facts->client_subject.len > 0 ? facts->client_subject : facts->client_names;
}

static struct tls_texts fill_tls(struct access_record *record, const struct tls_facts *facts)
{
    record->tls_protocol = facts ? facts->protocol : NULL;
    record->tls_cipher = facts ? facts->cipher : NULL;
    if (!facts) {
        return (struct tls_texts){SPAN_NONE, SPAN_NONE};
    }
    return (struct tls_texts){whole_or_missing(record, facts->server_name),
                              whole_or_missing(record, shown_by(facts))};
}

static void fill_text(struct access_record *record, const struct request *request,
                      const struct tls_texts *tls)
{
    struct span agent = request_field(request, FIELD_USER_AGENT);
    struct span referer = request_field(request, FIELD_REFERER);
    record->flags |= agent.ptr ? ACCESS_HAS_AGENT : 0;
    record->flags |= referer.ptr ? ACCESS_HAS_REFERER : 0;

    size_t used = 0;
    record->method_len =
        (uint8_t)keep(record, &used, request->method_name, ACCESS_METHOD_BYTES, ACCESS_METHOD_CUT);
    size_t most = ACCESS_TEXT_BYTES - tls->name.len - tls->client.len;
    size_t for_referer = smaller(referer.len, ACCESS_REFERER_BYTES);
    size_t for_agent = smaller(agent.len, ACCESS_AGENT_BYTES);
    record->target_len = (uint16_t)keep(record, &used, request->raw_target,
                                        most - used - for_agent - for_referer, ACCESS_TARGET_CUT);
    record->agent_len =
        (uint16_t)keep(record, &used, agent, most - used - for_referer, ACCESS_AGENT_CUT);
    record->referer_len = (uint16_t)keep(record, &used, referer, most - used, ACCESS_REFERER_CUT);
    record->tls_name_len = (uint8_t)keep(record, &used, tls->name, tls->name.len, ACCESS_TLS_CUT);
    record->tls_client_len =
        (uint8_t)keep(record, &used, tls->client, tls->client.len, ACCESS_TLS_CUT);
}

/* ---- whom a proxy asked for ---- */

static bool is_same(const struct peer_address *a, const struct peer_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Take up to `bytes` off the end of the text that ends at `end`, in front of others. */
static size_t take_off(struct access_record *record, size_t *used, size_t end, uint16_t *len,
                       size_t bytes)
{
    size_t taken = smaller(bytes, *len);
    memmove(record->text + end - taken, record->text + end, *used - end);
    *len = (uint16_t)(*len - taken);
    *used -= taken;
    return taken;
}

/* From what matters least. `need` is below 100, and there is enough: method and TLS take at most 208
 * bytes. Returns where they begin. */
static size_t make_room(struct access_record *record, size_t need)
{
    size_t target_end = (size_t)record->method_len + record->target_len;
    size_t agent_end = target_end + record->agent_len;
    size_t referer_end = agent_end + record->referer_len;
    size_t used = referer_end + record->tls_name_len + record->tls_client_len;
    size_t excess = used + need > ACCESS_TEXT_BYTES ? used + need - ACCESS_TEXT_BYTES : 0;
    size_t taken = take_off(record, &used, referer_end, &record->referer_len, excess);
    record->flags |= taken > 0 ? ACCESS_REFERER_CUT : 0;
    excess -= taken;
    taken = take_off(record, &used, agent_end, &record->agent_len, excess);
    record->flags |= taken > 0 ? ACCESS_AGENT_CUT : 0;
    excess -= taken;
    taken = take_off(record, &used, target_end, &record->target_len, excess);
    record->flags |= taken > 0 ? ACCESS_TARGET_CUT : 0;
    return used;
}

/* The address as it is, to be written later, and a name behind it. */
void access_record_add_client(struct access_record *record, const struct exchange *exchange)
{
    const struct client *client = exchange_client((struct exchange *)(uintptr_t)exchange);
    if (!client || is_same(&client->address, exchange->request.peer)) {
        return; /* or a proxy that asks for itself */
    }
    record->client_len = (uint8_t)(sizeof client->address + client->name_len);
    char *at = record->text + make_room(record, record->client_len);
    memcpy(at, &client->address, sizeof client->address);
    memcpy(at + sizeof client->address, client->name, client->name_len);
}

void access_record_fill(struct access_record *record, const struct exchange *exchange,
                        int64_t ended_ms, bool wants_tls)
{
    const struct request *request = &exchange->request;
    int64_t duration_ms = ended_ms - exchange->began_ms;
    record->ended_ms = ended_ms;
    record->body_bytes = exchange->bytes_sent;
    record->duration_ms = duration_ms < 0            ? 0
                          : duration_ms > UINT32_MAX ? UINT32_MAX
                                                     : (uint32_t)duration_ms;
    record->status = exchange->has_responded ? (uint16_t)exchange->response.status : 0;
    record->peer = request->peer ? *request->peer : (struct peer_address){0};
    record->version = request->version;
    record->flags = is_aborted(exchange) ? ACCESS_ABORTED : 0;
    struct tls_texts tls = fill_tls(record, wants_tls ? request_tls_facts(&request->tls) : NULL);
    record->client_len = 0;
    fill_text(record, request, &tls);
}

struct span access_record_method(const struct access_record *record)
{
    return span_make(record->text, record->method_len);
}

struct span access_record_target(const struct access_record *record)
{
    return span_make(record->text + record->method_len, record->target_len);
}

struct span access_record_agent(const struct access_record *record)
{
    size_t before = (size_t)record->method_len + record->target_len;
    return (record->flags & ACCESS_HAS_AGENT) ? span_make(record->text + before, record->agent_len)
                                              : SPAN_NONE;
}

struct span access_record_referer(const struct access_record *record)
{
    size_t before = (size_t)record->method_len + record->target_len + record->agent_len;
    return (record->flags & ACCESS_HAS_REFERER)
               ? span_make(record->text + before, record->referer_len)
               : SPAN_NONE;
}

struct span access_record_tls_name(const struct access_record *record)
{
    size_t before =
        (size_t)record->method_len + record->target_len + record->agent_len + record->referer_len;
    return record->tls_name_len > 0 ? span_make(record->text + before, record->tls_name_len)
                                    : SPAN_NONE;
}

struct span access_record_tls_client(const struct access_record *record)
{
    size_t before = (size_t)record->method_len + record->target_len + record->agent_len +
                    record->referer_len + record->tls_name_len;
    return record->tls_client_len > 0 ? span_make(record->text + before, record->tls_client_len)
                                      : SPAN_NONE;
}

bool access_record_client(const struct access_record *record, struct access_client *ret)
{
    const char *at = record->text + record->method_len + record->target_len + record->agent_len +
                     record->referer_len + record->tls_name_len + record->tls_client_len;
    if (record->client_len == 0) {
        return false;
    }
    memcpy(&ret->address, at, sizeof ret->address);
    ret->name = span_make(at + sizeof ret->address, record->client_len - sizeof ret->address);
    return true;
}
