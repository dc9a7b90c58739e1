// SPDX-License-Identifier: GPL-2.0
/*
 * This file implements fallocate(2). It allocates blocks ahead of the data,
 * makes holes and zeroes ranges. To make a hole, it calls truncate.c or
 * atomic.c. To cut out or insert a range, it calls shift.c.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/sched/signal.h>

#include "vfs.h"

#define MSYNCFS_FALLOC_MODES \
	(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | \
	 FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)

/* Longest run of blocks that one operation allocates. */
#define MSYNCFS_FALLOC_RUN	4096

/*
 * Returns the number of pages in [@index, @end) without a block, or an error. If a walk
 * over the range would not end, this function finds out.
 */
static s64 msyncfs_count_holes(struct inode *inode, u64 index, u64 end)
{
	struct msyncfs_extent ext;
	u64 runs = 0;
	s64 holes = 0;
	int err;

	for (; index < end; index += ext.len) {
		err = msyncfs_map_count_run(inode, ++runs) ?:
		      msyncfs_map_lookup(inode, index, end - index, &ext);
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

/*
 * Returns how many blocks one operation may allocate for a hole of @len pages.
 * The result is at least 1. If the result is larger than 1, the metadata blocks
 * that the operation dirties fit into half a record. Sets *@credits to the
 * number of these metadata blocks.
 */
static u64 msyncfs_run_for(struct inode *inode, u64 index, u64 len,
			   unsigned int *credits)
{
	unsigned int max = MSYNCFS_SB(inode->i_sb)->geo.record_images / 2;

	len = min_t(u64, len, MSYNCFS_FALLOC_RUN);
	for (;;) {
		/* One credit is for the bitmap block of the run. */
		*credits = msyncfs_map_credits(inode, index, len) + 1;
		if (*credits <= max || len == 1)
			return len;
		len /= 2;
	}
}

/*
 * Allocates blocks for the beginning of the hole @ext. Sets *@done to the
 * number of allocated blocks and *@goal to the block after the last of them.
 */
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
	/*
	 * The operation makes fewer map nodes than it has credits, so @credits
	 * blocks are enough for the nodes.
	 */
	err = msyncfs_op_begin(sb, &op, credits, want + credits);
	if (err == -ENOSPC && want > 1) {
		/* The device is nearly full. Try to allocate one block. */
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
		msyncfs_op_add_inode(&op, inode, true);
	}
	msyncfs_op_end(&op);
	if (err)
		return err;

	/* Dirty pages of this range have blocks now and need no reservation. */
	msyncfs_resv_release(inode, ext->index, ext->index + len - 1);
	*goal = start + len;
	*done = len;
	return 0;
}

/*
 * Allocates blocks for all holes between the bytes @start and @end. Caller
 * holds i_commit_lock.
 */
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
 * Implements fallocate(2) for an atomic file. The state of the file on the
 * device must not change before the next commit. So this function allocates no
 * blocks, and it turns a range that must be zeroed into a hole. Caller holds
 * i_rwsem and i_commit_lock.
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

/*
 * The commit of appended pages also commits the new size. If a hole drops these
 * pages, no later fsync would do so. So this function commits them first. Caller
 * holds i_rwsem.
 */
static int msyncfs_commit_appended(struct inode *inode, loff_t end)
{
	loff_t size = READ_ONCE(MSYNCFS_I(inode)->i_disksize);

	if (msyncfs_is_atomic(inode) || end <= size || i_size_read(inode) <= size)
		return 0;
	return msyncfs_sync_inode(inode, 0, LLONG_MAX, true);
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
		 * Do not zero the blocks in place. A checkpoint may still write
		 * older images to them.
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

/* Caller holds i_rwsem. */
static int msyncfs_allocate_range(struct file *file, int mode, loff_t offset,
				  loff_t end)
{
	struct inode *inode = file_inode(file);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err = 0;

	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > i_size_read(inode))
		err = inode_newsize_ok(inode, end);
	if (!err)
		err = file_modified(file);
	if (!err && (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		err = msyncfs_commit_appended(inode, end);
	if (err)
		return err;
	inode_dio_wait(inode);
	mutex_lock(&mi->i_commit_lock);
	err = msyncfs_do_fallocate(inode, mode, offset, end);
	mutex_unlock(&mi->i_commit_lock);
	return err;
}

/**
 * msyncfs_fallocate - file_operations.fallocate
 * @file: regular file, open for writing
 * @mode: 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
 *	FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
 *	FALLOC_FL_COLLAPSE_RANGE or FALLOC_FL_INSERT_RANGE; see fallocate(2)
 * @offset: first byte
 * @len: length in bytes
 *
 * Context: takes i_rwsem and i_commit_lock; waits for O_DIRECT; may wait for
 * commits.
 * Return: 0; -EOPNOTSUPP for any other mode; -EOPNOTSUPP for an atomic file,
 * unless @mode makes a hole; -EBUSY if another open file has a batch; -ENOSPC or
 * another negative errno. After an error a part of the range may have
 * changed.
 */
long msyncfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	int err;

	if (mode & ~MSYNCFS_FALLOC_MODES)
		return -EOPNOTSUPP;
	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;

	inode_lock(inode);
	if (msyncfs_batch_denies(inode, file))
		err = -EBUSY;
	else if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		err = msyncfs_shift_range(file, offset, len,
					  mode & FALLOC_FL_INSERT_RANGE);
	else
		err = msyncfs_allocate_range(file, mode, offset, offset + len);
	inode_unlock(inode);

	if (err || !((file->f_flags & O_DSYNC) || IS_SYNC(inode)))
		return err;
	if (msyncfs_is_atomic(inode))
		return msyncfs_sync_inode(inode, 0, LLONG_MAX, false);
	return msyncfs_commit(inode->i_sb, READ_ONCE(MSYNCFS_I(inode)->i_tid));
}
