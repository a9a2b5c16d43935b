/* base/check.h — assertions for programming errors, never for input.
 * CHECK is cheap and stays in release builds; DEBUG_CHECK is compiled out there. A failed check
 * stops the program with one line: going on would mean working with a broken invariant. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(expression) ((expression) ? (void)0 : check_failed(#expression, __FILE__, __LINE__))

/** DEBUG_BUILD: for checks that are more than an expression, `if (DEBUG_BUILD) { … }`. */
#ifdef GALLEY_DEBUG
#define DEBUG_BUILD             1
#define DEBUG_CHECK(expression) CHECK(expression)
#else
#define DEBUG_BUILD             0
#define DEBUG_CHECK(expression) ((void)sizeof(!(expression)))
#endif

#endif
