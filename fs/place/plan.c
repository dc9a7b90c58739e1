// SPDX-License-Identifier: GPL-2.0
/*
 * How many blocks an operation of attach.c puts into the record.
 * Bitmap blocks are counted from the blocks that the operation is known to
 * allocate and to free (B7). Only the blocks that it takes from the allocator
 * itself count one bitmap block each, since nobody knows yet where they will lie.
 *
 * Were all blocks counted like that, a large set would never fit the record of a
 * device that has more bitmap blocks than a record takes, though its blocks lie
 * side by side.
 */
#include <linux/math64.h>
#include <linux/slab.h>

#include "plan.h"

/**
 * msyncfs_plan_run - count what changing the pointers of a run needs
 * @inode: regular file
 * @index: first page
 * @len: pages
 * @plan: to add to; runs come in ascending order
 *
 * Each leaf's path once, as msyncfs_resv_page() has promised it (the sum over
 * leaves is an upper bound).
 *
 * Context: caller holds i_commit_lock; may sleep and read map nodes.
 * Return: 0 or the error of reading a node.
 */
int msyncfs_plan_run(struct inode *inode, u64 index, u64 len,
		     struct msyncfs_plan *plan)
{
	u64 end = index + len, key;
	unsigned int missing;
	int err = 0;

	while (index < end) {
		key = msyncfs_resv_key(index);
		if (key != plan->leaf) {
			plan->leaf = key;
			missing = msyncfs_map_missing(inode, index, &err);
			if (err)
				return err;
			/* The nodes that are new, and the one they hang from. */
			plan->credits += missing + 1;
			plan->blocks += missing;
		}
		while (index < end && msyncfs_resv_key(index) == key)
			index++;
	}
	return 0;
}

/**
 * msyncfs_plan_touch - an operation is going to allocate or free known blocks
 * @sb: filesystem
 * @plan: to add to
 * @start: first block, in the data area
 * @len: blocks, at least 1
 *
 * Blocks may be named twice.
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM.
 */
int msyncfs_plan_touch(struct super_block *sb, struct msyncfs_plan *plan,
		       u64 start, u64 len)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u64 first = div64_u64(start, MSYNCFS_GROUP_BLOCKS);
	u64 last = div64_u64(start + len - 1, MSYNCFS_GROUP_BLOCKS);

	if (!plan->groups)
		plan->groups = kvcalloc(BITS_TO_LONGS(sbi->geo.bitmap_blocks),
					sizeof(long), GFP_NOFS);
	if (!plan->groups)
		return -ENOMEM;
	bitmap_set(plan->groups, first, last - first + 1);
	return 0;
}
