/* tests/unit/files/support_site.h — a site on a loop, asked directly: requests become exchanges
 * without a protocol, answers are collected as a driver would send them. The head's bytes are
 * overwritten as soon as the driver's turn is over, so that whatever was kept without being
 * retained is seen. */
#ifndef TESTS_UNIT_FILES_SUPPORT_SITE_H
#define TESTS_UNIT_FILES_SUPPORT_SITE_H

#include "exchange/exchange.h"

#include <galley/static.h>

enum { SITE_HEAD_MAX = 16384 };

struct site_answer {
    int status;               /* 0: none yet */
    unsigned count;           /* times that the driver was asked to respond */
    char head[SITE_HEAD_MAX]; /* field lines, NUL-terminated */
    size_t head_len;
    char *body; /* what a client would get; NUL-terminated behind body_len */
    size_t body_len;
    int64_t length;     /* Content-Length as it would be sent */
    bool has_file_part; /* some of it came from a descriptor */
    bool was_suspended; /* not answered in the driver's own turn */
    char hints[2048];   /* "Name: value\n" lines of the 103s before it */
    unsigned hint_count;
};

struct site_rig {
    const char *root;
    struct loop *loop;
    galley_pool *pool;
    galley_pool *idle; /* of one thread, if there is a pool */
    galley_static *site;
    const char *prefix;      /* "/assets": the route is /assets/{path...}; NULL: no parameter */
    galley_handler *handler; /* NULL: galley_static_serve */
    struct exchange_services services;
    struct exchange_pool exchanges;
    struct chain_pool chains;
    struct route_target route;
    struct exchange *last; /* of site_begin(), until it has answered */
    struct site_answer answer;
    unsigned logged;
};

/** In a fresh directory (support_tree.h). opt may be NULL. threads: of a pool for the disk; 0: at
 * once, on the loop. */
void site_open(struct site_rig *rig);
void site_start(struct site_rig *rig, const galley_static_options *opt, unsigned threads);
void site_close(struct site_rig *rig);
/** The same with a loop for each rig, all of them of one site: the first rig's, made by
 * site_open(). */
void site_start_all(struct site_rig *rigs, unsigned count, const galley_static_options *opt,
                    unsigned threads);
/** On the rig's thread, when that is not the one that closes. */
void site_stop(struct site_rig *rig);
void site_close_all(struct site_rig *rigs, unsigned count);

/** Send a request: fields are "Name: value\n" lines. Waits for the answer. */
const struct site_answer *site_ask(struct site_rig *rig, const char *method, const char *target,
                                   const char *fields);
const struct site_answer *site_get(struct site_rig *rig, const char *target);
/** The same without waiting; rig->last is the exchange if it is not answered yet. False: no memory
 * for it. */
bool site_begin(struct site_rig *rig, const char *method, const char *target, const char *fields);
void site_wait(struct site_rig *rig);
/** Turns until nothing is left to do, changes on the disk included. */
void site_settle(struct site_rig *rig);

/** Value of a field; NULL if there is none. Fails the test when there are two lines. Good until the
 * next call. */
const char *site_field(const struct site_answer *answer, const char *name);
unsigned site_field_count(const struct site_answer *answer, const char *name);
/** Status and, unless NULL, content. */
void site_expect(struct site_rig *rig, const char *target, int status, const char *content);
uint64_t site_counter(const struct site_rig *rig, const char *name);

#endif
