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

#include "fs.h"

/**
 * struct msyncfs_plan - what captures need of the map, the allocator, the record
 * @blocks: blocks to allocate, for pages without one and for map nodes
 * @credits: blocks that go into the record at most
 * @leaf: last range of a leaf node looked at; its path is counted once
 */
struct msyncfs_plan {
	u64		blocks;
	unsigned int	credits;
	u64		leaf;
};

/* A run of consecutive pages of a capture, [first, first + len). */
struct msyncfs_run {
	struct msyncfs_image	*img;	/* the first one */
	u64			index;
	u64			len;
};

static bool msyncfs_cap_end(struct msyncfs_capture *cap,
			    struct msyncfs_image *img)
{
	return list_entry_is_head(img, &cap->images, list);
}

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

/*
 * Counts what changing the pointers of a run needs: each leaf's path once, as
 * msyncfs_resv_page() has promised it (the sum over leaves is an upper bound).
 */
static int msyncfs_plan_run(struct inode *inode, u64 index, u64 len,
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
static int msyncfs_plan_copied(struct msyncfs_capture *cap,
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

/* Bitmap blocks, of which all files of a set together dirty each once. */
static void msyncfs_plan_bitmaps(struct super_block *sb,
				 struct msyncfs_plan *plan, u64 blocks)
{
	if (blocks)
		plan->credits += min_t(u64, blocks + 1,
				       MSYNCFS_SB(sb)->geo.bitmap_blocks);
}

static int msyncfs_plan_set_copied(struct list_head *set,
				   struct msyncfs_plan *plan)
{
	struct super_block *sb = NULL;
	struct msyncfs_capture *cap;
	int err;

	memset(plan, 0, sizeof(*plan));
	list_for_each_entry(cap, set, set) {
		sb = cap->inode->i_sb;
		err = msyncfs_plan_copied(cap, plan);
		if (err)
			return err;
	}
	msyncfs_plan_bitmaps(sb, plan, plan->blocks);
	return 0;
}

/* Where the block of page @index would best lie. */
static u64 msyncfs_goal(struct inode *inode, u64 index)
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

/*
 * All pages have their blocks, their promises end. Also those that had them
 * before: a reservation made while the block appeared is one too many.
 */
static void msyncfs_release_resv(struct msyncfs_capture *cap)
{
	struct inode *inode = cap->inode;
	struct msyncfs_image *img, *next;
	struct msyncfs_run run;

	img = list_first_entry(&cap->images, struct msyncfs_image, list);
	while (!msyncfs_cap_end(cap, img) &&
	       !xa_empty(&MSYNCFS_I(inode)->i_resv)) {
		next = msyncfs_next_run(cap, img, U64_MAX, &run);
		msyncfs_resv_release(inode, run.index, run.index + run.len - 1);
		img = next;
	}
}

/* What of the inode itself goes into the record with the capture. */
static void msyncfs_attach_inode(struct msyncfs_op *op,
				 struct msyncfs_capture *cap, bool attrs)
{
	struct inode *inode = cap->inode;
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	bool changes = cap->changes;

	if (cap->end > mi->i_disksize) {
		mi->i_disksize = cap->end;
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

	if (cap->changes) {
		err = msyncfs_alloc_homes(op, cap);
		if (!err)
			err = msyncfs_map_homes(op, cap);
		/* Planned and paid for: only a bad map gets here. */
		if (err)
			msyncfs_abort(op->sb,
				      "a block map changed under a commit", err);
	}
	return err;
}

/* The log: copies of all pages and the metadata they need, in one record. */
static int msyncfs_attach_copied(struct list_head *set,
				 const struct msyncfs_plan *plan, bool attrs)
{
	struct msyncfs_capture *cap = list_first_entry(set,
						       struct msyncfs_capture,
						       set);
	struct msyncfs_op op;
	int err;

	err = msyncfs_op_begin_resv(cap->inode->i_sb, &op, plan->credits,
				    plan->blocks);
	if (err)
		return err;
	list_for_each_entry(cap, set, set) {
		err = msyncfs_attach_homes(&op, cap);
		if (err)
			break;
		msyncfs_release_resv(cap);
		msyncfs_attach_inode(&op, cap, attrs);
		msyncfs_op_attach(&op, cap);
		msyncfs_capture_publish(cap);
	}
	msyncfs_op_end(&op);
	return err;
}

/* Splits off the first pages of a capture, as many as one record takes. */
static struct msyncfs_capture *msyncfs_split(struct msyncfs_capture *cap,
					     unsigned int nr)
{
	struct msyncfs_capture *part = msyncfs_capture_alloc(cap->inode,
							     GFP_NOFS |
							     __GFP_NOFAIL);
	struct msyncfs_image *img, *next;

	part->copied = cap->copied;
	part->size = cap->size;
	list_for_each_entry_safe(img, next, &cap->images, list) {
		if (part->nr == nr)
			break;
		list_move_tail(&img->list, &part->images);
		part->nr++;
		cap->nr--;
		part->end = min_t(loff_t, cap->size,
				  (loff_t)(img->index + 1) << PAGE_SHIFT);
	}
	return part;
}

static void msyncfs_count_split(struct inode *inode, unsigned int nr)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	bool first;

	spin_lock(&sbi->txn_lock);
	first = !sbi->nr_split++;
	spin_unlock(&sbi->txn_lock);
	if (first)
		msyncfs_info(sbi->sb, "inode %lu: %u pages fit neither one log record nor fresh blocks: committed in several",
			     inode->i_ino, nr);
}

/* As many pages as one record takes with their metadata, and its plan. */
static struct msyncfs_capture *msyncfs_split_max(struct msyncfs_capture *cap,
						 struct msyncfs_plan *plan,
						 int *err)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(cap->inode->i_sb);
	unsigned int max = sbi->record_images - 2;
	struct msyncfs_capture *part;

	for (;;) {
		memset(plan, 0, sizeof(*plan));
		part = msyncfs_split(cap, max);
		*err = msyncfs_plan_copied(part, plan);
		msyncfs_plan_bitmaps(sbi->sb, plan, plan->blocks);
		if (*err || plan->credits <= sbi->record_images || max == 1)
			return part;
		list_splice_init(&part->images, &cap->images);
		cap->nr += part->nr;
		msyncfs_capture_put(part);
		max /= 2;
	}
}

/* In page order, each record atomic in itself. */
static int msyncfs_attach_split(struct msyncfs_capture *cap, bool attrs)
{
	unsigned int nr = cap->nr, parts = 0;
	struct inode *inode = cap->inode;
	struct msyncfs_capture *part;
	struct msyncfs_plan plan;
	LIST_HEAD(set);
	int err = 0;

	while (!err && cap->nr) {
		part = msyncfs_split_max(cap, &plan, &err);
		list_add(&part->set, &set);
		if (!err)
			err = msyncfs_capture_copy(part);
		if (!err)
			err = msyncfs_attach_copied(&set, &plan, attrs);
		list_del_init(&part->set);
		if (err)
			msyncfs_capture_redirty(part, err);
		else if (cap->nr)
			err = msyncfs_commit(inode->i_sb,
					     MSYNCFS_I(inode)->i_data_tid);
		msyncfs_capture_put(part);
		if (!parts++ && cap->nr)
			msyncfs_count_split(inode, nr);
	}
	return err;
}

/*
 * The one exception to G2: more than one record takes, and no fresh blocks to
 * write it to.
 */
static int msyncfs_attach_split_set(struct list_head *set, bool attrs)
{
	struct msyncfs_capture *cap;
	int err = 0;

	list_for_each_entry(cap, set, set) {
		/* Several files are several records, for all that is known. */
		if (!list_is_singular(set) && list_is_first(&cap->set, set))
			msyncfs_count_split(cap->inode, cap->nr);
		err = msyncfs_attach_split(cap, attrs);
		if (err)
			break;
	}
	return err;
}

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

/* Gives back the fresh blocks of a set that could not be committed. */
static void msyncfs_fresh_unclaim(struct list_head *set,
				  const struct msyncfs_fresh *fresh)
{
	struct super_block *sb = NULL;
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;

	list_for_each_entry(cap, set, set) {
		sb = cap->inode->i_sb;
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
		err = msyncfs_fresh_claim_file(cap);
		if (err) {
			msyncfs_fresh_unclaim(set, fresh);
			break;
		}
	}
	return err;
}

/*
 * Writes the copies, if there are; else the pages themselves, and a store to one
 * waits for that one's write.
 */
static int msyncfs_fresh_write(struct list_head *set)
{
	struct msyncfs_capture *cap = list_first_entry(set,
						       struct msyncfs_capture,
						       set);
	struct completion *sent = cap->sent;
	struct msyncfs_image *img;
	struct blk_plug plug;
	struct msyncfs_io io;

	img = list_first_entry(&cap->images, struct msyncfs_image, list);
	msyncfs_io_init(&io, cap->inode->i_sb, !img->page);
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
	return msyncfs_io_wait(&io, 0);
}

/* Replaces the blocks of one run of pages; the old ones are freed. */
static int msyncfs_fresh_switch(struct msyncfs_op *op, struct inode *inode,
				u64 index, u64 len, u64 home)
{
	struct msyncfs_extent ext;
	u64 at = index;
	int err;

	/* Reads every node first; then nothing below can fail on the device. */
	while (at < index + len) {
		err = msyncfs_map_lookup(inode, at, index + len - at, &ext);
		if (err)
			return err;
		at += ext.len;
	}
	msyncfs_claim_commit(op, home, len);
	for (at = index; at < index + len; at += ext.len) {
		err = msyncfs_map_lookup(inode, at, index + len - at, &ext);
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

/*
 * Metadata blocks that switching the whole set dirties, and map nodes that it
 * allocates. Bitmap blocks: those of the fresh blocks and of the freed ones.
 */
static int msyncfs_plan_fresh(struct list_head *set, struct msyncfs_plan *plan)
{
	struct super_block *sb = NULL;
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;
	u64 blocks = 0;
	int err;

	memset(plan, 0, sizeof(*plan));
	list_for_each_entry(cap, set, set) {
		sb = cap->inode->i_sb;
		blocks += 2 * cap->nr;
		plan->leaf = U64_MAX;
		cap->changes = true;
		list_for_each_entry(img, &cap->images, list) {
			err = msyncfs_plan_run(cap->inode, img->index, 1, plan);
			if (err)
				return err;
		}
		plan->credits++;	/* the inode */
	}
	msyncfs_plan_bitmaps(sb, plan, blocks + plan->blocks);
	return 0;
}

/* Makes the fresh blocks of one file visible. */
static int msyncfs_fresh_publish_file(struct msyncfs_op *op,
				      struct msyncfs_capture *cap, bool attrs)
{
	struct msyncfs_image *img;
	u64 len;
	int err;

	img = list_first_entry(&cap->images, struct msyncfs_image, list);
	while (!msyncfs_cap_end(cap, img)) {
		len = msyncfs_fresh_run(cap, img, U64_MAX);
		err = msyncfs_fresh_switch(op, cap->inode, img->index, len,
					   img->home);
		if (err) {
			msyncfs_abort(op->sb,
				      "a block map changed under a commit", err);
			return err;
		}
		while (len--)
			img = list_next_entry(img, list);
	}
	msyncfs_release_resv(cap);
	msyncfs_claim_done(op->sb, cap->nr);
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
	struct msyncfs_op op;
	int err;

	/* Map nodes: only holes lack any, and their pages hold a promise. */
	err = msyncfs_op_begin_resv(cap->inode->i_sb, &op, plan->credits,
				    plan->blocks);
	if (err)
		return err;
	/* The blocks are used now, no longer promised. */
	if (fresh->plain)
		msyncfs_unreserve(op.sb, fresh->plain);
	list_for_each_entry(cap, set, set) {
		err = msyncfs_fresh_publish_file(&op, cap, attrs);
		if (err)
			break;
	}
	msyncfs_op_preflush(&op);
	msyncfs_op_end(&op);
	return err;
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

/*
 * Fresh blocks. -ENOSPC and -EFBIG say that this way is not open: no blocks, or
 * metadata too large for one record. Pages still under writeback have not been
 * written then.
 */
static int msyncfs_attach_fresh(struct list_head *set,
				struct msyncfs_sb_info *sbi, bool attrs)
{
	struct msyncfs_fresh fresh;
	struct msyncfs_plan plan;
	int err;

	err = msyncfs_plan_fresh(set, &plan);
	if (err)
		return err;
	if (plan.credits > sbi->record_images)
		return -EFBIG;
	err = msyncfs_fresh_claim(set, &fresh);
	if (err)
		return err;
	err = msyncfs_fresh_write(set);
	if (!err) {
		/* Frees blocks that O_DIRECT may be reading. */
		msyncfs_set_lock_dio(set);
		err = msyncfs_fresh_publish(set, &fresh, &plan, attrs);
		msyncfs_set_unlock_dio(set);
	}
	if (err) {
		if (!test_bit(MSYNCFS_SB_ABORTED, &sbi->state))
			msyncfs_fresh_unclaim(set, &fresh);
	}
	return err;
}

/* Is there still a cut? Pages once written are open for stores. */
static bool msyncfs_set_splittable(struct list_head *set)
{
	struct msyncfs_capture *cap;
	struct msyncfs_image *first;

	cap = list_first_entry(set, struct msyncfs_capture, set);
	first = list_first_entry(&cap->images, struct msyncfs_image, list);
	return first->writeback || first->page;
}

/**
 * msyncfs_attach_set - make captures part of the running transaction, together
 * @set: from msyncfs_capture_set(), not empty; they stay the caller's
 * @attrs: take along changed times and attributes too
 *
 * On success the pages are durable after msyncfs_commit() up to the i_data_tid of
 * each file. On failure the pages are dirty again and nothing has changed, unless
 * the set had to be split and its first records are durable already.
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
	struct msyncfs_plan plan;
	int err;

	lockdep_assert_held(&MSYNCFS_I(cap->inode)->i_commit_lock);

	if (cap->copied) {
		err = msyncfs_plan_set_copied(set, &plan);
		if (err)
			goto out;
		if (plan.credits <= sbi->record_images) {
			err = msyncfs_attach_copied(set, &plan, attrs);
			goto out;
		}
		list_for_each_entry(cap, set, set)
			cap->copied = false;
	}
	err = msyncfs_attach_fresh(set, sbi, attrs);
	if ((err == -ENOSPC || err == -EFBIG) && msyncfs_set_splittable(set))
		err = msyncfs_attach_split_set(set, attrs);
out:
	if (err) {
		list_for_each_entry(cap, set, set)
			msyncfs_capture_redirty(cap, err);
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
