/* tests/unit/tls/test_watch.c — certificate files that change, in all the ways in which people and
 * programs change files; real files, inotify and a real loop. */
#include "support_tls.h"
#include "test.h"

#include "base/alloc.h"
#include "loop/loop.h"
#include "tls/tls_context.h"
#include "tls/tls_paths.h"
#include "tls/tls_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a folder with a pair -------------------------------------------------------------------- */

struct place {
    struct world world;
    galley_tls_pair pairs[2];
    char base[CERT_PATH_MAX]; /* below the world's folder; what the tests change */
};

static const char *in_base(const struct place *place, const char *name)
{
    return cert_path(place->base, name);
}

static void write_file(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    close(fd);
}

/* In place: the file stays the same one. */
static void copy_file(const char *from, const char *to)
{
    char data[16384];
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    ssize_t len = read(fd, data, sizeof data);
    EXPECT(len > 0);
    close(fd);
    write_file(to, data, (size_t)len);
}

/* A pair of this subject in FOLDER/tls.crt and tls.key, which is made if it is not there. */
static void put_pair(struct place *place, const char *folder, const char *subject)
{
    galley_tls_pair pair = world_pair_as(
        &place->world, subject, &(struct cert_wish){.subject = subject, .names = "DNS:a.example"});
    (void)mkdir(folder, 0700);
    copy_file(pair.cert_file, cert_path(folder, "tls.crt"));
    copy_file(pair.key_file, cert_path(folder, "tls.key"));
}

static void place_open(struct place *place)
{
    world_open(&place->world);
    place->pairs[1] = (galley_tls_pair){0};
    snprintf(place->base, sizeof place->base, "%.200s/base", place->world.folder);
    EXPECT_INT(mkdir(place->base, 0700), 0);
}

static void place_start(struct place *place, const char *cert, const char *key)
{
    place->pairs[0] = (galley_tls_pair){cert, key, NULL};
    galley_tls_options options = world_options(&place->world, place->pairs);
    if (!world_start(&place->world, &options)) {
        test_fail(__FILE__, __LINE__, "%s", place->world.err.message);
    }
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    EXPECT_INT(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void place_close(struct place *place)
{
    remove_tree(place->base);
    world_close(&place->world);
}

/* ---- where a change shows -------------------------------------------------------------------- */

static void watch_paths(const struct place *place, struct tls_paths *paths)
{
    EXPECT_INT(tls_paths_open(paths, place->world.tls), 0);
    EXPECT(!tls_paths_changed(paths));
}

TEST(test_files_that_are_written_or_replaced_are_seen_and_their_neighbours_are_not)
{
    struct place place;
    struct tls_paths paths;
    place_open(&place);
    put_pair(&place, place.base, "old");
    place_start(&place, in_base(&place, "tls.crt"), in_base(&place, "tls.key"));
    watch_paths(&place, &paths);
    write_file(in_base(&place, "tls.crt.new"), "x", 1);
    write_file(in_base(&place, "ls.cr"), "x", 1);
    EXPECT_INT(mkdir(in_base(&place, "folder"), 0700), 0);
    EXPECT_INT(galley_tls_reload(place.world.tls, NULL), 0); /* reading is no change */
    EXPECT(!tls_paths_changed(&paths));
    copy_file(in_base(&place, "tls.key"), in_base(&place, "tls.key.new"));
    EXPECT(!tls_paths_changed(&paths));
    EXPECT_INT(rename(in_base(&place, "tls.key.new"), in_base(&place, "tls.key")), 0);
    EXPECT(tls_paths_changed(&paths));
    EXPECT(!tls_paths_changed(&paths));
    put_pair(&place, place.base, "new"); /* in place */
    EXPECT(tls_paths_changed(&paths));
    EXPECT_INT(chmod(in_base(&place, "tls.key"), 0400),
               0); /* it could not be read before, perhaps */
    EXPECT(tls_paths_changed(&paths));
    EXPECT_INT(unlink(in_base(&place, "tls.crt")), 0);
    EXPECT(tls_paths_changed(&paths));
    tls_paths_close(&paths);
    place_close(&place);
}

/* Kubernetes: files are links through "..data", which is turned to the next folder by a rename. */
static void lay_volume(struct place *place)
{
    put_pair(place, in_base(place, "..v1"), "old");
    EXPECT_INT(symlink("..v1", in_base(place, "..data")), 0);
    EXPECT_INT(symlink("..data/tls.crt", in_base(place, "tls.crt")), 0);
    EXPECT_INT(symlink("..data/tls.key", in_base(place, "tls.key")), 0);
    place_start(place, in_base(place, "tls.crt"), in_base(place, "tls.key"));
}

static void turn_volume(struct place *place, const char *folder, const char *subject)
{
    put_pair(place, in_base(place, folder), subject);
    EXPECT_INT(symlink(folder, in_base(place, "..data_tmp")), 0);
    EXPECT_INT(rename(in_base(place, "..data_tmp"), in_base(place, "..data")), 0);
}

TEST(test_a_link_that_is_turned_is_seen_and_so_is_what_it_leads_to)
{
    struct place place;
    struct tls_paths paths;
    place_open(&place);
    lay_volume(&place);
    watch_paths(&place, &paths);
    turn_volume(&place, "..v2", "new");
    EXPECT(tls_paths_changed(&paths));
    tls_paths_close(&paths);
    watch_paths(&place, &paths);                      /* as a reload does */
    put_pair(&place, in_base(&place, "..v1"), "old"); /* nothing leads there any more */
    EXPECT(!tls_paths_changed(&paths));
    put_pair(&place, in_base(&place, "..v2"), "newer");
    EXPECT(tls_paths_changed(&paths));
    tls_paths_close(&paths);
    place_close(&place);
}

/* certbot: "live/name/cert.pem" is a link to "../../archive/name/cert3.pem", which is made anew. */
TEST(test_links_out_of_their_folder_are_followed)
{
    struct place place;
    struct tls_paths paths;
    place_open(&place);
    EXPECT_INT(mkdir(in_base(&place, "live"), 0700), 0);
    put_pair(&place, in_base(&place, "archive"), "old");
    EXPECT_INT(symlink("../archive/tls.crt", in_base(&place, "live/tls.crt")), 0);
    EXPECT_INT(symlink(in_base(&place, "archive/tls.key"), in_base(&place, "live/tls.key")), 0);
    place_start(&place, in_base(&place, "live/tls.crt"), in_base(&place, "live/tls.key"));
    watch_paths(&place, &paths);
    put_pair(&place, in_base(&place, "archive"), "new");
    EXPECT(tls_paths_changed(&paths));
    EXPECT_INT(unlink(in_base(&place, "live/tls.key")), 0);
    EXPECT(tls_paths_changed(&paths));
    EXPECT_INT(symlink("../archive/tls.key", in_base(&place, "live/tls.key")), 0);
    EXPECT(tls_paths_changed(&paths));
    tls_paths_close(&paths);
    place_close(&place);
}

TEST(test_a_folder_that_is_moved_removed_and_made_again_is_seen)
{
    struct place place;
    struct tls_paths paths;
    place_open(&place);
    EXPECT_INT(mkdir(in_base(&place, "etc"), 0700), 0);
    put_pair(&place, in_base(&place, "etc/tls"), "old");
    place_start(&place, in_base(&place, "etc/tls/tls.crt"), in_base(&place, "etc/tls/tls.key"));
    watch_paths(&place, &paths);
    EXPECT_INT(rename(in_base(&place, "etc/tls"), in_base(&place, "etc/gone")), 0);
    EXPECT(tls_paths_changed(&paths));
    tls_paths_close(&paths);
    watch_paths(&place, &paths); /* it is not there now */
    EXPECT_INT(mkdir(in_base(&place, "etc/tls"), 0700), 0);
    EXPECT(tls_paths_changed(&paths));
    tls_paths_close(&paths);
    watch_paths(&place, &paths);
    put_pair(&place, in_base(&place, "etc/tls"), "new");
    EXPECT(tls_paths_changed(&paths));
    EXPECT_INT(rename(in_base(&place, "etc"), in_base(&place, "away")), 0); /* two above */
    EXPECT(tls_paths_changed(&paths));
    tls_paths_close(&paths);
    place_close(&place);
}

TEST(test_links_in_a_circle_are_not_watched)
{
    struct place place;
    struct tls_paths paths;
    place_open(&place);
    put_pair(&place, place.base, "old");
    place_start(&place, in_base(&place, "tls.crt"), in_base(&place, "tls.key"));
    EXPECT_INT(unlink(in_base(&place, "tls.crt")), 0);
    EXPECT_INT(symlink("tls.crt", in_base(&place, "tls.crt")), 0);
    EXPECT_INT(tls_paths_open(&paths, place.world.tls), -ELOOP);
    EXPECT_INT(paths.fd, -1);
    place_close(&place);
}

/* ---- what follows ---------------------------------------------------------------------------- */

struct told {
    char last[512];
    unsigned count;
};

static void keep(void *ctx, int level, const char *line)
{
    struct told *told = ctx;
    (void)level;
    snprintf(told->last, sizeof told->last, "%s", line);
    told->count++;
}

struct watched {
    struct place place;
    struct told told;
    struct log_sink log;
    struct loop *loop;
    galley_pool *pool;
    struct tls_watch *watch;
};

static void start_watching(struct watched *watched)
{
    galley_error err = {0};
    watched->told = (struct told){.count = 0};
    watched->log = (struct log_sink){.write = keep, .ctx = &watched->told, .level = LOG_DEBUG};
    watched->loop = loop_create(NULL, &err);
    watched->pool = galley_pool_new(1, &err);
    EXPECT(watched->loop && watched->pool);
    watched->watch =
        tls_watch_create(watched->place.world.tls, watched->loop, watched->pool, &watched->log);
    EXPECT(watched->watch);
}

static void turn_until_told(struct watched *watched, const char *part)
{
    watched->told.last[0] = '\0';
    for (int i = 0; i < 2000 && !strstr(watched->told.last, part); i++) {
        (void)loop_turn(watched->loop, 20);
    }
    if (!strstr(watched->told.last, part)) {
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", watched->told.last, part);
    }
}

static void stop_watching(struct watched *watched)
{
    tls_watch_stop(watched->watch);
    tls_watch_stop(watched->watch);
    galley_pool_free(watched->pool); /* with what it still has to do */
    while (loop_turn(watched->loop, 0)) {
    }
    tls_watch_destroy(watched->watch);
    loop_leave(watched->loop);
    loop_destroy(watched->loop);
}

/* With a pair in the folder, of that common name. */
static struct place *open_watched(struct watched *watched, const char *subject)
{
    struct place *place = &watched->place;
    place_open(place);
    put_pair(place, place->base, subject);
    place_start(place, in_base(place, "tls.crt"), in_base(place, "tls.key"));
    start_watching(watched);
    return place;
}

static void close_watched(struct watched *watched)
{
    stop_watching(watched);
    place_close(&watched->place);
}

TEST(test_changed_files_are_used_and_bad_ones_are_not)
{
    static struct watched watched;
    struct place *place = &watched.place;
    place_open(place);
    lay_volume(place);
    start_watching(&watched);
    turn_volume(place, "..v2", "new");
    turn_until_told(&watched, "certificates were read again: new connections use them");
    handshake_expect_subject(place->world.tls, "new");
    write_file(in_base(place, "..v2/tls.crt"), "nothing\n", 8);
    turn_until_told(&watched, "; the certificates in use stay");
    EXPECT(strstr(watched.told.last, "tls.crt"));
    handshake_expect_subject(place->world.tls, "new");
    turn_volume(place, "..v3", "newer");
    turn_until_told(&watched, "certificates were read again");
    handshake_expect_subject(place->world.tls, "newer");
    close_watched(&watched);
}

/* A program makes its galley_tls early and starts its server late. */
TEST(test_what_changed_before_anybody_watched_is_read_again)
{
    static struct watched watched;
    struct place *place = open_watched(&watched, "old");
    stop_watching(&watched);
    put_pair(place, place->base, "renewed"); /* nobody sees it; longer, if times are too coarse */
    handshake_expect_subject(place->world.tls, "old");
    start_watching(&watched);
    turn_until_told(&watched, "certificates were read again");
    handshake_expect_subject(place->world.tls, "renewed");
    close_watched(&watched);
}

TEST(test_files_as_they_were_read_are_not_outdated_and_others_are)
{
    struct place place;
    place_open(&place);
    put_pair(&place, place.base, "old");
    place_start(&place, in_base(&place, "tls.crt"), in_base(&place, "tls.key"));
    galley_tls *tls = place.world.tls;
    EXPECT(!tls_context_is_outdated(tls));
    copy_file(in_base(&place, "tls.crt"), in_base(&place, "tls.crt.new")); /* the same content */
    EXPECT(!tls_context_is_outdated(tls));
    EXPECT_INT(rename(in_base(&place, "tls.crt.new"), in_base(&place, "tls.crt")), 0);
    EXPECT(tls_context_is_outdated(tls));
    EXPECT_INT(galley_tls_reload(tls, NULL), 0);
    EXPECT(!tls_context_is_outdated(tls));
    EXPECT_INT(rename(in_base(&place, "tls.key"), in_base(&place, "away")), 0);
    EXPECT(tls_context_is_outdated(tls));
    EXPECT(galley_tls_reload(tls, NULL) < 0); /* the old ones stay, and they are not these */
    EXPECT(tls_context_is_outdated(tls));
    EXPECT_INT(rename(in_base(&place, "away"), in_base(&place, "tls.key")), 0);
    write_file(in_base(&place, "tls.crt"), "longer than nothing\n", 20);
    EXPECT(tls_context_is_outdated(tls));
    place_close(&place);
}

/* Key and certificate are two files, often written in several steps. */
TEST(test_changes_that_belong_together_are_one)
{
    static struct watched watched;
    struct place *place = open_watched(&watched, "old");
    put_pair(place, place->base, "new");
    turn_until_told(&watched, "certificates were read again");
    EXPECT_INT(watched.told.count, 1);
    close_watched(&watched);
}

TEST(test_what_was_freed_by_the_program_lives_as_long_as_its_watch)
{
    static struct watched watched;
    struct place *place = open_watched(&watched, "old");
    galley_tls_free(place->world.tls);
    place->world.tls = NULL;
    put_pair(place, place->base, "new");
    turn_until_told(&watched, "certificates were read again");
    close_watched(&watched);
}

TEST(test_a_watch_without_memory_is_none_and_leaves_nothing)
{
    static struct watched watched;
    struct place *place = open_watched(&watched, "old");
    stop_watching(&watched);
    for (uint64_t n = 1, has_failed = 1; has_failed; n++) {
        watched.loop = loop_create(NULL, NULL);
        watched.pool = NULL;
        mem_fail_nth(n);
        watched.watch =
            tls_watch_create(place->world.tls, watched.loop, watched.pool, &watched.log);
        has_failed = (uint64_t)mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(watched.watch || has_failed);
        if (watched.watch) {
            tls_watch_stop(watched.watch);
        }
        while (loop_turn(watched.loop, 0)) {
        }
        tls_watch_destroy(watched.watch);
        loop_leave(watched.loop);
        loop_destroy(watched.loop);
    }
    place_close(place);
}
