/* tests/fuzz/support_answers.h — reads a server's bytes as the strictest client would: what is not
 * exactly as RFC 9112 has it stops the program. For fuzz targets; pure but for that. */
#ifndef TESTS_FUZZ_SUPPORT_ANSWERS_H
#define TESTS_FUZZ_SUPPORT_ANSWERS_H

#include "base/span.h"

struct fuzz_answer {
    int status;
    bool says_close;     /* Connection: close */
    bool is_chunked;     /* the body was; its length is of the decoded bytes */
    bool has_length;     /* Content-Length was there */
    uint64_t length;     /* its value */
    uint64_t body_bytes; /* what came */
};

enum fuzz_take {
    FUZZ_TAKE_WHOLE, /* *rest moved behind it */
    FUZZ_TAKE_CUT,   /* the bytes end in the middle; so far they were right */
};

/** The first answer of *rest. for_head: it answers HEAD. is_eof: the sender has ended its side in
 *  order, so that a body without a length ends here. */
enum fuzz_take fuzz_answer_take(struct span *rest, bool for_head, bool is_eof,
                                struct fuzz_answer *ret);

#endif
