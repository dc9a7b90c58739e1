// SPDX-License-Identifier: GPL-2.0
/*
 * This file finds home blocks for captured pages without a home block, and
 * points the map to these blocks. msyncfs_homes_alloc() allocates the blocks in
 * an operation that was begun with enough blocks. msyncfs_homes_claim() claims
 * the blocks in memory only, and its caller has called msyncfs_hold() for them.
 */

#include "plan.h"

/**
 * msyncfs_goal - choose the preferred block for a page
 * @inode: regular file
 * @index: page
 *
 * Context: caller holds i_commit_lock; may read map nodes.
 * Return: the block after the block of the previous page, or the block after
 * the inode's block if the previous page has no block.
 */
u64 msyncfs_goal(struct inode *inode, u64 index)
{
	struct msyncfs_extent ext;

	if (index && !msyncfs_map_lookup(inode, index - 1, 1, &ext) && ext.blkno)
		return ext.blkno + 1;
	return inode->i_ino + 1;
}

/*
 * Gives consecutive blocks to @nr consecutive images. The first image is *@img,
 * and the first block is @start. Then sets *@img to the next image.
 */
static void msyncfs_homes_set(struct msyncfs_image **img, u64 start, u64 nr)
{
	for (; nr; nr--) {
		(*img)->home = start++;
		*img = list_next_entry(*img, list);
	}
}

/**
 * msyncfs_homes_alloc - allocate blocks for the pages without a home block
 * @op: open handle with blocks and credits as planned
 * @cap: capture; images without a home block have the home 0
 *
 * Context: inside @op; caller holds i_commit_lock.
 * Return: 0 or the error of msyncfs_alloc().
 */
int msyncfs_homes_alloc(struct msyncfs_op *op, struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;
	struct msyncfs_run run = {};
	u64 at, start, len;
	int err;

	while (msyncfs_run_next(cap, MSYNCFS_RUN_HOMELESS, &run)) {
		img = run.img;
		for (at = 0; at < run.len; at += len) {
			err = msyncfs_alloc(op, msyncfs_goal(cap->inode,
							     img->index),
					    run.len - at, &start, &len);
			if (err)
				return err;
			msyncfs_homes_set(&img, start, len);
		}
	}
	return 0;
}

/**
 * msyncfs_homes_map - point the map to the blocks of pages
 * @op: open handle with credits as planned
 * @cap: capture whose pages all have their blocks
 *
 * The function changes the map only for images with the flag convert.
 *
 * Context: inside @op; caller holds i_commit_lock.
 * Return: 0 or the error of msyncfs_map_set().
 */
int msyncfs_homes_map(struct msyncfs_op *op, struct msyncfs_capture *cap)
{
	struct msyncfs_run run = {};
	int err;

	while (msyncfs_run_next(cap, MSYNCFS_RUN_CONVERT, &run)) {
		err = msyncfs_map_set(op, cap->inode, run.index, run.len,
				      run.home, false);
		if (err)
			return err;
	}
	return 0;
}

/**
 * msyncfs_homes_claim - claim blocks for the pages without a home block
 * @cap: capture; images without a home block have the home 0
 * @goal: preferred first block
 * @nr: in: number of pages that need a block, which is also the number of
 *	blocks that the caller holds; out: number of held blocks that were not
 *	claimed
 * @enter: function to call for each run of pages that got blocks, or NULL; its
 *	arguments are the file, the first page, the block of the first page, and
 *	the number of pages
 *
 * Context: caller holds i_commit_lock; may sleep.
 * Return: 0 or the error of msyncfs_claim(). After an error, some pages may
 * have their blocks.
 */
int msyncfs_homes_claim(struct msyncfs_capture *cap, u64 goal, u64 *nr,
			void (*enter)(struct inode *inode, u64 index,
				      u64 blkno, u64 len))
{
	u64 start = 0, len = 0, at, part;
	struct msyncfs_image *img;
	struct msyncfs_run run = {};
	int err;

	while (msyncfs_run_next(cap, MSYNCFS_RUN_HOMELESS, &run)) {
		img = run.img;
		for (at = 0; at < run.len; at += part) {
			if (!len) {
				err = msyncfs_claim(cap->inode->i_sb, goal, *nr,
						    &start, &len);
				if (err)
					return err;
				*nr -= len;
			}
			part = min(len, run.len - at);
			if (enter)
				enter(cap->inode, run.index + at, start, part);
			msyncfs_homes_set(&img, start, part);
			start += part;
			len -= part;
			goal = start;
		}
	}
	return 0;
}
