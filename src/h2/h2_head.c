/* h2/h2_head.c — see h2_head.h. On the loop. The bytes have room for a head of the allowed size and once
 * more for its cookies, joined; every name and value ends in a NUL, as the public views must. */
#include "h2/h2_head.h"

#include "base/alloc.h"
#include "base/check.h"

enum {
    MAX_FREE_HEADS = 4,
    KEPT_BYTES = 64 * 1024, /* a larger one is not kept: limits may be anything */
    LINE_BYTES = 4,         /* ": " and CRLF, which an HTTP/1 head would have */
    SPARE_BYTES = 64
};

static size_t capacity_of(const struct http_limits *limits)
{
    return 2 * (size_t)limits->max_head_bytes + SPARE_BYTES;
}

/* One line more: Host, made of :authority. */
static uint32_t lines_of(const struct http_limits *limits)
{
    return limits->max_fields + 1;
}

uint64_t h2_head_bytes(const struct http_limits *limits)
{
    return mem_cost(sizeof(struct h2_head) + lines_of(limits) * sizeof(struct field)) +
           mem_cost(capacity_of(limits));
}

uint64_t h2_heads_kept_bytes(const struct http_limits *limits)
{
    return capacity_of(limits) > KEPT_BYTES ? 0 : MAX_FREE_HEADS * h2_head_bytes(limits);
}

static struct h2_head *create(const struct http_limits *limits)
{
    uint32_t lines = lines_of(limits);
    struct h2_head *head = mem_alloc(sizeof *head + lines * sizeof head->entries[0]);
    char *bytes = head ? mem_alloc(capacity_of(limits)) : NULL;
    if (!bytes) {
        mem_free(head);
        return NULL;
    }
    list_init(&head->link);
    head->bytes = bytes;
    head->capacity = capacity_of(limits);
    fields_init(&head->fields, head->entries, lines);
    return head;
}

void h2_head_free(struct h2_head *head)
{
    mem_free(head->bytes);
    mem_free(head);
}

struct h2_head *h2_head_take(struct h2_driver *driver)
{
    struct list *link = list_pop_front(&driver->free_heads);
    struct h2_head *head = NULL;
    if (link) {
        driver->free_head_count--;
        head = CONTAINER_OF(link, struct h2_head, link);
    } else {
        head = create(driver->options.limits);
    }
    if (!head) {
        return NULL;
    }
    fields_clear(&head->fields);
    head->method = head->scheme = head->authority = head->path = head->protocol = SPAN_NONE;
    head->count = head->cookies = 0;
    head->size = 0;
    head->len = 0;
    head->is_too_large = false;
    return head;
}

void h2_head_give_back(struct h2_driver *driver, struct h2_head *head)
{
    if (driver->free_head_count >= MAX_FREE_HEADS || head->capacity > KEPT_BYTES) {
        h2_head_free(head);
        return;
    }
    list_push_front(&driver->free_heads, &head->link);
    driver->free_head_count++;
}

/* There is room: sizes were added up before. */
static struct span keep(struct h2_head *head, struct span s)
{
    CHECK(head->len + s.len + 1 <= head->capacity);
    char *to = head->bytes + head->len;
    if (s.len > 0) {
        memcpy(to, s.ptr, s.len);
    }
    to[s.len] = '\0';
    head->len += s.len + 1;
    return span_make(to, s.len);
}

/* ---- fields that come ------------------------------------------------------------------------ */

/* RFC 7541 Appendix A, from the first row that has no pseudo-field. Rows whose name has no number in
 * the room http are FIELD_OTHER. */
static const struct known {
    struct span name;
    enum field_id id;
} known[] = {
#define ROW(name, id)                                                                              \
    {                                                                                              \
        {"" name, sizeof(name) - 1}, FIELD_##id                                                    \
    }
    ROW("accept-charset", ACCEPT_CHARSET),
    ROW("accept-encoding", ACCEPT_ENCODING),
    ROW("accept-language", ACCEPT_LANGUAGE),
    ROW("accept-ranges", ACCEPT_RANGES),
    ROW("accept", ACCEPT),
    ROW("access-control-allow-origin", ACCESS_CONTROL_ALLOW_ORIGIN),
    ROW("age", AGE),
    ROW("allow", ALLOW),
    ROW("authorization", AUTHORIZATION),
    ROW("cache-control", CACHE_CONTROL),
    ROW("content-disposition", CONTENT_DISPOSITION),
    ROW("content-encoding", CONTENT_ENCODING),
    ROW("content-language", CONTENT_LANGUAGE),
    ROW("content-length", CONTENT_LENGTH),
    ROW("content-location", CONTENT_LOCATION),
    ROW("content-range", CONTENT_RANGE),
    ROW("content-type", CONTENT_TYPE),
    ROW("cookie", COOKIE),
    ROW("date", DATE),
    ROW("etag", ETAG),
    ROW("expect", EXPECT),
    ROW("expires", EXPIRES),
    ROW("from", FROM),
    ROW("host", HOST),
    ROW("if-match", IF_MATCH),
    ROW("if-modified-since", IF_MODIFIED_SINCE),
    ROW("if-none-match", IF_NONE_MATCH),
    ROW("if-range", IF_RANGE),
    ROW("if-unmodified-since", IF_UNMODIFIED_SINCE),
    ROW("last-modified", LAST_MODIFIED),
    ROW("link", LINK),
    ROW("location", LOCATION),
    ROW("max-forwards", OTHER),
    ROW("proxy-authenticate", OTHER),
    ROW("proxy-authorization", PROXY_AUTHORIZATION),
    ROW("range", RANGE),
    ROW("referer", REFERER),
    ROW("refresh", OTHER),
    ROW("retry-after", RETRY_AFTER),
    ROW("server", SERVER),
    ROW("set-cookie", SET_COOKIE),
    ROW("strict-transport-security", STRICT_TRANSPORT_SECURITY),
    ROW("transfer-encoding", TRANSFER_ENCODING),
    ROW("user-agent", USER_AGENT),
    ROW("vary", VARY),
    ROW("via", VIA),
    ROW("www-authenticate", WWW_AUTHENTICATE),
#undef ROW
};

enum { ROW_LAST = HPACK_ROW_FIRST_FIELD + sizeof known / sizeof *known - 1 };

enum field_id h2_head_known(uint8_t name_index, struct span *ret_name)
{
    if (name_index < HPACK_ROW_FIRST_FIELD || name_index > ROW_LAST) {
        *ret_name = SPAN_NONE;
        return FIELD_OTHER;
    }
    *ret_name = known[name_index - HPACK_ROW_FIRST_FIELD].name;
    return known[name_index - HPACK_ROW_FIRST_FIELD].id;
}

/* RFC 9113 §8.3.1, RFC 8441 §4: others never come here. */
static struct span *pseudo_of(struct h2_head *head, const struct hpack_field *field)
{
    switch (field->name_index) {
    case HPACK_ROW_AUTHORITY:
        return &head->authority;
    case HPACK_ROW_METHOD:
        return &head->method;
    case HPACK_ROW_PATH:
        return &head->path;
    case HPACK_ROW_SCHEME:
        return &head->scheme;
    default:
        return span_equal(field->name, SPAN(":protocol")) ? &head->protocol : NULL;
    }
}

static void add_line(struct h2_head *head, const struct hpack_field *field)
{
    struct span name;
    enum field_id id = h2_head_known(field->name_index, &name);
    int rc = GALLEY_OK;
    if (name.ptr) { /* it stays where it is */
        rc = fields_add_id(&head->fields, id, name, keep(head, field->value));
    } else {
        name = keep(head, field->name);
        rc = fields_add(&head->fields, name, keep(head, field->value));
    }
    CHECK(rc == GALLEY_OK);
    head->cookies += id == FIELD_COOKIE;
}

bool h2_head_add(struct h2_head *head, const struct http_limits *limits,
                 const struct hpack_field *field)
{
    bool is_pseudo = hpack_is_pseudo(field);
    head->size += field->name.len + field->value.len + LINE_BYTES;
    head->count += !is_pseudo;
    if (head->size > limits->max_head_bytes || head->count > limits->max_fields) {
        head->is_too_large = true;
        return head->size <= (uint64_t)limits->max_head_bytes * H2_BOMB_FACTOR &&
               head->count <= (uint64_t)limits->max_fields * H2_BOMB_FACTOR;
    }
    if (!is_pseudo) {
        add_line(head, field);
        return true;
    }
    struct span *pseudo = pseudo_of(head, field);
    if (pseudo) {
        *pseudo = keep(head, field->value);
    }
    return true;
}

/* ---- when all have come ---------------------------------------------------------------------- */

static void append(struct h2_head *head, struct span s)
{
    CHECK(head->len + s.len <= head->capacity);
    memcpy(head->bytes + head->len, s.ptr, s.len);
    head->len += s.len;
}

/* RFC 9113 §8.2.3: crumbs are joined with "; " before anybody else sees them. */
static struct span join_crumbs(struct h2_head *head)
{
    size_t begin = head->len;
    uint32_t it = 0;
    const struct field *crumb;
    while ((crumb = fields_next(&head->fields, FIELD_COOKIE, &it)) != NULL) {
        if (head->len > begin) {
            append(head, SPAN("; "));
        }
        append(head, crumb->value);
    }
    append(head, SPAN("\0"));
    return span_make(head->bytes + begin, head->len - begin - 1);
}

static void join_cookies(struct h2_head *head)
{
    struct span joined = join_crumbs(head);
    struct fields *fields = &head->fields;
    bool is_first = true;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < fields->count; i++) {
        struct field *field = &fields->entries[i];
        if (field->id == FIELD_COOKIE && !is_first) {
            continue;
        }
        if (field->id == FIELD_COOKIE) {
            field->value = joined;
            is_first = false;
        }
        fields->entries[kept++] = *field;
    }
    fields->count = kept;
}

/* RFC 3986 §6.2.3: the port that a scheme has by itself, and one that is empty, say nothing. */
static struct span without_usual_port(struct span host, struct span scheme)
{
    struct span usual = span_equal_nocase(scheme, SPAN("https")) ? SPAN(":443") : SPAN(":80");
    if (span_ends_with(host, usual)) {
        return span_first(host, host.len - usual.len);
    }
    return span_ends_with(host, SPAN(":")) ? span_first(host, host.len - 1) : host;
}

/* RFC 9113 §8.3.1: a Host that identifies another entity makes the request malformed; both are normalized
 * to be compared. */
static bool is_host_the_same(const struct h2_head *head)
{
    struct span host = fields_get(&head->fields, FIELD_HOST);
    return span_equal_nocase(without_usual_port(host, head->scheme),
                             without_usual_port(head->authority, head->scheme));
}

bool h2_head_finish(struct h2_head *head)
{
    if (head->is_too_large) {
        return true; /* refused anyway */
    }
    if (head->cookies > 1) {
        join_cookies(head);
    }
    if (!head->authority.ptr) {
        return true;
    }
    if (fields_has(&head->fields, FIELD_HOST)) {
        return is_host_the_same(head);
    }
    int rc = fields_add_id(&head->fields, FIELD_HOST, SPAN("host"), head->authority);
    CHECK(rc == GALLEY_OK);
    return true;
}
