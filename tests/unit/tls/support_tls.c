/* tests/unit/tls/support_tls.c — see support_tls.h. */
#include "support_tls.h"

#include "base/clock.h"
#include "test.h"

int64_t world_ahead_s;

static int64_t wall_s(void)
{
    return clock_wall_s() + world_ahead_s;
}

/* Stands still, so that no test depends on how long it takes. */
static int64_t mono_ms(void)
{
    return 1000000 + world_ahead_s * 1000;
}

static void on_log(void *ctx, int level, const char *line)
{
    struct world *world = ctx;
    (void)level;
    if (world->line_count < WORLD_LINES) {
        (void)snprintf(world->lines[world->line_count++], sizeof world->lines[0], "%s", line);
    }
}

void world_open(struct world *world)
{
    *world = (struct world){0};
    world_ahead_s = 0;
    cert_folder_make(world->folder);
    world->root = cert_make(&(struct cert_wish){.subject = "root", .is_authority = true});
    world->middle = cert_make(
        &(struct cert_wish){.subject = "middle", .is_authority = true, .issuer = &world->root});
}

void world_close(struct world *world)
{
    galley_tls_free(world->tls);
    cert_free(&world->root);
    cert_free(&world->middle);
    cert_folder_remove(world->folder);
}

galley_tls_pair world_pair_as(struct world *world, const char *name, const struct cert_wish *wish)
{
    char file[64];
    struct cert_wish whole = *wish;
    galley_tls_pair pair = {0};
    whole.subject = wish->subject ? wish->subject : name;
    whole.issuer = wish->issuer ? wish->issuer : &world->middle;
    struct cert cert = cert_make(&whole);
    (void)snprintf(file, sizeof file, "%s.crt", name);
    pair.cert_file = cert_path(world->folder, file);
    (void)snprintf(file, sizeof file, "%s.key", name);
    pair.key_file = cert_path(world->folder, file);
    cert_write(pair.cert_file, &cert, (const struct cert *const[]){&world->middle, NULL});
    cert_write_key(pair.key_file, &cert, NULL);
    cert_free(&cert);
    return pair;
}

galley_tls_pair world_pair(struct world *world, const char *name, const char *key, const char *dns)
{
    return world_pair_as(world, name, &(struct cert_wish){.key = key, .names = dns});
}

const char *world_authority(struct world *world, const char *name, const struct cert *authority)
{
    char file[64];
    (void)snprintf(file, sizeof file, "%s.pem", name);
    const char *path = cert_path(world->folder, file);
    cert_write(path, authority, NULL);
    return path;
}

galley_tls_options world_options(struct world *world, const galley_tls_pair *pairs)
{
    galley_tls_options options = GALLEY_TLS_OPTIONS_INIT;
    options.pairs = pairs;
    options.log = on_log;
    options.log_ctx = world;
    return options;
}

galley_tls *world_start(struct world *world, const galley_tls_options *options)
{
    static const struct tls_clock clock = {wall_s, mono_ms};
    galley_tls_free(world->tls);
    world->err = (galley_error){0};
    world->tls = tls_context_create(options, &clock, &world->err);
    return world->tls;
}

void world_expect_refusal(struct world *world, const galley_tls_pair *pair, int code,
                          const char *part_of_sentence)
{
    const galley_tls_pair pairs[] = {*pair, {0}};
    galley_tls_options options = world_options(world, pairs);
    EXPECT(!world_start(world, &options));
    EXPECT_INT(world->err.code, code);
    if (!strstr(world->err.message, part_of_sentence)) {
        test_fail(__FILE__, __LINE__, "'%s' is not in '%s'", part_of_sentence, world->err.message);
    }
}
