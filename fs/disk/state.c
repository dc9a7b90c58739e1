// SPDX-License-Identifier: GPL-2.0
/*
 * The messages of a mount, and what happens when its log can no longer be
 * written.
 */
#include <kunit/visibility.h>
#include <linux/ratelimit.h>

#include "disk.h"

/**
 * msyncfs_err - say that something is wrong with a filesystem
 * @sb: filesystem
 * @fmt: printf format, without a newline; names the block or inode
 *
 * Context: any, from when the superblock is being read. Too many messages of one
 * filesystem in a short time are dropped and counted.
 */
void msyncfs_err(struct super_block *sb, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	if (__ratelimit(&MSYNCFS_SB(sb)->messages))
		pr_err("msyncfs (%s): %pV\n", sb->s_id, &vaf);
	va_end(args);
}

/**
 * msyncfs_warn - say what the administrator should know
 * @sb: filesystem
 * @fmt: printf format, without a newline
 *
 * Context: as msyncfs_err().
 */
void msyncfs_warn(struct super_block *sb, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	if (__ratelimit(&MSYNCFS_SB(sb)->messages))
		pr_warn("msyncfs (%s): %pV\n", sb->s_id, &vaf);
	va_end(args);
}

/**
 * msyncfs_info - say what has been done
 * @sb: filesystem
 * @fmt: printf format, without a newline
 *
 * Context: as msyncfs_err().
 */
void msyncfs_info(struct super_block *sb, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	if (__ratelimit(&MSYNCFS_SB(sb)->messages))
		pr_info("msyncfs (%s): %pV\n", sb->s_id, &vaf);
	va_end(args);
}

static const char * const msyncfs_errors_text[] = {
	[MSYNCFS_ERRORS_RO]		= "read-only from now on",
	[MSYNCFS_ERRORS_SHUTDOWN]	= "shut down",
	[MSYNCFS_ERRORS_PANIC]		= "panic",
};

/**
 * msyncfs_abort - the log can no longer be written
 * @sb: filesystem
 * @why: in words
 * @err: negative errno
 *
 * The first call says so, once, and does what errors= asks for. Operations fail
 * from now on, those that wait for a transaction too. Pages stay dirty, and the
 * last durable state stays as it is.
 *
 * Context: any that may take a spinlock, also inside an operation or a commit.
 */
void msyncfs_abort(struct super_block *sb, const char *why, int err)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);

	if (test_and_set_bit(MSYNCFS_SB_ABORTED, &sbi->state))
		return;
	pr_crit("msyncfs (%s): %s (%d): %s\n", sb->s_id, why, err,
		msyncfs_errors_text[sbi->options.errors]);
	if (sbi->options.errors == MSYNCFS_ERRORS_PANIC)
		panic("msyncfs (%s): %s (%d)\n", sb->s_id, why, err);
	if (sbi->options.errors == MSYNCFS_ERRORS_SHUTDOWN)
		set_bit(MSYNCFS_SB_SHUTDOWN, &sbi->state);
	/*
	 * For the VFS; not under s_umount, so a remount may undo it. What
	 * counts is the bit in state, and whoever sees the flag must see that.
	 */
	smp_wmb();
	sb->s_flags |= SB_RDONLY;
	wake_up_all(&sbi->wait);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_abort);

/**
 * msyncfs_shutdown - nothing may touch the device any more
 * @sb: filesystem
 *
 * By FS_IOC_SHUTDOWN, or because the device is gone. Everything returns -EIO;
 * unmount works.
 *
 * Context: may sleep.
 */
void msyncfs_shutdown(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);

	if (test_and_set_bit(MSYNCFS_SB_SHUTDOWN, &sbi->state))
		return;
	set_bit(MSYNCFS_SB_ABORTED, &sbi->state);
	pr_alert("msyncfs (%s): shut down\n", sb->s_id);
	wake_up_all(&sbi->wait);
}
