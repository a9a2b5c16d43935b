/* tests/guide/support_guide.h — for the programs that hold a page of docs/guide to its word. Each
 * includes PAGE, the C of its page as one file (tools/guide.py), runs what the page sets up with a
 * test client, and looks for what the text says. Built and run by tests/integration/test_guide.py. */
#ifndef TESTS_GUIDE_SUPPORT_GUIDE_H
#define TESTS_GUIDE_SUPPORT_GUIDE_H

#include PAGE

#include <galley/test.h>

#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static galley_test_reply last;

/* The answer's status, or a negative code. */
static inline int ask_with(galley_test *t, const char *request, const char *body)
{
    int rc = galley_test_call(t, request, body, body ? strlen(body) : 0, &last);
    return rc ? rc : last.status;
}

static inline int ask(galley_test *t, const char *request)
{
    return ask_with(t, request, NULL);
}

static inline bool said(const char *text)
{
    return last.body.ptr && strcmp(last.body.ptr, text) == 0;
}

static inline galley_test *drive(galley_server *srv)
{
    galley_error err;
    galley_test *t = galley_test_new(srv, &err);
    if (!t) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    return t;
}

static inline galley_server *make_server(void)
{
    galley_error err;
    galley_server *srv = galley_server_new(NULL, &err);
    WANT(srv);
    return srv;
}

#endif
