// SPDX-License-Identifier: GPL-2.0
/*
 * A plan counts the blocks that an operation of attach.c adds to the record.
 * Other files choose the blocks for pages and map nodes: homes.c, ordinary.c,
 * spill.c and shadow.c.
 *
 * Some blocks that the operation allocates or frees are known in advance. The
 * plan counts one bitmap block for each group that contains such a block (B7).
 * The allocator chooses the other blocks during the operation, so the groups of
 * these blocks are not known yet. The plan counts one bitmap block for each of
 * these blocks.
 *
 * Counting known blocks by group matters for large sets. A large device may
 * have more bitmap blocks than a record takes. If the plan counted one bitmap
 * block for each known block, a large set would seem too large for a record on
 * such a device, even if all blocks of the set lie in one group.
 */
#include <linux/blkdev.h>
#include <linux/math64.h>
#include <linux/slab.h>

#include "plan.h"

/**
 * msyncfs_plan_run - plan to change the map pointers of a run of pages
 * @inode: regular file
 * @index: first page
 * @len: number of pages
 * @plan: plan to which the run is added; the caller adds runs in ascending
 *	order
 *
 * For each leaf, this function counts the map nodes that are missing on the
 * path from the root to this leaf. msyncfs_resv_page() counts the promised
 * nodes in the same way. A missing node may lie above two leaves, and the
 * function counts such a node twice, so the sum is an upper bound.
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
			/* Count the new nodes, and the old node above them. */
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
 * The caller may add a block more than once, because the plan marks groups and
 * does not count blocks here.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
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

/**
 * msyncfs_plan_load - read the bitmap blocks of a plan
 * @sb: filesystem
 * @plan: plan
 *
 * The operation of the plan frees blocks, and it cannot fail any more when it
 * cannot read a bitmap block. So the caller reads the bitmap blocks before it
 * begins the operation.
 *
 * Context: may sleep and do I/O.
 * Return: 0, -EIO, -EUCLEAN (logged).
 */
int msyncfs_plan_load(struct super_block *sb, const struct msyncfs_plan *plan)
{
	const struct msyncfs_geo *geo = &MSYNCFS_SB(sb)->geo;
	struct blk_plug plug;
	unsigned int nr;
	int err = 0;

	if (!plan->groups)
		return 0;
	blk_start_plug(&plug);
	for_each_set_bit(nr, plan->groups, geo->bitmap_blocks)
		sb_breadahead(sb, geo->bitmap_start + nr);
	blk_finish_plug(&plug);
	for_each_set_bit(nr, plan->groups, geo->bitmap_blocks) {
		err = msyncfs_load_bitmaps(sb, (u64)nr * MSYNCFS_GROUP_BLOCKS,
					   1);
		if (err)
			break;
	}
	return err;
}
