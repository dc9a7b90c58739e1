// SPDX-License-Identifier: GPL-2.0
/*
 * This file describes the map of a file to iomap. iomap uses the map to seek
 * and to report extents. fs/map/ looks up the blocks. file.c has its own iomap
 * operations for buffered writes, and direct.c has its own for O_DIRECT. read.c
 * reads pages without iomap.
 */
#include <linux/iomap.h>
#include <linux/sched/signal.h>

#include "vfs.h"

/**
 * msyncfs_set_iomap - describe a run of a file's map to iomap
 * @inode: regular file
 * @iomap: filled in; offset, length and addr are in bytes
 * @ext: run, in blocks
 *
 * Context: any.
 */
void msyncfs_set_iomap(struct inode *inode, struct iomap *iomap,
		       const struct msyncfs_extent *ext)
{
	iomap->offset = ext->index << MSYNCFS_BLOCK_SHIFT;
	iomap->length = ext->len << MSYNCFS_BLOCK_SHIFT;
	iomap->bdev = inode->i_sb->s_bdev;
	iomap->addr = IOMAP_NULL_ADDR;
	iomap->type = IOMAP_HOLE;
	if (ext->blkno) {
		iomap->addr = ext->blkno << MSYNCFS_BLOCK_SHIFT;
		iomap->type = ext->unwritten ? IOMAP_UNWRITTEN : IOMAP_MAPPED;
	}
}

/*
 * Describes the beginning of the hole @ext. Dirty pages in the hole have no
 * blocks yet, but this function reports the pages as data.
 */
static void msyncfs_report_delalloc(struct inode *inode, struct iomap *iomap,
				    const struct msyncfs_extent *ext)
{
	u64 last = ext->index + ext->len - 1;
	u64 next = msyncfs_resv_next(inode, ext->index, last);

	if (next > ext->index) {
		iomap->length = (next - ext->index) << MSYNCFS_BLOCK_SHIFT;
		return;
	}
	while (next <= last && msyncfs_resv_test(inode, next))
		next++;
	iomap->type = IOMAP_DELALLOC;
	iomap->length = (next - ext->index) << MSYNCFS_BLOCK_SHIFT;
}

/*
 * Finds a run for SEEK_HOLE, SEEK_DATA and FIEMAP. These calls may visit very
 * many runs, so this function reschedules and checks for fatal signals. A
 * commit of an atomic file takes over the reservations of pages before it sets
 * the blocks of these pages in the map. Between the two steps the pages would
 * look like holes. So this function takes i_commit_lock for an atomic file.
 * Caller holds i_rwsem.
 */
static int msyncfs_iomap_report(struct inode *inode, u64 index, u64 max,
				struct iomap *iomap)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	bool atomic = msyncfs_is_atomic(inode);
	struct msyncfs_extent ext;
	int err;

	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	if (atomic)
		mutex_lock(&mi->i_commit_lock);
	err = msyncfs_map_lookup(inode, index, max, &ext);
	if (!err) {
		msyncfs_set_iomap(inode, iomap, &ext);
		if (iomap->type == IOMAP_HOLE)
			msyncfs_report_delalloc(inode, iomap, &ext);
	}
	if (atomic)
		mutex_unlock(&mi->i_commit_lock);
	return err;
}

static int msyncfs_iomap_begin(struct inode *inode, loff_t pos, loff_t length,
			       unsigned int flags, struct iomap *iomap,
			       struct iomap *srcmap)
{
	u64 index = pos >> MSYNCFS_BLOCK_SHIFT;
	u64 max = DIV_ROUND_UP_ULL(pos + length, MSYNCFS_BLOCK_SIZE) - index;
	struct iomap_iter *iter = container_of(iomap, struct iomap_iter, iomap);
	int err;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	/* SEEK_HOLE, SEEK_DATA and FIEMAP leave iter->private to this function. */
	iter->private = (void *)((unsigned long)iter->private + 1);
	err = msyncfs_map_count_run(inode, (unsigned long)iter->private);
	return err ?: msyncfs_iomap_report(inode, index, max, iomap);
}

/* iomap uses this table for SEEK_HOLE, SEEK_DATA and FIEMAP. */
const struct iomap_ops msyncfs_iomap_ops = {
	.iomap_begin	= msyncfs_iomap_begin,
};
