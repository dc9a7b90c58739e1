// SPDX-License-Identifier: GPL-2.0
/*
 * This file splits a set that is too large for one record, if the set cannot go
 * to fresh blocks either. It commits the set in several records. The pages of a
 * file go into these records in page order. attach.c decides when a set is
 * split.
 */

#include "plan.h"

/*
 * Moves the first @nr pages of a capture to a new capture. Returns the new
 * capture.
 */
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

	if (msyncfs_log_count_split(sbi) == 1)
		msyncfs_info(sbi->sb, "inode %llu: %u pages fit neither one log record nor fresh blocks: committed in several",
			     (u64)inode->i_ino, nr);
}

/*
 * Moves the first pages of a capture to a new capture. The number of pages is
 * chosen so that one record takes them. Attaches and returns the new capture.
 * After an error, the pages of the new capture are dirty again.
 */
static struct msyncfs_capture *msyncfs_attach_part(struct msyncfs_capture *cap,
						   bool attrs, int *err)
{
	unsigned int max = MSYNCFS_SB(cap->inode->i_sb)->geo.record_images - 2;
	struct msyncfs_placing placing = { .ops = cap->placing->ops };
	struct msyncfs_capture *part;
	LIST_HEAD(set);
	bool fits;

	for (;; max /= 2) {
		part = msyncfs_split(cap, max);
		part->placing = &placing;
		list_add(&part->set, &set);
		*err = msyncfs_capture_copy(part);
		if (!*err)
			*err = msyncfs_attach_record(&set, attrs, &fits);
		list_del_init(&part->set);
		part->placing = NULL;
		if (*err || fits)
			break;
		if (max == 1) {
			*err = -EFBIG;
			break;
		}
		list_splice_init(&part->images, &cap->images);
		cap->nr += part->nr;
		msyncfs_capture_put(part);
	}
	if (*err)
		msyncfs_capture_redirty(part, *err);
	return part;
}

/*
 * Attaches the pages of a file in several parts, in page order. Commits each
 * part before it attaches the next part. Each part is atomic, but all parts
 * together are not atomic.
 */
static int msyncfs_split_file(struct msyncfs_capture *cap, bool attrs)
{
	unsigned int nr = cap->nr, parts = 0;
	struct inode *inode = cap->inode;
	struct msyncfs_capture *part;
	int err = 0;

	while (!err && cap->nr) {
		part = msyncfs_attach_part(cap, attrs, &err);
		if (!err && cap->nr)
			err = msyncfs_commit(inode->i_sb,
					     MSYNCFS_I(inode)->i_data_tid);
		msyncfs_capture_put(part);
		if (!parts++ && cap->nr)
			msyncfs_count_split(inode, nr);
	}
	return err;
}

/**
 * msyncfs_attach_split - attach a set in several records
 * @set: captures that are too large for one record, and that cannot go to fresh
 *	blocks
 * @attrs: also attach changed times and attributes
 * @sent: as for msyncfs_attach_fresh()
 *
 * Splitting is the only exception to G2. If the set has several files, this
 * function attaches one file after the other. It attaches an atomic file as a
 * whole.
 *
 * Context: as msyncfs_attach_set().
 * Return: 0 or a negative errno. Pages that could not be attached are dirty
 * again.
 */
int msyncfs_attach_split(struct list_head *set, bool attrs,
			 struct completion *sent)
{
	struct msyncfs_capture *cap = msyncfs_first_capture(set), *next;
	LIST_HEAD(done);
	LIST_HEAD(one);
	int err = 0;

	/*
	 * Count a set of several files as split, even if all its files happen
	 * to go into one record.
	 */
	if (!list_is_singular(set))
		msyncfs_count_split(cap->inode, cap->nr);
	list_for_each_entry_safe(cap, next, set, set) {
		list_move(&cap->set, &one);
		if (!err && cap->whole)
			err = msyncfs_attach_fresh(&one, attrs, sent);
		else if (!err)
			err = msyncfs_split_file(cap, attrs);
		if (err)
			msyncfs_attach_undo(cap, err);
		list_move_tail(&cap->set, &done);
	}
	list_splice(&done, set);
	return err;
}
