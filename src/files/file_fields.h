/* files/file_fields.h — the header lines of a file, made once when it is loaded, so that a hit
 * builds nothing. On a worker. The lines are copied into heads as they are: whatever goes in here
 * was checked or is galley's own. */
#ifndef FILES_FILE_FIELDS_H
#define FILES_FILE_FIELDS_H

#include "files/file_entry.h"

/** Fits file_store_options.decorate; site is a galley_static. 0 or GALLEY_ENOMEM. */
int file_fields_decorate(void *site, struct file_entry *entry);

#endif
