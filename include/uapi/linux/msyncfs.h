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

#define MSYNCFS_IOC_MAGIC	0xb5	/* no commands yet */

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
