// SPDX-License-Identifier: GPL-2.0
/*
 * This file finds blocks for the captured pages of atomic files, and spills
 * pages. A spill writes dirty pages to fresh blocks, so that the pages can
 * leave memory. The overlay (fs/map/overlay.c) names these blocks until the
 * next commit of the file. mm/writeback.c decides when pages are spilled.
 */

#include "plan.h"

/*
 * Finds the home of a captured page. If the overlay has an entry for the page,
 * the home is the block of this entry. Otherwise, the home of a copied page is
 * its committed block. The home 0 means that the page needs a new block. If the
 * overlay has a hole at the page, the next commit frees the committed block, so
 * the page needs a new block.
 */
static int msyncfs_atomic_home(struct inode *inode, struct msyncfs_image *img,
			       bool copied)
{
	struct msyncfs_extent ext;
	int err;

	img->home = 0;
	img->convert = false;
	if (msyncfs_overlay_next(inode, img->index, img->index, &ext)) {
		img->home = ext.blkno;
		return 0;
	}
	if (!copied)
		return 0;
	err = msyncfs_map_committed(inode, img->index, 1, &ext);
	if (!err && !ext.unwritten)
		img->home = ext.blkno;
	return err;
}

/*
 * Claims blocks for the @nr pages without a home block, and enters the blocks
 * in the overlay. Reservations have promised these blocks.
 */
static int msyncfs_atomic_claim(struct msyncfs_capture *cap, u64 nr)
{
	struct inode *inode = cap->inode;
	int err;

	if (!nr)
		return 0;
	err = msyncfs_hold(inode->i_sb, nr, true);
	if (err)
		return err;
	err = msyncfs_homes_claim(cap, inode->i_ino + 1, &nr,
				  msyncfs_overlay_enter);
	if (err)
		msyncfs_unhold(inode->i_sb, nr, true);
	return err;
}

/*
 * Finds blocks for all pages of a capture of an atomic file. The function
 * enters new blocks in the overlay. After an error, some pages may have their
 * blocks.
 */
static int msyncfs_atomic_homes(struct msyncfs_capture *cap)
{
	struct inode *inode = cap->inode;
	struct msyncfs_resv *hint = NULL;
	struct msyncfs_image *img;
	u64 need = 0;
	int err;

	list_for_each_entry(img, &cap->images, list) {
		err = msyncfs_atomic_home(inode, img, cap->copied);
		if (err)
			return err;
		if (img->home)
			continue;
		need++;
		if (cap->whole)
			err = msyncfs_resv_add(inode, &cap->resvs, img->index,
					       &hint);
		else
			err = msyncfs_resv_page(inode, img->index);
		if (err)
			return err;
	}
	return msyncfs_atomic_claim(cap, need);
}

/**
 * msyncfs_spill - write dirty pages of an atomic file to fresh blocks
 * @inode: atomic file
 * @first: first page
 * @last: last page, inclusive
 * @limit: largest number of pages to spill
 * @nr: set to the number of spilled pages
 *
 * The fresh blocks become part of the map with the next commit of the file. No
 * committed state refers to them before that commit. After the spill, the pages
 * can leave memory.
 *
 * Context: caller holds i_commit_lock; waits for the device.
 * Return: 0; the error of a closed gate (msyncfs_gate_enter()); or another
 * negative errno. After an error, the pages are dirty again.
 */
int msyncfs_spill(struct inode *inode, pgoff_t first, pgoff_t last,
		  unsigned long limit, unsigned long *nr)
{
	struct msyncfs_capture *cap;
	LIST_HEAD(set);
	int err;

	*nr = 0;
	err = msyncfs_gate_error(MSYNCFS_SB(inode->i_sb));
	if (err)
		return err;
	cap = msyncfs_capture_pages(inode, first, last, 0, limit);
	if (IS_ERR_OR_NULL(cap))
		return PTR_ERR_OR_ZERO(cap);
	inode->i_mapping->writeback_index = DIV_ROUND_UP_ULL(cap->end,
							     PAGE_SIZE);
	err = msyncfs_atomic_homes(cap);
	if (!err) {
		list_add(&cap->set, &set);
		err = msyncfs_fresh_write(&set, NULL);
		list_del_init(&cap->set);
	}
	if (err) {
		/*
		 * Report no error to the mapping, because nothing is lost: the
		 * pages are dirty again. The next commit either writes the
		 * pages or reports an error.
		 */
		msyncfs_capture_redirty(cap, 0);
	} else {
		set_bit(MSYNCFS_I_SPILLED, &MSYNCFS_I(inode)->i_flags);
		msyncfs_capture_publish(cap);
		*nr = cap->nr;
	}
	msyncfs_capture_put(cap);
	return err;
}

/* ---- the table of operations --------------------------------------------- */

/*
 * Counts the inode and the pages for the record. The record contains no map
 * nodes, because the map is shadowed.
 */
static int msyncfs_atomic_plan_overlaid(struct msyncfs_capture *cap,
					struct msyncfs_plan *plan)
{
	cap->placing->changes = true;
	plan->credits += 1 + cap->nr;
	return msyncfs_atomic_homes(cap);
}

/* There is nothing to count: msyncfs_atomic_homes() holds the blocks itself. */
static void msyncfs_atomic_count(struct msyncfs_capture *cap,
				 struct msyncfs_fresh *fresh)
{
}

/*
 * There is nothing to do: the blocks stay in the overlay, as the blocks of
 * spilled pages do.
 */
static void msyncfs_atomic_unclaim(struct msyncfs_capture *cap)
{
}

/*
 * There is nothing to add: msyncfs_plan_shadows() plans the shadow of the map.
 */
static int msyncfs_atomic_plan_fresh(struct msyncfs_capture *cap,
				     struct msyncfs_plan *plan)
{
	return 0;
}

/*
 * There is nothing to do. This function is called only for a file without a
 * shadow. Such a file has an empty overlay, so its map does not change.
 */
static int msyncfs_atomic_switch(struct msyncfs_op *op,
				 struct msyncfs_capture *cap)
{
	return 0;
}

/*
 * Ends the reservations, and empties the overlay. If the map was shadowed, the
 * shadow has already become the map.
 */
static void msyncfs_atomic_applied(struct msyncfs_op *op,
				   struct msyncfs_capture *cap)
{
	if (test_bit(MSYNCFS_I_SPILLED, &MSYNCFS_I(cap->inode)->i_flags))
		msyncfs_op_preflush(op);
	op->fulfilled += msyncfs_resv_drop(&cap->resvs);
	op->claimed += msyncfs_overlay_clear(cap->inode);
}

static loff_t msyncfs_atomic_size(struct msyncfs_capture *cap)
{
	return cap->size;
}

static bool msyncfs_atomic_change(struct msyncfs_capture *cap,
				  struct msyncfs_run *run, u64 index,
				  struct msyncfs_extent *ext)
{
	return msyncfs_overlay_next(cap->inode, index, MSYNCFS_LAST_INDEX, ext);
}

static void msyncfs_atomic_undo(struct msyncfs_capture *cap)
{
	msyncfs_resv_return(cap->inode, &cap->resvs);
}

const struct msyncfs_place_ops msyncfs_atomic_place = {
	.plan_overlaid	= msyncfs_atomic_plan_overlaid,
	.count_fresh	= msyncfs_atomic_count,
	.claim_fresh	= msyncfs_atomic_homes,
	.unclaim_fresh	= msyncfs_atomic_unclaim,
	.plan_fresh	= msyncfs_atomic_plan_fresh,
	.switch_fresh	= msyncfs_atomic_switch,
	.applied	= msyncfs_atomic_applied,
	.size		= msyncfs_atomic_size,
	.change		= msyncfs_atomic_change,
	.undo		= msyncfs_atomic_undo,
};
