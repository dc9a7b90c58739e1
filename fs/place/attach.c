// SPDX-License-Identifier: GPL-2.0
/*
 * This file attaches sets. It makes the captures of a set part of the running
 * transaction, in one operation. mm/pages/capture.c makes the captures, and
 * fs/log/commit.c makes the transaction durable.
 *
 * There are three ways to attach a set. The first way puts copies of the pages
 * into the record. The second way is for a set that is too large for a record.
 * fresh.c writes the pages of the set to fresh blocks, and the record contains
 * only the metadata that makes these blocks visible. The second way fails if
 * there are too few free blocks, or if more bitmap blocks would change than one
 * record takes. Then split.c splits the set, which is the third way.
 */
#include <kunit/visibility.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "fs/disk/trace.h"
#include "plan.h"

/* ---- ordinary files ------------------------------------------------------ */

/*
 * Looks up the home block of each page in a run. The pages may lie in several
 * extents. If a page has no written block, the map must change for this page,
 * so the function adds the change to the plan.
 */
static int msyncfs_find_run(struct msyncfs_capture *cap,
			    const struct msyncfs_run *run,
			    struct msyncfs_plan *plan)
{
	u64 index = run->index, end = index + run->len, i;
	struct msyncfs_image *img = run->img;
	struct msyncfs_extent ext;
	bool convert;
	int err;

	for (; index < end; index += ext.len) {
		err = msyncfs_map_lookup(cap->inode, index, end - index, &ext);
		if (err)
			return err;
		convert = !ext.blkno || ext.unwritten;
		if (convert) {
			cap->placing->changes = true;
			err = msyncfs_plan_run(cap->inode, index, ext.len, plan);
			if (err)
				return err;
		}
		if (!ext.blkno)
			plan->blocks += ext.len;
		for (i = 0; i < ext.len; i++) {
			img->home = ext.blkno ? ext.blkno + i : 0;
			img->convert = convert;
			img = list_next_entry(img, list);
		}
	}
	return 0;
}

/*
 * Finds the home block of each captured page. Most folios remember the block. A
 * page without a block gets the home 0. The caller holds i_commit_lock, so the
 * map does not change, and the folios remember the right blocks.
 */
static int msyncfs_find_homes(struct msyncfs_capture *cap, struct msyncfs_plan *plan)
{
	struct msyncfs_image *img;
	struct msyncfs_run run = {};
	int err;

	cap->placing->changes = false;
	plan->leaf = U64_MAX;
	list_for_each_entry(img, &cap->images, list) {
		img->home = msyncfs_folio_home(img->folio);
		img->convert = false;
		if (img->home)
			msyncfs_home_check(cap->inode, img->index, img->home,
					   true);
	}
	while (msyncfs_run_next(cap, MSYNCFS_RUN_HOMELESS, &run)) {
		err = msyncfs_find_run(cap, &run, plan);
		if (err)
			return err;
	}
	plan->credits += 1 + cap->nr;	/* the inode; the pages */
	return 0;
}

/*
 * Ends the reservations of the captured pages. Even a page with a block can
 * have a reservation. msyncfs_make_dirty() makes such a reservation if another
 * task gives the page a block just after msyncfs_make_dirty() found none.
 */
static void msyncfs_ordinary_applied(struct msyncfs_op *op,
				     struct msyncfs_capture *cap)
{
	struct msyncfs_run run = {};

	if (!cap->copied)
		op->claimed += cap->nr;
	if (xa_empty(&MSYNCFS_I(cap->inode)->i_resv))
		return;
	while (msyncfs_run_next(cap, MSYNCFS_RUN_PAGES, &run))
		op->fulfilled += msyncfs_resv_end(cap->inode, run.index,
						  run.index + run.len - 1);
}

/*
 * Returns the file size that goes into the record. The size grows if captured
 * pages lie beyond the old size. The size never shrinks here, because a
 * truncation is an operation of its own.
 */
static loff_t msyncfs_ordinary_size(struct msyncfs_capture *cap)
{
	return max(cap->end, MSYNCFS_I(cap->inode)->i_disksize);
}

/* There is nothing to undo, because the inode has kept its reservations. */
static void msyncfs_ordinary_undo(struct msyncfs_capture *cap)
{
}

static const struct msyncfs_place_ops msyncfs_ordinary_place = {
	.count_fresh	= msyncfs_ordinary_count,
	.claim_fresh	= msyncfs_ordinary_claim,
	.unclaim_fresh	= msyncfs_ordinary_unclaim,
	.plan_fresh	= msyncfs_ordinary_plan,
	.switch_fresh	= msyncfs_ordinary_switch,
	.applied	= msyncfs_ordinary_applied,
	.size		= msyncfs_ordinary_size,
	.change		= msyncfs_ordinary_change,
	.undo		= msyncfs_ordinary_undo,
};

static const struct msyncfs_place_ops *
msyncfs_ops_of(const struct msyncfs_capture *cap)
{
	return cap->whole ? &msyncfs_atomic_place : &msyncfs_ordinary_place;
}

/* ---- one operation ------------------------------------------------------- */

/*
 * Lets the folio of a page remember the new block of the page. The folio is not
 * under writeback, because a holder of the folio lock may be waiting for the end
 * of the writeback.
 */
static void msyncfs_page_moved(struct inode *inode, struct folio *folio,
			       u64 home)
{
	/*
	 * A task that reads the page holds the folio lock until the device has
	 * answered. An operation must not wait for that. Only an untorn write
	 * captures a page that is not up to date; its folio remembers nothing.
	 */
	if (!folio_test_uptodate(folio))
		return;
	folio_lock(folio);
	if (folio->mapping == inode->i_mapping)
		msyncfs_folio_set_home(folio, home);
	folio_unlock(folio);
}

/* Lets the folios of a range forget their blocks. */
static void msyncfs_forget_homes(struct inode *inode, pgoff_t first,
				 pgoff_t last)
{
	struct folio_batch fbatch;
	unsigned int i;

	folio_batch_init(&fbatch);
	while (filemap_get_folios(inode->i_mapping, &first, last, &fbatch)) {
		for (i = 0; i < fbatch.nr; i++)
			msyncfs_page_moved(inode, fbatch.folios[i], 0);
		folio_batch_release(&fbatch);
		cond_resched();
	}
}

/*
 * Lets the folios of atomic files forget the blocks of all pages that the
 * commit moves. The function locks many folios, so it runs before the operation
 * begins. Otherwise it would delay other commits. While the overlay has the
 * pages, no read sets a value.
 */
static void msyncfs_forget_moved(struct list_head *set)
{
	struct msyncfs_capture *cap;
	struct msyncfs_extent ext;

	list_for_each_entry(cap, set, set) {
		ext.index = 0;
		ext.len = 0;
		while (cap->whole &&
		       msyncfs_overlay_next(cap->inode, ext.index + ext.len,
					    MSYNCFS_LAST_INDEX, &ext))
			msyncfs_forget_homes(cap->inode, ext.index,
					     ext.index + ext.len - 1);
	}
}

/*
 * Lets the folios of a file remember the blocks of their pages. The map already
 * has these blocks.
 */
static void msyncfs_remember_homes(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list) {
		WARN_ON_ONCE(img->writeback);
		if (msyncfs_folio_home(img->folio) != img->home)
			msyncfs_page_moved(cap->inode, img->folio, img->home);
	}
}

/*
 * Adds the inode to the transaction if its size or its map changes. If @attrs
 * is set, also adds the inode if its times or attributes have changed.
 */
static void msyncfs_attach_inode(struct msyncfs_op *op,
				 struct msyncfs_capture *cap, bool attrs)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(cap->inode);
	loff_t size = cap->placing->ops->size(cap);
	bool changes = cap->placing->changes;

	if (size != mi->i_disksize) {
		WRITE_ONCE(mi->i_disksize, size);
		changes = true;
	}
	if (changes || (attrs && test_bit(MSYNCFS_I_DIRTY, &mi->i_flags)))
		msyncfs_op_add_inode(op, cap->inode, changes);
	WRITE_ONCE(mi->i_tid, op->tid);
	WRITE_ONCE(mi->i_data_tid, op->tid);
}

/*
 * Adds a capture to the transaction and publishes its pages. A read of a
 * published page finds the content in the transaction, or finds a fresh block
 * through the map.
 */
static void msyncfs_attach_capture(struct msyncfs_op *op,
				   struct msyncfs_capture *cap)
{
	refcount_inc(&cap->ref);
	cap->member.pages = cap->nr;
	msyncfs_op_add(op, &cap->images, cap->copied ? cap->nr : 0, &cap->member);
	msyncfs_capture_publish(cap);
}

/* Points the map of a file to the blocks of its pages. */
static int msyncfs_attach_map(struct msyncfs_op *op,
			      struct msyncfs_capture *cap)
{
	int err = 0;

	if (cap->placing->shadow)
		msyncfs_shadow_apply(op, cap);
	else if (!cap->copied)
		err = cap->placing->ops->switch_fresh(op, cap);
	else if (cap->placing->changes)
		err = msyncfs_homes_alloc(op, cap) ?: msyncfs_homes_map(op, cap);
	/*
	 * All blocks and credits are held, so only a damaged or unreadable map
	 * can cause an error here.
	 */
	if (err)
		msyncfs_abort(op->sb, "a block map changed under a commit", err);
	return err;
}

static void msyncfs_wait_zero(atomic_t *count)
{
	if (atomic_read(count))
		wait_var_event(count, !atomic_read(count));
}

/*
 * Waits for O_DIRECT. The device may be writing blocks that get images now (B2).
 * It may also be using blocks that the operation frees, but a set of copies of an
 * ordinary file frees none. An atomic file has no O_DIRECT. Caller holds
 * i_commit_lock, so no other O_DIRECT begins.
 */
static void msyncfs_wait_direct(const struct msyncfs_capture *cap)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(cap->inode);

	msyncfs_wait_zero(&mi->i_dio_writes);
	if (!cap->copied)
		msyncfs_wait_zero(&mi->i_dio_reads);
}

/*
 * Attaches a set in one operation. msyncfs_hold() has promised @extra blocks to
 * the set. The operation uses these blocks, so it ends the promises.
 */
static int msyncfs_attach_in_op(struct list_head *set,
				const struct msyncfs_plan *plan, u64 extra,
				bool attrs)
{
	struct msyncfs_capture *cap = msyncfs_first_capture(set);
	struct super_block *sb = cap->inode->i_sb;
	bool copied = cap->copied;
	struct msyncfs_op op;
	int err;

	list_for_each_entry(cap, set, set)
		msyncfs_wait_direct(cap);
	msyncfs_forget_moved(set);
	/*
	 * All blocks of the plan are promised. Only pages over holes need new
	 * blocks or map nodes, and each of these pages has a reservation.
	 */
	err = msyncfs_op_begin_promised(sb, &op, msyncfs_plan_credits(sb, plan),
					plan->blocks);
	if (err)
		return err;
	op.fulfilled += extra;
	list_for_each_entry(cap, set, set) {
		err = msyncfs_attach_map(&op, cap);
		if (err)
			break;
		msyncfs_remember_homes(cap);
		cap->placing->ops->applied(&op, cap);
		msyncfs_attach_inode(&op, cap, attrs);
		msyncfs_attach_capture(&op, cap);
	}
	if (!copied)
		msyncfs_op_preflush(&op);
	msyncfs_op_end(&op);
	return err;
}

/* ---- the three ways ------------------------------------------------------ */

/*
 * Plans the operation that attaches copied pages. If an overlay changes the map
 * of a file, this function also builds a shadow of the map. It builds no shadow
 * if the plan already has more than @max credits, because the set does not fit
 * into a record then. The caller frees the shadows.
 */
static int msyncfs_plan_record(struct list_head *set, struct msyncfs_plan *plan,
			       unsigned int max)
{
	struct msyncfs_capture *cap;
	int err = 0;

	list_for_each_entry(cap, set, set) {
		err = msyncfs_overlaid(cap) ?
		      cap->placing->ops->plan_overlaid(cap, plan) :
		      msyncfs_find_homes(cap, plan);
		if (err)
			return err;
	}
	list_for_each_entry(cap, set, set) {
		if (!msyncfs_overlaid(cap) ||
		    msyncfs_plan_credits(cap->inode->i_sb, plan) > max)
			continue;
		err = msyncfs_shadow_alloc(cap);
		if (!err)
			err = msyncfs_shadow_build(cap, plan);
		if (err)
			return err;
	}
	return 0;
}

static void msyncfs_free_shadows(struct list_head *set)
{
	struct msyncfs_capture *cap;

	list_for_each_entry(cap, set, set)
		if (cap->placing->shadow)
			msyncfs_shadow_free(cap);
}

/**
 * msyncfs_attach_record - attach copied pages, if one record takes them
 * @set: captures, copied
 * @attrs: also attach changed times and attributes
 * @fits: set to true if one record takes the set, else to false
 *
 * Context: as msyncfs_attach_set().
 * Return: 0 or a negative errno. After an error, or if the set does not fit,
 * the set is not attached.
 */
int msyncfs_attach_record(struct list_head *set, bool attrs, bool *fits)
{
	struct msyncfs_sb_info *sbi = msyncfs_sbi_of(set);
	unsigned int max = sbi->geo.record_images;
	struct msyncfs_plan plan = {};
	int err;

	err = msyncfs_plan_record(set, &plan, max);
	*fits = msyncfs_plan_credits(sbi->sb, &plan) <= max;
	if (!err && *fits && plan.groups)
		err = msyncfs_plan_load(sbi->sb, &plan);
	if (!err && *fits)
		err = msyncfs_attach_in_op(set, &plan, 0, attrs);
	msyncfs_plan_free(&plan);
	msyncfs_free_shadows(set);
	return err;
}

/**
 * msyncfs_attach_fresh - attach a set by means of fresh blocks
 * @set: captures that are not marked as copied
 * @attrs: also attach changed times and attributes
 * @sent: completed as soon as the writes to fresh blocks are sent, or NULL
 *
 * Context: as msyncfs_attach_set(); waits for the device.
 * Return: 0 or a negative errno. -ENOSPC means that there are too few free
 * blocks. -EFBIG means that more bitmap blocks would change than one record
 * takes. After -ENOSPC or -EFBIG, a page that is still under writeback has not
 * been written.
 */
int msyncfs_attach_fresh(struct list_head *set, bool attrs,
			 struct completion *sent)
{
	struct msyncfs_sb_info *sbi = msyncfs_sbi_of(set);
	struct msyncfs_plan plan = {};
	struct msyncfs_fresh fresh;
	int err;

	err = msyncfs_fresh_claim(set, &fresh);
	if (err)
		return err;
	err = msyncfs_fresh_prepare(set, sent, &plan);
	if (!err)
		err = msyncfs_attach_in_op(set, &plan, fresh.extra, attrs);
	msyncfs_plan_free(&plan);
	msyncfs_free_shadows(set);
	if (err && !test_bit(MSYNCFS_SB_ABORTED, &sbi->state))
		msyncfs_fresh_unclaim(set, &fresh);
	return err;
}

/**
 * msyncfs_attach_undo - undo a capture that could not be attached
 * @cap: capture
 * @err: the reason; as for msyncfs_capture_redirty()
 *
 * This function makes the pages dirty again. If the file is atomic, the
 * function also gives the reservations back to the inode.
 *
 * Context: caller holds i_commit_lock; takes folio locks.
 */
void msyncfs_attach_undo(struct msyncfs_capture *cap, int err)
{
	msyncfs_ops_of(cap)->undo(cap);
	msyncfs_capture_redirty(cap, err);
}

/*
 * Returns whether the set can be split. Splitting needs the captured content of
 * the pages. A copy has the captured content, and so does a page that is still
 * under writeback. Once the write of an uncopied page has ended, a store may
 * have changed the page. A single atomic file is never split.
 */
static bool msyncfs_may_split(struct list_head *set)
{
	struct msyncfs_image *img = msyncfs_first_image(set);

	if (list_is_singular(set) && msyncfs_first_capture(set)->whole)
		return false;
	return img && (img->writeback || img->page);
}

/*
 * Tries the ways to attach a set, one after the other. If every way fails,
 * makes the pages dirty again.
 */
static int msyncfs_attach_ways(struct list_head *set, bool attrs,
			       struct completion *sent)
{
	struct msyncfs_capture *cap = msyncfs_first_capture(set);
	bool fits = false;
	int err = 0;

	if (cap->copied)
		err = msyncfs_attach_record(set, attrs, &fits);
	if (!err && !fits) {
		list_for_each_entry(cap, set, set)
			cap->copied = false;
		err = msyncfs_attach_fresh(set, attrs, sent);
		if ((err == -ENOSPC || err == -EFBIG) && msyncfs_may_split(set))
			return msyncfs_attach_split(set, attrs, sent);
	}
	if (err)
		list_for_each_entry(cap, set, set)
			msyncfs_attach_undo(cap, err);
	return err;
}

/*
 * Returns an error if no way can attach the set. On a frozen filesystem, a set
 * of copies can be attached, because this changes only memory.
 */
static int msyncfs_attach_check(struct list_head *set)
{
	int err = msyncfs_gate_error(msyncfs_sbi_of(set));

	return err == -EFSFROZEN ? 0 : err;
}

/**
 * msyncfs_attach_set - make a set of captures part of the running transaction
 * @set: captures of msyncfs_capture_ranges(), at least one; the caller keeps
 *	its references
 * @attrs: also attach changed times and attributes
 * @sent: completed when all writes to fresh blocks are sent, or NULL; not
 *	completed if no page goes to a fresh block
 *
 * After success, the caller passes the largest i_data_tid of the files to
 * msyncfs_commit() to make the pages durable. After a failure, the pages are
 * dirty again, and no capture is attached. The only exception is a set that
 * msyncfs_attach_split() has split: its first records may be durable already.
 * An atomic file is never split.
 *
 * Context: caller holds i_commit_lock of each file, set_mutex if there are
 * several files, and no lock that P4 forbids. May wait for a commit and a
 * checkpoint, and for the device if the set is large.
 * Return: 0 or a negative errno.
 */
int msyncfs_attach_set(struct list_head *set, bool attrs,
		       struct completion *sent)
{
	struct msyncfs_placing one = {}, *placings = &one, *p;
	struct msyncfs_capture *cap = msyncfs_first_capture(set);
	int err;

	lockdep_assert_held(&MSYNCFS_I(cap->inode)->i_commit_lock);

	err = msyncfs_attach_check(set);
	if (!err && !list_is_singular(set)) {
		placings = kcalloc(list_count_nodes(set), sizeof(*placings),
				   GFP_NOFS);
		if (!placings)
			err = -ENOMEM;
	}
	if (err) {
		list_for_each_entry(cap, set, set)
			msyncfs_attach_undo(cap, err);
		return err;
	}
	p = placings;
	list_for_each_entry(cap, set, set) {
		p->ops = msyncfs_ops_of(cap);
		cap->placing = p++;
	}
	err = msyncfs_attach_ways(set, attrs, sent);
	list_for_each_entry(cap, set, set) {
		cap->placing = NULL;
		trace_msyncfs_attach(cap->inode,
				     MSYNCFS_I(cap->inode)->i_data_tid, err);
	}
	if (placings != &one)
		kfree(placings);
	return err;
}

/**
 * msyncfs_attach - make one capture part of the running transaction
 * @cap: capture of msyncfs_capture_pages(); the caller keeps its reference
 * @attrs: also attach changed times and attributes
 *
 * Context: as msyncfs_attach_set().
 * Return: as msyncfs_attach_set().
 */
int msyncfs_attach(struct msyncfs_capture *cap, bool attrs)
{
	LIST_HEAD(set);
	int err;

	list_add(&cap->set, &set);
	err = msyncfs_attach_set(&set, attrs, NULL);
	list_del_init(&cap->set);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_attach);

/**
 * msyncfs_attach_run_max - compute how many consecutive pages one record takes
 * @sb: filesystem
 *
 * In the worst case, each page and each missing map node gets a block in another
 * group. A run of up to MSYNCFS_NODE_PTRS pages has at most three reservations
 * (fs/map/resv.c), and msyncfs_plan_run() counts one path for each of them.
 *
 * Context: any.
 * Return: number of pages for which msyncfs_attach_run() never returns -EFBIG.
 */
unsigned int msyncfs_attach_run_max(struct super_block *sb)
{
	unsigned int nodes = 3 * MSYNCFS_MAX_DEPTH;
	unsigned int other = 1 + nodes + 3 + nodes;	/* inode, map, bitmap */

	return min((MSYNCFS_SB(sb)->geo.record_images - other) / 2,
		   MSYNCFS_NODE_PTRS);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_attach_run_max);

/**
 * msyncfs_attach_run - attach data that is not in the page cache yet
 * @cap: copied capture of consecutive pages of an ordinary file; the caller keeps
 *	its reference
 *
 * All pages go into one record. In contrast to msyncfs_attach(), no page becomes
 * dirty after a failure.
 *
 * Context: as msyncfs_attach_set().
 * Return: 0; -EFBIG if one record does not take the pages; or another negative
 * errno.
 */
int msyncfs_attach_run(struct msyncfs_capture *cap)
{
	struct msyncfs_placing placing = { .ops = &msyncfs_ordinary_place };
	LIST_HEAD(set);
	bool fits;
	int err;

	lockdep_assert_held(&MSYNCFS_I(cap->inode)->i_commit_lock);

	list_add(&cap->set, &set);
	cap->placing = &placing;
	err = msyncfs_attach_check(&set);
	if (!err)
		err = msyncfs_attach_record(&set, false, &fits);
	if (!err && !fits)
		err = -EFBIG;
	cap->placing = NULL;
	list_del_init(&cap->set);
	trace_msyncfs_attach(cap->inode, MSYNCFS_I(cap->inode)->i_data_tid, err);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_attach_run);

/**
 * msyncfs_attach_edge - attach captured edges in an operation under way
 * @op: open handle with a credit for each page
 * @inode: file
 * @cap: copied capture of msyncfs_capture_pages(); this function drops the
 *	caller's reference
 *
 * A truncation or a hole zeroes part of each edge. These zeros must become
 * durable in the same transaction as the truncation or the hole.
 *
 * An edge without a written block is an exception. A read of such a page never
 * returns old data from the device, so this function need not attach the page.
 * Instead, the function makes the page dirty again, and a later commit of the
 * file takes the page.
 *
 * Context: caller holds i_commit_lock.
 */
void msyncfs_attach_edge(struct msyncfs_op *op, struct inode *inode,
			 struct msyncfs_capture *cap)
{
	struct msyncfs_placing placing = {};
	struct msyncfs_plan plan = {};

	cap->placing = &placing;
	if (msyncfs_find_homes(cap, &plan) || placing.changes) {
		msyncfs_capture_redirty(cap, 0);
	} else {
		WRITE_ONCE(MSYNCFS_I(inode)->i_data_tid, op->tid);
		msyncfs_attach_capture(op, cap);
	}
	cap->placing = NULL;
	msyncfs_capture_put(cap);
}
