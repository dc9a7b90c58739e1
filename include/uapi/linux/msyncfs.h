/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * This header defines the ioctls of msyncfs.
 *
 * Files and directories also accept FS_IOC_GETFLAGS, FS_IOC_SETFLAGS,
 * FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR, FS_IOC_GETFSLABEL, FS_IOC_GETVERSION,
 * FS_IOC_GETFSUUID and FS_IOC_GETFSSYSFSPATH of <linux/fs.h>. An unknown command
 * returns ENOTTY.
 *
 * MSYNCFS_IOC_MAGIC is the type of all commands that no other filesystem has.
 * struct msyncfs_msync has fields of fixed width and ends in a reserved field,
 * which must be zero.
 */
#ifndef _UAPI_LINUX_MSYNCFS_H
#define _UAPI_LINUX_MSYNCFS_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MSYNCFS_IOC_MAGIC	0xb5

/**
 * struct msyncfs_msync - argument of MSYNCFS_IOC_MSYNC
 * @addr: first byte of the range in the address space of the caller; must be a
 *	multiple of the page size
 * @len: length in bytes; the ioctl rounds it up to whole pages
 * @flags: MS_ASYNC, MS_SYNC and MS_INVALIDATE of <sys/mman.h>
 * @reserved: zero
 */
struct msyncfs_msync {
	__u64	addr;
	__u64	len;
	__u32	flags;
	__u32	reserved;
};

/*
 * Run msync(2) with the full meaning of all its flags. A program needs this
 * ioctl only if msyncfs_hook is not loaded. The range alone decides which files
 * are synced. The descriptor may be of any file or directory on an msyncfs
 * mount. The ioctl has the results and errors of msync(2), which
 * Documentation/msync.rst lists. The ioctl also returns EINVAL if @reserved is
 * not zero, and EFAULT if it cannot read the structure.
 */
#define MSYNCFS_IOC_MSYNC	_IOW(MSYNCFS_IOC_MAGIC, 1, struct msyncfs_msync)

/*
 * Make a regular file atomic (1) or ordinary (0). Only msync and fsync change
 * an atomic file on the device, and each call commits all changes of the file.
 * WHEN THE LAST DESCRIPTOR AND THE LAST MAPPING OF THE FILE ARE GONE, ALL
 * UNCOMMITTED CHANGES ARE DISCARDED.
 *
 * The ioctl first commits the content of the file. The new state of the file is
 * durable when the ioctl returns 0. It returns EBADF if the file is not open
 * for writing, EPERM if the caller is neither the owner nor privileged or if the
 * file is immutable or append-only, and EINVAL if the number is neither 0 nor 1
 * or if the file is not a regular file. See Documentation/atomicity.rst.
 */
#define MSYNCFS_IOC_SET_ATOMIC	_IOW(MSYNCFS_IOC_MAGIC, 2, __u32)

/*
 * Get 1 if the file is an atomic file, else 0. The mount option atomic makes
 * every regular file atomic.
 */
#define MSYNCFS_IOC_GET_ATOMIC	_IOR(MSYNCFS_IOC_MAGIC, 3, __u32)

/*
 * Discard all changes of an atomic file since its last commit, including the
 * changes of other processes. The last commit is durable when the ioctl returns
 * 0. The ioctl returns EBADF if the file is not open for writing, EINVAL if the
 * file is not atomic, and EPERM if it is immutable or append-only.
 */
#define MSYNCFS_IOC_ROLLBACK	_IO(MSYNCFS_IOC_MAGIC, 4)

/*
 * Files also accept the ioctls of f2fs for atomic writes, which <linux/f2fs.h>
 * has: F2FS_IOC_START_ATOMIC_WRITE, F2FS_IOC_COMMIT_ATOMIC_WRITE and
 * F2FS_IOC_ABORT_ATOMIC_WRITE. F2FS_IOC_GET_FEATURES returns this bit, the only
 * one. SQLite uses all four. See Documentation/databases.rst.
 */
#define MSYNCFS_F2FS_ATOMIC_WRITE	0x0004

/*
 * Stop the filesystem, as if the device had been removed. Afterwards every
 * operation returns EIO until the filesystem is unmounted. XFS and ext4 use the
 * same ioctl number and the same flags. The caller needs CAP_SYS_ADMIN.
 */
#define MSYNCFS_IOC_SHUTDOWN	_IOR('X', 125, __u32)

#define MSYNCFS_SHUTDOWN_DEFAULT	0x0	/* write everything first */
#define MSYNCFS_SHUTDOWN_LOGFLUSH	0x1	/* commit the log, but write no data */
#define MSYNCFS_SHUTDOWN_NOLOGFLUSH	0x2	/* write nothing */

#endif /* _UAPI_LINUX_MSYNCFS_H */
