/* tests/harness/bad_requests.h — the tables tests/data/bad_requests.txt and good_requests.txt,
 * loaded. Used by every test that runs them: through the parser (unit/wire), over simulated and
 * over real connections. A broken table ends the test with file and line. Free with
 * request_table_finish. */
#ifndef TESTS_HARNESS_BAD_REQUESTS_H
#define TESTS_HARNESS_BAD_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>

/* Who can decide the case; the order is that of the judgement. */
enum request_stage { STAGE_HEAD, STAGE_FRAMING, STAGE_TARGET, STAGE_BODY, STAGE_SERVER };

struct request_text {
    char *data; /* NUL-terminated behind len */
    size_t len;
};

struct request_case {
    char name[64];
    char rfc[32];
    enum request_stage stage;
    struct request_text bytes;
    /* bad_requests.txt */
    int status;
    bool closes;
    /* good_requests.txt */
    char method[72];
    int version;
    unsigned field_count;
    struct request_text target;
    struct request_text body;
};

struct request_table {
    struct request_case *cases;
    size_t count;
    size_t capacity;
};

/** Fills an empty table; paths are found from GALLEY_SOURCE_DIR. */
void bad_requests_load(struct request_table *ret);
void good_requests_load(struct request_table *ret);
void request_table_finish(struct request_table *table);

#endif
