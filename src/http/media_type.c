/* http/media_type.c — see media_type.h. A test holds the order that the binary search needs. */
#include "http/media_type.h"

#include "base/text.h"

static const struct media_type rows[] = {
#define MEDIA_TYPE(extension, type, is_compressible)                                               \
    {{extension, sizeof(extension) - 1}, {type, sizeof(type) - 1}, is_compressible},
#include "http/media_type_list.h"
#undef MEDIA_TYPE
};

/* Of the wanted one in any case: < 0, 0, > 0 as memcmp. */
static int compare(struct span wanted, struct span row)
{
    for (size_t i = 0; i < wanted.len && i < row.len; i++) {
        int difference = (unsigned char)text_lower(wanted.ptr[i]) - (unsigned char)row.ptr[i];
        if (difference != 0) {
            return difference;
        }
    }
    return (wanted.len > row.len) - (wanted.len < row.len);
}

const struct media_type *media_type_of_extension(struct span extension)
{
    size_t low = 0, high = sizeof(rows) / sizeof(rows[0]);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int difference = compare(extension, rows[middle].extension);
        if (difference == 0) {
            return &rows[middle];
        }
        if (difference < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct media_type *media_type_of_path(struct span path)
{
    static const struct media_type unknown = {{"", 0}, {"application/octet-stream", 24}, false};
    size_t dot = path.len;
    for (size_t i = path.len; i > 0 && path.ptr[i - 1] != '/'; i--) {
        if (path.ptr[i - 1] == '.') {
            dot = i - 1;
            break;
        }
    }
    /* A name's first dot hides it and begins no extension. */
    if (dot == path.len || dot == 0 || path.ptr[dot - 1] == '/') {
        return &unknown;
    }
    const struct media_type *found = media_type_of_extension(span_from(path, dot + 1));
    return found ? found : &unknown;
}
