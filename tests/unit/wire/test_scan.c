/* tests/unit/wire/test_scan.c — the SIMD finders against their plain twins: every byte, length and
 * alignment, and a page that must not be touched on either side. RFC 9110 §5.5, §5.6.2; RFC 9112
 * §3.2. */
#include "test.h"

#include "http/chars.h"
#include "wire/scan.h"

#include <sys/mman.h>
#include <unistd.h>

typedef const char *scan_fn(const char *at, const char *end);

struct finder {
    const char *name;
    scan_fn *fast;
    scan_fn *plain;
    enum chars_class wanted;
    char fill; /* a byte of the class */
};

static const struct finder finders[] = {
    {"value", scan_value, scan_value_plain, CHARS_VALUE, 'v'},
    {"token", scan_token, scan_token_plain, CHARS_TOKEN, 't'},
    {"target", scan_target, scan_target_plain, CHARS_TARGET, '/'},
};
enum { FINDERS = sizeof(finders) / sizeof(finders[0]), MAX_LEN = 300 };

/* Two readable pages between two that are not. */
struct guarded {
    char *map;
    char *first;
    char *end;
    size_t page;
};

static struct guarded guarded_map(void)
{
    struct guarded guarded = {.page = (size_t)sysconf(_SC_PAGESIZE)};
    guarded.map = mmap(NULL, 4 * guarded.page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(guarded.map != MAP_FAILED);
    guarded.first = guarded.map + guarded.page;
    guarded.end = guarded.first + 2 * guarded.page;
    EXPECT_INT(mprotect(guarded.first, 2 * guarded.page, PROT_READ | PROT_WRITE), 0);
    return guarded;
}

static void guarded_unmap(struct guarded *guarded)
{
    EXPECT_INT(munmap(guarded->map, 4 * guarded->page), 0);
}

static void expect_twins(const struct finder *finder, const char *at, size_t len)
{
    const char *fast = finder->fast(at, at + len);
    const char *plain = finder->plain(at, at + len);
    if (fast != plain) {
        test_fail(__FILE__, __LINE__, "%s of %zu bytes stops at %td, the plain one at %td",
                  finder->name, len, fast - at, plain - at);
    }
}

/* One odd byte at each place of a span of each length that ends (or begins) at the edge of what may
 * be read. */
static void sweep(const struct finder *finder, char *at, size_t len, char odd)
{
    memset(at, finder->fill, len);
    EXPECT(finder->fast(at, at + len) == at + len);
    for (size_t i = 0; i < len; i++) {
        at[i] = odd;
        expect_twins(finder, at, len);
        EXPECT((finder->fast(at, at + len) == at + i) == !chars_is(odd, finder->wanted));
        at[i] = finder->fill;
    }
}

TEST(test_finders_stop_at_the_right_byte_and_read_nothing_outside)
{
    struct guarded guarded = guarded_map();
    for (unsigned f = 0; f < FINDERS; f++) {
        for (size_t len = 0; len <= MAX_LEN; len++) {
            sweep(&finders[f], guarded.end - len, len, '\r');
            sweep(&finders[f], guarded.first, len, '\n');
        }
    }
    guarded_unmap(&guarded);
}

TEST(test_finders_know_every_byte_at_every_alignment)
{
    char bytes[160];
    for (unsigned f = 0; f < FINDERS; f++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            for (size_t offset = 0; offset < 64; offset++) {
                memset(bytes, finders[f].fill, sizeof(bytes));
                for (size_t i = 0; i < 96; i += 7) {
                    bytes[offset + i] = (char)byte;
                    expect_twins(&finders[f], bytes + offset, 96);
                    expect_twins(&finders[f], bytes, sizeof(bytes));
                    bytes[offset + i] = finders[f].fill;
                }
            }
        }
    }
}

TEST(test_finders_agree_on_random_bytes)
{
    char bytes[MAX_LEN];
    for (unsigned round = test_rounds(20000); round > 0; round--) {
        size_t len = (size_t)test_random_below(MAX_LEN + 1);
        size_t from = len ? (size_t)test_random_below(len) : 0;
        for (size_t i = 0; i < len; i++) {
            /* Mostly printable, or nothing would get far. */
            bytes[i] = (char)(test_random_below(40) ? 0x21 + test_random_below(94) : test_random());
        }
        for (unsigned f = 0; f < FINDERS; f++) {
            expect_twins(&finders[f], bytes + from, len - from);
        }
    }
}

/* The classes themselves, written out once more as the RFCs have them. */
TEST(test_classes_are_those_of_the_rfcs)
{
    static const char tchar_marks[] = "!#$%&'*+-.^_`|~";
    for (unsigned byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool is_alnum = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= 'a' && byte <= 'z');
        /* RFC 9110 §5.6.2 */
        bool is_token = is_alnum || (byte != 0 && strchr(tchar_marks, c) != NULL);
        EXPECT_INT(scan_token(&c, &c + 1) != &c, is_token);
        /* RFC 9110 §5.5: VCHAR, obs-text, SP, HTAB */
        bool is_value = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
        EXPECT_INT(scan_value(&c, &c + 1) != &c, is_value);
        /* RFC 9112 §3.2: no white space, no fragment; ASCII only */
        bool is_target = byte > 0x20 && byte < 0x7f && byte != '#';
        EXPECT_INT(scan_target(&c, &c + 1) != &c, is_target);
    }
}
