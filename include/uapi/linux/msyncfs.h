/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ioctl interface of msyncfs.
 *
 * Besides these, files and directories take FS_IOC_GETFSLABEL,
 * FS_IOC_GETVERSION, FS_IOC_GETFSUUID and FS_IOC_GETFSSYSFSPATH of
 * <linux/fs.h>. An unknown command is ENOTTY.
 *
 * Commands of msyncfs alone use the type MSYNCFS_IOC_MAGIC. Their structures
 * are of fixed width and end in reserved fields, which must be zero.
 */
#ifndef _UAPI_LINUX_MSYNCFS_H
#define _UAPI_LINUX_MSYNCFS_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MSYNCFS_IOC_MAGIC	0xb5

/**
 * struct msyncfs_msync - argument of MSYNCFS_IOC_MSYNC
 * @addr: first byte of the range, in the address space of the caller; a
 *	multiple of the page size
 * @len: length in bytes, rounded up to whole pages
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
 * msync(2) with all that its flags promise, on a kernel without msyncfs_hook.
 * On any open file or directory of a msyncfs mount; what counts is the range,
 * not the file that the ioctl is called on. Results and errors are those of
 * msync(2), see Documentation/msync.rst; EINVAL also if @reserved is not zero,
 * EFAULT if the structure cannot be read.
 */
#define MSYNCFS_IOC_MSYNC	_IOW(MSYNCFS_IOC_MAGIC, 1, struct msyncfs_msync)

/*
 * Make a regular file atomic (1) or ordinary again (0): an atomic file changes on
 * the device by msync and fsync alone, as a whole, and WHAT HAS NOT BEEN COMMITTED
 * WHEN ITS LAST DESCRIPTOR AND MAPPING GO IS DISCARDED. The file must be open for
 * writing (EBADF) and the caller its owner or privileged (EPERM); what it holds is
 * committed first, and the change is durable on return. EINVAL: another number,
 * or not a regular file. See Documentation/atomicity.rst.
 */
#define MSYNCFS_IOC_SET_ATOMIC	_IOW(MSYNCFS_IOC_MAGIC, 2, __u32)

/* Is the file atomic (1)? Also by the mount option atomic. */
#define MSYNCFS_IOC_GET_ATOMIC	_IOR(MSYNCFS_IOC_MAGIC, 3, __u32)

/*
 * Discard all that has changed in an atomic file since its last commit, whoever
 * has changed it; that commit is durable on return. The file must be open for
 * writing (EBADF). EINVAL: it is not atomic.
 */
#define MSYNCFS_IOC_ROLLBACK	_IO(MSYNCFS_IOC_MAGIC, 4)

/*
 * Stop the filesystem where it is, as after the loss of the device: from then
 * on everything returns EIO, until it is unmounted. Number and flags are those
 * of XFS and ext4. Needs CAP_SYS_ADMIN.
 */
#define MSYNCFS_IOC_SHUTDOWN	_IOR('X', 125, __u32)

#define MSYNCFS_SHUTDOWN_DEFAULT	0x0	/* write everything first */
#define MSYNCFS_SHUTDOWN_LOGFLUSH	0x1	/* commit, but write no data */
#define MSYNCFS_SHUTDOWN_NOLOGFLUSH	0x2	/* write nothing */

#endif /* _UAPI_LINUX_MSYNCFS_H */
