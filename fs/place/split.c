// SPDX-License-Identifier: GPL-2.0
/*
 * Sets that fit neither one record nor fresh blocks: committed in several
 * records, in page order.
 */
#include <linux/pagemap.h>

#include "plan.h"

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
		if (*err || max == 1 ||
		    msyncfs_plan_credits(sbi->sb, plan) <= sbi->record_images)
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
 * write it to. Of several files each is on its own, an atomic one whole. Makes the
 * pages dirty again that could not be attached.
 */
int msyncfs_attach_split_set(struct list_head *set, bool attrs)
{
	struct msyncfs_capture *cap, *next;
	LIST_HEAD(done);
	LIST_HEAD(one);
	int err = 0;

	cap = list_first_entry(set, struct msyncfs_capture, set);
	/* Several files are several records, for all that is known. */
	if (!list_is_singular(set))
		msyncfs_count_split(cap->inode, cap->nr);
	list_for_each_entry_safe(cap, next, set, set) {
		list_move(&cap->set, &one);
		if (!err && cap->whole)
			err = msyncfs_attach_fresh(&one, attrs);
		else if (!err)
			err = msyncfs_attach_split(cap, attrs);
		if (err)
			msyncfs_redirty_one(cap, err);
		list_move_tail(&cap->set, &done);
	}
	list_splice(&done, set);
	return err;
}
