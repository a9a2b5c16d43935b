/* tests/unit/coding/test_compressible.c — which types are worth it, and what a user says of that. */
#include "test.h"

#include "coding/compressible.h"
#include "http/media_type.h"

TEST(test_text_and_structured_types_are_compressible)
{
    static const char *const types[] = {
        "text/html",        "text/html; charset=utf-8",  "TEXT/Plain",
        "application/json", "application/ld+json",       "application/problem+json; charset=utf-8",
        "image/svg+xml",    "application/wasm",          "application/javascript",
        "font/ttf",         "text/event-stream",         "application/xhtml+xml",
        "application/XML",  "application/manifest+json", "application/x-ndjson ;x=y"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!compressible_type(span_of(types[i]))) {
            test_fail(__FILE__, __LINE__, "%s", types[i]);
        }
    }
}

TEST(test_what_is_compressed_already_or_unknown_is_not)
{
    static const char *const types[] = {"image/png",
                                        "image/jpeg",
                                        "video/mp4",
                                        "font/woff2",
                                        "font/woff",
                                        "application/zip",
                                        "application/octet-stream",
                                        "application/gzip",
                                        "application/pdf",
                                        "texts/html",
                                        "json",
                                        "",
                                        "; text/html",
                                        "multipart/byteranges; boundary=text/html"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (compressible_type(span_of(types[i]))) {
            test_fail(__FILE__, __LINE__, "%s", types[i]);
        }
    }
    EXPECT(!compressible_type(SPAN_NONE));
}

TEST(test_no_transform_is_a_member_of_its_own)
{
    EXPECT(compressible_forbidden(SPAN("no-transform")));
    EXPECT(compressible_forbidden(SPAN("public, No-Transform , max-age=1")));
    EXPECT(!compressible_forbidden(SPAN("no-transformer, x=\"no-transform\"")));
    EXPECT(!compressible_forbidden(SPAN("")));
}

/* The table of extensions and this one speak of the same types. */
TEST(test_the_table_of_extensions_says_the_same_of_the_usual_ones)
{
    static const char *const names[] = {"a.html", "a.css", "a.js",   "a.json",  "a.svg", "a.wasm",
                                        "a.png",  "a.jpg", "a.zip",  "a.woff2", "a.ttf", "a.xml",
                                        "a.txt",  "a.ico", "a.webp", "a.eot",   "a.otf", "a.csv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct media_type *type = media_type_of_path(span_of(names[i]));
        if (compressible_type(type->type) != type->is_compressible) {
            test_fail(__FILE__, __LINE__, "%s", names[i]);
        }
    }
}

/* ---- a user's list ---- */

static bool wants(const char *types, const char *type)
{
    struct compressible rules;
    galley_error err;
    EXPECT_INT(compressible_from_options(&rules, types, 0, "options", &err), 0);
    return compressible_is_wanted(&rules, span_of(type), compressible_type(span_of(type)));
}

TEST(test_a_users_list_stands_in_the_place_of_the_usual_one)
{
    EXPECT(wants(NULL, "text/html") && wants("usual", "text/html"));
    EXPECT(!wants(NULL, "model/gltf-binary"));
    EXPECT(wants("text/css", "text/css") && !wants("text/css", "text/html"));
    EXPECT(wants("  text/css   Text/HTML ", "text/html; charset=utf-8"));
    EXPECT(wants("model/gltf-binary usual", "application/json"));
    EXPECT(wants("model/gltf-binary Usual", "model/gltf-binary"));
    EXPECT(!wants("model/gltf-binary", "application/json"));
    EXPECT(!wants("*/*", "") && !wants("*/*", " ; a=b"));
}

TEST(test_a_star_is_any_characters)
{
    EXPECT(wants("text/*", "TEXT/x-anything ;q=1") && !wants("text/*", "texts/plain"));
    EXPECT(wants("application/*+json", "application/geo+json"));
    EXPECT(!wants("application/*+json", "application/json"));
    EXPECT(!wants("application/*+json", "application/geo+json-seq"));
    EXPECT(wants("*/*", "image/png") && wants("*/*a*b", "x/aab") && !wants("*/a*a", "x/a"));
    EXPECT(wants("*/*ab*abc*", "x/ababcab") && !wants("*/*ab*abc", "x/ababcab"));
}

TEST(test_a_list_with_something_else_in_it_is_refused_with_a_sentence)
{
    static const struct {
        const char *types, *sentence;
    } cases[] = {
        {"", "options: compress_types '' is not a media type like text/html"},
        {"   ", "compress_types '' is not"},
        {"text", "compress_types 'text' is not"},
        {"text/html text/", "compress_types 'text/' is not"},
        {"/html", "'/html'"},
        {"text/html;q=1", "'text/html;q=1'"},
        {"text/html,text/css", "'text/html,text/css'"},
        {"a/b/c", "'a/b/c'"},
    };
    struct compressible rules;
    galley_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT_INT(compressible_from_options(&rules, cases[i].types, 0, "options", &err),
                   GALLEY_EINVAL);
        if (!strstr(err.message, cases[i].sentence)) {
            test_fail(__FILE__, __LINE__, "%s", err.message);
        }
    }
    static char too_long[COMPRESSIBLE_MAX_LIST + 2];
    memset(too_long, 'a', sizeof too_long - 1);
    EXPECT_INT(compressible_from_options(&rules, too_long, 0, "options", &err), GALLEY_EINVAL);
    EXPECT(strstr(err.message, "longer than 4096 bytes"));
}

TEST(test_without_a_size_it_is_the_usual_one)
{
    struct compressible rules = {.least_bytes = 0};
    EXPECT_INT(compressible_least(&rules), 1024);
    rules.least_bytes = 1;
    EXPECT_INT(compressible_least(&rules), 1);
}
