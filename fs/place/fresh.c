// SPDX-License-Identifier: GPL-2.0
/*
 * Fresh blocks: the pages of a set that is too large for a record are written to
 * blocks that nothing committed refers to, and one operation makes these visible.
 * When a set goes this way is fs/attach.c's to say.
 */
#include <linux/blkdev.h>
#include <linux/pagemap.h>

#include "plan.h"

/**
 * struct msyncfs_fresh - blocks promised to a set that goes to fresh ones
 * @resv: by the reservations of its pages
 * @plain: besides; pages that have a block need a second one for a while
 */
struct msyncfs_fresh {
	u64	resv;
	u64	plain;
};

static void msyncfs_fresh_unfirm(struct super_block *sb,
				 const struct msyncfs_fresh *fresh)
{
	if (fresh->resv)
		msyncfs_unfirm(sb, fresh->resv, true);
	if (fresh->plain)
		msyncfs_unfirm(sb, fresh->plain, false);
}

/* Undoes what it did if it fails. */
static int msyncfs_fresh_firm(struct list_head *set,
			      struct msyncfs_fresh *fresh)
{
	struct msyncfs_fresh want = {};
	struct super_block *sb = NULL;
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;
	int err = 0;

	memset(fresh, 0, sizeof(*fresh));
	list_for_each_entry(cap, set, set) {
		sb = cap->inode->i_sb;
		if (cap->whole)
			continue;
		list_for_each_entry(img, &cap->images, list) {
			img->home = 0;
			if (msyncfs_resv_test(cap->inode, img->index))
				want.resv++;
			else
				want.plain++;
		}
	}
	if (want.resv)
		err = msyncfs_firm(sb, want.resv, true);
	if (err)
		return err;
	fresh->resv = want.resv;
	if (want.plain)
		err = msyncfs_firm(sb, want.plain, false);
	if (err) {
		msyncfs_fresh_unfirm(sb, fresh);
		return err;
	}
	fresh->plain = want.plain;
	return 0;
}

/*
 * Gives back the fresh blocks of a set that could not be committed. An atomic file
 * keeps its, as those of spilled pages.
 */
static void msyncfs_fresh_unclaim(struct list_head *set,
				  const struct msyncfs_fresh *fresh)
{
	struct super_block *sb = NULL;
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;

	list_for_each_entry(cap, set, set) {
		sb = cap->inode->i_sb;
		if (cap->whole)
			continue;
		list_for_each_entry(img, &cap->images, list) {
			if (img->home)
				msyncfs_unclaim(sb, img->home, 1);
			img->home = 0;
		}
	}
	msyncfs_fresh_unfirm(sb, fresh);
}

/* Fresh blocks for one file's pages, of those that are held. */
static int msyncfs_fresh_claim_file(struct msyncfs_capture *cap)
{
	u64 start = 0, len = 0, left = cap->nr, goal;
	struct inode *inode = cap->inode;
	struct msyncfs_image *img;
	int err;

	img = list_first_entry(&cap->images, struct msyncfs_image, list);
	goal = msyncfs_goal(inode, img->index);
	list_for_each_entry(img, &cap->images, list) {
		if (!len) {
			err = msyncfs_claim(inode->i_sb, goal, left, &start,
					    &len);
			if (err)
				return err;
			goal = start + len;
		}
		img->home = start++;
		len--;
		left--;
	}
	return 0;
}

/* Claims a fresh block for every page; undoes it all on failure. */
static int msyncfs_fresh_claim(struct list_head *set,
			       struct msyncfs_fresh *fresh)
{
	struct msyncfs_capture *cap;
	int err;

	err = msyncfs_fresh_firm(set, fresh);
	if (err)
		return err;
	list_for_each_entry(cap, set, set) {
		err = cap->whole ? msyncfs_atomic_homes(cap) :
				   msyncfs_fresh_claim_file(cap);
		if (err) {
			msyncfs_fresh_unclaim(set, fresh);
			break;
		}
	}
	return err;
}

/* Whose blocks could not be written. */
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
				    "inode %lu: page %lu: blocks %llu+%u: write failed (%d)",
				    cap->inode->i_ino, img->index, io->bad,
				    io->bad_nr, io->error);
			return;
		}
	}
}

/**
 * msyncfs_fresh_write - write captured pages to the blocks that they were given
 * @set: captures, not empty
 *
 * Writes the copies, if there are; else the pages themselves, and a store to one
 * waits for that one's write. There may be no page at all.
 *
 * Context: waits for the device.
 * Return: 0 or the first error.
 */
int msyncfs_fresh_write(struct list_head *set)
{
	struct msyncfs_capture *cap = list_first_entry(set,
						       struct msyncfs_capture,
						       set);
	struct completion *sent = cap->sent;
	struct msyncfs_image *img = msyncfs_set_first(set);
	struct blk_plug plug;
	struct msyncfs_io io;
	int err;

	msyncfs_io_init(&io, cap->inode->i_sb, img && !img->page);
	blk_start_plug(&plug);
	list_for_each_entry(cap, set, set) {
		list_for_each_entry(img, &cap->images, list) {
			/* The end of its write ends it. */
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
	if (err)
		msyncfs_fresh_failed(set, &io);
	return err;
}

/* Replaces the blocks of a run of pages; the old ones are freed. */
static int msyncfs_fresh_switch(struct msyncfs_op *op, struct inode *inode,
				u64 index, u64 len, u64 home)
{
	struct msyncfs_extent ext;
	u64 at = index;
	int err;

	/* Reads every node first; then nothing below can fail on the device. */
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

/* Longest run from @img on whose homes follow each other. */
static u64 msyncfs_fresh_run(struct msyncfs_capture *cap,
			     struct msyncfs_image *img, u64 max)
{
	struct msyncfs_image *next = img;
	u64 len = 1;

	list_for_each_entry_continue(next, &cap->images, list) {
		if (len == max || next->index != img->index + len ||
		    next->home != img->home + len)
			break;
		len++;
	}
	return len;
}

/* The blocks of a run of pages that are freed when fresh ones take their place. */
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

/*
 * The map nodes that switching a file's pages dirties, and allocates; the blocks
 * that it allocates and frees.
 */
static int msyncfs_plan_fresh(struct msyncfs_capture *cap,
			      struct msyncfs_plan *plan)
{
	struct inode *inode = cap->inode;
	struct msyncfs_image *img;
	int err;
	u64 len;

	plan->leaf = U64_MAX;
	img = list_first_entry(&cap->images, struct msyncfs_image, list);
	while (!msyncfs_cap_end(cap, img)) {
		len = msyncfs_fresh_run(cap, img, U64_MAX);
		err = msyncfs_plan_run(inode, img->index, len, plan) ?:
		      msyncfs_plan_touch(inode->i_sb, plan, img->home, len) ?:
		      msyncfs_plan_old(inode, img->index, len, plan);
		if (err)
			return err;
		while (len--)
			img = list_next_entry(img, list);
	}
	return 0;
}

/* Shadows for the atomic files of a set (@whole), or for its ordinary ones. */
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
 * Plans the operation that makes a whole set visible, whose pages have their fresh
 * blocks. If the record cannot hold it with the nodes of the maps, these are
 * shadowed; those of atomic files always are.
 *
 * A set can be split only before its pages are written, so until then it must be
 * certain that it fits. Shadows are built after the pages are written, since
 * stores wait for the pages; but before that if the device has so many bitmap
 * blocks that the shadows have to be there to be counted.
 */
static int msyncfs_plan_switch(struct list_head *set, struct msyncfs_sb_info *sbi,
			       struct msyncfs_plan *plan)
{
	unsigned int files = list_count_nodes(set), max = sbi->record_images;
	bool build, ordinary = false;
	struct msyncfs_capture *cap;
	int err;

	list_for_each_entry(cap, set, set) {
		cap->changes = true;
		if (cap->whole)
			continue;
		ordinary = true;
		err = msyncfs_plan_fresh(cap, plan);
		if (err)
			return err;
	}
	plan->credits += files;	/* the inodes */
	build = ordinary && files + sbi->nr_groups > max;
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

/* The fresh blocks of one file's pages get into its map. */
static int msyncfs_fresh_switch_file(struct msyncfs_op *op,
				     struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;
	int err;
	u64 len;

	img = list_first_entry(&cap->images, struct msyncfs_image, list);
	while (!msyncfs_cap_end(cap, img)) {
		len = msyncfs_fresh_run(cap, img, U64_MAX);
		err = msyncfs_fresh_switch(op, cap->inode, img->index, len,
					   img->home);
		if (err)
			return err;
		while (len--)
			img = list_next_entry(img, list);
	}
	return 0;
}

/* Makes the fresh blocks of one file visible. */
static int msyncfs_fresh_publish_file(struct msyncfs_op *op,
				      struct msyncfs_capture *cap, bool attrs)
{
	int err = 0;

	if (cap->shadow)
		msyncfs_shadow_apply(op, cap);
	else if (!cap->whole)
		err = msyncfs_fresh_switch_file(op, cap);
	if (err) {
		msyncfs_abort(op->sb, "a block map changed under a commit", err);
		return err;
	}
	if (cap->whole) {
		msyncfs_atomic_applied(op, cap);
	} else {
		op->kept += msyncfs_release_resv(cap);
		op->claimed += cap->nr;
	}
	msyncfs_attach_inode(op, cap, attrs);
	msyncfs_op_attach(op, cap);
	msyncfs_capture_publish(cap);
	return 0;
}

/* One operation that makes all fresh blocks of the set visible. */
static int msyncfs_fresh_publish(struct list_head *set,
				 const struct msyncfs_fresh *fresh,
				 const struct msyncfs_plan *plan, bool attrs)
{
	struct msyncfs_capture *cap = list_first_entry(set,
						       struct msyncfs_capture,
						       set);
	struct super_block *sb = cap->inode->i_sb;
	struct msyncfs_op op;
	int err;

	/* Map nodes: only holes lack any, and their pages hold a promise. */
	err = msyncfs_op_begin_resv(sb, &op, msyncfs_plan_credits(sb, plan),
				    plan->blocks);
	if (err)
		return err;
	/* The blocks are used now, no longer promised. */
	op.kept += fresh->plain;
	list_for_each_entry(cap, set, set) {
		err = msyncfs_fresh_publish_file(&op, cap, attrs);
		if (err)
			break;
	}
	msyncfs_op_preflush(&op);
	msyncfs_op_end(&op);
	return err;
}

/* Writes the pages, then the shadows that are not built yet. */
static int msyncfs_fresh_write_all(struct list_head *set,
				   struct msyncfs_plan *plan)
{
	struct msyncfs_capture *cap;
	int err;

	err = msyncfs_fresh_write(set);
	if (err)
		return err;
	list_for_each_entry(cap, set, set) {
		if (cap->whole && cap->nr)
			set_bit(MSYNCFS_I_SPILLED,
				&MSYNCFS_I(cap->inode)->i_flags);
		if (cap->shadow && plan->unbuilt)
			err = msyncfs_shadow_build(cap, plan);
		if (err)
			return err;
	}
	plan->unbuilt = false;
	return 0;
}

/* Keeps O_DIRECT reads away from the files of a set, or lets them in again. */
static void msyncfs_set_lock_dio(struct list_head *set)
{
	struct msyncfs_capture *cap;

	list_for_each_entry(cap, set, set)
		msyncfs_set_down_write(set, MSYNCFS_SB(cap->inode->i_sb),
				       &MSYNCFS_I(cap->inode)->i_dio_sem);
}

static void msyncfs_set_unlock_dio(struct list_head *set)
{
	struct msyncfs_capture *cap;

	list_for_each_entry_reverse(cap, set, set)
		up_write(&MSYNCFS_I(cap->inode)->i_dio_sem);
}

/**
 * msyncfs_attach_fresh - make captures part of the transaction by way of fresh
 *	blocks
 * @set: captures, not empty
 * @attrs: take along changed times and attributes too
 *
 * Context: as msyncfs_attach_set().
 * Return: 0; -ENOSPC and -EFBIG say that this way is not open: no blocks, or more
 * bitmap blocks than one record takes. Pages still under writeback have not been
 * written then. Or another negative errno.
 */
int msyncfs_attach_fresh(struct list_head *set, bool attrs)
{
	struct msyncfs_capture *cap = list_first_entry(set,
						       struct msyncfs_capture,
						       set);
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(cap->inode->i_sb);
	struct msyncfs_fresh fresh;
	struct msyncfs_plan plan = {};
	int err;

	err = msyncfs_fresh_claim(set, &fresh);
	if (err)
		return err;
	err = msyncfs_plan_switch(set, sbi, &plan);
	if (!err)
		err = msyncfs_fresh_write_all(set, &plan);
	if (!err && msyncfs_plan_credits(sbi->sb, &plan) > sbi->record_images)
		err = -EFBIG;
	if (!err) {
		/* Frees blocks that O_DIRECT may be reading. */
		msyncfs_set_lock_dio(set);
		err = msyncfs_fresh_publish(set, &fresh, &plan, attrs);
		msyncfs_set_unlock_dio(set);
	}
	msyncfs_plan_free(&plan);
	list_for_each_entry(cap, set, set)
		msyncfs_shadow_free(cap);
	if (err && !test_bit(MSYNCFS_SB_ABORTED, &sbi->state))
		msyncfs_fresh_unclaim(set, &fresh);
	return err;
}
