/* bench/load/client_answer.c — reads answers, in any pieces, and compares each with what is due: see
 * reader_take() in client.h. Knows Content-Length and chunks, for those are what servers of files
 * send on a kept connection. */
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEXADECIMAL = 16 };

void reader_init(struct reader *reader)
{
    reader->body_left = -1;
    reader->head_len = 0;
    reader->chunks.state = NOT_CHUNKED;
}

/* The value of that header line in a head that is a text, or NULL. */
static const char *value_of(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strchr(head, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            return line + len + 1 + strspn(line + len + 1, " ");
        }
    }
    return NULL;
}

static void check_length(const struct reader *reader, const struct request *due, int64_t bytes)
{
    if (due->body_bytes >= 0 && bytes != due->body_bytes) {
        fail_with("a body of %lld bytes, expected %lld:\n%s", (long long)bytes,
                  (long long)due->body_bytes, reader->head);
    }
}

/* RFC 9112 §6.3: 204 and 304 have no body, whatever their head says. */
static void begin_body(struct reader *reader, const struct request *due, int status)
{
    const char *coding = value_of(reader->head, "transfer-encoding");
    const char *length = value_of(reader->head, "content-length");
    if (status == 304 || status == 204) {
        reader->body_left = 0;
    } else if (coding && strncasecmp(coding, "chunked", 7) == 0) {
        reader->chunks = (struct chunks){.state = CHUNK_SIZE};
        reader->body_left = 0;
    } else if (length) {
        reader->body_left = strtoll(length, NULL, 10);
        check_length(reader, due, reader->body_left);
    } else {
        fail_with("an answer whose end is not known:\n%s", reader->head);
    }
}

static void check_head(struct reader *reader, const struct request *due)
{
    static const char version[] = "HTTP/1.1 ";
    bool is_http = strncmp(reader->head, version, sizeof version - 1) == 0;
    int status = is_http ? (int)strtol(reader->head + sizeof version - 1, NULL, 10) : 0;
    if (status == 0 || (due->status != 0 && status != due->status)) {
        fail_with("status %d, expected %d:\n%s", status, due->status, reader->head);
    }
    reader->status = status;
    begin_body(reader, due, status);
}

/* Copies up to the end of the head; returns how many bytes it took. */
static size_t take_head(struct reader *reader, const char *data, size_t len, bool *complete)
{
    size_t room = sizeof reader->head - 1 - reader->head_len;
    size_t part = len < room ? len : room;
    unsigned before = reader->head_len;
    memcpy(reader->head + before, data, part);
    reader->head[before + part] = '\0';
    const char *from = reader->head + (before > 3 ? before - 3 : 0);
    const char *end = strstr(from, "\r\n\r\n");
    *complete = end != NULL;
    if (!end) {
        reader->head_len += (unsigned)part;
        if (part == room) {
            fail_with("an answer with a very long head:\n%s", reader->head);
        }
        return part;
    }
    size_t head_len = (size_t)(end + 4 - reader->head);
    reader->head[head_len] = '\0';
    reader->head_len = 0;
    return head_len - before;
}

static unsigned digit_of(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* One byte of what stands around the data of chunks. True at the end of the body. */
static bool take_chunk_byte(struct reader *reader, char c)
{
    struct chunks *chunks = &reader->chunks;
    switch (chunks->state) {
    case CHUNK_SIZE:
        if (digit_of(c) < HEXADECIMAL) {
            reader->body_left = reader->body_left * HEXADECIMAL + digit_of(c);
            return false;
        }
        chunks->state = CHUNK_LINE;
        chunks->is_last = reader->body_left == 0;
        break;
    case CHUNK_LINE: /* up to the line end */
        if (c == '\n') {
            chunks->state = chunks->is_last ? CHUNK_TRAILER : CHUNK_DATA;
            chunks->has_line_bytes = false;
        }
        break;
    case CHUNK_END:
        chunks->state = c == '\n' ? CHUNK_SIZE : CHUNK_END;
        break;
    case CHUNK_TRAILER: /* lines, the last of them empty */
        if (c == '\n' && !chunks->has_line_bytes) {
            return true;
        }
        chunks->has_line_bytes = c != '\n' && (c != '\r' || chunks->has_line_bytes);
        break;
    default:
        fail_with("chunks");
    }
    return false;
}

/* Returns how many bytes it took; *complete at the end of the body. */
static size_t take_chunks(struct reader *reader, const char *data, size_t len, bool *complete)
{
    struct chunks *chunks = &reader->chunks;
    size_t taken = 0;
    while (taken < len && !*complete) {
        if (chunks->state != CHUNK_DATA) {
            *complete = take_chunk_byte(reader, data[taken++]);
            continue;
        }
        size_t rest = len - taken;
        size_t part = (uint64_t)reader->body_left < rest ? (size_t)reader->body_left : rest;
        taken += part;
        chunks->body_bytes += (int64_t)part;
        reader->body_left -= (int64_t)part;
        chunks->state = reader->body_left == 0 ? CHUNK_END : CHUNK_DATA;
    }
    return taken;
}

static size_t take_plain(struct reader *reader, size_t len, bool *complete)
{
    size_t part = (uint64_t)reader->body_left < len ? (size_t)reader->body_left : len;
    reader->body_left -= (int64_t)part;
    *complete = reader->body_left == 0;
    return part;
}

size_t reader_take(struct reader *reader, const struct request *due, const char *data, size_t len,
                   unsigned *finished)
{
    size_t taken = 0;
    bool complete = false;
    if (reader->body_left < 0) {
        taken = take_head(reader, data, len, &complete);
        if (!complete) {
            return taken;
        }
        check_head(reader, due);
    }
    complete = false;
    if (reader->chunks.state != NOT_CHUNKED) {
        taken += take_chunks(reader, data + taken, len - taken, &complete);
        if (complete) {
            check_length(reader, due, reader->chunks.body_bytes);
        }
    } else {
        taken += take_plain(reader, len - taken, &complete);
    }
    if (complete) {
        reader_init(reader);
        (*finished)++;
    }
    return taken;
}
