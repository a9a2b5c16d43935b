/* wire/h1_error.h — the reasons why HTTP/1 bytes are refused, with the status to answer and a short
 * word. One X-macro table makes all three. Pure; any thread. */
#ifndef WIRE_H1_ERROR_H
#define WIRE_H1_ERROR_H

enum h1_error {
    H1_OK = 0,
#define H1_ERROR(id, status, word) id,
#include "wire/h1_error_list.h"
#undef H1_ERROR
    H1_ERROR_COUNT
};

/** 400, 414, 431, 501 or 505; 0 for H1_OK. */
int h1_error_status(enum h1_error error);
/** "bare-lf"; "ok" for H1_OK. Never NULL. */
const char *h1_error_word(enum h1_error error);

#endif
