/* Tests that every form of the manual holds every option, and of the URLs that a start prints. */
#include "daemon/banner.h"
#include "daemon/help.h"
#include "daemon/option_table.h"

#include "base/alloc.h"

#include "test.h"

static char *made(const char *format)
{
    struct buf out;
    buf_init(&out, 0);
    EXPECT(help_append(&out, format));
    size_t len = 0;
    return buf_take(&out, &len);
}

TEST(every_form_of_the_manual_names_every_option)
{
    static const char *const formats[] = {"", "text", "man", "markdown", "bash"};
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        char *text = made(formats[f]);
        bool is_man = strcmp(formats[f], "man") == 0;
        for (size_t i = 0; i < OPTION_COUNT; i++) {
            struct buf name;
            buf_init(&name, 0);
            buf_append_text(&name, is_man ? "\\-\\-" : "--");
            for (const char *at = option_rows[i].name; *at; at++) {
                buf_append_text(&name, is_man && *at == '-' ? "\\" : "");
                buf_append_char(&name, *at);
            }
            size_t len = 0;
            char *wanted = buf_take(&name, &len);
            if (!strstr(text, wanted)) {
                test_fail(__FILE__, __LINE__, "%s misses %s", formats[f], wanted);
            }
            mem_free(wanted);
        }
        mem_free(text);
    }
    struct buf out;
    buf_init(&out, 0);
    EXPECT(!help_append(&out, "html"));
    buf_finish(&out);
}

TEST(help_fits_into_80_columns)
{
    char *text = made("");
    for (char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        bool may_be_long = strncmp(line, "  galley ", 9) == 0; /* an example to copy */
        EXPECT(len <= 80 || may_be_long);
        EXPECT(len == 0 || line[len - 1] != ' ');
        line += len + (line[len] == '\n');
    }
    mem_free(text);
}

TEST(the_manual_page_begins_no_line_with_a_request_by_accident)
{
    static const char *const known[] = {".TH", ".SH", ".SS", ".TP", ".B", ".\\\""};
    char *text = made("man");
    for (char *line = text; *line;) {
        bool is_known = line[0] != '.' && line[0] != '\'';
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            is_known |= strncmp(line, known[i], strlen(known[i])) == 0;
        }
        EXPECT(is_known);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    mem_free(text);
}

TEST(addresses_become_urls_that_can_be_opened)
{
    static const char *const rows[][2] = {
        {"127.0.0.1:7878", "http://127.0.0.1:7878/"},
        {"[::1]:80", "http://[::1]:80/"},
        {"0.0.0.0:80", "http://127.0.0.1:80/ (and every other IPv4 address)"},
        {"[::]:8080", "http://[::1]:8080/ (and every other address)"},
        {"192.0.2.7:8080", "http://192.0.2.7:8080/"},
        {"unix:/run/x.sock", "unix:/run/x.sock"},
        {"unix", "unix"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, 0);
        banner_url(&out, "http", span_of(rows[i][0]));
        EXPECT_SPAN(buf_span(&out), rows[i][1]);
        buf_finish(&out);
    }
}
