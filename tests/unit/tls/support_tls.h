/* tests/unit/tls/support_tls.h — a folder with an authority and a few certificates, and a
 * galley_tls over them. Times can be moved. */
#ifndef TESTS_UNIT_TLS_SUPPORT_TLS_H
#define TESTS_UNIT_TLS_SUPPORT_TLS_H

#include "support_handshake.h"

enum { WORLD_LINES = 8 };

struct world {
    char folder[CERT_PATH_MAX];
    struct cert root;
    struct cert middle; /* signed by root, signs the others */
    galley_tls *tls;
    galley_error err;
    char lines[WORLD_LINES][256]; /* of the log */
    unsigned line_count;
};

void world_open(struct world *world);
void world_close(struct world *world);

/** A pair NAME.crt and NAME.key, signed by the middle; key as in cert_wish. */
galley_tls_pair world_pair(struct world *world, const char *name, const char *key, const char *dns);
/** The same with all wishes; the issuer is the middle unless one is named. */
galley_tls_pair world_pair_as(struct world *world, const char *name, const struct cert_wish *wish);
/** Authorities of clients in NAME.pem. */
const char *world_authority(struct world *world, const char *name, const struct cert *authority);

/** Options over a list of pairs ended by a NULL cert_file. */
galley_tls_options world_options(struct world *world, const galley_tls_pair *pairs);
/** world->tls, or NULL and world->err. */
galley_tls *world_start(struct world *world, const galley_tls_options *options);
/** Start with one pair that must be refused with this code; the sentence is in world->err. */
void world_expect_refusal(struct world *world, const galley_tls_pair *pair, int code,
                          const char *part_of_sentence);

/** The clocks of world_start(), in what they are ahead of the real one. */
extern int64_t world_ahead_s;

#endif
