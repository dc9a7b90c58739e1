// SPDX-License-Identifier: GPL-2.0
/*
 * How many blocks an operation of fs/attach.c or fs/fresh.c puts into the record.
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
		plan->groups = kvcalloc(BITS_TO_LONGS(sbi->nr_groups),
					sizeof(long), GFP_NOFS);
	if (!plan->groups)
		return -ENOMEM;
	bitmap_set(plan->groups, first, last - first + 1);
	return 0;
}

/**
 * msyncfs_plan_credits - how many blocks go into the record
 * @sb: filesystem
 * @plan: plan
 *
 * Context: any.
 * Return: blocks at most, bitmap blocks included.
 */
unsigned int msyncfs_plan_credits(struct super_block *sb,
				  const struct msyncfs_plan *plan)
{
	u64 groups = MSYNCFS_SB(sb)->nr_groups;
	u64 bitmaps = plan->blocks;

	if (plan->unbuilt)
		return plan->credits + groups;
	if (plan->groups)
		bitmaps += bitmap_weight(plan->groups, groups);
	return plan->credits + min(bitmaps, groups);
}

/**
 * msyncfs_plan_free - drop what a plan holds
 * @plan: plan, all zeros or used
 *
 * Context: may sleep.
 */
void msyncfs_plan_free(struct msyncfs_plan *plan)
{
	kvfree(plan->groups);
	plan->groups = NULL;
}
