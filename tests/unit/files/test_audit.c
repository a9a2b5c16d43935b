/* tests/unit/files/test_audit.c — what an owner is told about the directory that is served. */
#include "support_site.h"
#include "support_tree.h"
#include "test.h"

#include <galley/static.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FOUND = 400 };

static struct {
    galley_static_finding_kind kind;
    bool is_served;
    char path[256];
    uint64_t count;
} found[MAX_FOUND];
static size_t found_count;

static void on_found(void *ctx, const galley_static_finding *finding)
{
    (void)ctx;
    EXPECT(found_count < MAX_FOUND);
    found[found_count].kind = finding->kind;
    found[found_count].is_served = finding->is_served;
    found[found_count].count = finding->count;
    snprintf(found[found_count].path, sizeof found[0].path, "%s",
             finding->path ? finding->path : "");
    found_count++;
}

static void audit(uint32_t flags)
{
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.flags = flags;
    galley_error err;
    galley_static *site = galley_static_new(".", &options, &err);
    EXPECT(site != NULL);
    found_count = 0;
    EXPECT_INT(galley_static_audit(site, on_found, NULL), 0);
    galley_static_free(site);
}

/* -1: not told; else whether it is served. */
static int told(galley_static_finding_kind kind, const char *path)
{
    for (size_t i = 0; i < found_count; i++) {
        if (found[i].kind == kind && strcmp(found[i].path, path) == 0) {
            return found[i].is_served;
        }
    }
    return -1;
}

static uint64_t count_of(galley_static_finding_kind kind)
{
    uint64_t count = 0;
    for (size_t i = 0; i < found_count; i++) {
        count += found[i].kind == kind ? found[i].count : 0;
    }
    return count;
}

static const char key[] = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n";

TEST(test_what_is_not_served_is_told)
{
    tree_make();
    tree_write("index.html", "i");
    tree_write(".env", "x");
    tree_write("app/.env.production", "x");
    tree_write(".git/config", "x");
    tree_write(".git/HEAD", "x");
    tree_write(".well-known/security.txt", "x");
    tree_write(".DS_Store", "x");
    tree_write("a.txt~", "x");
    tree_write("deep/a.bak", "x");
    tree_link("/etc/passwd", "out");
    tree_link("index.html", "in");
    EXPECT_INT(mkfifo("fifo", 0600), 0);
    audit(0);
    EXPECT_INT(told(GALLEY_FOUND_SECRET, ".env"), false);
    EXPECT_INT(told(GALLEY_FOUND_SECRET, "app/.env.production"), false);
    EXPECT_INT(told(GALLEY_FOUND_SECRET, ".git"), false);
    EXPECT_INT(told(GALLEY_FOUND_HIDDEN, ".DS_Store"), false);
    EXPECT_INT(told(GALLEY_FOUND_BACKUP, "a.txt~"), false);
    EXPECT_INT(told(GALLEY_FOUND_BACKUP, "deep/a.bak"), false);
    EXPECT_INT(told(GALLEY_FOUND_LINK_OUT, "out"), false);
    EXPECT_INT(told(GALLEY_FOUND_LINK_OUT, "in"), -1);
    EXPECT_INT(told(GALLEY_FOUND_SPECIAL, "fifo"), false);
    EXPECT_INT(told(GALLEY_FOUND_INDEX, "index.html"), true);
    EXPECT_INT(told(GALLEY_FOUND_HIDDEN, ".well-known"), -1);
    EXPECT_INT(count_of(GALLEY_FOUND_FILES), 3); /* index.html, in, security.txt */
    EXPECT_INT(count_of(GALLEY_FOUND_MORE), 0);
    tree_remove();
}

TEST(test_private_keys_are_told_and_certificates_are_not)
{
    tree_make();
    tree_write("server.key", key);
    tree_write("id_ed25519", key);
    tree_write("both.pem", key);
    tree_write("cert.pem", "-----BEGIN CERTIFICATE-----\nabc\n");
    tree_write("talk.key", "a presentation");
    audit(0);
    EXPECT(told(GALLEY_FOUND_SECRET, "server.key") >= 0);
    EXPECT(told(GALLEY_FOUND_SECRET, "id_ed25519") >= 0);
    EXPECT(told(GALLEY_FOUND_SECRET, "both.pem") >= 0);
    EXPECT_INT(told(GALLEY_FOUND_SECRET, "cert.pem"), -1);
    EXPECT_INT(told(GALLEY_FOUND_SECRET, "talk.key"), -1);
    tree_remove();
}

TEST(test_what_is_served_on_demand_is_told_as_served)
{
    tree_make();
    tree_write(".env", "x");
    tree_write(".git/config", "x");
    audit(GALLEY_STATIC_HIDDEN);
    EXPECT_INT(told(GALLEY_FOUND_SECRET, ".env"), true);
    EXPECT_INT(told(GALLEY_FOUND_SECRET, ".git"), true);
    EXPECT_INT(count_of(GALLEY_FOUND_FILES), 2);
    tree_remove();
}

TEST(test_what_was_picked_up_is_told)
{
    tree_make();
    tree_write("404.html", "x");
    tree_write("a.css", "x");
    tree_write("a.css.br", "x");
    tree_write("a.css.gz", "x");
    tree_write("old.css", "x");
    tree_write("old.css.gz", "x");
    tree_write("archive.gz", "x");
    tree_touch("old.css.gz", 1600000000);
    audit(0);
    EXPECT_INT(told(GALLEY_FOUND_ERROR_PAGE, "404.html"), true);
    EXPECT_INT(count_of(GALLEY_FOUND_INDEX), 0);
    EXPECT_INT(count_of(GALLEY_FOUND_PRECOMPRESSED), 2);
    EXPECT_INT(told(GALLEY_FOUND_OLD_NEIGHBOUR, "old.css.gz"), false);
    EXPECT_INT(count_of(GALLEY_FOUND_FILES), 7);
    audit(GALLEY_STATIC_NO_PRECOMPRESSED);
    EXPECT_INT(count_of(GALLEY_FOUND_PRECOMPRESSED), 0);
    tree_remove();
}

TEST(test_unreadable_files_are_told)
{
    enum { NOBODY = 65534 };
    tree_make();
    tree_write("a.txt", "x");
    tree_write("d/b.txt", "x");
    EXPECT(chmod("a.txt", 0) == 0 && chmod("d", 0) == 0 && chmod(".", 0755) == 0);
    bool is_root = geteuid() == 0; /* who may read everything */
    EXPECT(!is_root || seteuid(NOBODY) == 0);
    audit(0);
    EXPECT(!is_root || seteuid(0) == 0);
    EXPECT(chmod("d", 0700) == 0);
    EXPECT_INT(told(GALLEY_FOUND_UNREADABLE, "d"), false);
    EXPECT_INT(told(GALLEY_FOUND_UNREADABLE, "a.txt"), false);
    tree_remove();
}

TEST(test_the_walk_is_bounded)
{
    tree_make();
    char path[512] = "d";
    for (int i = 0; i < 20; i++) {
        strncat(path, "/d", sizeof path - strlen(path) - 1);
    }
    tree_directory(path);
    strncat(path, "/.env", sizeof path - strlen(path) - 1);
    tree_write(path, "x");
    for (int i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.bak", i);
        tree_write(name, "x");
    }
    tree_link(".", "loop");
    audit(0);
    EXPECT_INT(told(GALLEY_FOUND_SECRET, path), -1);
    EXPECT_INT(count_of(GALLEY_FOUND_BACKUP), 32);
    EXPECT_INT(count_of(GALLEY_FOUND_MORE), 50 - 32 + 1);
    tree_remove();
}

TEST(test_an_audit_of_nothing_is_refused)
{
    EXPECT_INT(galley_static_audit(NULL, on_found, NULL), GALLEY_EINVAL);
}
