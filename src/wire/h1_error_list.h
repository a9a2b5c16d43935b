/* wire/h1_error_list.h — why HTTP/1 bytes are refused: H1_ERROR(ID, status, "word").
 * An X-macro table, included by h1_error.h and h1_error.c; no include guard by intention. The
 * status is the answer the driver sends before it closes; the word is a label for counters and the
 * log and never changes its meaning. Every one of them closes the connection: the place where the
 * next request starts is not known. */
H1_ERROR(H1_BARE_LF, 400, "bare-lf")
H1_ERROR(H1_BARE_CR, 400, "bare-cr")
H1_ERROR(H1_CONTROL_BYTE, 400, "control-byte")
H1_ERROR(H1_EMPTY_LINES, 400, "empty-lines")
H1_ERROR(H1_BAD_METHOD, 400, "bad-method")
H1_ERROR(H1_METHOD_TOO_LONG, 501, "method-too-long")
H1_ERROR(H1_BAD_TARGET, 400, "bad-target")
H1_ERROR(H1_TARGET_TOO_LONG, 414, "target-too-long")
H1_ERROR(H1_BAD_VERSION, 400, "bad-version")
H1_ERROR(H1_VERSION_UNKNOWN, 505, "version-unknown")
H1_ERROR(H1_OBS_FOLD, 400, "obs-fold")
H1_ERROR(H1_BAD_FIELD_NAME, 400, "bad-field-name")
H1_ERROR(H1_NO_COLON, 400, "no-colon")
H1_ERROR(H1_HEAD_TOO_LARGE, 431, "head-too-large")
H1_ERROR(H1_TOO_MANY_FIELDS, 431, "too-many-fields")
H1_ERROR(H1_BAD_CHUNK_SIZE, 400, "bad-chunk-size")
H1_ERROR(H1_BAD_CHUNK_EXTENSION, 400, "bad-chunk-extension")
H1_ERROR(H1_CHUNK_EXTENSION_TOO_LONG, 400, "chunk-extension-too-long")
H1_ERROR(H1_BAD_CHUNK_END, 400, "bad-chunk-end")
H1_ERROR(H1_TRAILERS_TOO_LARGE, 431, "trailers-too-large")
