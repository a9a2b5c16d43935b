/* tests/unit/loop/test_bulk.c — what those need who encrypt a file before they send it: its bytes as
 * far as they are in memory, and how much the socket has room for. */
#include "loop/sim.h"
#include "loop/warm_file.h"
#include "support_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static char data[64];

static int make_file(const char *text)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    EXPECT(fd >= 0);
    EXPECT_INT(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

TEST(test_without_a_pool_a_file_is_read_wherever_it_is)
{
    struct rig rig;
    rig_open(&rig, LOOP_BACKEND_SIM);
    int fd = make_file("some bytes");
    sim_set_probe(rig.loop, -EAGAIN);
    EXPECT_INT(loop_read_warm(rig.loop, fd, data, sizeof data, 5), 5);
    EXPECT(memcmp(data, "bytes", 5) == 0);
    EXPECT_INT(loop_read_warm(rig.loop, fd, data, sizeof data, 10), 0);
    EXPECT_INT(loop_read_warm(rig.loop, 1000, data, sizeof data, 0), -EBADF);
    close(fd);
    rig_close(&rig);
}

TEST(test_with_a_pool_only_what_is_in_memory_is_read)
{
    struct rig rig;
    rig_open(&rig, LOOP_BACKEND_SIM);
    EXPECT_INT(warm_files_start(rig.loop, NULL), 0);
    int fd = make_file("some bytes");
    EXPECT_INT(loop_read_warm(rig.loop, fd, data, sizeof data, 0), 10);
    sim_set_probe(rig.loop, -EAGAIN);
    EXPECT_INT(loop_read_warm(rig.loop, fd, data, sizeof data, 0), -EAGAIN);
    sim_set_probe(rig.loop, -EOPNOTSUPP);
    EXPECT_INT(loop_read_warm(rig.loop, fd, data, sizeof data, 0), -EOPNOTSUPP);
    sim_set_probe(rig.loop, -ENOSYS);
    EXPECT_INT(loop_read_warm(rig.loop, fd, data, sizeof data, 0), -EOPNOTSUPP);
    sim_set_probe(rig.loop, -EIO); /* the job meets it, and says so */
    EXPECT_INT(loop_read_warm(rig.loop, fd, data, sizeof data, 0), -EAGAIN);
    close(fd);
    rig_close(&rig);
}

/* Of a file that was just written a real kernel says the same, or that it cannot tell. */
REAL(a_real_file_is_read_or_cannot_be_asked)
{
    struct rig rig;
    rig_open(&rig, backend);
    EXPECT_INT(warm_files_start(rig.loop, NULL), 0);
    char path[] = "/tmp/galley-bulk-XXXXXX";
    int fds[] = {make_file("some bytes"), mkstemp(path)};
    EXPECT(fds[1] >= 0 && unlink(path) == 0);
    EXPECT_INT(write(fds[1], "some bytes", 10), 10);
    for (int i = 0; i < 2; i++) {
        ssize_t got = loop_read_warm(rig.loop, fds[i], data, sizeof data, 5);
        EXPECT(got == -EOPNOTSUPP || got == 5);
        close(fds[i]);
    }
    rig_close(&rig);
}

TEST(test_a_simulated_sockets_room_is_its_window)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, LOOP_BACKEND_SIM);
    stream_open(&rig, &s);
    EXPECT(loop_send_room(rig.loop, &s.socket) == SIZE_MAX);
    sim_set_window(s.client.peer, 1000);
    EXPECT_INT(loop_send_room(rig.loop, &s.socket), 1000);
    stream_close(&rig, &s);
    rig_close(&rig);
}

/* The kernel grows the buffer of a connection that uses it: only full and empty are sure. */
REAL(a_socket_has_room_until_it_is_full)
{
    struct rig rig;
    struct stream s;
    static char block[64 * 1024];
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    size_t at_first = loop_send_room(rig.loop, &s.socket);
    EXPECT(at_first > 0);
    while (send(s.socket.fd, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
        /* until it is full */
    }
    EXPECT(at_first == SIZE_MAX || loop_send_room(rig.loop, &s.socket) < sizeof block);
    stream_close(&rig, &s);
    rig_close(&rig);
}
