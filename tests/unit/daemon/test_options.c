/* Tests of the command line: forms of options, values with units, bounds, what is said when it is
 * wrong. */
#include "base/alloc.h"

#include "daemon/option_table.h"

#include "test.h"

#include <galley/server.h>

static struct options options;
static char complaint[512];

/* words: one text, split at spaces. "" for none. */
static int parse(const char *words)
{
    static char text[1024];
    static char *argv[64];
    int argc = 0;
    argv[argc++] = (char *)(uintptr_t) "galley";
    snprintf(text, sizeof text, "%s", words);
    for (char *at = text; *at;) {
        argv[argc++] = at;
        at += strcspn(at, " ");
        if (*at) {
            *at++ = '\0';
        }
    }
    argv[argc] = NULL;
    complaint[0] = '\0';
    return options_parse(&options, argc, argv, complaint, sizeof complaint);
}

static void expect_good(const char *words)
{
    if (parse(words) != 0) {
        test_fail(__FILE__, __LINE__, "%s: %s", words, complaint);
    }
}

static void expect_bad(const char *words, const char *sentence)
{
    EXPECT_INT(parse(words), -1);
    EXPECT_TEXT(complaint, sentence);
    options_finish(&options);
}

static const struct option_row *row_of(const char *name)
{
    const struct option_row *row = option_find(span_of(name));
    EXPECT(row != NULL);
    return row;
}

static void expect_value(const char *name, const char *expected)
{
    struct buf out;
    buf_init(&out, 0);
    option_print_value(&out, row_of(name), &options);
    EXPECT_SPAN(buf_span(&out), expected);
    buf_finish(&out);
}

TEST(without_arguments_everything_has_its_default)
{
    expect_good("");
    EXPECT_TEXT(options.directory, ".");
    EXPECT(!options.has_directory);
    EXPECT_INT(options.listen.count, 1);
    EXPECT_TEXT(options.listen.items[0], "127.0.0.1:7878");
    EXPECT_INT(options.head_timeout_ms, 10000);
    EXPECT_INT(options.max_head_bytes, 16384);
    EXPECT_INT(options.log_level, GALLEY_LOG_INFO);
    EXPECT_INT(options.max_requests, GALLEY_NO_LIMIT);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        EXPECT(!options.is_given[i]);
    }
    options_finish(&options);
}

/* A default that cannot be read back, or is out of its own bounds, would be a lie in --help. */
TEST(every_default_can_be_written_and_reads_back_the_same)
{
    expect_good("");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        if (row->usual[0]) {
            struct buf out;
            buf_init(&out, 0);
            option_print_value(&out, row, &options);
            struct options again = {0};
            size_t text_len = 0;
            char *text = buf_take(&out, &text_len);
            EXPECT_INT(option_set(row, &again, text, complaint, sizeof complaint), 0);
            struct buf twice;
            buf_init(&twice, 0);
            option_print_value(&twice, row, &again);
            EXPECT_SPAN(buf_span(&twice), text);
            buf_finish(&twice);
            mem_free(text);
            options_finish(&again);
        }
    }
    options_finish(&options);
}

static const char *sample_of(const struct option_row *row)
{
    switch (row->kind) {
    case OPTION_KIND_COUNT:
        return "3";
    case OPTION_KIND_SIZE:
        return "12345";
    case OPTION_KIND_TIME:
        return "7m";
    case OPTION_KIND_LIST:
        return "*.css=x";
    default:
        return "text";
    }
}

static const char *last_word(const struct option_row *row)
{
    const char *bar = strrchr(row->argument, '|');
    EXPECT(bar != NULL);
    return bar + 1;
}

TEST(every_option_takes_its_value_into_its_own_field)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        char words[128];
        const char *value = row->kind == OPTION_KIND_CHOICE ? last_word(row) : sample_of(row);
        if (row->kind == OPTION_KIND_SWITCH) {
            snprintf(words, sizeof words, "--%s", row->name);
            value = "on";
        } else {
            snprintf(words, sizeof words, "--%s=%s", row->name, value);
        }
        expect_good(words);
        expect_value(row->name, value);
        for (size_t other = 0; other < OPTION_COUNT; other++) {
            EXPECT_INT(options.is_given[other], other == i);
        }
        options_finish(&options);
    }
}

TEST(a_value_may_stand_in_the_next_argument)
{
    expect_good("--loops 3 -w 5 -l :8080 dir");
    EXPECT_INT(options.loops, 3);
    EXPECT_INT(options.threads, 5);
    EXPECT_TEXT(options.listen.items[0], ":8080");
    EXPECT_TEXT(options.directory, "dir");
    options_finish(&options);
}

TEST(short_options_can_be_joined)
{
    expect_good("-qw5");
    EXPECT(options.quiet);
    EXPECT_INT(options.threads, 5);
    options_finish(&options);
    expect_good("-l8080");
    EXPECT_TEXT(options.listen.items[0], "8080");
    options_finish(&options);
    expect_bad("-qx", "unknown option -x");
    expect_bad("-w", "--workers needs a value: --workers=N");
}

TEST(a_list_grows_and_its_default_gives_way)
{
    expect_good("--listen=:1 --listen :2 -l :3");
    EXPECT_INT(options.listen.count, 3);
    EXPECT_TEXT(options.listen.items[0], ":1");
    EXPECT_TEXT(options.listen.items[2], ":3");
    EXPECT(options.listen.items[3] == NULL);
    options_finish(&options);
}

TEST(the_last_one_of_an_option_wins)
{
    expect_good("--loops=3 --loops=4");
    EXPECT_INT(options.loops, 4);
    options_finish(&options);
}

TEST(after_two_dashes_everything_is_a_folder)
{
    expect_good("-q -- --list");
    EXPECT_TEXT(options.directory, "--list");
    EXPECT(!options.list);
    options_finish(&options);
    expect_bad("a b", "two folders to serve: a and b");
}

TEST(cors_works_with_and_without_a_value)
{
    expect_good("--cors dir");
    EXPECT_TEXT(options.cors, "");
    EXPECT_TEXT(options.directory, "dir");
    options_finish(&options);
    expect_good("--cors=https://a.example");
    EXPECT_TEXT(options.cors, "https://a.example");
    options_finish(&options);
}

TEST(sizes_have_units)
{
    static const struct {
        const char *words;
        uint64_t bytes;
    } rows[] = {{"--cache-size=1", 1},
                {"--cache-size=1024", 1024},
                {"--cache-size=64k", 65536},
                {"--cache-size=64K", 65536},
                {"--cache-size=3M", 3 << 20},
                {"--cache-size=2g", UINT64_C(2) << 30},
                {"--cache-size=1T", UINT64_C(1) << 40}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_good(rows[i].words);
        EXPECT_INT(options.cache_bytes, rows[i].bytes);
        options_finish(&options);
    }
}

TEST(times_have_units)
{
    static const struct {
        const char *words;
        uint64_t ms;
    } rows[] = {{"--idle-timeout=500ms", 500},  {"--idle-timeout=10s", 10000},
                {"--idle-timeout=10", 10000},   {"--idle-timeout=2m", 120000},
                {"--idle-timeout=1h", 3600000}, {"--idle-timeout=720h", OPTION_TIME_MAX}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_good(rows[i].words);
        EXPECT_INT(options.idle_timeout_ms, rows[i].ms);
        options_finish(&options);
    }
}

TEST(off_is_taken_where_it_makes_sense)
{
    expect_good("--drain-timeout=off --send-min-rate=off --queue-timeout=off");
    EXPECT_INT(options.drain_ms, GALLEY_NO_LIMIT);
    EXPECT_INT(options.send_min_rate, GALLEY_NO_LIMIT);
    EXPECT_INT(options.queue_timeout_ms, GALLEY_NO_LIMIT);
    expect_value("drain-timeout", "off");
    options_finish(&options);
    expect_bad("--head-timeout=off", "--head-timeout: 'off' is not a time (500ms, 10s, 2m, 1h)");
}

TEST(bad_values_get_a_sentence)
{
    static const char *const rows[][2] = {
        {"--loops=0", "--loops: '0' is out of range: 1 to 256"},
        {"--loops=257", "--loops: '257' is out of range: 1 to 256"},
        {"--loops=two", "--loops: 'two' is not a number"},
        {"--loops=", "--loops: '' is not a number"},
        {"--loops=-1", "--loops: '-1' is not a number"},
        {"--loops=+1", "--loops: '+1' is not a number"},
        {"--loops=1k", "--loops: '1k' is not a number"},
        {"--loops=99999999999999999999999", "--loops: '99999999999999999999999' is not a number"},
        {"--max-head=k", "--max-head: 'k' is not a size (512, 64k, 1M, 2G)"},
        {"--max-head=1.5k", "--max-head: '1.5k' is not a size (512, 64k, 1M, 2G)"},
        {"--max-head=1 k", "--max-head: '1' is out of range: 64 to 16M"},
        {"--cache-size=99999999999T",
         "--cache-size: '99999999999T' is not a size (512, 64k, 1M, 2G)"},
        {"--idle-timeout=5x", "--idle-timeout: '5x' is not a time (500ms, 10s, 2m, 1h)"},
        {"--idle-timeout=0", "--idle-timeout: '0' is out of range: 1ms to 720h"},
        {"--drain-timeout=0", "--drain-timeout: '0' is out of range: 1ms to 720h, or off"},
        {"--drain-timeout=x", "--drain-timeout: 'x' is not a time (500ms, 10s, 2m, 1h), nor off"},
        {"--log-level=loud", "--log-level: 'loud' is not one of error|warning|info|debug"},
        {"--log-level=", "--log-level: '' is not one of error|warning|info|debug"},
        {"--list=yes", "--list takes no value"},
        {"--loops", "--loops needs a value: --loops=N"},
        {"--cache-control=x", "--cache-control: 'x' is not PATTERN=VALUE"},
        {"--cache-control==x", "--cache-control: '=x' is not PATTERN=VALUE"},
        {"--cache-control=x=", "--cache-control: 'x=' is not PATTERN=VALUE"},
        {"--server-name=a --no-server-name",
         "--server-name and --no-server-name exclude each other"},
        {"--max-target=8k --max-head=4k", "--max-target is more than --max-head"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_bad(rows[i][0], rows[i][1]);
    }
}

TEST(a_smaller_head_shrinks_the_default_of_the_target)
{
    expect_good("--max-head=4k");
    EXPECT_INT(options.max_target_bytes, 4096);
    options_finish(&options);
}

TEST(unknown_options_get_the_nearest_one)
{
    expect_bad("--lsit", "unknown option --lsit: did you mean --list?");
    expect_bad("--doctro", "unknown option --doctro: did you mean --doctor?");
    expect_bad("--head-timout=1s", "unknown option --head-timout: did you mean --head-timeout?");
    expect_bad("--acces-log=x", "unknown option --acces-log: did you mean --access-log?");
    expect_bad("--clean", "unknown option --clean: did you mean --clean-urls?");
    expect_bad("--port=80", "unknown option --port: did you mean --listen?");
    expect_bad("--xyzzy-plugh", "unknown option --xyzzy-plugh");
}

TEST(other_servers_names_lead_to_options_that_exist)
{
    static const char *const wishes[] = {"port",    "bind", "address", "host",
                                         "threads", "log",  "verbose", "directory-listing"};
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        EXPECT(option_guess(span_of(wishes[i])) != NULL);
    }
}

TEST(names_are_unique_and_well_formed)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        EXPECT(option_find(span_of(row->name)) == row);
        EXPECT(!row->short_name || option_find_short(row->short_name) == row);
        EXPECT_INT(strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(row->name));
        EXPECT(row->help[0] != '\0' && row->help[strlen(row->help) - 1] != '.');
    }
    EXPECT(option_find_short('\0') == NULL);
}

TEST(running_out_of_memory_at_any_allocation_is_a_complaint)
{
    for (uint64_t n = 1;; n++) {
        mem_fail_nth(n);
        int rc = parse("-l :1 -l :2 --header=A:b --cache-control=*.a=b");
        bool happened = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(rc, happened ? -1 : 0);
        options_finish(&options);
        if (!happened) {
            EXPECT(n > 3);
            break;
        }
        EXPECT(strstr(complaint, "out of memory") != NULL);
    }
}
