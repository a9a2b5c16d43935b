/* tests/unit/coding/test_compressible.c — which types are worth it. */
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
