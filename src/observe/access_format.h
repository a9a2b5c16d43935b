/* observe/access_format.h — a record becomes a line: for people (dev), Apache's combined, JSON.
 * One record is one line whatever bytes it holds (L19): everything that could end a line, close a
 * quote or reach a terminal is escaped. Pure but for the local time zone of the dev format. On the
 * writer thread. */
#ifndef OBSERVE_ACCESS_FORMAT_H
#define OBSERVE_ACCESS_FORMAT_H

#include "base/buf.h"

#include "observe/access_record.h"

struct access_format {
    void (*append)(struct buf *out, const struct access_record *record,
                   struct access_format *format);
    int64_t wall_minus_mono_ms; /* what makes wall clock of the record's time */
    int64_t second;             /* whose text is there: since 1970; -1: none */
    char second_text[19];       /* "2026-11-22T13:21:09", UTC; of the JSON line */
    struct peer_address
        peer; /* whose text is there: one peer often sends many requests; family 0: none */
    uint8_t peer_text_len;
    char peer_text[ADDRESS_TEXT_MAX];
    bool has_colours;
};

/** kind: GALLEY_LOG_… */
void access_format_init(struct access_format *format, int kind, bool has_colours);
/** One line with its end, at most LOG_LINE_MAX bytes. */
static inline void access_format_append(struct buf *out, const struct access_record *record,
                                        struct access_format *format)
{
    format->append(out, record, format);
}

void access_format_dev(struct buf *out, const struct access_record *record,
                       struct access_format *format);
void access_format_combined(struct buf *out, const struct access_record *record,
                            struct access_format *format);
void access_format_json(struct buf *out, const struct access_record *record,
                        struct access_format *format);

/** "\"", "\\", \t \r \n and \xHH for other control bytes and bytes above 7E. */
void access_escape_plain(struct buf *out, struct span text);
/** The inside of a JSON string (RFC 8259 §7); bytes that are not UTF-8 (RFC 3629) become U+FFFD. */
void access_escape_json(struct buf *out, struct span text);

#endif
