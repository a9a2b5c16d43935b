/* tests/unit/files/test_guard.c — nothing outside the root is ever opened (L10, L11). */
#include "support_tree.h"
#include "test.h"

#include "files/path_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int open_root(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    EXPECT(fd >= 0);
    return fd;
}

static int try_open(int root, const char *path)
{
    struct stat stat;
    int fd = path_guard_open(root, span_of(path), &stat);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    return fd;
}

static void expect_containment(void)
{
    tree_make();
    tree_write("site/page.html", "inside");
    tree_write("secret.txt", "outside");
    tree_directory("site/sub");
    tree_link("../secret.txt", "site/relative");
    tree_link("/etc/passwd", "site/absolute");
    tree_link("..", "site/up");
    tree_link("/proc/self/root", "site/magic");
    int root = open_root("site");
    EXPECT_INT(try_open(root, "page.html"), 0);
    EXPECT_INT(try_open(root, "sub"), 0);
    EXPECT_INT(try_open(root, ""), 0);
    const char *const leads_out[] = {"relative",
                                     "absolute",
                                     "up",
                                     "up/secret.txt",
                                     "../secret.txt",
                                     "sub/../../secret.txt",
                                     "magic",
                                     "magic/etc/passwd",
                                     "/etc/passwd",
                                     "sub/../../site",
                                     ".."};
    for (size_t i = 0; i < sizeof(leads_out) / sizeof(*leads_out); i++) {
        if (try_open(root, leads_out[i]) == 0) {
            test_fail(__FILE__, __LINE__, "%s was opened", leads_out[i]);
        }
    }
    close(root);
    tree_remove();
}

TEST(test_no_link_and_no_dots_lead_out_of_the_root)
{
    expect_containment();
}

TEST(test_nothing_leads_out_where_the_kernel_has_no_openat2)
{
    path_guard_disable_openat2(true);
    expect_containment();
}

TEST(test_links_inside_the_root_work)
{
    tree_make();
    tree_write("site/data/page.html", "inside");
    tree_link("data", "site/current");
    tree_link("data/page.html", "site/page");
    int root = open_root("site");
    EXPECT_INT(try_open(root, "current/page.html"), 0);
    EXPECT_INT(try_open(root, "page"), 0);
    path_guard_disable_openat2(true); /* the walk follows none: safe before convenient */
    EXPECT(try_open(root, "current/page.html") != 0);
    close(root);
    tree_remove();
}

TEST(test_fifos_sockets_and_devices_are_not_there_and_do_not_block)
{
    tree_make();
    EXPECT_INT(mkfifo("fifo", 0644), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    EXPECT_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    int root = open_root(".");
    EXPECT_INT(try_open(root, "fifo"), -ENOENT);
    EXPECT_INT(try_open(root, "socket"), -ENOENT);
    close(root);
    int dev = open_root("/dev");
    EXPECT_INT(try_open(dev, "null"), -ENOENT);
    EXPECT_INT(try_open(dev, "zero"), -ENOENT);
    close(dev);
    tree_remove();
}

TEST(test_names_with_nul_or_too_long_are_refused)
{
    tree_make();
    tree_write("a.txt", "a");
    int root = open_root(".");
    struct stat stat;
    EXPECT(path_guard_open(root, span_make("a.txt\0.html", 11), &stat) < 0); /* L12 */
    char name[5000];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    EXPECT_INT(try_open(root, name), -ENAMETOOLONG);
    close(root);
    tree_remove();
}

TEST(test_hidden_names)
{
    static const char *const hidden[] = {
        "/.env",         "/.git/config", "/a/.b/c",          "/a~",   "/a.bak",     "/a/b.swp",
        "/x.orig",       "/d~/x",        "/a/.well-known/x", "/..",   "/.htpasswd", "/server.key",
        "/tls/cert.pem", "/id_rsa",      "/ID_ED25519",      "/a.p12"};
    static const char *const shown[] = {"/",    "/a",         "/.well-known/security.txt",
                                        "/a.b", "/a/",        "/bak",
                                        "/a~b", "/orig.txt",  "/id_rsa.pub",
                                        "/key", "/keys/a.txt"};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
        EXPECT(path_guard_is_hidden(span_of(hidden[i])));
    }
    for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
        EXPECT(!path_guard_is_hidden(span_of(shown[i])));
    }
}

TEST(test_direct_means_without_a_symlink)
{
    const char *root_path = tree_make();
    tree_write("dir/file", "x");
    tree_link("dir", "link");
    int direct = open("dir/file", O_RDONLY | O_CLOEXEC);
    EXPECT(path_guard_is_direct(direct, span_of(root_path), SPAN("dir/file")));
    EXPECT(!path_guard_is_direct(direct, span_of(root_path), SPAN("link/file")));
    EXPECT(!path_guard_is_direct(direct, span_of(root_path), SPAN("ir/file")));
    close(direct);
    tree_remove();
}
