/* tests/harness/fuzz_main.c — runs a fuzz target over the files of its corpus, as an ordinary test.
 * Usage: replay_NAME FOLDER-OR-FILE... Each input lies in a block of exactly its size, so that a
 * read past the end is seen by sanitizers and valgrind. A target that finds something wrong stops
 * the program. The last line is "N passed, N failed"; an empty or missing corpus is a failure. */
#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned passed, failed;

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    if (!file || fstat(fileno(file), &info) != 0) {
        fprintf(stderr, "    cannot read %s\n", path);
        failed++;
        if (file) {
            fclose(file);
        }
        return;
    }
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size ? size : 1);
    bool is_read = data && fread(data, 1, size, file) == size;
    fclose(file);
    if (is_read) {
        fuzz_input_name = path;
        LLVMFuzzerTestOneInput(data, size);
        passed++;
    } else {
        failed++;
    }
    free(data);
}

static void run_folder(const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        if (entries[i]->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
            run_file(path);
        }
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode)) {
            run_folder(argv[i]);
        } else {
            run_file(argv[i]);
        }
    }
    if (passed + failed == 0) {
        fprintf(stderr, "    no corpus\n");
        failed++;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
