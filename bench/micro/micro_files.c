/* bench/micro/micro_files.c — a warm file in a loop's cache. See micro.h. */
#include "micro.h"

#include "files/file_cache.h"
#include "loop/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct file_cache *cache;

static void loaded(struct file_waiter *waiter, struct file_entry *entry, int error)
{
    (void)waiter;
    micro_need(entry != NULL && error == 0, "load");
}

static void write_file(const char *path)
{
    FILE *file = fopen(path, "w");
    micro_need(file && fputs("a page\n", file) >= 0 && fclose(file) == 0, path);
}

/* The folder may go when the file is in memory, but the change would make it stale: it goes with
 * the last step's end, by atexit(). */
static char folder[] = "/tmp/bench-micro-XXXXXX";

static void remove_folder(void)
{
    if (chdir(folder) == 0) {
        unlink("page.html");
        rmdir(folder);
    }
}

static void prepare(void)
{
    static struct file_waiter waiter = {.loaded = loaded};
    static struct loop_options loop_options = {.backend = LOOP_BACKEND_SIM};
    micro_need(mkdtemp(folder) && chdir(folder) == 0, "folder");
    write_file("page.html");
    atexit(remove_folder);
    struct loop *loop = loop_create(&loop_options, NULL);
    struct file_store_options options = {.root = folder};
    galley_error err = {0};
    struct file_store *store = file_store_create(&options, &err);
    micro_need(loop && store, "store");
    cache = file_cache_create(store, loop, (struct file_pools){0});
    micro_need(cache && file_cache_load(cache, SPAN("/page.html"), &waiter) == GALLEY_OK, "cache");
    sim_run(loop);
}

static void find(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        struct file_entry *entry = file_cache_find(cache, SPAN("/page.html"));
        micro_need(entry != NULL, "a warm file");
        micro_keep((uintptr_t)entry);
    }
}

const struct micro micro_files[] = {{"cached_file", prepare, find}, {NULL, NULL, NULL}};
