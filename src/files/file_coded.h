/* files/file_coded.h — the compressed forms of a file, made when a client asks for one: once, and
 * kept in the cache like the file itself. Entries do not change, so a new one with a variant more
 * takes the place of the old one in the store. Two steps on two threads: the first takes long and
 * no lock, so it may run where it is held up for as long as there is anything else to do; the
 * second is short. */
#ifndef FILES_FILE_CODED_H
#define FILES_FILE_CODED_H

#include "base/buf.h"
#include "coding/encoder.h"
#include "files/file_entry.h"
#include "files/file_store.h"

/** Which forms could be made of a file just read: none if it has neighbours, for then its owner has
 *  chosen, or lies not in memory. Before decorate. */
void file_coded_prepare(struct file_entry *entry, const struct file_store_options *options);
/** The content in this form, into `out`, which is not initialised. 0; GALLEY_ETOOBIG: it is not
 *  smaller than what there is; GALLEY_ECANCELED: galley_should_stop() has become true;
 *  GALLEY_ENOMEM. On a worker; blocks for as long as it takes. buf_finish(out) in any case. */
int file_coded_encode(const struct file_entry *entry, enum coding coding, enum encoder_level level,
                      struct buf *out);
/** An entry with this form in the place of `old`, whose content it has, with the forms that it has
 *  already but for this one. On a worker; takes the store's lock. NULL: the file has changed
 *  meanwhile, or memory is out. The caller owns a reference. */
struct file_entry *file_coded_place(struct file_store *store, struct file_entry *old,
                                    enum coding coding, struct span bytes);

#endif
