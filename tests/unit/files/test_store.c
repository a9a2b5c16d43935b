/* tests/unit/files/test_store.c — what a path resolves to, validators, budget, failing memory. */
#include "support_tree.h"
#include "test.h"

#include "base/alloc.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(test_paths_resolve_to_files_indexes_and_redirects)
{
    tree_make();
    tree_write("index.html", "front");
    tree_write("guide/index.html", "guide");
    tree_write("guide/a b%c.txt", "odd");
    tree_directory("empty");
    struct file_store *store = tree_store(NULL);
    tree_expect(store, "/", FILE_REGULAR, "front");
    tree_expect(store, "/index.html", FILE_REGULAR, "front");
    tree_expect(store, "/guide/", FILE_REGULAR, "guide");
    tree_expect(store, "/guide/a b%c.txt", FILE_REGULAR, "odd");
    tree_expect(store, "/empty/", FILE_MISSING, NULL);
    tree_expect(store, "/none", FILE_MISSING, NULL);
    tree_expect(store, "/index.html/", FILE_MISSING, NULL);
    tree_expect(store, "/index.html/x", FILE_MISSING, NULL);
    struct file_entry *entry = tree_load(store, "/guide");
    EXPECT_INT(entry->kind, FILE_REDIRECT);
    EXPECT_SPAN(entry->location, "/guide/");
    file_entry_unref(entry);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_an_encoded_slash_matches_no_file_and_marks_are_undone) /* L13 */
{
    tree_make();
    tree_write("a/b", "two names");
    tree_write("a%2Fb", "a percent sign in the name");
    struct file_store *store = tree_store(NULL);
    tree_expect(store, "/a%2Fb", FILE_MISSING, NULL);
    tree_expect(store, "/a%252Fb", FILE_REGULAR, "a percent sign in the name");
    tree_expect(store, "/a/b", FILE_REGULAR, "two names");
    file_store_destroy(store);
    tree_remove();
}

TEST(test_clean_urls_and_several_indexes_by_option)
{
    tree_make();
    tree_write("about.html", "about");
    tree_write("docs/default.htm", "default");
    struct file_store *plain = tree_store(NULL);
    tree_expect(plain, "/about", FILE_MISSING, NULL);
    tree_expect(plain, "/docs/", FILE_MISSING, NULL);
    file_store_destroy(plain);
    struct file_store_options options = {
        .has_clean_urls = true, .index = "index.html default.htm", .sends_directories = true};
    struct file_store *store = tree_store(&options);
    tree_expect(store, "/about", FILE_REGULAR, "about");
    tree_expect(store, "/about.html", FILE_REGULAR, "about");
    tree_expect(store, "/docs/", FILE_REGULAR, "default");
    tree_expect(store, "/", FILE_DIRECTORY, NULL);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_dotfiles_and_backups_are_missing_unless_asked_for)
{
    tree_make();
    tree_write(".env", "secret");
    tree_write(".git/config", "secret");
    tree_write("page.html~", "old");
    tree_write(".well-known/security.txt", "contact");
    struct file_store *store = tree_store(NULL);
    tree_expect(store, "/.env", FILE_MISSING, NULL);
    tree_expect(store, "/.git/config", FILE_MISSING, NULL);
    tree_expect(store, "/page.html~", FILE_MISSING, NULL);
    tree_expect(store, "/.well-known/security.txt", FILE_REGULAR, "contact");
    file_store_destroy(store);
    struct file_store_options options = {.serves_hidden = true};
    store = tree_store(&options);
    tree_expect(store, "/.env", FILE_REGULAR, "secret");
    file_store_destroy(store);
    tree_remove();
}

TEST(test_precompressed_neighbours_are_variants_with_their_own_tags)
{
    tree_make();
    tree_write("app.js", "identity");
    tree_write("app.js.br", "brotli");
    tree_write("app.js.gz", "gzip");
    tree_write("old.css", "new");
    tree_write("old.css.gz", "made from something else");
    tree_touch("old.css.gz", 1700000000);
    tree_write("photo.webp", "x");
    tree_write("photo.webp.gz", "not looked for");
    struct file_store *store = tree_store(NULL);
    struct file_entry *entry = tree_load(store, "/app.js");
    EXPECT_INT(file_entry_codings(entry),
               CODING_BIT(CODING_IDENTITY) | CODING_BIT(CODING_BR) | CODING_BIT(CODING_GZIP));
    EXPECT_SPAN(file_entry_variant(entry, CODING_BR)->bytes, "brotli");
    EXPECT(!span_equal(file_entry_variant(entry, CODING_BR)->etag,
                       file_entry_variant(entry, CODING_IDENTITY)->etag));
    file_entry_unref(entry);
    entry = tree_load(store, "/old.css");
    EXPECT_INT(entry->variant_count, 1);
    file_entry_unref(entry);
    entry = tree_load(store, "/photo.webp");
    EXPECT_INT(entry->variant_count, 1);
    file_entry_unref(entry);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_tags_come_from_the_content_and_unbelievable_times_are_left_out)
{
    tree_make();
    tree_write("a", "same");
    tree_write("b", "same");
    tree_write("c", "other");
    tree_touch("a", 1700000000);
    tree_touch("b", 0);
    struct file_store *store = tree_store(NULL);
    struct file_entry *a = tree_load(store, "/a"), *b = tree_load(store, "/b"),
                      *c = tree_load(store, "/c");
    EXPECT(span_equal(a->variants[0].etag, b->variants[0].etag));
    EXPECT(!span_equal(a->variants[0].etag, c->variants[0].etag));
    EXPECT_INT(a->variants[0].etag.ptr[0], '"'); /* RFC 9110 §8.8.1: strong */
    EXPECT_SPAN(a->variants[0].last_modified, "Tue, 14 Nov 2023 22:13:20 GMT");
    EXPECT(b->variants[0].last_modified.ptr == NULL);
    file_entry_unref(a);
    file_entry_unref(b);
    file_entry_unref(c);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_large_files_keep_a_descriptor_and_very_large_ones_a_weak_tag)
{
    tree_make();
    tree_write("small", "12345678");
    tree_write("middle", "123456789");
    tree_write("large", "1234567890123456789");
    struct file_store_options options = {.max_memory_file = 8, .max_hash_file = 16};
    struct file_store *store = tree_store(&options);
    struct file_entry *entry = tree_load(store, "/small");
    EXPECT(entry->variants[0].fd < 0);
    file_entry_unref(entry);
    entry = tree_load(store, "/middle");
    EXPECT(entry->variants[0].fd >= 0 && entry->variants[0].bytes.ptr == NULL);
    EXPECT_INT(entry->variants[0].etag.ptr[0], '"');
    file_entry_unref(entry);
    entry = tree_load(store, "/large");
    EXPECT(span_starts_with(entry->variants[0].etag, SPAN("W/\"")));
    file_entry_unref(entry);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_the_same_entry_is_shared_until_something_changes)
{
    tree_make();
    tree_write("a", "1");
    struct file_store *store = tree_store(NULL);
    struct file_entry *first = tree_load(store, "/a"), *second = tree_load(store, "/a");
    EXPECT(first == second);
    EXPECT_INT(counter_read(&file_store_get_counters(store)->loads), 1);
    file_entry_unref(first);
    file_entry_unref(second);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_the_budget_puts_out_the_oldest_unused_and_marks_it_stale)
{
    tree_make();
    char content[4096];
    memset(content, 'x', sizeof(content));
    struct file_store_options options = {.cache_bytes = 40000};
    struct file_store *store = tree_store(&options);
    struct file_entry *first = NULL;
    for (int i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f%d", i);
        tree_write_bytes(name, content, sizeof(content));
        char path[17];
        snprintf(path, sizeof(path), "/%s", name);
        struct file_entry *entry = tree_load(store, path);
        EXPECT_INT(entry->kind, FILE_REGULAR);
        if (i == 0) {
            first = file_entry_ref(entry);
        }
        file_entry_unref(entry);
    }
    EXPECT(counter_read(&file_store_get_counters(store)->evicted) > 10);
    EXPECT(atomic_load(&first->is_stale));
    EXPECT_INT(first->variants[0].bytes.len, sizeof(content)); /* a holder's copy stays whole */
    file_entry_unref(first);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_a_missing_root_is_one_sentence)
{
    galley_error err = {0};
    struct file_store_options options = {.root = "/no/such/folder"};
    EXPECT(file_store_create(&options, &err) == NULL);
    EXPECT_TEXT(err.message, "serve /no/such/folder: No such file or directory");
}

TEST(test_trusted_paths_need_no_root)
{
    const char *dir = tree_make();
    tree_write("hello.html", "hello");
    struct file_store_options options = {0};
    galley_error err = {0};
    struct file_store *store = file_store_create(&options, &err);
    EXPECT(store != NULL);
    tree_expect(store, "hello.html", FILE_REGULAR, "hello");
    char absolute[300];
    snprintf(absolute, sizeof(absolute), "%s/hello.html", dir);
    tree_expect(store, absolute, FILE_REGULAR, "hello");
    tree_expect(store, "nothing.html", FILE_MISSING, NULL);
    file_store_destroy(store);
    tree_remove();
}

TEST(test_running_out_of_descriptors_is_an_error_not_a_missing_file)
{
    tree_make();
    tree_write("a", "1");
    struct file_store *store = tree_store(NULL);
    struct rlimit limit, none;
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 4; /* 0, 1, 2 and one of the store's */
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    int error = 0;
    struct file_entry *entry = file_store_load(store, SPAN("/a"), &error);
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT(entry == NULL);
    EXPECT_INT(error, GALLEY_EFULL);
    tree_expect(store, "/a", FILE_REGULAR, "1");
    file_store_destroy(store);
    tree_remove();
}

TEST(test_every_failing_allocation_is_a_clean_error)
{
    tree_make();
    tree_write("a/app.js", "identity");
    tree_write("a/app.js.gz", "gzip");
    for (uint64_t n = 1;; n++) {
        struct file_store_options options = {.uses_precompressed = true, .root = "."};
        galley_error err;
        mem_fail_nth(n);
        struct file_store *store = file_store_create(&options, &err);
        if (store) {
            static const char *const paths[] = {"/a/app.js", "/a", "/none/x"};
            for (size_t i = 0; i < 3; i++) {
                int error = 0;
                struct file_entry *entry = file_store_load(store, span_of(paths[i]), &error);
                EXPECT(entry != NULL || error == GALLEY_EFULL);
                file_entry_unref(entry);
            }
            file_store_destroy(store);
        }
        if (!mem_fail_happened()) {
            break;
        }
    }
    mem_fail_nth(0);
    tree_remove();
}
