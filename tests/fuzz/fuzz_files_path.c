/* tests/fuzz/fuzz_files_path.c — any bytes as the target of a GET to a site with links that lead
 * out, hidden names, a FIFO, odd names and a listing. First byte: the site's options, and whether
 * the kernel has openat2. Holds: what is sent was public and below the root; what the entry is, is
 * what realpath(3) says of the decoded path; locations are paths with one slash in front; ready
 * lines are lines; listings tell of nothing hidden. */
#include "files/file_listing.h"
#include "files/file_site_state.h"
#include "files/path_guard.h"
#include "fuzz.h"
#include "http/target.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* rooms: files */

enum { FLAG_HIDDEN = 1, FLAG_CLEAN = 2, FLAG_LIST = 4, FLAG_WALK = 8, FLAG_COUNT = 16 };

static char base[PATH_MAX / 2]; /* holds root/ and what lies beside it */
static char root[PATH_MAX / 2 + 8];
static galley_static *sites[FLAG_COUNT];

/* ---- the tree -------------------------------------------------------------------------------- */

static void put(const char *name, const char *content)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", base, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    FUZZ_EXPECT(fd >= 0);
    FUZZ_EXPECT(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    close(fd);
}

static void put_directory(const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", base, name);
    FUZZ_EXPECT(mkdir(path, 0755) == 0);
}

static void put_link(const char *to, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", base, name);
    FUZZ_EXPECT(symlink(to, path) == 0);
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat, (void)flag, (void)walk;
    return remove(path);
}

static void remove_tree(void)
{
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        galley_static_free(sites[i]);
    }
    (void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_files(void)
{
    static const char *const public_names[] = {
        "index.html",       "a.txt",         "a.txt.gz",    "about.html",   "d/index.html",
        "d/b.css",          "d/b.css.br",    "d/e/c",       "with space",   "per%cent",
        "semi;colon",       "back\\slash",   "caf\xc3\xa9", "bad\xff name", "<b>&\"'",
        "new\nline",        "list/x",        "list/y.html", "list/<b>&\"'", "list/new\nline",
        "list/caf\xc3\xa9", ".well-known/w", "a..b",        "...",
    };
    static const char *const hidden_names[] = {".env",  ".git/config", "note~",
                                               "x.bak", "d/.x",        "list/.hidden"};
    char name[PATH_MAX];
    for (size_t i = 0; i < sizeof public_names / sizeof *public_names; i++) {
        snprintf(name, sizeof name, "root/%s", public_names[i]);
        put(name, "PUBLIC");
    }
    for (size_t i = 0; i < sizeof hidden_names / sizeof *hidden_names; i++) {
        snprintf(name, sizeof name, "root/%s", hidden_names[i]);
        put(name, "HIDDEN");
    }
    put("secret", "SECRET");
    put("out/index.html", "SECRET");
    put("out/s", "SECRET");
}

static void make_tree(void)
{
    static const char *const directories[] = {"root",       "root/d",    "root/d/e",
                                              "root/list",  "root/.git", "root/.well-known",
                                              "root/empty", "out"};
    snprintf(base, sizeof base, "/tmp/galley-fuzz-XXXXXX");
    FUZZ_EXPECT(mkdtemp(base) != NULL && atexit(remove_tree) == 0);
    char *real = realpath(base, NULL);
    FUZZ_EXPECT(real && strlen(real) < sizeof base);
    memcpy(base, real, strlen(real) + 1);
    free(real);
    snprintf(root, sizeof root, "%s/root", base);
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        put_directory(directories[i]);
    }
    make_files();
    put_link("../secret", "root/file_out");
    put_link("../out", "root/out");
    put_link("../../out", "root/d/out");
    put_link("/proc/self/root", "root/proc");
    put_link("a.txt", "root/file_in");
    put_link("d", "root/dir_in");
    put_link("../d/e", "root/list/up_in");
    put_link("loop", "root/loop");
    put_link("nothing", "root/dangling");
    char fifo[PATH_MAX];
    snprintf(fifo, sizeof fifo, "%s/fifo", root);
    FUZZ_EXPECT(mkfifo(fifo, 0644) == 0);
}

static galley_static *site_of(unsigned flags)
{
    if (!base[0]) {
        make_tree();
    }
    if (!sites[flags]) {
        galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
        options.flags = (flags & FLAG_HIDDEN ? (uint32_t)GALLEY_STATIC_HIDDEN : 0) |
                        (flags & FLAG_CLEAN ? (uint32_t)GALLEY_STATIC_CLEAN_URLS : 0) |
                        (flags & FLAG_LIST ? (uint32_t)GALLEY_STATIC_LIST : 0);
        options.cache_bytes = 16 * 1024; /* so that it is looked at again and again */
        sites[flags] = galley_static_new(root, &options, NULL);
        FUZZ_EXPECT(sites[flags] != NULL);
    }
    return sites[flags];
}

/* ---- what is to be expected, the naive way --------------------------------------------------- */

struct expectation {
    char path[PATH_MAX]; /* decoded, with its slash in front; "" if no file can have it */
    bool has_hidden;
};

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, c | 0x20);
    return c && at ? (int)(at - digits) : -1;
}

static bool is_hidden_name(const char *name, size_t len, bool is_first)
{
    static const char *const ends[] = {"~", ".bak", ".swp", ".orig"};
    bool is_well_known = is_first && len == 11 && memcmp(name, ".well-known", 11) == 0;
    bool is_hidden = len > 0 && name[0] == '.' && !is_well_known;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        is_hidden |= len >= n && memcmp(name + len - n, ends[i], n) == 0;
    }
    return is_hidden;
}

/* Segments of the raw path, each decoded, dots and empty ones taken away; false: no file has this
 * name. */
static bool decode(struct span raw, char out[PATH_MAX])
{
    size_t len = 0;
    bool has_slash = true;
    struct span rest = span_from(raw, 1), segment;
    while (rest.ptr) {
        char name[PATH_MAX];
        size_t n = 0;
        rest = span_cut(rest, '/', &segment);
        for (size_t i = 0; i < segment.len && n < sizeof name - 1; i++) {
            bool is_coded = segment.ptr[i] == '%';
            name[n++] = is_coded ? (char)(hex(segment.ptr[i + 1]) * 16 + hex(segment.ptr[i + 2]))
                                 : segment.ptr[i];
            i += is_coded ? 2 : 0;
            if (name[n - 1] == '/') {
                return false;
            }
        }
        name[n] = '\0';
        has_slash = n == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
        if (strcmp(name, "..") == 0) {
            while (len > 0 && out[--len] != '/') {
            }
        } else if (!has_slash) {
            if (len + n + 2 >= PATH_MAX) {
                return false;
            }
            out[len++] = '/';
            memcpy(out + len, name, n);
            len += n;
        }
    }
    if (has_slash) {
        out[len++] = '/';
    }
    out[len] = '\0';
    return true;
}

static bool has_hidden(const char *path)
{
    bool is_first = true;
    for (const char *at = path; *at; is_first = false) {
        size_t len = strcspn(at + 1, "/");
        if (is_hidden_name(at + 1, len, is_first)) {
            return true;
        }
        at += len + 1;
    }
    return false;
}

/* 'f' a file, 'd' a directory, 0: nothing that may be seen. */
static char look(const char *path, bool follows)
{
    char full[PATH_MAX * 2], real[PATH_MAX];
    struct stat stat_buf;
    snprintf(full, sizeof full, "%s%s", root, path);
    size_t len = strlen(full);
    while (len > 1 && full[len - 1] == '/') {
        full[--len] = '\0';
    }
    size_t root_len = strlen(root);
    if (len >= PATH_MAX || !realpath(full, real) || strncmp(real, root, root_len) != 0 ||
        (real[root_len] != '\0' && real[root_len] != '/') || stat(real, &stat_buf) != 0 ||
        (!follows && strcmp(real, full) != 0)) {
        return 0;
    }
    return S_ISREG(stat_buf.st_mode) ? 'f' : S_ISDIR(stat_buf.st_mode) ? 'd' : 0;
}

static enum file_kind expected_kind(const char *path, unsigned flags)
{
    bool follows = !(flags & FLAG_WALK);
    char other[PATH_MAX + 16];
    if (!(flags & FLAG_HIDDEN) && has_hidden(path)) {
        return FILE_MISSING;
    }
    if (path[strlen(path) - 1] == '/') {
        snprintf(other, sizeof other, "%sindex.html", path);
        if (look(other, follows) == 'f') {
            return FILE_REGULAR;
        }
        return look(path, follows) == 'd' && (flags & FLAG_LIST) ? FILE_DIRECTORY : FILE_MISSING;
    }
    char kind = look(path, follows);
    snprintf(other, sizeof other, "%s.html", path);
    bool is_clean = (flags & FLAG_CLEAN) && !strchr(strrchr(path, '/'), '.');
    if (kind == 0 && is_clean && look(other, follows) == 'f') {
        return FILE_REGULAR;
    }
    return kind == 'f' ? FILE_REGULAR : kind == 'd' ? FILE_REDIRECT : FILE_MISSING;
}

/* ---- judging --------------------------------------------------------------------------------- */

static void expect_lines(struct span lines)
{
    FUZZ_EXPECT(span_ends_with(lines, SPAN("\r\n")));
    while (lines.len > 0) {
        struct span line;
        lines = span_cut(lines, '\n', &line);
        FUZZ_EXPECT(line.len > 3 && line.ptr[line.len - 1] == '\r' &&
                    memchr(line.ptr, ':', line.len));
        for (size_t i = 0; i + 1 < line.len; i++) {
            FUZZ_EXPECT((unsigned char)line.ptr[i] >= 0x20 && line.ptr[i] != 0x7f);
        }
    }
}

static void expect_regular(const struct file_entry *entry, unsigned flags)
{
    FUZZ_EXPECT(entry->variant_count > 0);
    for (unsigned i = 0; i < entry->variant_count; i++) {
        const struct file_variant *variant = &entry->variants[i];
        bool is_public = span_equal(variant->bytes, SPAN("PUBLIC"));
        bool is_hidden = span_equal(variant->bytes, SPAN("HIDDEN"));
        FUZZ_EXPECT(is_public || (is_hidden && (flags & FLAG_HIDDEN)));
        expect_lines(variant->fields_200);
        expect_lines(variant->fields_206);
        expect_lines(variant->fields_304);
    }
}

static void expect_location(struct span location)
{
    FUZZ_EXPECT(location.len > 1 && location.ptr[0] == '/' && location.ptr[1] != '/');
    FUZZ_EXPECT(location.ptr[location.len - 1] == '/');
    for (size_t i = 0; i < location.len; i++) {
        FUZZ_EXPECT(location.ptr[i] > ' ' && location.ptr[i] < 0x7f && location.ptr[i] != '\\');
    }
}

static void expect_listing(const galley_static *site, const struct file_entry *entry,
                           unsigned flags)
{
    struct listing listing;
    struct buf page;
    FUZZ_EXPECT(file_listing_read(&listing, site, entry->file_name) == GALLEY_OK);
    for (size_t i = 0; i < listing.count; i++) {
        const char *name = listing.names[i].name;
        FUZZ_EXPECT((flags & FLAG_HIDDEN) || name[0] != '.' || strcmp(name, ".well-known") == 0);
        FUZZ_EXPECT(strcmp(name, "fifo") != 0 && !strstr(name, "out") && strcmp(name, "proc") != 0);
    }
    buf_init(&page, 0);
    file_listing_write_html(&page, &listing);
    FUZZ_EXPECT(!page.failed && !memmem(page.data, page.len, "<b>", 3));
    buf_clear(&page);
    file_listing_write_json(&page, &listing);
    FUZZ_EXPECT(!page.failed && !memmem(page.data, page.len, "<b>", 3));
    buf_finish(&page);
    file_listing_finish(&listing);
}

static void judge(const galley_static *site, const struct target *target, unsigned flags)
{
    char path[PATH_MAX];
    int error = 0;
    struct file_entry *entry = file_store_load(site->store, target->path, &error);
    FUZZ_EXPECT(entry && error == 0);
    bool is_name = decode(target->raw_path, path);
    /* A slash in a name is refused by file_path.c, whatever becomes of the name. */
    FUZZ_EXPECT(target->has_encoded_slash || !is_name || entry->kind == expected_kind(path, flags));
    if (entry->kind == FILE_REGULAR) {
        expect_regular(entry, flags);
    } else if (entry->kind == FILE_REDIRECT) {
        expect_location(entry->location);
    } else if (entry->kind == FILE_DIRECTORY) {
        expect_listing(site, entry, flags);
    }
    file_entry_unref(entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 8192) {
        return 0;
    }
    unsigned flags = data[0] % FLAG_COUNT;
    struct arena arena;
    struct target target;
    arena_init(&arena, 0);
    galley_static *site = site_of(flags);
    path_guard_disable_openat2((flags & FLAG_WALK) != 0);
    struct span raw = span_make((const char *)data + 1, size - 1);
    if (target_parse(raw, METHOD_GET, &arena, &target) == 0 && target.path.ptr) {
        judge(site, &target, flags);
    }
    arena_finish(&arena);
    return 0;
}
