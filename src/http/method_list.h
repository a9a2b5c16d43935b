/* http/method_list.h — METHOD(ID, "NAME", number, is_safe): the methods of RFC 9110 §9.3 and PATCH
 * (RFC 5789). An X-macro table; no include guard by intention. The numbers are those of
 * galley_method in galley/http.h. */
METHOD(GET, "GET", 1, true)
METHOD(HEAD, "HEAD", 2, true)
METHOD(POST, "POST", 3, false)
METHOD(PUT, "PUT", 4, false)
METHOD(DELETE, "DELETE", 5, false)
METHOD(CONNECT, "CONNECT", 6, false)
METHOD(OPTIONS, "OPTIONS", 7, true)
METHOD(TRACE, "TRACE", 8, true)
METHOD(PATCH, "PATCH", 9, false)
