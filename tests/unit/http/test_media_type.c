/* tests/unit/http/test_media_type.c — types by extension. */
#include "http/chars.h"
#include "http/media_type.h"
#include "test.h"

static void expect_type(const char *path, const char *type)
{
    const struct media_type *got = media_type_of_path(span_of(path));
    EXPECT_SPAN(got->type, type);
}

TEST(what_sites_serve_today_is_known)
{
    expect_type("/index.html", "text/html; charset=utf-8");
    expect_type("/a/site.css", "text/css; charset=utf-8");
    expect_type("/app.mjs", "text/javascript; charset=utf-8"); /* RFC 9239 */
    expect_type("/m.wasm", "application/wasm");
    expect_type("/f.woff2", "font/woff2"); /* RFC 8081 */
    expect_type("/i.avif", "image/avif");
    expect_type("/i.webp", "image/webp");
    expect_type("/i.jxl", "image/jxl");
    expect_type("/i.svg", "image/svg+xml");
    expect_type("/v.mp4", "video/mp4");
    expect_type("/v.webm", "video/webm");
    expect_type("/s.m4a", "audio/mp4");
    expect_type("/s.opus", "audio/ogg");
    expect_type("/site.webmanifest", "application/manifest+json");
    expect_type("/feed.atom", "application/atom+xml");
    expect_type("/c.ics", "text/calendar; charset=utf-8");
    expect_type("/README.md", "text/markdown; charset=utf-8"); /* RFC 7763 */
    expect_type("/Cargo.toml", "application/toml; charset=utf-8");
    expect_type("/d.json", "application/json");
}

TEST(the_last_extension_in_any_case_decides)
{
    expect_type("/A.HTML", "text/html; charset=utf-8");
    expect_type("/a.b/c.Png", "image/png");
    expect_type("/x.tar.gz", "application/gzip");
    expect_type("x.txt", "text/plain; charset=utf-8");
}

TEST(everything_else_is_octet_stream)
{
    static const char *const paths[] = {"",       "/",        "/a",      "/a.",    "/a.b/c",
                                        "/.html", ".html",    "/a.h1",   "/html",  "/.a/",
                                        "/a.ht",  "/a.htmlx", "/a.zzzz", "/a.\xff"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        expect_type(paths[i], "application/octet-stream");
        EXPECT(!media_type_of_path(span_of(paths[i]))->is_compressible);
    }
    EXPECT(!media_type_of_extension(SPAN("")));
    EXPECT(!media_type_of_extension(SPAN_NONE));
    EXPECT(media_type_of_path(SPAN_NONE) != NULL);
}

TEST(text_is_worth_compressing_and_packed_things_are_not)
{
    EXPECT(media_type_of_path(SPAN("/a.html"))->is_compressible);
    EXPECT(media_type_of_path(SPAN("/a.svg"))->is_compressible);
    EXPECT(media_type_of_path(SPAN("/a.wasm"))->is_compressible);
    EXPECT(!media_type_of_path(SPAN("/a.png"))->is_compressible);
    EXPECT(!media_type_of_path(SPAN("/a.woff2"))->is_compressible);
    EXPECT(!media_type_of_path(SPAN("/a.zip"))->is_compressible);
}

/* The binary search needs the order; a Content-Type needs the grammar of RFC 9110 §8.3.1. */
TEST(the_table_is_sorted_and_well_formed)
{
    static const struct media_type rows[] = {
#define MEDIA_TYPE(extension, type, is_compressible)                                               \
    {{extension, sizeof(extension) - 1}, {type, sizeof(type) - 1}, is_compressible},
#include "http/media_type_list.h"
#undef MEDIA_TYPE
    };
    size_t count = sizeof(rows) / sizeof(rows[0]);
    EXPECT(count >= 120);
    for (size_t i = 0; i < count; i++) {
        const struct media_type *found = media_type_of_extension(rows[i].extension);
        EXPECT(found && span_equal(found->type, rows[i].type));
        EXPECT(i == 0 || strcmp(rows[i - 1].extension.ptr, rows[i].extension.ptr) < 0);
        struct span subtype, type;
        subtype = span_cut(rows[i].type, '/', &type);
        EXPECT(chars_is_token(type));
        EXPECT(chars_skip(subtype, CHARS_TOKEN) > 0);
        if (span_equal(type, SPAN("text"))) {
            EXPECT(span_ends_with(rows[i].type, SPAN("; charset=utf-8")));
        }
    }
}
