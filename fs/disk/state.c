// SPDX-License-Identifier: GPL-2.0
/*
 * This file prints messages about a mount. It aborts a mount after a failure
 * that cannot be undone, and it shuts a mount down.
 */
#include <kunit/visibility.h>
#include <linux/ratelimit.h>

#include "disk.h"

/**
 * msyncfs_err - report that something is wrong with a filesystem
 * @sb: filesystem
 * @fmt: printf format without a newline; the message should name the block or
 *	inode
 *
 * If one filesystem sends too many messages in a short time, the kernel drops
 * and counts the further messages.
 *
 * Context: any, once sbi->messages is initialised.
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
 * msyncfs_warn - report something that the administrator should know
 * @sb: filesystem
 * @fmt: printf format without a newline
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
 * msyncfs_info - report something that has been done
 * @sb: filesystem
 * @fmt: printf format without a newline
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
 * msyncfs_abort - stop the log after a failure that cannot be undone
 * @sb: filesystem
 * @why: the reason in words
 * @err: negative errno
 *
 * The first call logs the reason and does what the mount option errors= says.
 * Later calls do nothing. After the first call, operations fail, even
 * operations that already wait for a transaction. Dirty pages stay dirty. The
 * durable state on the device does not change.
 *
 * Context: any that may take a spinlock; may be inside an operation or a
 * commit.
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
	 * SB_RDONLY is only for the VFS. This function may run without
	 * s_umount, so a concurrent remount may clear the flag. Therefore
	 * msyncfs itself tests the bit MSYNCFS_SB_ABORTED. The barrier makes
	 * this bit visible before SB_RDONLY.
	 */
	smp_wmb();
	sb->s_flags |= SB_RDONLY;
	wake_up_all(&sbi->wait);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_abort);

/**
 * msyncfs_closed_error - tell which error a closed gate returns
 * @sbi: filesystem
 *
 * Context: any.
 * Return: as msyncfs_gate_enter(); 0 if the gate has been opened meanwhile.
 */
int msyncfs_closed_error(const struct msyncfs_sb_info *sbi)
{
	unsigned long state = READ_ONCE(sbi->state);

	if (state & (BIT(MSYNCFS_SB_ABORTED) | BIT(MSYNCFS_SB_SHUTDOWN)))
		return -EIO;
	if (state & BIT(MSYNCFS_SB_RDONLY))
		return -EROFS;
	return state & BIT(MSYNCFS_SB_FROZEN) ? -EFSFROZEN : 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_closed_error);

/**
 * msyncfs_shutdown - forbid all further access to the device
 * @sb: filesystem
 *
 * MSYNCFS_IOC_SHUTDOWN calls this function. The VFS calls it when the device is
 * gone. Afterwards every operation returns -EIO, but the filesystem can be
 * unmounted.
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
EXPORT_SYMBOL_IF_KUNIT(msyncfs_shutdown);
