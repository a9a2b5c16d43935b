/* daemon/tls_files.c — see tls_files.h. Whoever renews certificates writes several files, or moves a
 * symbolic link of a folder beside them (Kubernetes: "..data"): one reload follows when nothing has
 * happened for a moment. */
#include "daemon/tls_files.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/span.h"

#include "daemon/say.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { QUIET_MS = 300, PATIENCE_MS = 5000 };

static const uint32_t events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE;

static bool watch_folder(int fd, const char *file)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(file, '/');
    size_t len = slash ? (size_t)(slash - file) : 0;
    if (len >= sizeof folder) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(folder, file, len);
    folder[len] = '\0';
    const char *name = len > 0 ? folder : slash ? "/" : ".";
    return inotify_add_watch(fd, name, events) >= 0;
}

void tls_files_open(struct tls_files *files, galley_tls *tls)
{
    *files = (struct tls_files){
        .tls = tls, .fd = -1, .changes = {.quiet_ms = QUIET_MS, .most_ms = PATIENCE_MS}};
    if (!tls || !galley_tls_file(tls, 0)) {
        return;
    }
    files->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    const char *file;
    for (unsigned i = 0; files->fd >= 0 && (file = galley_tls_file(tls, i)) != NULL; i++) {
        if (!watch_folder(files->fd, file)) {
            fd_close(&files->fd);
        }
    }
    if (files->fd < 0) {
        say_info("certificates cannot be watched (%s): after a change, send SIGHUP",
                 strerror(errno));
    }
}

void tls_files_close(struct tls_files *files)
{
    fd_close(&files->fd);
}

static bool is_ours(const struct tls_files *files, const char *name)
{
    if (strcmp(name, "..data") == 0) {
        return true;
    }
    const char *file;
    for (unsigned i = 0; (file = galley_tls_file(files->tls, i)) != NULL; i++) {
        const char *slash = strrchr(file, '/');
        if (strcmp(slash ? slash + 1 : file, name) == 0) {
            return true;
        }
    }
    return false;
}

void tls_files_look(struct tls_files *files)
{
    _Alignas(struct inotify_event) char bytes[4096];
    ssize_t got;
    while ((got = read(files->fd, bytes, sizeof bytes)) > 0) {
        for (size_t at = 0; at < (size_t)got;) {
            const struct inotify_event *event = (const void *)(bytes + at);
            bool is_lost = (event->mask & IN_Q_OVERFLOW) != 0;
            if (is_lost || (event->len > 0 && is_ours(files, event->name))) {
                (void)debounce_touch(&files->changes, clock_mono_ms());
            }
            at += sizeof *event + event->len;
        }
    }
}

int tls_files_wait_ms(const struct tls_files *files)
{
    return (int)debounce_left_ms(&files->changes, clock_mono_ms());
}

void tls_files_reload(struct tls_files *files, bool is_asked)
{
    bool is_due = debounce_due(&files->changes, clock_mono_ms()) == 0;
    if (!files->tls || (!is_due && !is_asked)) {
        return;
    }
    galley_error err = {0};
    files->changes.is_waiting = false;
    if (galley_tls_reload(files->tls, &err) == GALLEY_OK) {
        say_info("certificates were read again: new connections use them");
    } else {
        say_error("%s; the certificates in use stay", err.message);
    }
}
