// SPDX-License-Identifier: GPL-2.0
/*
 * fallocate(2): blocks ahead of the data, holes, and zeros. How a hole is made
 * is fs/truncate.c's.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "vfs.h"

#define MSYNCFS_FALLOC_MODES \
	(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)

/* Longest run that one operation allocates, in blocks. */
#define MSYNCFS_FALLOC_RUN	4096

/* Holes in [@index, @end), in blocks; -EIO or -EUCLEAN. */
static s64 msyncfs_count_holes(struct inode *inode, u64 index, u64 end)
{
	struct msyncfs_extent ext;
	s64 holes = 0;
	int err;

	for (; index < end; index += ext.len) {
		err = msyncfs_map_lookup(inode, index, end - index, &ext);
		if (err)
			return err;
		if (!ext.blkno)
			holes += ext.len;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return holes;
}

/* So much of a hole that what it dirties is a small part of one record. */
static u64 msyncfs_run_for(struct inode *inode, u64 index, u64 len,
			   unsigned int *credits)
{
	unsigned int max = MSYNCFS_SB(inode->i_sb)->geo.record_images / 2;

	len = min_t(u64, len, MSYNCFS_FALLOC_RUN);
	for (;;) {
		/* And the bitmap block of the run. */
		*credits = msyncfs_map_credits(inode, index, len) + 1;
		if (*credits <= max || len == 1)
			return len;
		len /= 2;
	}
}

/* Allocates the beginning of the hole @ext; *@done is how many blocks. */
static int msyncfs_fill_hole(struct inode *inode,
			     const struct msyncfs_extent *ext, u64 *goal,
			     u64 *done)
{
	struct super_block *sb = inode->i_sb;
	unsigned int credits;
	struct msyncfs_op op;
	u64 want, start, len;
	int err;

	want = msyncfs_run_for(inode, ext->index, ext->len, &credits);
	/* New map nodes are fewer than the blocks dirtied. */
	err = msyncfs_op_begin(sb, &op, credits, want + credits);
	if (err == -ENOSPC && want > 1) {
		/* Nearly full: it may still do block by block. */
		want = 1;
		credits = msyncfs_map_credits(inode, ext->index, 1) + 1;
		err = msyncfs_op_begin(sb, &op, credits, 1 + credits);
	}
	if (err)
		return err;
	err = msyncfs_alloc(&op, *goal, want, &start, &len);
	if (!err) {
		err = msyncfs_map_set(&op, inode, ext->index, len, start, true);
		if (err)
			msyncfs_free(&op, start, len);
		msyncfs_inode_dirty(&op, inode, true);
	}
	msyncfs_op_end(&op);
	if (err)
		return err;

	/* Dirty pages there have a block now. */
	msyncfs_resv_release(inode, ext->index, ext->index + len - 1);
	*goal = start + len;
	*done = len;
	return 0;
}

/* Allocates every hole in [@start, @end), bytes. Caller holds i_commit_lock. */
static int msyncfs_allocate(struct inode *inode, loff_t start, loff_t end)
{
	u64 index = start >> PAGE_SHIFT;
	u64 stop = DIV_ROUND_UP_ULL(end, PAGE_SIZE);
	u64 goal = inode->i_ino + 1, done;
	struct msyncfs_extent ext;
	s64 holes;
	int err;

	holes = msyncfs_count_holes(inode, index, stop);
	if (holes < 0)
		return holes;
	if (holes > msyncfs_space_avail(inode->i_sb) +
		    msyncfs_resv_range(inode, index, stop - 1))
		return -ENOSPC;

	while (index < stop) {
		err = msyncfs_map_lookup(inode, index, stop - index, &ext);
		if (err)
			return err;
		done = ext.len;
		if (ext.blkno) {
			goal = ext.blkno + ext.len;
		} else {
			err = msyncfs_fill_hole(inode, &ext, &goal, &done);
			if (err)
				return err;
		}
		index += done;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/*
 * Of an atomic file: nothing on the device changes, so there is no allocating
 * ahead; zeros come at the price of a hole. Caller holds i_rwsem, i_commit_lock.
 */
static int msyncfs_atomic_fallocate(struct inode *inode, int mode,
				    loff_t start, loff_t end)
{
	int err;

	if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		return -EOPNOTSUPP;
	err = msyncfs_atomic_punch(inode, start, end);
	if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > i_size_read(inode))
		err = msyncfs_atomic_extend(inode, end);
	return err;
}

/* Caller holds i_rwsem and i_commit_lock. */
static int msyncfs_do_fallocate(struct inode *inode, int mode, loff_t start,
				loff_t end)
{
	int err;

	if (msyncfs_is_atomic(inode))
		return msyncfs_atomic_fallocate(inode, mode, start, end);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		/*
		 * Zeroing in place would do without new blocks, but an image
		 * of the old content may still be on its way to the old ones.
		 */
		err = msyncfs_punch(inode, start, end);
		if (err || (mode & FALLOC_FL_PUNCH_HOLE))
			return err;
	}
	err = msyncfs_allocate(inode, start, end);
	if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > i_size_read(inode))
		err = msyncfs_extend(inode, end);
	return err;
}

/**
 * msyncfs_fallocate - file_operations.fallocate
 * @file: regular file, open for writing
 * @mode: 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | KEEP_SIZE,
 *	FALLOC_FL_ZERO_RANGE and that with KEEP_SIZE; see fallocate(2)
 * @offset: first byte
 * @len: bytes
 *
 * Return: 0; -EOPNOTSUPP for other modes, and for the first two of an atomic
 * file; -ENOSPC or another negative errno,
 * with part of the range done.
 */
long msyncfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	loff_t end = offset + len;
	int err = 0;

	if (mode & ~MSYNCFS_FALLOC_MODES)
		return -EOPNOTSUPP;
	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;

	inode_lock(inode);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > i_size_read(inode))
		err = inode_newsize_ok(inode, end);
	if (!err)
		err = file_modified(file);
	if (!err) {
		inode_dio_wait(inode);
		mutex_lock(&mi->i_commit_lock);
		err = msyncfs_do_fallocate(inode, mode, offset, end);
		mutex_unlock(&mi->i_commit_lock);
	}
	inode_unlock(inode);

	if (err || !((file->f_flags & O_DSYNC) || IS_SYNC(inode)))
		return err;
	if (msyncfs_is_atomic(inode))
		return msyncfs_sync_inode(inode, 0, LLONG_MAX, false);
	return msyncfs_commit(inode->i_sb, READ_ONCE(mi->i_tid));
}
