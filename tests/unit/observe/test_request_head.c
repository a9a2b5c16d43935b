/* Tests of observe/request_head: a head becomes lines of the debug log, and no byte of it reaches a terminal raw. */
#include "observe/request_head.h"

#include "support_exchange.h"
#include "test.h"

static char seen[4096];

static void hear(void *ctx, int level, const char *line)
{
    (void)ctx;
    EXPECT_INT(level, LOG_DEBUG);
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s\n", line);
}

static const struct log_sink sink = {.write = hear, .level = LOG_DEBUG};

TEST(each_line_of_the_head_is_a_line_of_the_log)
{
    struct ended ended;
    ended_init(&ended);
    ended.exchange.request.head = SPAN("GET /a HTTP/1.1\r\nHost: x\r\nA: \x1b[2J\r\n\r\n");
    request_head_log(&sink, &ended.exchange);
    EXPECT_TEXT(seen, "> GET /a HTTP/1.1\n> Host: x\n> A: ?[2J\n");
}

TEST(no_head_is_no_line)
{
    struct ended ended;
    ended_init(&ended);
    request_head_log(&sink, &ended.exchange);
    ended.exchange.request.head = SPAN("");
    request_head_log(&sink, &ended.exchange);
    EXPECT_TEXT(seen, "");
}
