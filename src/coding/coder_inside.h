/* coding/coder_inside.h — what encoder.c and decoder.c share with the three codings; nobody else
 * includes this. A coding is two tables of functions over a state of its own. */
#ifndef CODING_CODER_INSIDE_H
#define CODING_CODER_INSIDE_H

#include "coding/decoder.h"
#include "coding/encoder.h"

struct encoder_kind {
    /** NULL: out of memory. */
    void *(*create)(const struct encoder_options *options);
    void (*destroy)(void *state);
    /** As encoder_run(). */
    int (*run)(void *state, enum encoder_step step, struct span *in, struct encoder_output *out);
};

enum { DECODER_PART_END = 2 /* a whole part is out: a member, a frame, all of it */ };

struct decoder_kind {
    bool has_parts; /* another may follow */
    void *(*create)(void);
    void (*destroy)(void *state);
    /** One step: takes input or gives output, or both. 0: it wants input; DECODER_FULL;
     *  DECODER_PART_END, with what is left of *in behind it; or a code. */
    int (*run)(void *state, struct span *in, struct decoder_output *out);
    /** Another part begins. 0 or a code. */
    int (*again)(void *state);
};

/** Allocators as brotli and zstd want them; opaque is not looked at. */
void *coder_take_memory(void *opaque, size_t size);
void coder_give_memory(void *opaque, void *block);

extern const struct encoder_kind encoder_gzip, encoder_br, encoder_zstd;
extern const struct decoder_kind decoder_gzip, decoder_br, decoder_zstd;

#endif
