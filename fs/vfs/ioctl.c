// SPDX-License-Identifier: GPL-2.0
/*
 * This file implements ioctl(2) on files and directories. It checks arguments
 * and permissions, and calls mm/msync.c, atomic.c, batch.c and fs/disk/state.c.
 */
#include <linux/blkdev.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/uaccess.h>
#include <linux/msyncfs.h>
#include <uapi/linux/f2fs.h>

#include "vfs.h"

/*
 * Shuts the filesystem down. MSYNCFS_SHUTDOWN_DEFAULT freezes the filesystem
 * before the shutdown. The freeze brings everything home and blocks writers.
 * With the other two flags, this function writes no dirty pages.
 * MSYNCFS_SHUTDOWN_LOGFLUSH commits before the shutdown.
 * MSYNCFS_SHUTDOWN_NOLOGFLUSH does not commit.
 */
static int msyncfs_ioc_shutdown(struct super_block *sb, u32 __user *arg)
{
	u32 flags;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(flags, arg))
		return -EFAULT;

	switch (flags) {
	case MSYNCFS_SHUTDOWN_DEFAULT:
		if (msyncfs_is_dead(MSYNCFS_SB(sb)))
			return 0;
		err = bdev_freeze(sb->s_bdev);
		if (err)
			return err;
		msyncfs_shutdown(sb);
		bdev_thaw(sb->s_bdev);
		return 0;
	case MSYNCFS_SHUTDOWN_LOGFLUSH:
		/* Shut down even after an error. The error has been logged. */
		msyncfs_commit_all(sb);
		fallthrough;
	case MSYNCFS_SHUTDOWN_NOLOGFLUSH:
		msyncfs_shutdown(sb);
		return 0;
	default:
		return -EINVAL;
	}
}

static int msyncfs_ioc_getlabel(struct super_block *sb, char __user *arg)
{
	char label[FSLABEL_MAX] = {};

	BUILD_BUG_ON(MSYNCFS_LABEL_LEN >= FSLABEL_MAX);
	down_read(&sb->s_umount);
	memcpy(label, MSYNCFS_SB(sb)->ds->label, MSYNCFS_LABEL_LEN);
	up_read(&sb->s_umount);
	return copy_to_user(arg, label, sizeof(label)) ? -EFAULT : 0;
}

static int msyncfs_ioc_setlabel(struct file *file, const char __user *arg)
{
	char label[MSYNCFS_LABEL_LEN + 1];
	size_t len;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(label, arg, sizeof(label)))
		return -EFAULT;
	len = strnlen(label, sizeof(label));
	if (len > MSYNCFS_LABEL_LEN)
		return -EINVAL;
	memset(label + len, 0, sizeof(label) - len);
	err = mnt_want_write_file(file);
	if (err)
		return err;
	err = msyncfs_set_label(file_inode(file)->i_sb, label);
	mnt_drop_write_file(file);
	return err;
}

static int msyncfs_ioc_trim(struct file *file, struct fstrim_range __user *arg)
{
	struct super_block *sb = file_inode(file)->i_sb;
	struct fstrim_range range;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	/* The gate stops msyncfs_trim() when the filesystem becomes read-only. */
	err = mnt_want_write_file(file);
	if (err)
		return err;
	mnt_drop_write_file(file);
	err = msyncfs_trim(sb, &range);
	if (err)
		return err;
	return copy_to_user(arg, &range, sizeof(range)) ? -EFAULT : 0;
}

static int msyncfs_ioc_msync(struct msyncfs_msync __user *arg)
{
	struct msyncfs_msync msync;

	if (copy_from_user(&msync, arg, sizeof(msync)))
		return -EFAULT;
	if (msync.reserved)
		return -EINVAL;
	return msyncfs_msync(msync.addr, msync.len, msync.flags);
}

/*
 * Returns whether a flag forbids to discard data of the file, and to make it a
 * file whose data can be discarded.
 */
static bool msyncfs_ioc_protected(struct inode *inode)
{
	return IS_IMMUTABLE(inode) || IS_APPEND(inode);
}

static int msyncfs_ioc_set_atomic(struct file *file, u32 __user *arg)
{
	struct inode *inode = file_inode(file);
	u32 on;
	int err;

	if (get_user(on, arg))
		return -EFAULT;
	if (on > 1 || !S_ISREG(inode->i_mode))
		return -EINVAL;
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!inode_owner_or_capable(file_mnt_idmap(file), inode) ||
	    msyncfs_ioc_protected(inode))
		return -EPERM;
	err = mnt_want_write_file(file);
	if (err)
		return err;
	err = msyncfs_atomic_set(inode, on);
	mnt_drop_write_file(file);
	return err;
}

static int msyncfs_ioc_rollback(struct file *file)
{
	struct inode *inode = file_inode(file);
	int err;

	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (msyncfs_ioc_protected(inode))
		return -EPERM;
	err = mnt_want_write_file(file);
	if (err)
		return err;
	err = msyncfs_atomic_rollback(inode);
	mnt_drop_write_file(file);
	return err;
}

/**
 * msyncfs_ioctl - file_operations.unlocked_ioctl for files and directories
 * @file: open file
 * @cmd: command
 * @arg: argument of the command
 *
 * Context: may sleep; the caller holds no locks.
 * Return: 0; -ENOTTY for an unknown command; -EIO after a shutdown; or the
 * error of the command.
 */
long msyncfs_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct inode *inode = file_inode(file);
	void __user *uarg = (void __user *)arg;

	if (cmd == MSYNCFS_IOC_SHUTDOWN)
		return msyncfs_ioc_shutdown(inode->i_sb, uarg);
	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;

	switch (cmd) {
	case MSYNCFS_IOC_MSYNC:
		return msyncfs_ioc_msync(uarg);
	case MSYNCFS_IOC_SET_ATOMIC:
		return msyncfs_ioc_set_atomic(file, uarg);
	case MSYNCFS_IOC_GET_ATOMIC:
		return put_user((u32)msyncfs_is_atomic(inode),
				(u32 __user *)uarg);
	case MSYNCFS_IOC_ROLLBACK:
		return msyncfs_ioc_rollback(file);
	case F2FS_IOC_GET_FEATURES:
		return put_user((u32)MSYNCFS_F2FS_ATOMIC_WRITE,
				(u32 __user *)uarg);
	case F2FS_IOC_START_ATOMIC_WRITE:
	case F2FS_IOC_COMMIT_ATOMIC_WRITE:
	case F2FS_IOC_ABORT_ATOMIC_WRITE:
		return msyncfs_batch_ioctl(file, cmd);
	case FITRIM:
		return msyncfs_ioc_trim(file, uarg);
	case FS_IOC_GETFSLABEL:
		return msyncfs_ioc_getlabel(inode->i_sb, uarg);
	case FS_IOC_SETFSLABEL:
		return msyncfs_ioc_setlabel(file, uarg);
	case FS_IOC_GETVERSION:
	case FS_IOC32_GETVERSION:
		return put_user(inode->i_generation, (u32 __user *)uarg);
	default:
		return -ENOTTY;
	}
}
