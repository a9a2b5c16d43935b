/* wire/h1_writer.h — HTTP/1 response heads into a buffer of the caller's.
 * Called by h1/ and by whoever makes ready heads (file cache). Nothing is allocated. Failure is
 * sticky: write all of it, look once at the end. No CR, LF or NUL gets out through a field,
 * whatever a handler passed: the head is refused as a whole (RFC 9110 §5.5; response splitting). */
#ifndef WIRE_H1_WRITER_H
#define WIRE_H1_WRITER_H

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum h1_write_fault {
    H1_WRITE_OK = 0,
    H1_WRITE_NO_ROOM, /* get a larger buffer and write again */
    H1_WRITE_REFUSED  /* a field name that is no token, a value with control bytes, a bad status */
};

struct h1_writer {
    char *out;
    size_t len;
    size_t capacity;
    enum h1_write_fault fault; /* the first one */
};

/* The Date field line, made at most once a second. One per loop; zeroed is a valid start. */
struct h1_date_line {
    int64_t second; /* the wall clock's second that text says; 0: none yet */
    char text[40];  /* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 37 bytes */
};
enum { H1_DATE_LINE_BYTES = 37 };

/** A response begins: nothing written yet. */
void h1_writer_init(struct h1_writer *writer, char *out, size_t capacity);
/** "HTTP/1.1 404 Not Found\r\n"; any status 100 to 599. RFC 9112 §4. galley
 *  says 1.1 also to 1.0 clients (RFC 9110 §2.5). */
void h1_write_status(struct h1_writer *writer, int status);
/** RFC 9110 §6.6.1. now_s: seconds since 1970. */
void h1_write_date(struct h1_writer *writer, struct h1_date_line *date, int64_t now_s);
/** One checked field line; white space around the value is dropped. */
void h1_write_field(struct h1_writer *writer, struct span name, struct span value);
/** A number, e.g. Content-Length. The name is checked. */
void h1_write_field_u64(struct h1_writer *writer, struct span name, uint64_t number);
/** Whole field lines with their CRLF that were checked when they were made; copied as they are. */
void h1_write_ready(struct h1_writer *writer, struct span lines);
/** The empty line. Returns the bytes of the head, or 0 when something did not fit or was
 * refused. */
size_t h1_write_end(struct h1_writer *writer);

/** The ready status line with its CRLF, for known statuses; ptr NULL for others. */
struct span h1_status_line(int status);
/** The date line for this second, formatted only when the second has changed. */
struct span h1_date_line_get(struct h1_date_line *date, int64_t now_s);

/* A whole interim response (RFC 9110 §15.2.1). 103 is written with h1_write_status(103), fields,
 * h1_write_end; interim responses go to HTTP/1.1 clients only. */
#define H1_CONTINUE SPAN("HTTP/1.1 100 Continue\r\n\r\n")

#endif
