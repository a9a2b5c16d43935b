/* tests/fuzz/fuzz_tls_names.c — a byte n, n bytes of a server_name extension, and lines: names of
 * certificates. Holds: what is asked for is in lower case and within the extension; the list finds
 * whom a naive search over all lines finds, the exact name before its wildcard (RFC 9525 §6.3). */
#include "fuzz.h"

#include "base/text.h"
#include "tls/tls_names.h"

/* rooms: tls */

enum { MAX_PATTERNS = 64 };

static struct span patterns[MAX_PATTERNS];
static unsigned pattern_count;

/* Adds every line, and keeps those that are patterns. */
static void add_lines(struct tls_names *names, struct span lines)
{
    pattern_count = 0;
    while (lines.ptr && pattern_count < MAX_PATTERNS) {
        struct span line;
        lines = span_cut(lines, '\n', &line);
        FUZZ_EXPECT(tls_names_add(names, line, pattern_count));
        if (tls_name_is_pattern(line)) {
            patterns[pattern_count++] = line;
        }
    }
    tls_names_seal(names);
}

/* One label more than the pattern has behind its "*". */
static bool matches_wildcard(struct span pattern, struct span name)
{
    size_t dot = span_find(name, '.');
    return dot > 0 && dot < name.len && pattern.ptr[0] == '*' &&
           span_equal_nocase(span_from(pattern, 1), span_from(name, dot));
}

/* Bits of the patterns that are to be found. */
static uint64_t naive_match(struct span name)
{
    uint64_t exact = 0;
    uint64_t wild = 0;
    for (unsigned i = 0; i < pattern_count; i++) {
        exact |= (uint64_t)span_equal_nocase(patterns[i], name) << i;
        wild |= (uint64_t)matches_wildcard(patterns[i], name) << i;
    }
    return exact ? exact : wild;
}

static void check_match(const struct tls_names *names, struct span name)
{
    size_t first = 0;
    uint64_t found = 0;
    size_t count = tls_names_match(names, name, &first);
    for (size_t i = 0; i < count; i++) {
        found |= UINT64_C(1) << names->rows[first + i].value;
    }
    FUZZ_EXPECT(found == naive_match(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TLS_ASKED_MAX];
    struct tls_names names = {0};
    if (size == 0 || data[0] >= size) {
        return 0;
    }
    struct span extension = span_make((const char *)data + 1, data[0]);
    add_lines(&names, span_make(extension.ptr + extension.len, size - 1 - extension.len));
    struct span name = tls_name_asked(text, extension);
    FUZZ_EXPECT(!name.ptr || name.len + 5 == extension.len);
    for (size_t i = 0; i < name.len; i++) {
        FUZZ_EXPECT(name.ptr[i] == text_lower(name.ptr[i]));
    }
    if (name.ptr && tls_name_is_pattern(name)) {
        check_match(&names, name);
    }
    tls_names_finish(&names);
    return 0;
}
