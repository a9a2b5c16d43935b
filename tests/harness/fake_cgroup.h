/* tests/harness/fake_cgroup.h — a made-up tree of control groups below /tmp, for tests of what is
 * read from one. Each test makes its own and takes it away. */
#ifndef TESTS_HARNESS_FAKE_CGROUP_H
#define TESTS_HARNESS_FAKE_CGROUP_H

#include "test.h"

#include "base/cgroup.h"

#include <sys/stat.h>
#include <unistd.h>

struct fake {
    char root[64];
    char list[96];
    struct cgroup_paths paths;
};

static inline void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    fputs(text, file);
    fclose(file);
}

/* A file below the fake root; its folders are made. */
static inline void put(struct fake *fake, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fake->root, name);
    for (char *slash = path + strlen(fake->root) + 1; (slash = strchr(slash, '/')) != NULL;
         slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    write_file(path, text);
}

static inline void fake_init(struct fake *fake, const char *list)
{
    snprintf(fake->root, sizeof fake->root, "/tmp/galley-cgroup-XXXXXX");
    EXPECT(mkdtemp(fake->root) != NULL);
    snprintf(fake->list, sizeof fake->list, "%s/list", fake->root);
    fake->paths = (struct cgroup_paths){fake->list, fake->root};
    write_file(fake->list, list);
}

static inline void fake_finish(struct fake *fake)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", fake->root);
    EXPECT_INT(system(command), 0);
}

#endif
