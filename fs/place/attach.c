// SPDX-License-Identifier: GPL-2.0
/*
 * Where captured pages meet blocks: gives each page of a set of captures its
 * home, allocating and converting as needed, and makes the set part of a
 * transaction, in one operation. Two ways: copied pages travel in the record;
 * the pages of a set that is too large for that are written to fresh blocks
 * first, and the record holds only what makes them visible.
 */
#include <kunit/visibility.h>
#include <linux/blkdev.h>
#include <linux/pagemap.h>

#include "plan.h"

/* A run of consecutive pages of a capture, [first, first + len). */
struct msyncfs_run {
	struct msyncfs_image	*img;	/* the first one */
	u64			index;
	u64			len;
};

/*
 * The next run of consecutive indexes from @img on, at most @max long.
 * Returns the image after it; the list's head ends it.
 */
static struct msyncfs_image *msyncfs_next_run(struct msyncfs_capture *cap,
					      struct msyncfs_image *img,
					      u64 max, struct msyncfs_run *run)
{
	run->img = img;
	run->index = img->index;
	run->len = 0;
	while (!msyncfs_cap_end(cap, img) && run->len < max &&
	       img->index == run->index + run->len) {
		run->len++;
		img = list_next_entry(img, list);
	}
	return img;
}

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

/*
 * Looks up every page, and adds to @plan. Nobody else changes the map: the
 * caller holds i_commit_lock.
 */
int msyncfs_plan_copied(struct msyncfs_capture *cap,
			       struct msyncfs_plan *plan)
{
	struct inode *inode = cap->inode;
	struct msyncfs_image *img, *next;
	struct msyncfs_extent ext;
	struct msyncfs_run run;
	int err;
	u64 i;

	cap->changes = false;
	plan->leaf = U64_MAX;
	img = list_first_entry(&cap->images, struct msyncfs_image, list);
	while (!msyncfs_cap_end(cap, img)) {
		next = msyncfs_next_run(cap, img, U64_MAX, &run);
		err = msyncfs_map_lookup(inode, run.index, run.len, &ext);
		if (err)
			return err;
		if (ext.len < run.len)
			next = msyncfs_next_run(cap, img, ext.len, &run);
		if (!ext.blkno || ext.unwritten) {
			cap->changes = true;
			err = msyncfs_plan_run(inode, run.index, run.len, plan);
			if (err)
				return err;
		}
		if (!ext.blkno)
			plan->blocks += run.len;
		for (i = 0; i < run.len; i++) {
			img->home = ext.blkno ? ext.blkno + i : 0;
			img->convert = !ext.blkno || ext.unwritten;
			img = list_next_entry(img, list);
		}
		img = next;
	}
	plan->credits += 1 + cap->nr;	/* the inode; the pages */
	return 0;
}

/**
 * msyncfs_overlaid - does the map change by more than the captured pages?
 * @cap: capture
 *
 * Context: caller holds i_commit_lock.
 * Return: true if so.
 */
bool msyncfs_overlaid(struct msyncfs_capture *cap)
{
	return cap->whole && !mtree_empty(&MSYNCFS_I(cap->inode)->i_overlay);
}

/*
 * Plans the operation that attaches copied pages. Maps that an overlay changes are
 * shadowed; should it come to nothing, msyncfs_shadow_free() is the caller's.
 */
static int msyncfs_plan_set(struct list_head *set, struct msyncfs_plan *plan,
			    unsigned int max)
{
	struct msyncfs_capture *cap;
	int err = 0;

	list_for_each_entry(cap, set, set) {
		if (msyncfs_overlaid(cap)) {
			cap->changes = true;
			plan->credits += 1 + cap->nr;
			err = msyncfs_atomic_homes(cap);
		} else {
			err = msyncfs_plan_copied(cap, plan);
		}
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

/**
 * msyncfs_goal - where the block of a page would best lie
 * @inode: regular file
 * @index: page
 *
 * Context: may read map nodes.
 * Return: a block.
 */
u64 msyncfs_goal(struct inode *inode, u64 index)
{
	struct msyncfs_extent ext;

	if (index && !msyncfs_map_lookup(inode, index - 1, 1, &ext) && ext.blkno)
		return ext.blkno + 1;
	return inode->i_ino + 1;
}

/* Gives blocks to the pages of the capture that have none. */
static int msyncfs_alloc_homes(struct msyncfs_op *op,
			       struct msyncfs_capture *cap)
{
	struct inode *inode = cap->inode;
	struct msyncfs_image *img, *first = NULL;
	u64 start = 0, len = 0, want, used = 0;
	int err;

	list_for_each_entry(img, &cap->images, list) {
		if (img->home)
			continue;
		if (used == len) {
			want = 1;
			first = img;
			list_for_each_entry_continue(first, &cap->images, list) {
				if (first->home ||
				    first->index != img->index + want)
					break;
				want++;
			}
			err = msyncfs_alloc(op, msyncfs_goal(inode, img->index),
					    want, &start, &len);
			if (err)
				return err;
			used = 0;
		}
		img->home = start + used++;
	}
	return 0;
}

/* Points the map to the homes of pages whose pointer has to change. */
static int msyncfs_map_homes(struct msyncfs_op *op, struct msyncfs_capture *cap)
{
	struct msyncfs_image *img, *next;
	u64 len;
	int err;

	img = list_first_entry(&cap->images, struct msyncfs_image, list);
	while (!msyncfs_cap_end(cap, img)) {
		if (!img->convert) {
			img = list_next_entry(img, list);
			continue;
		}
		len = 1;
		next = list_next_entry(img, list);
		while (!msyncfs_cap_end(cap, next) && next->convert &&
		       next->index == img->index + len &&
		       next->home == img->home + len) {
			len++;
			next = list_next_entry(next, list);
		}
		err = msyncfs_map_set(op, cap->inode, img->index, len,
				      img->home, false);
		if (err)
			return err;
		img = next;
	}
	return 0;
}

/**
 * msyncfs_release_resv - the reservations of captured pages end
 * @cap: capture, whose pages all have their blocks
 *
 * Also of those that had them before: a reservation made while the block appeared
 * is one too many.
 *
 * Context: takes a spinlock.
 * Return: blocks whose promise ends, for op->kept.
 */
u64 msyncfs_release_resv(struct msyncfs_capture *cap)
{
	struct inode *inode = cap->inode;
	struct msyncfs_image *img, *next;
	struct msyncfs_run run;
	u64 blocks = 0;

	img = list_first_entry(&cap->images, struct msyncfs_image, list);
	while (!msyncfs_cap_end(cap, img) &&
	       !xa_empty(&MSYNCFS_I(inode)->i_resv)) {
		next = msyncfs_next_run(cap, img, U64_MAX, &run);
		blocks += msyncfs_resv_end(inode, run.index,
					   run.index + run.len - 1);
		img = next;
	}
	return blocks;
}

/**
 * msyncfs_attach_inode - what of the inode itself goes into the record
 * @op: open handle with a credit for the inode's block
 * @cap: capture that it goes with
 * @attrs: changed times and attributes too
 *
 * The size too: an atomic file gets the one that it had when it was captured.
 *
 * Context: caller holds i_commit_lock.
 */
void msyncfs_attach_inode(struct msyncfs_op *op, struct msyncfs_capture *cap,
			  bool attrs)
{
	struct inode *inode = cap->inode;
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	loff_t size = cap->whole ? cap->size : max(cap->end, mi->i_disksize);
	bool changes = cap->changes;

	if (size != mi->i_disksize) {
		WRITE_ONCE(mi->i_disksize, size);
		changes = true;
	}
	if (changes || (attrs && test_bit(MSYNCFS_I_DIRTY, &mi->i_flags)))
		msyncfs_inode_dirty(op, inode, changes);
	WRITE_ONCE(mi->i_tid, op->tid);
	WRITE_ONCE(mi->i_data_tid, op->tid);
}

/* Blocks for one file's copied pages; the operation is paid for. */
static int msyncfs_attach_homes(struct msyncfs_op *op,
				struct msyncfs_capture *cap)
{
	int err = 0;

	if (cap->shadow) {
		msyncfs_shadow_apply(op, cap);
	} else if (cap->changes) {
		err = msyncfs_alloc_homes(op, cap);
		if (!err)
			err = msyncfs_map_homes(op, cap);
	}
	/* Planned and paid for: only a bad map gets here. */
	if (err)
		msyncfs_abort(op->sb, "a block map changed under a commit", err);
	return err;
}

/* The log: copies of all pages and the metadata they need, in one record. */
int msyncfs_attach_copied(struct list_head *set,
				 const struct msyncfs_plan *plan, bool attrs)
{
	struct msyncfs_capture *cap = list_first_entry(set,
						       struct msyncfs_capture,
						       set);
	struct super_block *sb = cap->inode->i_sb;
	struct msyncfs_op op;
	int err;

	err = msyncfs_op_begin_resv(sb, &op, msyncfs_plan_credits(sb, plan),
				    plan->blocks);
	if (err)
		return err;
	list_for_each_entry(cap, set, set) {
		err = msyncfs_attach_homes(&op, cap);
		if (err)
			break;
		if (cap->whole)
			msyncfs_atomic_applied(&op, cap);
		else
			op.kept += msyncfs_release_resv(cap);
		msyncfs_attach_inode(&op, cap, attrs);
		msyncfs_op_attach(&op, cap);
		msyncfs_capture_publish(cap);
	}
	msyncfs_op_end(&op);
	return err;
}

void msyncfs_redirty_one(struct msyncfs_capture *cap, int err)
{
	if (cap->whole)
		msyncfs_resv_return(cap->inode, &cap->resv);
	msyncfs_capture_redirty(cap, err);
}

/*
 * Can it be split? There must still be a cut, which pages once written are not,
 * being open for stores; and an atomic file alone never is.
 */
static bool msyncfs_set_splittable(struct list_head *set)
{
	struct msyncfs_capture *cap = list_first_entry(set,
						       struct msyncfs_capture,
						       set);
	struct msyncfs_image *first = msyncfs_set_first(set);

	if (list_is_singular(set) && cap->whole)
		return false;
	return first && (first->writeback || first->page);
}

/**
 * msyncfs_attach_set - make captures part of the running transaction, together
 * @set: from msyncfs_capture_set(), not empty; they stay the caller's
 * @attrs: take along changed times and attributes too
 *
 * On success the pages are durable after msyncfs_commit() up to the i_data_tid of
 * each file. On failure the pages are dirty again and nothing has changed, unless
 * the set had to be split and its first records are durable already. An atomic
 * file is never split.
 *
 * Context: caller holds i_commit_lock of each file, set_mutex if there are
 * several, and none of what P4 forbids. May wait for a commit and a checkpoint,
 * and for the device if the set is large.
 * Return: 0 or a negative errno.
 */
int msyncfs_attach_set(struct list_head *set, bool attrs)
{
	struct msyncfs_capture *cap = list_first_entry(set,
						       struct msyncfs_capture,
						       set);
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(cap->inode->i_sb);
	struct msyncfs_plan plan = {};
	int err = 0;
	bool fits;

	lockdep_assert_held(&MSYNCFS_I(cap->inode)->i_commit_lock);

	list_for_each_entry(cap, set, set) {
		/* All of it or nothing. */
		if (cap->whole && cap->incomplete)
			err = -ENOMEM;
	}
	/* No operation begins any more: to who waits for data, an I/O error. */
	if (msyncfs_log_dead(sbi))
		err = -EIO;
	if (err)
		goto out;
	cap = list_first_entry(set, struct msyncfs_capture, set);
	if (cap->copied) {
		err = msyncfs_plan_set(set, &plan, sbi->record_images);
		fits = msyncfs_plan_credits(sbi->sb, &plan) <=
		       sbi->record_images;
		if (!err && fits)
			err = msyncfs_attach_copied(set, &plan, attrs);
		msyncfs_plan_free(&plan);
		list_for_each_entry(cap, set, set)
			msyncfs_shadow_free(cap);
		if (err || fits)
			goto out;
		list_for_each_entry(cap, set, set)
			cap->copied = false;
	}
	err = msyncfs_attach_fresh(set, attrs);
	if ((err == -ENOSPC || err == -EFBIG) && msyncfs_set_splittable(set))
		return msyncfs_attach_split_set(set, attrs);
out:
	if (err) {
		list_for_each_entry(cap, set, set)
			msyncfs_redirty_one(cap, err);
	}
	return err;
}

/**
 * msyncfs_attach - the same for one capture
 * @cap: from msyncfs_capture(), not empty; stays the caller's
 * @attrs: take along changed times and attributes too
 *
 * Context: as msyncfs_attach_set().
 * Return: as msyncfs_attach_set().
 */
int msyncfs_attach(struct msyncfs_capture *cap, bool attrs)
{
	LIST_HEAD(set);
	int err;

	list_add(&cap->set, &set);
	err = msyncfs_attach_set(&set, attrs);
	list_del_init(&cap->set);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_attach);

/**
 * msyncfs_attach_op - take captured pages along in an operation under way
 * @op: open handle with a credit for each page
 * @inode: whose pages
 * @cap: from msyncfs_capture(), copied; consumed
 *
 * For the pages at the edges of a truncation or a hole, whose zeroed part must
 * become durable with it. A page whose block is not written yet has nothing on
 * disk to show through: it is left dirty for its own commit.
 *
 * Context: caller holds i_commit_lock.
 */
void msyncfs_attach_op(struct msyncfs_op *op, struct inode *inode,
		       struct msyncfs_capture *cap)
{
	struct msyncfs_plan plan = {};

	if (!cap)
		return;
	if (msyncfs_plan_copied(cap, &plan) || cap->changes) {
		msyncfs_capture_redirty(cap, 0);
	} else {
		WRITE_ONCE(MSYNCFS_I(inode)->i_data_tid, op->tid);
		msyncfs_op_attach(op, cap);
		msyncfs_capture_publish(cap);
	}
	msyncfs_capture_put(cap);
}
