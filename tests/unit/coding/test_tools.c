/* tests/unit/coding/test_tools.c — against the command line tools of others: they read what is written
 * here, and what they write is read here. A tool that is not installed skips its test. */
#include "support_coding.h"

#include <sys/wait.h>
#include <unistd.h>

struct tool {
    const char *name;
    enum coding coding;
};

/* `input` through a command, both by files below `folder`. */
static void run_filter(const char *folder, const char *command, struct span input,
                       struct buf *output)
{
    char text[512], path[256];
    snprintf(path, sizeof path, "%s/in", folder);
    FILE *file = fopen(path, "wb");
    EXPECT(file && fwrite(input.ptr, 1, input.len, file) == input.len && fclose(file) == 0);
    snprintf(text, sizeof text, "%s <%s/in >%s/out", command, folder, folder);
    EXPECT_INT(system(text), 0);
    snprintf(path, sizeof path, "%s/out", folder);
    file = fopen(path, "rb");
    EXPECT(file != NULL);
    char piece[4096];
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0) {
        buf_append(output, piece, got);
    }
    fclose(file);
}

static void check_both_ways(const struct tool *tool, const char *folder, struct span text)
{
    char command[64];
    struct buf coded, back;
    buf_init(&coded, 0);
    buf_init(&back, 0);
    encode(tool->coding, ENCODER_NORMAL, text, &coded);
    snprintf(command, sizeof command, "%s -d -c", tool->name);
    run_filter(folder, command, buf_span(&coded), &back);
    EXPECT(span_equal(buf_span(&back), text));
    buf_clear(&coded);
    buf_clear(&back);
    snprintf(command, sizeof command, "%s -c", tool->name);
    run_filter(folder, command, text, &coded);
    EXPECT_INT(decode_all(tool->coding, buf_span(&coded), &back), 0);
    EXPECT(span_equal(buf_span(&back), text));
    buf_finish(&coded);
    buf_finish(&back);
}

static void check_tool(const struct tool *tool)
{
    char command[128], folder[] = "/tmp/galley-coding-XXXXXX";
    snprintf(command, sizeof command, "%s --version >/dev/null 2>&1", tool->name);
    if (system(command) != 0) {
        test_skip("the command line tool is not installed");
    }
    EXPECT(mkdtemp(folder) != NULL);
    struct buf text;
    buf_init(&text, 0);
    check_both_ways(tool, folder, SPAN(""));
    fill_text(&text, 100000);
    check_both_ways(tool, folder, buf_span(&text));
    buf_finish(&text);
    snprintf(command, sizeof command, "rm -r %s", folder);
    EXPECT_INT(system(command), 0);
}

TEST(test_gzip_reads_and_is_read)
{
    check_tool(&(struct tool){"gzip", CODING_GZIP});
}

TEST(test_brotli_reads_and_is_read)
{
    check_tool(&(struct tool){"brotli", CODING_BR});
}

TEST(test_zstd_reads_and_is_read)
{
    check_tool(&(struct tool){"zstd -q", CODING_ZSTD});
}
