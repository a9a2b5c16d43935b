/* files/file_told.c — names, mounts and kinds of file systems; see file_told.h. */
#include "files/file_told.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* File systems that others than this kernel write to; not all of them are in every
 * <linux/magic.h>. */
static const uint32_t shared_magics[] = {
    NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CODA_SUPER_MAGIC, AFS_SUPER_MAGIC,
    V9FS_MAGIC,      NCP_SUPER_MAGIC, 0xFF534D42, /* CIFS */
    0xFE534D42,                                   /* SMB 2 */
    0x00C36400,                                   /* Ceph */
    0x65735546,                                   /* FUSE, and by it virtiofs, sshfs, … */
    0x7461636F,                                   /* OCFS2 */
    0x01161970,                                   /* GFS2 */
    0x0BD00BD0,                                   /* Lustre */
    0x786F4256,                                   /* shared folders of VirtualBox */
};

static bool is_shared(int fd)
{
    struct statfs info;
    if (fstatfs(fd, &info) != 0) {
        return true;
    }
    for (unsigned i = 0; i < sizeof shared_magics / sizeof *shared_magics; i++) {
        if ((uint32_t)info.f_type == shared_magics[i]) {
            return true;
        }
    }
    return false;
}

static bool look(int fd, struct statx *ret)
{
    return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, ret) == 0;
}

/* Kernels before 5.8 know no number of a mount: then the device must do. */
static bool is_same_mount(const struct statx *a, const struct statx *b)
{
    bool has_mounts = (a->stx_mask & STATX_MNT_ID) && (b->stx_mask & STATX_MNT_ID);
    return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor &&
           (!has_mounts || a->stx_mnt_id == b->stx_mnt_id);
}

bool file_told_of(int root_fd, int fd)
{
    struct statx root, own;
    if (!look(root_fd, &root) || !look(fd, &own) || !is_same_mount(&root, &own)) {
        return false;
    }
    bool has_other_names = !S_ISDIR(own.stx_mode) && own.stx_nlink > 1;
    return !has_other_names && !is_shared(fd);
}
