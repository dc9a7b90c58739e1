// SPDX-License-Identifier: GPL-2.0
/*
 * A plan counts the blocks that an operation of attach.c adds to the record.
 * Other files choose the blocks for pages and map nodes: homes.c, ordinary.c,
 * spill.c and shadow.c.
 *
 * Some blocks that the operation allocates or frees are known in advance. The
 * plan counts one bitmap block for each group that contains such a block (B7).
 * The operation takes other blocks from the allocator. The plan counts one
 * bitmap block for each of them, because its group is not known yet.
 *
 * Counting known blocks by group matters for large sets. A large device may
 * have more bitmap blocks than a record takes. If the plan counted one bitmap
 * block for each known block, a large set would seem too large for a record of
 * such a device, even if all blocks of the set lie in one group.
 */
#include <linux/math64.h>
#include <linux/slab.h>

#include "plan.h"

/**
 * msyncfs_plan_run - plan the change of the pointers of a run of pages
 * @inode: regular file
 * @index: first page
 * @len: number of pages
 * @plan: plan to which the run is added; the caller adds runs in ascending
 *	order
 *
 * This function counts the missing map nodes of each leaf once.
 * msyncfs_resv_page() has promised nodes in the same way. Leaves may share
 * missing nodes above them, so the sum is an upper bound.
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
			/* the new nodes, and the node that points to them */
			plan->credits += missing + 1;
			plan->blocks += missing;
		}
		while (index < end && msyncfs_resv_key(index) == key)
			index++;
	}
	return 0;
}

/**
 * msyncfs_plan_touch - plan that an operation allocates or frees known blocks
 * @sb: filesystem
 * @plan: plan to which the blocks are added
 * @start: first block, in the data area
 * @len: number of blocks, at least 1
 *
 * The caller may add the same blocks more than once.
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
