// SPDX-License-Identifier: GPL-2.0
/*
 * This file writes the pages of a large set to fresh blocks. attach.c decides
 * which sets go to fresh blocks, and makes the blocks visible in one operation.
 * No committed state refers to the blocks before this operation. ordinary.c and
 * spill.c find the blocks.
 *
 * This file must notice a lack of space before it writes the first page,
 * because a set cannot be split once an uncopied page has been written. So the
 * file holds and claims the blocks, and plans the operation, before it begins
 * to write.
 */
#include <linux/blkdev.h>
#include <linux/pagemap.h>

#include "plan.h"

static void msyncfs_fresh_unhold(struct super_block *sb,
				 const struct msyncfs_fresh *fresh)
{
	if (fresh->promised)
		msyncfs_unhold(sb, fresh->promised, true);
	if (fresh->extra)
		msyncfs_unhold(sb, fresh->extra, false);
}

/*
 * Holds a fresh block for each page of the ordinary files in a set. After an
 * error, the function holds no block. msyncfs_atomic_claim() holds the blocks
 * for atomic files.
 */
static int msyncfs_fresh_hold(struct list_head *set,
			      struct msyncfs_fresh *fresh)
{
	struct super_block *sb = msyncfs_sbi_of(set)->sb;
	struct msyncfs_fresh want = {};
	struct msyncfs_capture *cap;
	int err = 0;

	memset(fresh, 0, sizeof(*fresh));
	list_for_each_entry(cap, set, set)
		cap->placing->ops->count_fresh(cap, &want);
	if (want.promised)
		err = msyncfs_hold(sb, want.promised, true);
	if (err)
		return err;
	fresh->promised = want.promised;
	if (want.extra)
		err = msyncfs_hold(sb, want.extra, false);
	if (err) {
		msyncfs_fresh_unhold(sb, fresh);
		return err;
	}
	fresh->extra = want.extra;
	return 0;
}

/**
 * msyncfs_fresh_unclaim - give back the fresh blocks of a set
 * @set: captures that could not be attached
 * @fresh: blocks that msyncfs_fresh_claim() has held
 *
 * The fresh blocks of an atomic file stay in its overlay, like blocks of
 * spilled pages.
 *
 * Context: may sleep.
 */
void msyncfs_fresh_unclaim(struct list_head *set,
			   const struct msyncfs_fresh *fresh)
{
	struct msyncfs_capture *cap;

	list_for_each_entry(cap, set, set)
		cap->placing->ops->unclaim_fresh(cap);
	msyncfs_fresh_unhold(msyncfs_sbi_of(set)->sb, fresh);
}

/**
 * msyncfs_fresh_claim - claim a fresh block for every page of a set
 * @set: captures, at least one
 * @fresh: set to the numbers of blocks that are held for the set
 *
 * Context: as msyncfs_attach_set(); waits for commits, as msyncfs_hold() does.
 * Return: 0 or a negative errno. After an error, no block is held, but the
 * overlays of atomic files may contain claimed blocks.
 */
int msyncfs_fresh_claim(struct list_head *set, struct msyncfs_fresh *fresh)
{
	struct msyncfs_capture *cap;
	int err;

	err = msyncfs_fresh_hold(set, fresh);
	if (err)
		return err;
	list_for_each_entry(cap, set, set) {
		err = cap->placing->ops->claim_fresh(cap);
		if (err) {
			msyncfs_fresh_unclaim(set, fresh);
			break;
		}
	}
	return err;
}

/*
 * Logs which page could not be written, and the inode number of its file.
 */
static void msyncfs_fresh_failed(struct list_head *set,
				 const struct msyncfs_io *io)
{
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;

	list_for_each_entry(cap, set, set) {
		list_for_each_entry(img, &cap->images, list) {
			if (img->home != io->bad)
				continue;
			msyncfs_err(io->sb,
				    "inode %llu: page %lu: blocks %llu+%u: write failed (%d)",
				    (u64)cap->inode->i_ino, img->index, io->bad,
				    io->bad_nr, io->error);
			return;
		}
	}
}

/**
 * msyncfs_fresh_write - write captured pages to their blocks
 * @set: captures, at least one; their images have their home blocks
 * @sent: completed when all writes are sent, or NULL
 *
 * If the pages have copies, this function writes the copies. Otherwise it
 * writes the pages themselves, and a store to a page waits until the page is
 * written. A set without pages is allowed.
 *
 * Context: waits for the device.
 * Return: 0; the error of a closed gate (msyncfs_gate_enter()), then no page has
 * been written; or the first error of the device.
 */
int msyncfs_fresh_write(struct list_head *set, struct completion *sent)
{
	struct msyncfs_image *img = msyncfs_first_image(set);
	struct msyncfs_sb_info *sbi = msyncfs_sbi_of(set);
	struct msyncfs_capture *cap;
	struct blk_plug plug;
	struct msyncfs_io io;
	int err = msyncfs_gate_enter(sbi);

	if (err)
		return err;
	msyncfs_io_init(&io, sbi->sb, img && !img->page);
	blk_start_plug(&plug);
	list_for_each_entry(cap, set, set) {
		list_for_each_entry(img, &cap->images, list) {
			/*
			 * The end of the write also ends the writeback of the
			 * folio. Clear the flag, so that no other function ends
			 * the writeback a second time.
			 */
			img->writeback = false;
			msyncfs_io_add(&io, img->home, img->page ?:
						folio_page(img->folio, 0));
		}
	}
	msyncfs_io_submit(&io, 0);
	blk_finish_plug(&plug);
	if (sent)
		complete_all(sent);
	err = msyncfs_io_wait(&io, 0);
	msyncfs_gate_leave(sbi);
	if (err)
		msyncfs_fresh_failed(set, &io);
	return err;
}

/*
 * Allocates and builds the shadows of maps. If @whole is true, the function
 * does so for the atomic files with an overlay, else for the ordinary files. If
 * @build is false, it only allocates the shadows, and msyncfs_fresh_write_all()
 * builds them later.
 */
static int msyncfs_plan_shadows(struct list_head *set, bool whole, bool build,
				struct msyncfs_plan *plan)
{
	struct msyncfs_capture *cap;
	int err;

	list_for_each_entry(cap, set, set) {
		if (whole ? !msyncfs_overlaid(cap) : cap->whole)
			continue;
		err = msyncfs_shadow_alloc(cap);
		if (!err && build)
			err = msyncfs_shadow_build(cap, plan);
		if (err)
			return err;
		plan->unbuilt = !build;
	}
	return 0;
}

/*
 * Plans the operation that makes the fresh blocks of a set visible. The map of
 * an atomic file is shadowed if the file has an overlay. The maps of ordinary
 * files are shadowed if one record cannot take all nodes that would otherwise
 * change in place.
 *
 * Normally msyncfs_fresh_write_all() builds the shadows after it has written
 * the pages. Stores wait until the pages are written, so the shadows must not
 * delay these writes.
 *
 * There is one exception. If the device has more bitmap blocks than a record
 * takes, a set with ordinary files may have to be split. A set can be split
 * only before its pages are written. So in this case, this function builds the
 * shadows itself, and then knows exactly which bitmap blocks change.
 */
static int msyncfs_plan_switch(struct list_head *set,
			       struct msyncfs_plan *plan)
{
	struct msyncfs_sb_info *sbi = msyncfs_sbi_of(set);
	unsigned int files = list_count_nodes(set);
	unsigned int max = sbi->geo.record_images;
	bool build, ordinary = false;
	struct msyncfs_capture *cap;
	int err;

	list_for_each_entry(cap, set, set) {
		cap->placing->changes = true;
		ordinary |= !cap->whole;
		err = cap->placing->ops->plan_fresh(cap, plan);
		if (err)
			return err;
	}
	plan->credits += files;	/* the inodes */
	build = ordinary && files + sbi->geo.bitmap_blocks > max;
	err = msyncfs_plan_shadows(set, true, build, plan);
	if (!err && ordinary && msyncfs_plan_credits(sbi->sb, plan) > max) {
		plan->credits = files;
		plan->blocks = 0;
		err = msyncfs_plan_shadows(set, false, build, plan);
	}
	if (!err && !plan->unbuilt && msyncfs_plan_credits(sbi->sb, plan) > max)
		err = -EFBIG;
	return err;
}

/*
 * Writes the pages, then builds and writes the shadows that are not built yet.
 */
static int msyncfs_fresh_write_all(struct list_head *set,
				   struct completion *sent,
				   struct msyncfs_plan *plan)
{
	struct msyncfs_capture *cap;
	int err;

	err = msyncfs_fresh_write(set, sent);
	if (err)
		return err;
	list_for_each_entry(cap, set, set) {
		if (cap->whole && cap->nr)
			set_bit(MSYNCFS_I_SPILLED,
				&MSYNCFS_I(cap->inode)->i_flags);
		if (cap->placing->shadow && plan->unbuilt)
			err = msyncfs_shadow_build(cap, plan);
		if (err)
			return err;
	}
	plan->unbuilt = false;
	return 0;
}

/**
 * msyncfs_fresh_prepare - plan the switch to fresh blocks and write the pages
 * @set: captures, after msyncfs_fresh_claim()
 * @sent: completed when the writes of the pages are sent, or NULL
 * @plan: all zeros on entry; the function fills in the plan of the operation
 *	that makes the blocks visible
 *
 * Context: as msyncfs_attach_set(); waits for the device.
 * Return: 0; -EFBIG if the operation does not fit one record; or another
 * negative errno.
 */
int msyncfs_fresh_prepare(struct list_head *set, struct completion *sent,
			  struct msyncfs_plan *plan)
{
	struct msyncfs_sb_info *sbi = msyncfs_sbi_of(set);
	int err;

	err = msyncfs_plan_switch(set, plan);
	if (!err)
		err = msyncfs_fresh_write_all(set, sent, plan);
	if (!err && msyncfs_plan_credits(sbi->sb, plan) > sbi->geo.record_images)
		err = -EFBIG;
	return err ?: msyncfs_plan_load(sbi->sb, plan);
}
