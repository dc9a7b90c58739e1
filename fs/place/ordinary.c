// SPDX-License-Identifier: GPL-2.0
/*
 * This file claims fresh blocks for the captured pages of ordinary files, and
 * switches the map to these blocks. fresh.c writes the pages. attach.c calls
 * the functions of this file through msyncfs_ordinary_place. spill.c has the
 * functions for atomic files.
 */

#include "plan.h"

/**
 * msyncfs_ordinary_count - count the blocks that must be held for the pages
 * @cap: capture
 * @fresh: counters to which the function adds the numbers of blocks
 *
 * A reservation has promised a block to each page over a hole. A page that
 * already has a block needs an extra block, until the old block is freed and
 * recycled.
 *
 * Context: takes a spinlock.
 */
void msyncfs_ordinary_count(struct msyncfs_capture *cap,
			    struct msyncfs_fresh *fresh)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list) {
		img->home = 0;
		if (msyncfs_resv_test(cap->inode, img->index))
			fresh->promised++;
		else
			fresh->extra++;
	}
}

/**
 * msyncfs_ordinary_claim - give each page a fresh block
 * @cap: capture, after msyncfs_ordinary_count()
 *
 * Context: caller holds i_commit_lock, and has called msyncfs_hold() for the
 * counted blocks; may sleep.
 * Return: 0 or the error of msyncfs_claim().
 */
int msyncfs_ordinary_claim(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img = list_first_entry(&cap->images,
						     struct msyncfs_image,
						     list);
	u64 nr = cap->nr;

	return msyncfs_homes_claim(cap, msyncfs_goal(cap->inode, img->index),
				   &nr, NULL);
}

/**
 * msyncfs_ordinary_unclaim - give the fresh blocks back
 * @cap: capture that could not be attached
 *
 * Context: may sleep.
 */
void msyncfs_ordinary_unclaim(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list) {
		if (img->home)
			msyncfs_unclaim(cap->inode->i_sb, img->home, 1);
		img->home = 0;
	}
}

/*
 * Adds the old blocks of a run of pages to the plan. These blocks are freed
 * when the pages get fresh blocks.
 */
static int msyncfs_plan_old(struct inode *inode, u64 index, u64 len,
			    struct msyncfs_plan *plan)
{
	struct msyncfs_extent ext;
	int err;

	for (; len; index += ext.len, len -= ext.len) {
		err = msyncfs_map_committed(inode, index, len, &ext);
		if (!err && ext.blkno)
			err = msyncfs_plan_touch(inode->i_sb, plan, ext.blkno,
						 ext.len);
		if (err)
			return err;
	}
	return 0;
}

/**
 * msyncfs_ordinary_plan - plan the switch of the map to fresh blocks
 * @cap: capture whose pages have their fresh blocks
 * @plan: plan to which the function adds the map nodes that the switch changes
 *	or allocates, the fresh blocks, and the blocks that the switch frees
 *
 * Context: caller holds i_commit_lock; may sleep and read map nodes.
 * Return: 0, -ENOMEM, or the error of reading a node.
 */
int msyncfs_ordinary_plan(struct msyncfs_capture *cap,
			  struct msyncfs_plan *plan)
{
	struct super_block *sb = cap->inode->i_sb;
	struct msyncfs_run run = {};
	int err;

	plan->leaf = U64_MAX;
	while (msyncfs_run_next(cap, MSYNCFS_RUN_BLOCKS, &run)) {
		err = msyncfs_plan_run(cap->inode, run.index, run.len, plan) ?:
		      msyncfs_plan_touch(sb, plan, run.home, run.len) ?:
		      msyncfs_plan_old(cap->inode, run.index, run.len, plan);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Points the map to the fresh blocks of a run of pages, and frees the old
 * blocks.
 */
static int msyncfs_switch_run(struct msyncfs_op *op, struct inode *inode,
			      u64 index, u64 len, u64 home)
{
	struct msyncfs_extent ext;
	u64 at = index;
	int err;

	/*
	 * Read all nodes before the first change. Otherwise a read error could
	 * stop the switch halfway.
	 */
	while (at < index + len) {
		err = msyncfs_map_committed(inode, at, index + len - at, &ext);
		if (err)
			return err;
		at += ext.len;
	}
	msyncfs_claim_commit(op, home, len);
	for (at = index; at < index + len; at += ext.len) {
		err = msyncfs_map_committed(inode, at, index + len - at, &ext);
		if (err)
			return err;
		if (ext.blkno)
			msyncfs_free(op, ext.blkno, ext.len);
	}
	return msyncfs_map_set(op, inode, index, len, home, false);
}

/**
 * msyncfs_ordinary_switch - point the map to the fresh blocks
 * @op: open handle with blocks and credits as planned
 * @cap: capture
 *
 * Context: inside @op; caller holds i_commit_lock.
 * Return: 0, or an error if the map is damaged or cannot be read.
 */
int msyncfs_ordinary_switch(struct msyncfs_op *op,
			    struct msyncfs_capture *cap)
{
	struct msyncfs_run run = {};
	int err;

	while (msyncfs_run_next(cap, MSYNCFS_RUN_BLOCKS, &run)) {
		err = msyncfs_switch_run(op, cap->inode, run.index, run.len,
					 run.home);
		if (err)
			return err;
	}
	return 0;
}

/**
 * msyncfs_ordinary_change - find the next change of the map
 * @cap: capture whose pages have their blocks
 * @run: iterator, all zeros before the first call
 * @index: not used, because @run remembers where to go on
 * @ext: set to the next run of pages with consecutive blocks
 *
 * Context: caller holds i_commit_lock.
 * Return: false if there is no further change.
 */
bool msyncfs_ordinary_change(struct msyncfs_capture *cap,
			     struct msyncfs_run *run, u64 index,
			     struct msyncfs_extent *ext)
{
	if (!msyncfs_run_next(cap, MSYNCFS_RUN_BLOCKS, run))
		return false;
	ext->index = run->index;
	ext->len = run->len;
	ext->blkno = run->home;
	ext->unwritten = false;
	return true;
}
