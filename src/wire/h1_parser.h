/* wire/h1_parser.h — HTTP/1 request heads: bytes in, a method, a target and fields out.
 * Called by h1/ on its loop, no I/O, no allocation. Restartable at every byte: while the head is
 * not complete the caller keeps ALL its bytes, gets more and calls again with the longer buffer,
 * which may have moved. The parser itself keeps a few offsets (an idle connection holds a struct
 * h1_parser, 20 bytes) and no pointer. No byte is looked at more than a constant number of times,
 * however the head is cut up: what an unfinished head has shown is not read again until the head is
 * complete, and then once more, to fill in the fields. The result (and which error) is the same for
 * every way of cutting: each rule is judged at the first byte that breaks it, without waiting for
 * the end of the line. */
#ifndef WIRE_H1_PARSER_H
#define WIRE_H1_PARSER_H

#include "base/span.h"
#include "http/fields.h"
#include "http/limits.h"
#include "http/method.h"
#include "wire/field_section.h"

/* Everything is a view into the buffer of the call that returned H1_DONE. */
struct h1_head {
    struct span method_name;
    struct span target;
    enum method method;    /* METHOD_OTHER: a well-formed token galley does not know */
    int version;           /* 10 or 11. RFC 9110 §2.5: a higher minor version is treated as 1.1 */
    size_t len;            /* bytes of the head with its empty line (and a skipped one before it) */
    struct fields *fields; /* set by the caller; emptied and filled by the parser */
};

struct h1_parser {
    struct field_section section;
    uint32_t pos;  /* bytes of the buffer already judged */
    uint32_t mark; /* where the method, target or version being read starts */
    uint8_t state;
    uint8_t error;   /* enum h1_error, once it failed */
    bool has_begun;  /* a byte of the request line has been seen (not just an empty line) */
    bool is_resumed; /* went on after H1_MORE: the fields must be collected by a second pass */
};

/** For the next head on the connection. */
void h1_parser_init(struct h1_parser *parser);
/**
 * data/len: the bytes of this head from its first on, and whatever follows it (pipelined requests
 * stay untouched: head->len says where the next begins). After H1_MORE, len must be larger or equal
 * and the first parser->pos bytes unchanged; data may differ. head is written only on H1_DONE,
 * except for *head->fields, which is scratch until then and may be shared by all connections of a
 * loop. limits: max_target_bytes (414), max_head_bytes and max_fields (431).
 */
enum h1_result h1_parser_feed(struct h1_parser *parser, const char *data, size_t len,
                              const struct http_limits *limits, struct h1_head *head);
static inline enum h1_error h1_parser_error(const struct h1_parser *parser)
{
    return (enum h1_error)parser->error;
}

/**
 * Put a NUL behind the method, the target, each name and each value of a parsed head. The bytes
 * there are separators of the head (space, colon, CR, white space before CR), so no content is lost
 * and no two views collide; the head cannot be parsed again. data: the buffer that was parsed.
 */
void h1_head_terminate(char *data, const struct h1_head *head);

#endif
