/* wire/scan.c — the finders of scan.h with SSE2 (part of x86-64) and AVX2 (asked for at run time).
 * Called by the parser for every name, value and target. Blocks of 16 or 32 bytes are loaded only
 * where they lie wholly inside [at, end); what is left goes to the plain twins. Run-time choice
 * instead of ifunc: resolvers run before the sanitizers do, and the test of a cached CPU word is
 * predicted. Pure; any thread. */
#include "wire/scan.h"

#include "http/chars.h"

#if defined(__SSE2__)

#include <immintrin.h>
#include <stdint.h>

enum { BLOCK = 16, WIDE = 32 };

/* Bit n set: byte n of the block is of another class. */

static inline uint32_t value_stops(__m128i c)
{
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(c, _mm_set1_epi8(0x1f)), c);
    __m128i tab = _mm_cmpeq_epi8(c, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(c, _mm_set1_epi8(0x7f));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
}

static inline uint32_t target_stops(__m128i c)
{
    /* Signed: 0x80 and up are negative, so one comparison refuses them with the controls and the
     * space. */
    __m128i good = _mm_cmpgt_epi8(c, _mm_set1_epi8(' '));
    __m128i del = _mm_cmpeq_epi8(c, _mm_set1_epi8(0x7f));
    __m128i hash = _mm_cmpeq_epi8(c, _mm_set1_epi8('#'));
    return (uint32_t)_mm_movemask_epi8(_mm_andnot_si128(_mm_or_si128(del, hash), good)) ^ 0xffffu;
}

static inline __m128i in_range(__m128i c, char first, char count)
{
    __m128i distance = _mm_sub_epi8(c, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(_mm_min_epu8(distance, _mm_set1_epi8((char)(count - 1))), distance);
}

/* Letters, digits and '-': nearly all names. Rarer token characters stop it too. */
static inline uint32_t common_token_stops(__m128i c)
{
    __m128i letter = in_range(_mm_or_si128(c, _mm_set1_epi8(0x20)), 'a', 26);
    __m128i digit = in_range(c, '0', 10);
    __m128i dash = _mm_cmpeq_epi8(c, _mm_set1_epi8('-'));
    __m128i good = _mm_or_si128(letter, _mm_or_si128(digit, dash));
    return (uint32_t)_mm_movemask_epi8(good) ^ 0xffffu;
}

static inline __m128i load(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Values and targets are often long (cookies, user agents, queries): 32 bytes a turn. */

__attribute__((target("avx2"))) static const char *value_wide(const char *at, const char *end)
{
    const __m256i last_control = _mm256_set1_epi8(0x1f);
    const __m256i tab_byte = _mm256_set1_epi8('\t');
    const __m256i del_byte = _mm256_set1_epi8(0x7f);
    for (; end - at >= WIDE; at += WIDE) {
        __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)at);
        __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(c, last_control), c);
        __m256i bad = _mm256_or_si256(_mm256_andnot_si256(_mm256_cmpeq_epi8(c, tab_byte), low),
                                      _mm256_cmpeq_epi8(c, del_byte));
        uint32_t stops = (uint32_t)_mm256_movemask_epi8(bad);
        if (stops) {
            return at + __builtin_ctz(stops);
        }
    }
    return at;
}

__attribute__((target("avx2"))) static const char *target_wide(const char *at, const char *end)
{
    const __m256i space = _mm256_set1_epi8(' ');
    const __m256i del_byte = _mm256_set1_epi8(0x7f);
    const __m256i hash_byte = _mm256_set1_epi8('#');
    for (; end - at >= WIDE; at += WIDE) {
        __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)at);
        __m256i bad =
            _mm256_or_si256(_mm256_cmpeq_epi8(c, del_byte), _mm256_cmpeq_epi8(c, hash_byte));
        __m256i good = _mm256_andnot_si256(bad, _mm256_cmpgt_epi8(c, space));
        uint32_t stops = ~(uint32_t)_mm256_movemask_epi8(good);
        if (stops) {
            return at + __builtin_ctz(stops);
        }
    }
    return at;
}

const char *scan_value(const char *at, const char *end)
{
    /* The first block answers for most values, without asking what the CPU can do. */
    if (end - at >= BLOCK) {
        uint32_t stops = value_stops(load(at));
        if (stops) {
            return at + __builtin_ctz(stops);
        }
        at += BLOCK;
    }
    if (end - at >= WIDE && __builtin_cpu_supports("avx2")) {
        at = value_wide(at, end);
    }
    for (; end - at >= BLOCK; at += BLOCK) {
        uint32_t stops = value_stops(load(at));
        if (stops) {
            return at + __builtin_ctz(stops);
        }
    }
    return scan_value_plain(at, end);
}

const char *scan_target(const char *at, const char *end)
{
    if (end - at >= BLOCK) {
        uint32_t stops = target_stops(load(at));
        if (stops) {
            return at + __builtin_ctz(stops);
        }
        at += BLOCK;
    }
    if (end - at >= WIDE && __builtin_cpu_supports("avx2")) {
        at = target_wide(at, end);
    }
    for (; end - at >= BLOCK; at += BLOCK) {
        uint32_t stops = target_stops(load(at));
        if (stops) {
            return at + __builtin_ctz(stops);
        }
    }
    return scan_target_plain(at, end);
}

const char *scan_token(const char *at, const char *end)
{
    for (; end - at >= BLOCK; at += BLOCK) {
        uint32_t stops = common_token_stops(load(at));
        if (stops) {
            at += __builtin_ctz(stops);
            return chars_is(*at, CHARS_TOKEN) ? scan_token_plain(at + 1, end) : at;
        }
    }
    return scan_token_plain(at, end);
}

#else

const char *scan_value(const char *at, const char *end)
{
    return scan_value_plain(at, end);
}

const char *scan_token(const char *at, const char *end)
{
    return scan_token_plain(at, end);
}

const char *scan_target(const char *at, const char *end)
{
    return scan_target_plain(at, end);
}

#endif
