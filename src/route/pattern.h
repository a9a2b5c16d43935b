/* route/pattern.h — the patterns of galley_server_route() taken apart: "[METHOD
 * ][host]/segment/{name}/{rest...}". Set-up only; spans point into the pattern's text. Pure; any
 * thread.
 *
 * A path's segments are what stands between its slashes, the one behind the last slash too: "/" is
 * one empty segment, "/a/" is "a" and an empty one. A literal matches itself, {name} one segment
 * that is not empty, {name...} all that is left, at least one segment, which may be the empty
 * one. */
#ifndef ROUTE_PATTERN_H
#define ROUTE_PATTERN_H

#include "base/span.h"
#include "http/method.h"

#include <galley/base.h>

enum { PATTERN_MAX_SEGMENTS = 32, PATTERN_MAX_PARAMS = 8 };

enum segment_kind { SEGMENT_LITERAL, SEGMENT_PARAM, SEGMENT_REST };

struct segment {
    enum segment_kind kind;
    struct span text; /* of the literal, or the name */
};

struct pattern {
    struct span text;   /* all of it */
    enum method method; /* METHOD_OTHER: any */
    struct span host;   /* in any case, without a dot at its end; ptr NULL: for every host */
    bool has_star;      /* "*." stood before it: hosts that end in a dot and this */
    unsigned segment_count;
    unsigned param_count;
    struct segment segments[PATTERN_MAX_SEGMENTS];
};

/** 0 or GALLEY_EINVAL with a sentence. */
int pattern_parse(struct pattern *ret, struct span text, galley_error *err);

/** A bit a method; GET stands for HEAD too; METHOD_OTHER is every method that can be routed. */
uint32_t pattern_methods(enum method method);

/** Are both for the same hosts? */
bool pattern_has_same_host(const struct pattern *a, const struct pattern *b);

enum pattern_relation {
    PATTERN_DISJOINT, /* no path matches both */
    PATTERN_SAME,     /* the same paths */
    PATTERN_NARROWER, /* a's paths are some of b's */
    PATTERN_WIDER,    /* b's paths are some of a's */
    PATTERN_CROSSING  /* some paths match both, and each matches some that the other does not */
};
/** How the paths of two patterns lie to each other; methods and hosts are not looked at. */
enum pattern_relation pattern_compare(const struct pattern *a, const struct pattern *b);

#endif
