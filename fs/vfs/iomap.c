// SPDX-License-Identifier: GPL-2.0
/*
 * The file map as iomap sees it.
 */
#include <linux/iomap.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "vfs.h"

/**
 * msyncfs_set_iomap - tell iomap of a run of the file map
 * @inode: regular file
 * @iomap: to fill in
 * @ext: the run
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

/* A hole may hold pages that are dirty and have no block yet: data. */
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
 * For seeking and FIEMAP, which may go through very many runs. A commit of an
 * atomic file takes reservations over before their pages have blocks in the map:
 * they must not look like holes in between. Caller holds i_rwsem.
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
	struct msyncfs_extent ext;
	int err;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	if (flags & IOMAP_REPORT)
		return msyncfs_iomap_report(inode, index, max, iomap);
	err = msyncfs_map_lookup(inode, index, max, &ext);
	if (!err)
		msyncfs_set_iomap(inode, iomap, &ext);
	return err;
}

/* For reading, seeking and FIEMAP; writes and O_DIRECT have their own. */
const struct iomap_ops msyncfs_iomap_ops = {
	.iomap_begin	= msyncfs_iomap_begin,
};
