/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to fs/place: a set of captures while its pages get their blocks.
 *
 * A set is the captures of one call, one for each file, as of the same moment.
 */
#ifndef MSYNCFS_PLAN_H
#define MSYNCFS_PLAN_H

#include <linux/bitmap.h>
#include <linux/slab.h>

#include "place.h"

/**
 * struct msyncfs_plan - what a set needs of the maps, the allocator, the record
 * @blocks: blocks that the operation allocates, for pages without one and for
 *	map nodes; nobody knows yet where they will lie
 * @credits: blocks that go into the record at most, besides bitmap blocks
 * @groups: a bit for each group whose bitmap block is known to change; NULL: none
 * @unbuilt: shadows are still to be built; they may change every bitmap block
 * @leaf: last range of a leaf node looked at; its path is counted once
 */
struct msyncfs_plan {
	u64		blocks;
	unsigned int	credits;
	unsigned long	*groups;
	bool		unbuilt;
	u64		leaf;
};

/**
 * msyncfs_plan_credits - how many blocks go into the record
 * @sb: filesystem
 * @plan: plan
 *
 * Context: any.
 * Return: blocks at most, bitmap blocks included.
 */
static inline unsigned int
msyncfs_plan_credits(struct super_block *sb, const struct msyncfs_plan *plan)
{
	u64 groups = MSYNCFS_SB(sb)->geo.bitmap_blocks;
	u64 bitmaps = plan->blocks;

	if (plan->unbuilt)
		return plan->credits + groups;
	if (plan->groups)
		bitmaps += bitmap_weight(plan->groups, groups);
	return plan->credits + min(bitmaps, groups);
}

/**
 * msyncfs_plan_free - drop what a plan holds
 * @plan: plan, all zeros or used
 *
 * Context: may sleep.
 */
static inline void msyncfs_plan_free(struct msyncfs_plan *plan)
{
	kvfree(plan->groups);
	plan->groups = NULL;
}

struct msyncfs_place_ops;

/**
 * struct msyncfs_placing - a capture of a set
 * @ops: where ordinary and atomic files differ
 * @changes: the map of the file changes with it
 * @shadow: the map that the file is to have, see shadow.c; or NULL
 */
struct msyncfs_placing {
	const struct msyncfs_place_ops *ops;
	bool			changes;
	struct msyncfs_shadow	*shadow;
};

/**
 * struct msyncfs_fresh - blocks held for a set that goes to fresh blocks
 * @promised: blocks that the reservations of its pages have promised
 * @extra: blocks besides; a page that has a block needs a second one for a while
 */
struct msyncfs_fresh {
	u64	promised;
	u64	extra;
};

/**
 * struct msyncfs_run - a run of the images of a capture
 * @img: the first one
 * @next: the one after the run; NULL before the first run
 * @index: page of @img
 * @home: home block of @img
 * @len: images
 */
struct msyncfs_run {
	struct msyncfs_image	*img;
	struct msyncfs_image	*next;
	u64			index;
	u64			home;
	u64			len;
};

/* What the images of a run have in common, besides that their pages follow. */
enum msyncfs_run_of {
	MSYNCFS_RUN_PAGES,	/* nothing */
	MSYNCFS_RUN_BLOCKS,	/* their home blocks follow each other, too */
	MSYNCFS_RUN_HOMELESS,	/* they have no home block */
	MSYNCFS_RUN_CONVERT,	/* home blocks follow, and the map must change */
};

static inline bool msyncfs_run_takes(const struct msyncfs_image *img,
				     enum msyncfs_run_of of)
{
	if (of == MSYNCFS_RUN_HOMELESS)
		return !img->home;
	return of != MSYNCFS_RUN_CONVERT || img->convert;
}

static inline bool msyncfs_run_goes_on(const struct msyncfs_run *run,
				       const struct msyncfs_image *img,
				       enum msyncfs_run_of of)
{
	bool blocks = of == MSYNCFS_RUN_BLOCKS || of == MSYNCFS_RUN_CONVERT;

	return img->index == run->index + run->len &&
	       (!blocks || img->home == run->home + run->len) &&
	       msyncfs_run_takes(img, of);
}

/* The next run of a capture's images; false if there is none. */
static inline bool msyncfs_run_next(struct msyncfs_capture *cap,
				    enum msyncfs_run_of of,
				    struct msyncfs_run *run)
{
	struct msyncfs_image *img = run->next ?:
		list_first_entry(&cap->images, struct msyncfs_image, list);

	while (!msyncfs_images_end(cap, img) && !msyncfs_run_takes(img, of))
		img = list_next_entry(img, list);
	if (msyncfs_images_end(cap, img))
		return false;
	run->img = img;
	run->index = img->index;
	run->home = img->home;
	run->len = 0;
	do {
		run->len++;
		img = list_next_entry(img, list);
	} while (!msyncfs_images_end(cap, img) &&
		 msyncfs_run_goes_on(run, img, of));
	run->next = img;
	return true;
}

#define msyncfs_for_each_run(run, cap, of) \
	for (*(run) = (struct msyncfs_run){}; msyncfs_run_next(cap, of, run);)

/**
 * struct msyncfs_place_ops - where ordinary and atomic files differ
 * @plan_overlaid: give copied pages their blocks where the map is shadowed; add to
 *	the plan
 * @count_fresh: count the blocks to be held for the pages
 * @claim_fresh: give each page a fresh block, of those that are held
 * @unclaim_fresh: give the fresh blocks back
 * @plan_fresh: add what the switch to fresh blocks needs to the plan
 * @switch_fresh: point the map to the fresh blocks; only a bad map makes it fail
 * @applied: the pages have their blocks: end their promises
 * @size: size of the file in the record
 * @change: the next change of the map, at or after @index; an extent of the map
 *	that is to be
 * @undo: the capture has come to nothing
 */
struct msyncfs_place_ops {
	int	(*plan_overlaid)(struct msyncfs_capture *cap,
				 struct msyncfs_plan *plan);
	void	(*count_fresh)(struct msyncfs_capture *cap,
			       struct msyncfs_fresh *fresh);
	int	(*claim_fresh)(struct msyncfs_capture *cap);
	void	(*unclaim_fresh)(struct msyncfs_capture *cap);
	int	(*plan_fresh)(struct msyncfs_capture *cap,
			      struct msyncfs_plan *plan);
	int	(*switch_fresh)(struct msyncfs_op *op,
				struct msyncfs_capture *cap);
	void	(*applied)(struct msyncfs_op *op, struct msyncfs_capture *cap);
	loff_t	(*size)(struct msyncfs_capture *cap);
	bool	(*change)(struct msyncfs_capture *cap, struct msyncfs_run *run,
			  u64 index, struct msyncfs_extent *ext);
	void	(*undo)(struct msyncfs_capture *cap);
};

static inline struct msyncfs_capture *msyncfs_first_capture(struct list_head *set)
{
	return list_first_entry(set, struct msyncfs_capture, set);
}

static inline struct msyncfs_sb_info *msyncfs_sbi_of(struct list_head *set)
{
	return MSYNCFS_SB(msyncfs_first_capture(set)->inode->i_sb);
}

/* The first image of a set, or NULL. */
static inline struct msyncfs_image *msyncfs_first_image(struct list_head *set)
{
	struct msyncfs_capture *cap;

	list_for_each_entry(cap, set, set)
		if (cap->nr)
			return list_first_entry(&cap->images,
						struct msyncfs_image, list);
	return NULL;
}

/* Does the map change by more than the captured pages? Then it is shadowed. */
static inline bool msyncfs_overlaid(struct msyncfs_capture *cap)
{
	return cap->whole && !mtree_empty(&MSYNCFS_I(cap->inode)->i_overlay);
}

/* In plan.c */
int msyncfs_plan_run(struct inode *inode, u64 index, u64 len,
		     struct msyncfs_plan *plan);
int msyncfs_plan_touch(struct super_block *sb, struct msyncfs_plan *plan,
		       u64 start, u64 len);

/* In homes.c */
int msyncfs_homes_alloc(struct msyncfs_op *op, struct msyncfs_capture *cap);
int msyncfs_homes_map(struct msyncfs_op *op, struct msyncfs_capture *cap);
int msyncfs_homes_claim(struct msyncfs_capture *cap, u64 goal, u64 *nr,
			void (*enter)(struct inode *inode, u64 index,
				      u64 blkno, u64 len));
u64 msyncfs_goal(struct inode *inode, u64 index);

/* In ordinary.c */
void msyncfs_ordinary_count(struct msyncfs_capture *cap,
			    struct msyncfs_fresh *fresh);
int msyncfs_ordinary_claim(struct msyncfs_capture *cap);
void msyncfs_ordinary_unclaim(struct msyncfs_capture *cap);
int msyncfs_ordinary_plan(struct msyncfs_capture *cap,
			  struct msyncfs_plan *plan);
int msyncfs_ordinary_switch(struct msyncfs_op *op, struct msyncfs_capture *cap);
bool msyncfs_ordinary_change(struct msyncfs_capture *cap,
			     struct msyncfs_run *run, u64 index,
			     struct msyncfs_extent *ext);

/* In spill.c */
extern const struct msyncfs_place_ops msyncfs_atomic_place;

/* In fresh.c */
int msyncfs_fresh_claim(struct list_head *set, struct msyncfs_fresh *fresh);
void msyncfs_fresh_unclaim(struct list_head *set,
			   const struct msyncfs_fresh *fresh);
int msyncfs_fresh_write(struct list_head *set, struct completion *sent);
int msyncfs_fresh_prepare(struct list_head *set, struct completion *sent,
			  struct msyncfs_plan *plan);

/* In shadow.c */
int msyncfs_shadow_alloc(struct msyncfs_capture *cap);
int msyncfs_shadow_build(struct msyncfs_capture *cap,
			 struct msyncfs_plan *plan);
void msyncfs_shadow_apply(struct msyncfs_op *op, struct msyncfs_capture *cap);
void msyncfs_shadow_free(struct msyncfs_capture *cap);

/* In attach.c */
int msyncfs_attach_record(struct list_head *set, bool attrs, bool *fits);
int msyncfs_attach_fresh(struct list_head *set, bool attrs,
			 struct completion *sent);
void msyncfs_attach_undo(struct msyncfs_capture *cap, int err);

/* In split.c */
int msyncfs_attach_split(struct list_head *set, bool attrs,
			 struct completion *sent);

#endif /* MSYNCFS_PLAN_H */
