/* http/framing_reason_list.h — FRAMING_REASON(ID, status, "sentence"): why a request's head is
 * refused. An X-macro table; no include guard by intention. The sentence is for logs and
 * counters. */
FRAMING_REASON(NONE, 0, "well framed")
FRAMING_REASON(HOST_MISSING, 400, "HTTP/1.1 without Host")
FRAMING_REASON(HOST_TWICE, 400, "more than one Host")
FRAMING_REASON(HOST_BAD, 400, "Host is not a host")
FRAMING_REASON(TRANSFER_IN_1_0, 400, "Transfer-Encoding in HTTP/1.0")
FRAMING_REASON(LENGTH_AND_TRANSFER, 400, "Content-Length together with Transfer-Encoding")
FRAMING_REASON(LENGTH_TWICE, 400, "more than one Content-Length")
FRAMING_REASON(LENGTH_BAD, 400, "Content-Length is not a number")
FRAMING_REASON(TRANSFER_BAD, 400, "Transfer-Encoding is not chunked")
FRAMING_REASON(TRANSFER_UNSUPPORTED, 501, "Transfer-Encoding with a coding that is not supported")
FRAMING_REASON(CONNECT_BODY, 400, "CONNECT with a body")
FRAMING_REASON(EXPECTATION, 417, "Expect is not 100-continue")
