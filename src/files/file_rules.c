/* files/file_rules.c — globs without recursion: two places to come back to, one for each kind of
 * star. */
#include "files/file_rules.h"

#include <galley/base.h>

/* Where to go on when the rest does not fit: behind this star, with one byte more eaten by it. */
struct comeback {
    bool is_set;
    size_t pattern_at;
    size_t name_at;
};

struct glob {
    struct span pattern;
    struct span name;
    size_t pattern_at;
    size_t name_at;
    struct comeback star;
    struct comeback double_star;
};

/* A star here? Remember it and step over it. */
static bool take_star(struct glob *glob)
{
    size_t at = glob->pattern_at;
    if (at >= glob->pattern.len || glob->pattern.ptr[at] != '*') {
        return false;
    }
    bool is_double = at + 1 < glob->pattern.len && glob->pattern.ptr[at + 1] == '*';
    glob->pattern_at += is_double ? 2 : 1;
    struct comeback here = {true, glob->pattern_at, glob->name_at};
    if (is_double) {
        glob->double_star = here;
        glob->star.is_set =
            false; /* what stands before a double star never has to be tried again */
    } else {
        glob->star = here;
    }
    return true;
}

static bool take_byte(struct glob *glob)
{
    if (glob->pattern_at >= glob->pattern.len || glob->name_at >= glob->name.len) {
        return false;
    }
    char wanted = glob->pattern.ptr[glob->pattern_at];
    char c = glob->name.ptr[glob->name_at];
    if (wanted != c && (wanted != '?' || c == '/')) {
        return false;
    }
    glob->pattern_at++;
    glob->name_at++;
    return true;
}

static bool come_back(struct glob *glob)
{
    struct comeback *star = &glob->star;
    if (!star->is_set || star->name_at >= glob->name.len || glob->name.ptr[star->name_at] == '/') {
        star->is_set = false;
        star = &glob->double_star;
    }
    if (!star->is_set || star->name_at >= glob->name.len) {
        return false;
    }
    star->name_at++;
    glob->name_at = star->name_at;
    glob->pattern_at = star->pattern_at;
    return true;
}

bool file_rules_glob(struct span pattern, struct span name)
{
    struct glob glob = {.pattern = pattern, .name = name};
    for (;;) {
        if (take_star(&glob) || take_byte(&glob)) {
            continue;
        }
        if (glob.pattern_at == pattern.len && glob.name_at == name.len) {
            return true;
        }
        if (!come_back(&glob)) {
            return false;
        }
    }
}

int file_rules_add(struct file_rules *rules, struct arena *arena, struct span pattern,
                   struct span value)
{
    bool has_slash = memchr(pattern.ptr, '/', pattern.len) != NULL;
    struct file_rule rule = {
        .pattern = arena_copy(arena, span_from(pattern, pattern.len && pattern.ptr[0] == '/')),
        .value = arena_copy(arena, value),
        .is_for_whole_name = has_slash,
    };
    if (!rule.pattern.ptr || !rule.value.ptr) {
        return GALLEY_ENOMEM;
    }
    rules->rules[rules->count++] = rule;
    return GALLEY_OK;
}

static struct span last_part(struct span name)
{
    const char *slash = name.len ? memrchr(name.ptr, '/', name.len) : NULL;
    return slash ? span_from(name, (size_t)(slash - name.ptr) + 1) : name;
}

struct span file_rules_next(const struct file_rules *rules, struct span name, size_t *at)
{
    struct span last = last_part(name);
    while (*at < rules->count) {
        const struct file_rule *rule = &rules->rules[(*at)++];
        if (file_rules_glob(rule->pattern, rule->is_for_whole_name ? name : last)) {
            return rule->value;
        }
    }
    return SPAN_NONE;
}

struct span file_rules_find(const struct file_rules *rules, struct span name)
{
    size_t at = 0;
    return file_rules_next(rules, name, &at);
}
