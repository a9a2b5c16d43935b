/* tls/tls_options.h — a user's options for TLS, checked and copied. Made by galley_tls_new() on the
 * caller's thread and never changed afterwards, so that a reload on any thread reads the same files
 * by the same rules. Everything that it points to lies in its arena. */
#ifndef TLS_TLS_OPTIONS_H
#define TLS_TLS_OPTIONS_H

#include "base/arena.h"
#include "base/log.h"

#include <galley/tls.h>

enum { TLS_MAX_PAIRS = 1000, TLS_MAX_RULES = 1000 };

/** What time it is; tests bring their own. */
struct tls_clock {
    int64_t (*wall_s)(void);  /* since 1970: may a certificate be used? */
    int64_t (*mono_ms)(void); /* for tickets, which a change of the wall clock must not touch */
};

struct tls_options {
    struct arena memory;
    const galley_tls_pair *pairs;
    unsigned pair_count;
    const galley_tls_client_rule *rules; /* hosts in lower case */
    unsigned rule_count;
    const char **self_signed_names;
    unsigned self_signed_count;
    const char **files; /* all that are read, each once */
    unsigned file_count;
    bool has_self_signed;
    bool is_strict;
    bool has_tickets;
    bool is_watched; /* its files, by servers that run */
    bool offers_h2;
    bool offers_http1;
    int policy;
    uint32_t ticket_lifetime_s;
    struct tls_clock clock;
    struct log_sink log;
    void (*user_log)(void *ctx, int level, const char *line);
    void *user_log_ctx;
};

/** opt may be NULL. 0, GALLEY_EINVAL with a sentence that names the field, or GALLEY_ENOMEM; to be
 *  finished in each case. *options must stay where it is: its log points to it. */
int tls_options_take(struct tls_options *options, const galley_tls_options *opt, galley_error *err);
void tls_options_finish(struct tls_options *options);

#endif
