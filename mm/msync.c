// SPDX-License-Identifier: GPL-2.0
/*
 * msync(MS_SYNC) and fsync: what the kernel calls once for each mapping in the
 * range of the system call. Capture, commit, and an honest answer.
 */
#include <linux/fs.h>
#include <linux/pagemap.h>

#include "msyncfs.h"
#include "trace.h"

/* Attributes that changed without an operation of their own. */
static int msyncfs_sync_attrs(struct inode *inode)
{
	struct msyncfs_op op;
	int err;

	if (!test_bit(MSYNCFS_I_DIRTY, &MSYNCFS_I(inode)->i_flags))
		return 0;
	err = msyncfs_op_begin(inode->i_sb, &op, 1, 0);
	if (err)
		return err;
	msyncfs_inode_dirty(&op, inode, false);
	msyncfs_op_end(&op);
	return 0;
}

/**
 * msyncfs_sync_inode - make a range of a file durable
 * @inode: file
 * @start: first byte
 * @end: last byte, inclusive
 * @datasync: leave out times and the like
 *
 * All dirty pages of the range become durable in one record, together with what
 * is needed to read them (G1, G2). Nothing dirty, and nothing of this inode on
 * its way: no device command.
 *
 * Context: sleeps for the device. Caller holds none of what P4 forbids, and not
 * i_commit_lock; it may hold i_rwsem (P5).
 * Return: 0, or why the range is not durable; its pages are dirty then.
 */
int msyncfs_sync_inode(struct inode *inode, loff_t start, loff_t end,
		       bool datasync)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct super_block *sb = inode->i_sb;
	struct msyncfs_capture *cap;
	int err = 0, err2;

	mutex_lock(&mi->i_commit_lock);
	cap = msyncfs_capture(inode, start >> PAGE_SHIFT, end >> PAGE_SHIFT,
			      MSYNCFS_SB(sb)->record_images / 2, ULONG_MAX);
	if (IS_ERR(cap)) {
		mutex_unlock(&mi->i_commit_lock);
		return PTR_ERR(cap);
	}
	if (cap)
		err = msyncfs_attach(inode, cap, !datasync);
	mutex_unlock(&mi->i_commit_lock);

	if (!err && !datasync)
		err = msyncfs_sync_attrs(inode);
	if (!err) {
		err = msyncfs_commit(sb, datasync ? READ_ONCE(mi->i_data_tid) :
						    READ_ONCE(mi->i_tid));
	}
	if (cap) {
		err2 = cap->incomplete ? -ENOMEM : READ_ONCE(cap->error);
		msyncfs_capture_put(cap);
		if (!err)
			err = err2;
	}
	return err;
}

/**
 * msyncfs_fsync - file_operations: fsync, fdatasync and msync(MS_SYNC)
 * @file: open file
 * @start: first byte
 * @end: last byte, inclusive
 * @datasync: as fdatasync(2); msync(2) sets it
 *
 * Context: may be called with i_rwsem held, by O_DSYNC direct writes (P5).
 * Return: 0; -EIO, -ENOSPC or whatever kept the range, or an earlier write-back
 * that this open file has not been told about, from becoming durable (G4).
 */
int msyncfs_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err, err2;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	trace_msyncfs_fsync_enter(inode, start, end, datasync);
	err = msyncfs_sync_inode(inode, start, end, datasync);
	if (!err)
		err = msyncfs_dio_flush(inode);
	err2 = file_check_and_advance_wb_err(file);
	if (!err)
		err = err2;
	trace_msyncfs_fsync_exit(inode, start, end, err);
	return err;
}
