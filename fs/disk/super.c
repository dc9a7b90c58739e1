// SPDX-License-Identifier: GPL-2.0
/*
 * This file writes the superblock, which the module changes only to set feature bits
 * or the label. fs/vfs/super.c reads it.
 */
#include <kunit/visibility.h>
#include <linux/blkdev.h>
#include <linux/buffer_head.h>
#include <linux/fs.h>

#include "disk.h"

static int msyncfs_write_super(struct super_block *sb, u64 blkno)
{
	struct buffer_head *bh = sb_bread(sb, blkno);
	int err;

	if (!bh)
		return -EIO;
	lock_buffer(bh);
	memcpy(bh->b_data, MSYNCFS_SB(sb)->ds, sizeof(*MSYNCFS_SB(sb)->ds));
	unlock_buffer(bh);
	mark_buffer_dirty(bh);
	err = sync_dirty_buffer(bh);
	brelse(bh);
	return err;
}

/**
 * msyncfs_write_supers - write both superblocks, durably
 * @sb: filesystem; sbi->ds has the new content, except for its checksum
 *
 * The two are never torn at the same time, and fsck.msyncfs restores one from the
 * other.
 *
 * Context: caller has passed the gate, or mounts or remounts the filesystem; sleeps
 * for the device.
 * Return: 0 or -EIO (logged).
 */
int msyncfs_write_supers(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	int err;

	msyncfs_seal_super(sbi->ds);
	err = msyncfs_write_super(sb, MSYNCFS_SUPER_BLKNO) ?:
	      blkdev_issue_flush(sb->s_bdev) ?:
	      msyncfs_write_super(sb, sbi->geo.blocks - 1) ?:
	      blkdev_issue_flush(sb->s_bdev);
	if (err)
		msyncfs_err(sb, "cannot write the superblock: error %d", err);
	return err;
}

/**
 * msyncfs_set_label - change the label of the filesystem, durably
 * @sb: filesystem; the caller keeps it writable
 * @label: MSYNCFS_LABEL_LEN bytes, padded with zeros
 *
 * After an error, a later mount may find the new label or the old one.
 *
 * Context: takes s_umount and passes the gate; sleeps for the device.
 * Return: 0; -EIO; or the error of msyncfs_gate_enter().
 */
int msyncfs_set_label(struct super_block *sb, const char *label)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u8 old[MSYNCFS_LABEL_LEN];
	int err;

	/* A remount changes the superblock, too (msyncfs_set_features()). */
	down_write(&sb->s_umount);
	err = msyncfs_gate_enter(sbi);
	if (err)
		goto unlock;
	memcpy(old, sbi->ds->label, sizeof(old));
	memcpy(sbi->ds->label, label, sizeof(old));
	err = msyncfs_write_supers(sb);
	if (err) {
		memcpy(sbi->ds->label, old, sizeof(old));
		msyncfs_seal_super(sbi->ds);
	}
	msyncfs_gate_leave(sbi);
unlock:
	up_write(&sb->s_umount);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_set_label);
