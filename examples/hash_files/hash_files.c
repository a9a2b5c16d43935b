/* hash_files — hash the files named on the command line, all CPUs at work. No server in sight: the
 * pool is for any work. A loop over the names, cut in pieces: large files and small ones may come in
 * any order, who is done early takes from who is not.
 * usage: hash_files FILE...   Prints FNV-1a sums in the order of the names; exit 1 if a file could
 * not be read. */
#include <galley/pool.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FNV_START UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

struct item {
    const char *path;
    uint64_t sum;
    bool is_read;
};

static void hash_file(struct item *item)
{
    unsigned char buf[65536];
    size_t got;
    FILE *file = fopen(item->path, "rb");
    if (!file) {
        return;
    }
    item->sum = FNV_START;
    while ((got = fread(buf, 1, sizeof buf, file)) > 0) {
        for (size_t i = 0; i < got; i++) {
            item->sum = (item->sum ^ buf[i]) * FNV_PRIME;
        }
    }
    item->is_read = !ferror(file);
    fclose(file);
}

/* A piece of the loop, on a worker or in main. Each item is in one piece, so nothing needs a lock. */
static void hash_files(size_t begin, size_t end, void *arg)
{
    struct item *items = arg;
    for (size_t i = begin; i < end; i++) {
        hash_file(&items[i]);
    }
}

static int print_sums(const struct item *items, size_t count)
{
    int unreadable = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].is_read) {
            printf("%016" PRIx64 "  %s\n", items[i].sum, items[i].path);
        } else {
            printf("%16s  %s\n", "unreadable", items[i].path);
            unreadable = 1;
        }
    }
    return unreadable;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: hash_files FILE...\n");
        return 2;
    }
    size_t count = (size_t)argc - 1;
    struct item *items = calloc(count, sizeof *items);
    if (!items) {
        fprintf(stderr, "hash_files: out of memory\n");
        return 1;
    }
    galley_error err;
    galley_pool *pool = galley_pool_open(NULL, &err); /* one worker for each CPU we may use */
    if (!pool) {
        fprintf(stderr, "hash_files: %s\n", err.message);
        free(items);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        items[i].path = argv[i + 1];
    }
    /* pieces of one file; returns when all are done */
    int failed = galley_parallel_for(pool, 0, count, 1, hash_files, items);
    galley_pool_free(pool);
    if (failed) {
        fprintf(stderr, "hash_files: %s\n", galley_strerror(failed));
    } else {
        failed = print_sums(items, count);
    }
    free(items);
    return failed ? 1 : 0;
}
