/* tests/harness/bad_requests.c — the reader of the request tables: one line, one key.
 * Strict, because a typo in the table would be a rule that is not tested. */
#include "bad_requests.h"

#include "base/alloc.h"
#include "base/text.h"
#include "test.h"

struct reader {
    const char *path;
    int line;
    bool is_good; /* reads good_requests.txt */
    struct request_table *table;
};

static _Noreturn void broken(const struct reader *reader, const char *why)
{
    test_fail(reader->path, reader->line, "%s", why);
}

static void append(const struct reader *reader, struct request_text *text, const char *data,
                   size_t len)
{
    char *grown = mem_resize(text->data, text->len + len + 1);
    if (!grown) {
        broken(reader, "out of memory");
    }
    memcpy(grown + text->len, data, len);
    text->data = grown;
    text->len += len;
    grown[text->len] = '\0';
}

/* Behind a backslash; returns how many characters it was. */
static size_t escape(const struct reader *reader, const char *at, char *ret)
{
    static const char names[] = "rnt\"\\";
    static const char bytes[] = "\r\n\t\"\\";
    const char *found = *at ? strchr(names, *at) : NULL;
    if (found) {
        *ret = bytes[found - names];
        return 1;
    }
    int high = *at == 'x' ? text_hex_value(at[1]) : -1;
    int low = high < 0 ? -1 : text_hex_value(at[2]);
    if (low < 0) {
        broken(reader, "unknown escape");
    }
    *ret = (char)(high * 16 + low);
    return 3;
}

/* "..." up to the end of the line, appended `count` times. */
static void quoted(const struct reader *reader, const char *at, unsigned long count,
                   struct request_text *text)
{
    struct request_text piece = {NULL, 0};
    append(reader, &piece, "", 0);
    if (*at++ != '"') {
        broken(reader, "a quote is missing");
    }
    while (*at && *at != '"') {
        char c = *at++;
        if (c == '\\') {
            at += escape(reader, at, &c);
        }
        append(reader, &piece, &c, 1);
    }
    if (at[0] != '"' || at[1] != '\0') {
        broken(reader, "text behind the quotes, or no end");
    }
    for (unsigned long i = 0; i < count; i++) {
        append(reader, text, piece.data, piece.len);
    }
    mem_free(piece.data);
}

static void begin_case(const struct reader *reader, const char *name)
{
    struct request_table *table = reader->table;
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->cases[i].name, name) == 0) {
            broken(reader, "this name is taken");
        }
    }
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 64;
        table->cases = mem_resize(table->cases, capacity * sizeof(*table->cases));
        table->capacity = capacity;
    }
    struct request_case *added = &table->cases[table->count++];
    *added = (struct request_case){.status = 0};
    snprintf(added->name, sizeof(added->name), "%s", name);
    append(reader, &added->bytes, "", 0);
    append(reader, &added->target, "", 0);
    append(reader, &added->body, "", 0);
}

static void read_expect(const struct reader *reader, struct request_case *at, const char *text)
{
    char word[8] = "";
    if (reader->is_good) {
        if (sscanf(text, "%71s %d %u", at->method, &at->version, &at->field_count) != 3) {
            broken(reader, "expect METHOD VERSION FIELDS");
        }
        return;
    }
    if (sscanf(text, "%d %7s", &at->status, word) != 2) {
        broken(reader, "expect STATUS close|open");
    }
    at->closes = strcmp(word, "close") == 0;
    if (!at->closes && strcmp(word, "open") != 0) {
        broken(reader, "neither close nor open");
    }
}

static enum request_stage read_stage(const struct reader *reader, const char *text)
{
    static const char *const names[] = {"head", "framing", "target", "body", "server"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum request_stage)i;
        }
    }
    broken(reader, "no such stage");
}

static void read_line(const struct reader *reader, const char *key, const char *rest)
{
    struct request_table *table = reader->table;
    if (strcmp(key, "case") == 0) {
        begin_case(reader, rest);
        return;
    }
    if (table->count == 0) {
        broken(reader, "a case must come first");
    }
    struct request_case *at = &table->cases[table->count - 1];
    if (strcmp(key, "rfc") == 0) {
        snprintf(at->rfc, sizeof(at->rfc), "%s", rest);
    } else if (strcmp(key, "expect") == 0) {
        read_expect(reader, at, rest);
    } else if (strcmp(key, "stage") == 0) {
        at->stage = read_stage(reader, rest);
    } else if (strcmp(key, "bytes") == 0) {
        quoted(reader, rest, 1, &at->bytes);
    } else if (strcmp(key, "target") == 0) {
        quoted(reader, rest, 1, &at->target);
    } else if (strcmp(key, "body") == 0) {
        quoted(reader, rest, 1, &at->body);
    } else if (strcmp(key, "repeat") == 0) {
        char *end;
        unsigned long count = strtoul(rest, &end, 10);
        quoted(reader, end + (*end == ' '), count, &at->bytes);
    } else {
        broken(reader, "no such key");
    }
}

static void load(const char *path, bool is_good, struct request_table *ret)
{
    struct reader reader = {.path = path, .is_good = is_good, .table = ret};
    *ret = (struct request_table){.cases = NULL};
    FILE *file = fopen(path, "re");
    if (!file) {
        broken(&reader, "cannot be opened");
    }
    char *text = NULL;
    size_t room = 0;
    for (ssize_t len; (len = getline(&text, &room, file)) >= 0;) {
        reader.line++;
        if (len > 0 && text[len - 1] == '\n') {
            text[--len] = '\0';
        }
        if (len == 0 || text[0] == '#') {
            continue;
        }
        char *space = strchr(text, ' ');
        if (!space) {
            broken(&reader, "KEY VALUE");
        }
        *space = '\0';
        read_line(&reader, text, space + 1);
    }
    free(text);
    fclose(file);
}

void bad_requests_load(struct request_table *ret)
{
    load(GALLEY_SOURCE_DIR "/tests/data/bad_requests.txt", false, ret);
}

void good_requests_load(struct request_table *ret)
{
    load(GALLEY_SOURCE_DIR "/tests/data/good_requests.txt", true, ret);
}

void request_table_finish(struct request_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        mem_free(table->cases[i].bytes.data);
        mem_free(table->cases[i].target.data);
        mem_free(table->cases[i].body.data);
    }
    mem_free(table->cases);
    *table = (struct request_table){.cases = NULL};
}
