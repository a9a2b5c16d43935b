/* files/file_coded.h — the compressed forms of a file, made when a client asks for one: by a worker,
 * once, and kept in the cache like the file itself. Entries do not change, so a new one with a variant
 * more takes the place of the old one in the store. */
#ifndef FILES_FILE_CODED_H
#define FILES_FILE_CODED_H

#include "files/file_entry.h"
#include "files/file_store.h"

#include "coding/encoder.h"

/** Which forms could be made of a file just read: none if it has neighbours, for then its owner has
 *  chosen, or lies not in memory. Before decorate. */
void file_coded_prepare(struct file_entry *entry, const struct file_store_options *options);
/** Make this form and put it in the place of `old`, whose content it has, with the forms that it has
 *  already but for this one. On a worker; blocks for as long as it takes. NULL: it is not smaller than
 *  what there is, the file has changed meanwhile, or memory is out. The caller owns a reference. */
struct file_entry *file_coded_make(struct file_store *store, struct file_entry *old,
                                   enum coding coding, enum encoder_level level);

#endif
