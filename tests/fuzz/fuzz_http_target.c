/* tests/fuzz/fuzz_http_target.c — any bytes as a request target. First byte: the method.
 * Holds: the path is normal (no NUL, no empty or dot segment), encoding it and parsing again gives
 * the same path, and so does the form-free normalization. */
#include "fuzz.h"
#include "http/host.h"
#include "http/target.h"
#include "http/target_encode.h"

/* rooms: http */

static void expect_normal(struct span path)
{
    FUZZ_EXPECT(path.len > 0 && path.ptr[0] == '/');
    FUZZ_EXPECT(!memchr(path.ptr, 0, path.len));
    struct span rest = span_from(path, 1), segment;
    while (rest.ptr) {
        rest = span_cut(rest, '/', &segment);
        FUZZ_EXPECT(!span_equal(segment, SPAN(".")) && !span_equal(segment, SPAN("..")));
        FUZZ_EXPECT(segment.len > 0 || !rest.ptr);
    }
}

static void expect_round_trip(struct arena *arena, const struct target *target)
{
    struct target again;
    struct buf out;
    buf_init(&out, 0);
    target_encode_path(&out, target->path);
    FUZZ_EXPECT(!out.failed && out.data[0] == '/' && (out.len < 2 || out.data[1] != '/'));
    FUZZ_EXPECT(target_parse(buf_span(&out), METHOD_GET, arena, &again) == 0);
    FUZZ_EXPECT(span_equal(target->path, again.path));
    FUZZ_EXPECT(target->has_encoded_slash == again.has_encoded_slash);
    buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum method method = (enum method)(data[0] % METHOD_COUNT);
    struct span raw = span_make((const char *)data + 1, size - 1);
    struct arena arena;
    struct target target;
    arena_init(&arena, 0);
    if (target_parse(raw, method, &arena, &target) == 0) {
        bool has_path = target.form == TARGET_ORIGIN || target.form == TARGET_ABSOLUTE;
        struct host host;
        FUZZ_EXPECT(has_path == (target.path.ptr != NULL));
        FUZZ_EXPECT(!target.host.ptr || host_parse(target.host, &host) == 0);
        FUZZ_EXPECT(arena.used_bytes <= raw.len + 64);
        if (has_path) {
            FUZZ_EXPECT(target.path.len <= raw.len + 1);
            expect_normal(target.path);
            expect_round_trip(&arena, &target);
        }
    }
    arena_finish(&arena);
    return 0;
}
