/* files/file_lookup.h — the search for what answers a request: the path itself, else the site's
 * index (SPA), else the page for 404; each step is a look into the cache, and a wait where the disk
 * has to be asked. On the loop. */
#ifndef FILES_FILE_LOOKUP_H
#define FILES_FILE_LOOKUP_H

#include "files/file_site_state.h"

enum file_stage {
    FILE_STAGE_PATH,      /* what the request asks for */
    FILE_STAGE_SPA,       /* "/" instead */
    FILE_STAGE_NOT_FOUND, /* the site's page for 404 */
    FILE_STAGE_REPLY,     /* galley_res_file() */
};

/** The answer is not decided yet: exchange_resume() will be called. No handler result has this
 * value. */
#define FILE_LATER INT32_MIN

/** A handler result, or FILE_LATER. path is for FILE_STAGE_REPLY only. */
int file_lookup_start(galley_static *site, struct exchange *exchange, enum file_stage stage,
                      struct span reply_path);

#endif
