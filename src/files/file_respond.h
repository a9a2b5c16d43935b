/* files/file_respond.h — from an entry to a response: conditions, variant, ranges, fields, body.
 * On the exchange's loop, by the lookup (file_lookup.c) and the listing. All return a handler
 * result; 0: as set. The entry is borrowed for the call; what is sent of it takes references. */
#ifndef FILES_FILE_RESPOND_H
#define FILES_FILE_RESPOND_H

#include "files/file_site_state.h"

struct file_answer {
    galley_static *site;
    struct exchange *exchange;
    struct file_entry *entry;
    const struct file_variant *variant;
};

/** A regular file with 200, 206, 304, 412 or 416. */
int file_respond(galley_static *site, struct exchange *exchange, struct file_entry *entry);
/** The content with this status, without conditions and ranges: the page for 404. */
int file_respond_page(galley_static *site, struct exchange *exchange, struct file_entry *entry,
                      int status);
/** For galley_res_file(): the handler's status and fields stay. */
int file_respond_reply(galley_static *site, struct exchange *exchange, struct file_entry *entry);
/** The server's short page for an error, with the site's fields; Retry-After on 503. Counts. */
int file_respond_error(galley_static *site, struct exchange *exchange, int status);
/** 405 or 501 with Allow. */
int file_respond_refusal(galley_static *site, struct exchange *exchange);
#define FILE_ALLOWED SPAN("GET, HEAD, OPTIONS")

/** Add a piece of the variant's content to the body. 0 or GALLEY_ENOMEM. */
int file_answer_add(const struct file_answer *answer, uint64_t from, uint64_t len);
struct validators;
struct validators file_answer_validators(const struct file_answer *answer);
/** The wall clock's second, for dates in conditions. */
int64_t file_answer_now_s(const struct file_answer *answer);

#endif
