// SPDX-License-Identifier: GPL-2.0
/*
 * Atomic files: after a crash such a file, content and size, is what it was at
 * its last msync or fsync. Here are its own ways to do what other files do by
 * operations: spilling pages that must leave memory, committing, changing size,
 * making holes; and going back to the last commit. Documentation/atomicity.rst
 * tells the whole; fs/overlay.c holds what is not committed.
 */
#include <kunit/visibility.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/sched/signal.h>

#include "attach.h"

static bool msyncfs_atomic_dirty(struct inode *inode)
{
	return msyncfs_overlay_pending(inode) ||
	       msyncfs_count_dirty(inode, 0, ULONG_MAX, 1);
}

/* ---- pages to blocks ----------------------------------------------------- */

/*
 * Where a captured page goes: to its block in the overlay; or, in a record, to
 * the committed one, if that is not to be freed; 0: to a block yet to be found.
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

/* Blocks for all pages of a capture; those that are new enter the overlay. */
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
			err = msyncfs_resv_add(inode, &cap->resv, img->index,
					       &hint);
		else
			err = msyncfs_resv_page(inode, img->index);
		if (err)
			return err;
	}
	return msyncfs_overlay_claim(inode, &cap->images, need);
}

/* Writes the pages of a capture, alone in @set, to their blocks in the overlay. */
static int msyncfs_atomic_write(struct list_head *set)
{
	struct msyncfs_capture *cap = list_first_entry(set,
						       struct msyncfs_capture,
						       set);
	int err;

	if (!cap->nr)
		return 0;
	err = msyncfs_fresh_write(set);
	if (!err)
		set_bit(MSYNCFS_I_SPILLED, &MSYNCFS_I(cap->inode)->i_flags);
	return err;
}

/**
 * msyncfs_spill - let dirty pages of an atomic file leave memory
 * @inode: atomic file
 * @first: first page
 * @last: last page, inclusive
 * @limit: so many pages at most
 * @nr: set to how many
 *
 * They go to blocks that no committed state refers to, and become the file with
 * its next commit.
 *
 * Context: caller holds i_commit_lock and keeps the filesystem from being frozen;
 * waits for the device.
 * Return: 0, or why the pages are still dirty.
 */
int msyncfs_spill(struct inode *inode, pgoff_t first, pgoff_t last,
		  unsigned long limit, unsigned long *nr)
{
	struct msyncfs_capture *cap;
	LIST_HEAD(set);
	int err;

	*nr = 0;
	cap = msyncfs_capture(inode, first, last, 0, limit);
	if (IS_ERR_OR_NULL(cap))
		return PTR_ERR_OR_ZERO(cap);
	inode->i_mapping->writeback_index = DIV_ROUND_UP_ULL(cap->end,
							     PAGE_SIZE);
	err = msyncfs_atomic_homes(cap);
	if (!err) {
		list_add(&cap->set, &set);
		err = msyncfs_atomic_write(&set);
		list_del_init(&cap->set);
	}
	if (err) {
		/* Nothing is lost: it is the commit that has to succeed. */
		msyncfs_capture_redirty(cap, 0);
	} else {
		msyncfs_capture_publish(cap);
		*nr = cap->nr;
	}
	msyncfs_capture_put(cap);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_spill);

/* ---- commit -------------------------------------------------------------- */

/* Bitmap blocks that a run of blocks, after others, touches. */
static u64 msyncfs_count_groups(u64 blkno, u64 len, u64 *group)
{
	u64 first = div64_u64(blkno, MSYNCFS_GROUP_BLOCKS);
	u64 last = div64_u64(blkno + len - 1, MSYNCFS_GROUP_BLOCKS);
	u64 nr = last - first + (first != *group);

	*group = last;
	return nr;
}

/* Spilled pages: nodes on the way, bitmap blocks of new blocks and of old ones. */
static int msyncfs_plan_spilled(struct inode *inode,
				const struct msyncfs_extent *over,
				struct msyncfs_plan *plan, u64 *groups)
{
	u64 at = over->index, end = over->index + over->len;
	u64 new = U64_MAX, old = U64_MAX;
	struct msyncfs_extent ext;
	int err;

	*groups += msyncfs_count_groups(over->blkno, over->len, &new);
	for (; at < end; at += ext.len) {
		err = msyncfs_map_committed(inode, at, end - at, &ext);
		if (err)
			return err;
		if (ext.blkno)
			*groups += msyncfs_count_groups(ext.blkno, ext.len,
							&old);
	}
	return msyncfs_plan_run(inode, over->index, over->len, plan);
}

/*
 * A hole: what msyncfs_map_free() needs to make it in one go. A leaf that becomes
 * empty goes, and what goes is not in the record; so what counts are bitmap
 * blocks, leaves that stay, being cut at an end of the range or counted on by a
 * page that is reserved, and what is above them.
 */
static int msyncfs_plan_hole(struct inode *inode, u64 first, u64 last,
			     u64 *credits, u64 *groups)
{
	unsigned int depth = MSYNCFS_I(inode)->i_map_depth;
	u64 at, leaf, group = U64_MAX, seen = U64_MAX, upper = U64_MAX;
	struct msyncfs_extent ext;
	int err;

	/* The two ends, and what msyncfs_map_free() keeps back in each step. */
	*credits += 2 + 5 * (depth + 1) + 8;
	for (at = first; at <= last; at += ext.len) {
		err = msyncfs_map_committed(inode, at, last - at + 1, &ext);
		if (err)
			return err;
		if (!ext.blkno)
			continue;
		*groups += msyncfs_count_groups(ext.blkno, ext.len, &group);
		/* A run may go across leaves. */
		leaf = div64_u64(at + ext.len - 1, MSYNCFS_NODE_PTRS);
		*groups += leaf - div64_u64(at, MSYNCFS_NODE_PTRS) +
			   (leaf != seen);
		seen = leaf;
		leaf = div64_u64(leaf, MSYNCFS_NODE_PTRS);
		if (leaf != upper)
			*credits += depth + 1;
		upper = leaf;
	}
	for (at = msyncfs_resv_next(inode, first, last); at <= last;
	     at = msyncfs_resv_next(inode, at, last)) {
		++*credits;
		at = (div64_u64(at, MSYNCFS_NODE_PTRS) + 1) * MSYNCFS_NODE_PTRS;
		if (at > last)
			break;
	}
	return 0;
}

static int msyncfs_plan_overlay(struct inode *inode, struct msyncfs_plan *plan)
{
	u64 index, groups = 0;
	struct msyncfs_extent over;
	u64 credits = 0;
	int err;

	plan->leaf = U64_MAX;
	for (index = 0; msyncfs_overlay_next(inode, index, MSYNCFS_LAST_INDEX,
					     &over); index += over.len) {
		index = over.index;
		if (over.blkno) {
			err = msyncfs_plan_spilled(inode, &over, plan, &groups);
		} else {
			plan->slack = MSYNCFS_PLAN_SLACK;
			err = msyncfs_plan_hole(inode, index,
						index + over.len - 1, &credits,
						&groups);
		}
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	plan->bitmaps += groups;
	plan->credits = min_t(u64, plan->credits + credits, UINT_MAX / 2);
	return 0;
}

/**
 * msyncfs_atomic_plan - plan the commit of an atomic file that has an overlay
 * @cap: all of it
 * @plan: to add to
 *
 * Pages that need a block get it here: should it come to nothing they keep it, as
 * spilled pages do.
 *
 * Context: caller holds i_commit_lock; may wait for commits.
 * Return: 0 or a negative errno.
 */
int msyncfs_atomic_plan(struct msyncfs_capture *cap, struct msyncfs_plan *plan)
{
	int err;

	cap->changes = true;
	err = msyncfs_atomic_homes(cap);
	if (!err)
		err = msyncfs_plan_overlay(cap->inode, plan);
	plan->credits += 1 + (cap->copied ? cap->nr : 0);
	return err;
}

/* The pointers first: then no node on their way is empty when holes are made. */
static int msyncfs_apply_overlay(struct msyncfs_op *op, struct inode *inode)
{
	struct msyncfs_extent over;
	u64 index, last, next;
	int err;

	for (index = 0; msyncfs_overlay_next(inode, index, MSYNCFS_LAST_INDEX,
					     &over);
	     index = over.index + over.len) {
		if (!over.blkno)
			continue;
		err = msyncfs_fresh_switch(op, inode, over.index, over.len,
					   over.blkno);
		if (err)
			return err;
	}
	for (index = 0; msyncfs_overlay_next(inode, index, MSYNCFS_LAST_INDEX,
					     &over);
	     index = over.index + over.len) {
		if (over.blkno)
			continue;
		last = over.index + over.len - 1;
		err = msyncfs_map_free(op, inode, over.index, last, &next);
		if (!err && next <= last)
			err = -ENOSPC;	/* the plan was too small */
		if (err)
			return err;
	}
	return 0;
}

/**
 * msyncfs_atomic_apply - the overlay becomes part of the map
 * @op: open handle, with what msyncfs_atomic_plan() has asked for
 * @cap: all of the file; its reservations end
 *
 * Context: caller holds i_commit_lock.
 * Return: 0, or the error of a map that is not what it was; the log has been
 * stopped then.
 */
int msyncfs_atomic_apply(struct msyncfs_op *op, struct msyncfs_capture *cap)
{
	struct inode *inode = cap->inode;
	int err;

	err = msyncfs_apply_overlay(op, inode);
	if (err) {
		msyncfs_abort(op->sb, "a block map changed under a commit", err);
		return err;
	}
	if (test_bit(MSYNCFS_I_SPILLED, &MSYNCFS_I(inode)->i_flags))
		msyncfs_op_preflush(op);
	msyncfs_resv_drop(op->sb, &cap->resv);
	msyncfs_claim_done(op->sb, msyncfs_overlay_clear(inode));
	return 0;
}

/**
 * msyncfs_atomic_attach - commit an atomic file that is too much for a record
 * @set: a capture of all of it, and nothing else
 * @attrs: take along changed times and attributes too
 *
 * Its dirty pages are spilled, and the record holds only what makes them
 * visible.
 *
 * Context: as msyncfs_attach_set().
 * Return: as msyncfs_attach_set(); -EFBIG if even that is too much. The pages are
 * the caller's to make dirty then.
 */
int msyncfs_atomic_attach(struct list_head *set, bool attrs)
{
	struct msyncfs_capture *cap = list_first_entry(set,
						       struct msyncfs_capture,
						       set);
	struct super_block *sb = cap->inode->i_sb;
	bool written = false;
	struct msyncfs_op op;
	int err;

	cap->copied = false;
	do {
		struct msyncfs_plan plan;

		err = msyncfs_plan_set(set, &plan);
		if (!err && plan.credits > MSYNCFS_SB(sb)->record_images)
			err = -EFBIG;
		if (!err && !written)
			err = msyncfs_atomic_write(set);
		if (err)
			return err;
		written = true;
		err = msyncfs_attach_begin(set, &op, &plan);
		if (err)
			continue;
		err = msyncfs_atomic_apply(&op, cap);
		if (!err) {
			msyncfs_attach_inode(&op, cap, attrs);
			msyncfs_op_attach(&op, cap);
			msyncfs_capture_publish(cap);
		}
		msyncfs_attach_end(set, &op, &plan);
	} while (err == -EAGAIN);
	return err;
}

/* ---- size and holes ------------------------------------------------------- */

/**
 * msyncfs_atomic_extend - make an atomic file longer by a hole
 * @inode: atomic file
 * @newsize: size in bytes; if it is the one that there is, only what lies behind
 *	the end is made ready
 *
 * Context: caller holds i_rwsem and i_commit_lock.
 * Return: 0 or a negative errno; nothing has changed then.
 */
int msyncfs_atomic_extend(struct inode *inode, loff_t newsize)
{
	loff_t size = i_size_read(inode);
	int err;

	/* What a truncation has left there is not to come into sight. */
	if (msyncfs_unfinished(inode))
		msyncfs_overlay_hole(inode, DIV_ROUND_UP_ULL(size, PAGE_SIZE),
				     MSYNCFS_LAST_INDEX);
	err = msyncfs_zero_partial(inode, size, round_up(size, PAGE_SIZE));
	if (err || newsize <= size)
		return err;
	i_size_write(inode, newsize);
	pagecache_isize_extended(inode, size, newsize);
	return 0;
}

static int msyncfs_atomic_shrink(struct inode *inode, loff_t newsize)
{
	u64 first = DIV_ROUND_UP_ULL(newsize, PAGE_SIZE);
	int err = 0;

	filemap_invalidate_lock(inode->i_mapping);
	if (newsize < i_size_read(inode))
		err = msyncfs_zero_partial(inode, newsize,
					   round_up(newsize, PAGE_SIZE));
	if (!err) {
		truncate_setsize(inode, newsize);
		msyncfs_overlay_hole(inode, first, MSYNCFS_LAST_INDEX);
		msyncfs_resv_release(inode, first, ULONG_MAX);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

/**
 * msyncfs_atomic_setsize - truncate an atomic file, or extend it by a hole
 * @inode: atomic file
 * @newsize: size in bytes
 *
 * In memory only: it becomes durable with the next commit.
 *
 * Context: caller holds i_rwsem and i_commit_lock.
 * Return: 0; -ENOSPC if a page has to be zeroed in part and there is no space to
 * write it; or another negative errno.
 */
int msyncfs_atomic_setsize(struct inode *inode, loff_t newsize)
{
	if (newsize > i_size_read(inode))
		return msyncfs_atomic_extend(inode, newsize);
	return msyncfs_atomic_shrink(inode, newsize);
}

/**
 * msyncfs_atomic_punch - make a range of an atomic file read as zeros
 * @inode: atomic file
 * @start: first byte
 * @end: byte after the last one
 *
 * In memory only: it becomes durable with the next commit.
 *
 * Context: caller holds i_rwsem and i_commit_lock.
 * Return: 0 or a negative errno.
 */
int msyncfs_atomic_punch(struct inode *inode, loff_t start, loff_t end)
{
	u64 first = DIV_ROUND_UP_ULL(start, PAGE_SIZE);
	u64 stop = end >> PAGE_SHIFT;	/* after the last whole page */
	int err;

	filemap_invalidate_lock(inode->i_mapping);
	err = msyncfs_zero_edges(inode, start, end);
	if (!err && first < stop) {
		truncate_pagecache_range(inode, first << PAGE_SHIFT,
					 (stop << PAGE_SHIFT) - 1);
		msyncfs_overlay_hole(inode, first, stop - 1);
		msyncfs_resv_release(inode, first, stop - 1);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

/* ---- back to the last commit ----------------------------------------------- */

/* Caller holds i_rwsem and i_commit_lock. */
static void msyncfs_atomic_discard(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	if (!msyncfs_atomic_dirty(inode))
		return;
	filemap_invalidate_lock(mapping);
	/* Private copies of pages stay: they are their owners'. */
	unmap_mapping_range(mapping, 0, 0, 0);
	truncate_inode_pages(mapping, 0);
	i_size_write(inode, MSYNCFS_I(inode)->i_disksize);
	msyncfs_overlay_discard(inode);
	msyncfs_resv_release(inode, 0, ULONG_MAX);
	filemap_invalidate_unlock(mapping);
}

/**
 * msyncfs_atomic_rollback - an atomic file becomes what it was at its last commit
 * @inode: regular file
 *
 * That one is made durable first, should it not be yet: a record that failed must
 * not come back after this has been acknowledged, nor fail to (R5).
 *
 * Context: sleeps for the device.
 * Return: 0; -EINVAL if the file is not atomic; or why the last commit is not
 * durable, and nothing has been discarded.
 */
int msyncfs_atomic_rollback(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err = -EINVAL;

	inode_lock(inode);
	mutex_lock(&mi->i_commit_lock);
	if (msyncfs_is_atomic(inode))
		err = msyncfs_commit(inode->i_sb, mi->i_data_tid);
	if (!err)
		msyncfs_atomic_discard(inode);
	mutex_unlock(&mi->i_commit_lock);
	inode_unlock(inode);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_atomic_rollback);

/* ---- open and close -------------------------------------------------------- */

/**
 * msyncfs_atomic_open - count an open file
 * @inode: regular file
 *
 * Waits for a last close that is under way: what is stored from here on is not
 * what that one discards.
 */
void msyncfs_atomic_open(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	mutex_lock(&mi->i_open_lock);
	mi->i_opens++;
	mutex_unlock(&mi->i_open_lock);
}

static void msyncfs_atomic_last(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct super_block *sb = inode->i_sb;
	int err;

	if (!msyncfs_atomic_dirty(inode))
		return;
	if (inode->i_nlink && !test_bit(MSYNCFS_I_ATOMIC, &mi->i_flags)) {
		err = msyncfs_sync_inode(inode, 0, LLONG_MAX, true);
		if (err && !msyncfs_log_dead(MSYNCFS_SB(sb)))
			msyncfs_err(sb, "inode %lu: closed, but not committed (%d)",
				    inode->i_ino, err);
		return;
	}
	inode_lock(inode);
	mutex_lock(&mi->i_commit_lock);
	msyncfs_atomic_discard(inode);
	mutex_unlock(&mi->i_commit_lock);
	inode_unlock(inode);
}

/**
 * msyncfs_atomic_release - file_operations.release
 * @inode: regular file
 * @file: open file, mappings included, that nobody has any more
 *
 * After the last one, what has not been committed is discarded; or committed, if
 * the file is atomic by the mount option alone.
 *
 * Context: sleeps for the device, perhaps for a thaw.
 * Return: 0.
 */
int msyncfs_atomic_release(struct inode *inode, struct file *file)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	mutex_lock(&mi->i_open_lock);
	if (!--mi->i_opens && msyncfs_is_atomic(inode))
		msyncfs_atomic_last(inode);
	mutex_unlock(&mi->i_open_lock);
	return 0;
}

/**
 * msyncfs_atomic_unopened - a truncation of a file that nobody has open
 * @inode: atomic file, whose size has been set
 *
 * There will be no last close for it: it is a commit of its own.
 *
 * Context: caller holds i_rwsem, so who closes the file may be waiting for that
 * with i_open_lock held: then it came before the close.
 * Return: 0 or a negative errno.
 */
int msyncfs_atomic_unopened(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err = 0;

	if (!mutex_trylock(&mi->i_open_lock))
		return 0;
	if (!mi->i_opens)
		err = msyncfs_sync_inode(inode, 0, LLONG_MAX, true);
	mutex_unlock(&mi->i_open_lock);
	return err;
}

/* ---- the flag --------------------------------------------------------------- */

/* Pages that have become dirty since they were committed. */
static int msyncfs_reserve_dirty(struct inode *inode)
{
	struct folio_batch fbatch;
	pgoff_t index = 0;
	unsigned int i;
	int err = 0;

	folio_batch_init(&fbatch);
	while (!err && filemap_get_folios_tag(inode->i_mapping, &index,
					      ULONG_MAX, PAGECACHE_TAG_DIRTY,
					      &fbatch)) {
		for (i = 0; !err && i < folio_batch_count(&fbatch); i++)
			err = msyncfs_resv_page(inode,
						fbatch.folios[i]->index);
		folio_batch_release(&fbatch);
		cond_resched();
	}
	return err;
}

/* Caller holds i_rwsem and i_commit_lock. */
static int msyncfs_atomic_change(struct inode *inode, bool on, u64 *tid)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_op op;
	int err;

	err = msyncfs_op_begin(inode->i_sb, &op, 1, 0);
	if (err)
		return err;
	/* Nobody makes a page dirty meanwhile. */
	filemap_invalidate_lock(inode->i_mapping);
	if (on)
		err = msyncfs_reserve_dirty(inode);
	if (!err && on)
		set_bit(MSYNCFS_I_ATOMIC, &mi->i_flags);
	else if (!err)
		clear_bit(MSYNCFS_I_ATOMIC, &mi->i_flags);
	filemap_invalidate_unlock(inode->i_mapping);
	if (!err)
		msyncfs_inode_dirty(&op, inode, true);
	*tid = op.tid;
	msyncfs_op_end(&op);
	return err;
}

/**
 * msyncfs_atomic_set - make a file atomic, or ordinary
 * @inode: regular file
 * @on: atomic
 *
 * What it holds is committed first. What is stored meanwhile is part of the next
 * commit of an atomic file, or goes the way of an ordinary one's.
 *
 * Context: sleeps for the device.
 * Return: 0 if it is durable; or a negative errno.
 */
int msyncfs_atomic_set(struct inode *inode, bool on)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 tid;
	int err;

	inode_lock(inode);
	inode_dio_wait(inode);
	for (;;) {
		err = msyncfs_sync_inode(inode, 0, LLONG_MAX, false);
		if (err)
			break;
		mutex_lock(&mi->i_commit_lock);
		/* Pages may have been spilled since. */
		if (on || mtree_empty(&mi->i_overlay)) {
			tid = mi->i_tid;
			if (test_bit(MSYNCFS_I_ATOMIC, &mi->i_flags) != on)
				err = msyncfs_atomic_change(inode, on, &tid);
			mutex_unlock(&mi->i_commit_lock);
			break;
		}
		mutex_unlock(&mi->i_commit_lock);
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
	}
	inode_unlock(inode);
	return err ?: msyncfs_commit(inode->i_sb, tid);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_atomic_set);
