/* tests/harness/fuzz.h — what the fuzz targets share: the entry point, and an EXPECT that stops the
 * program with one line, under libFuzzer (which then keeps the input) as well as in the corpus
 * replay. */
#ifndef TESTS_HARNESS_FUZZ_H
#define TESTS_HARNESS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** The file being replayed, for the message; NULL under libFuzzer. */
__attribute__((weak)) const char *fuzz_input_name;

#define FUZZ_EXPECT(condition)                                                                     \
    ((condition) ? (void)0                                                                         \
                 : (fprintf(stderr, "%s:%d: not true: %s (input %s)\n", __FILE__, __LINE__,        \
                            #condition, fuzz_input_name ? fuzz_input_name : "generated"),          \
                    abort()))

#endif
