/* daemon/say.c — messages on standard error. A line that cannot be written is lost: there is nobody
 * left to tell. Any thread: each line is a single write. */
#include "daemon/say.h"

#include "base/fd.h"
#include "base/text.h"

#include <galley/server.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 1200 };

struct level_look {
    const char *word;
    const char *colour;
};

static const struct level_look looks[] = {
    [GALLEY_LOG_ERROR] = {"error: ", "\033[1;31m"},
    [GALLEY_LOG_WARNING] = {"warning: ", "\033[33m"},
    [GALLEY_LOG_INFO] = {"", ""},
    [GALLEY_LOG_DEBUG] = {"debug: ", "\033[2m"},
};

bool say_has_colours(int fd)
{
    const char *no_color = getenv("NO_COLOR");
    return !(no_color && no_color[0]) && isatty(fd) == 1;
}

static void write_line(const struct level_look *look, const char *text)
{
    char line[LINE_BYTES];
    bool has_colour = look->colour[0] && say_has_colours(STDERR_FILENO);
    int len = snprintf(line, sizeof line, "%sgalley: %s%s%s\n", has_colour ? look->colour : "",
                       look->word, text, has_colour ? "\033[0m" : "");
    if (len >= (int)sizeof line) {
        len = (int)sizeof line - 1;
        line[len - 1] = '\n';
    }
    (void)fd_write_all(STDERR_FILENO, line, (size_t)len);
}

__attribute__((format(printf, 2, 0))) static void say(const struct level_look *look,
                                                      const char *format, va_list args)
{
    char text[LINE_BYTES - 64];
    vsnprintf(text, sizeof text, format, args);
    text_mask_controls(text, strlen(text)); /* arguments and file names may hold anything */
    write_line(look, text);
}

void say_error(const char *format, ...)
{
    static const struct level_look plain = {"", "\033[1;31m"};
    va_list args;
    va_start(args, format);
    say(&plain, format, args);
    va_end(args);
}

void say_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(&looks[GALLEY_LOG_INFO], format, args);
    va_end(args);
}

void say_log(void *ctx, int level, const char *line)
{
    (void)ctx;
    bool is_known = level >= GALLEY_LOG_ERROR && level <= GALLEY_LOG_DEBUG;
    write_line(&looks[is_known ? level : GALLEY_LOG_INFO], line);
}
