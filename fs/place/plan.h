/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to fs/place: what is known of a set of captures while its pages get
 * their blocks.
 *
 * A set is the captures of one call, one for each file, as of the same moment.
 */
#ifndef MSYNCFS_PLAN_H
#define MSYNCFS_PLAN_H

#include <linux/bitmap.h>
#include <linux/slab.h>

#include "place.h"

/**
 * struct msyncfs_plan - what an operation needs of the record and the allocator
 * @blocks: blocks that the operation allocates for pages and map nodes; their
 *	place is not known yet
 * @credits: upper bound of the blocks of the record, without bitmap blocks
 * @groups: one bit for each group, set if its bitmap block is known to change;
 *	NULL: no bit is set
 * @unbuilt: some shadows are not built yet; building may change every bitmap
 *	block
 * @leaf: msyncfs_resv_key() of the leaf that was counted last; U64_MAX: none
 */
struct msyncfs_plan {
	u64		blocks;
	unsigned int	credits;
	unsigned long	*groups;
	bool		unbuilt;
	u64		leaf;
};

/**
 * msyncfs_plan_credits - tell how many blocks go into the record
 * @sb: filesystem
 * @plan: plan
 *
 * Context: any.
 * Return: upper bound of the blocks, with bitmap blocks.
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
 * msyncfs_plan_free - free the memory of a plan
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
 * struct msyncfs_placing - what fs/place keeps with a capture
 * @ops: the operations for ordinary or for atomic files
 * @changes: the map of the file changes with this capture
 * @shadow: the new map of the file, see shadow.c; or NULL
 */
struct msyncfs_placing {
	const struct msyncfs_place_ops *ops;
	bool			changes;
	struct msyncfs_shadow	*shadow;
};

/**
 * struct msyncfs_fresh - blocks held for a set that goes to fresh blocks
 * @promised: held blocks that the reservations of the pages have promised
 * @extra: held blocks that nobody has promised; a page that has a block needs a
 *	second one until the old one is recycled
 */
struct msyncfs_fresh {
	u64	promised;
	u64	extra;
};

/**
 * struct msyncfs_run - a run of the images of a capture
 * @img: first image
 * @next: the image after the run; NULL before the first run
 * @index: page of @img
 * @home: home block of @img, or 0
 * @len: number of images
 */
struct msyncfs_run {
	struct msyncfs_image	*img;
	struct msyncfs_image	*next;
	u64			index;
	u64			home;
	u64			len;
};

/*
 * The images that form a run. In each case, the pages of these images are
 * consecutive.
 */
enum msyncfs_run_of {
	MSYNCFS_RUN_PAGES,	/* all images */
	MSYNCFS_RUN_BLOCKS,	/* the home blocks are consecutive, too */
	MSYNCFS_RUN_HOMELESS,	/* the images have no home block */
	MSYNCFS_RUN_CONVERT,	/* as BLOCKS, and the map must change */
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

static inline bool msyncfs_images_end(const struct msyncfs_capture *cap,
				      const struct msyncfs_image *img)
{
	return list_entry_is_head(img, &cap->images, list);
}

/**
 * msyncfs_run_next - find the next run of the images of a capture
 * @cap: capture
 * @of: which images form a run
 * @run: all zeros before the first call, later the previous run; set to the
 *	next run
 *
 * Context: the caller owns the images.
 * Return: false if there is no further run.
 */
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

/*
 * Goes through the runs of a capture. @run is a pointer to a struct
 * msyncfs_run.
 */
#define msyncfs_for_each_run(run, cap, of) \
	for (*(run) = (struct msyncfs_run){}; msyncfs_run_next(cap, of, run);)

/**
 * struct msyncfs_place_ops - steps in which ordinary and atomic files differ
 * @plan_overlaid: plan copied pages of a file whose map is shadowed: give the
 *	pages their blocks, and add to the plan
 * @count_fresh: count the blocks that must be held for the pages
 * @claim_fresh: give each page a fresh block
 * @unclaim_fresh: give the fresh blocks back
 * @plan_fresh: add to the plan what the switch of the map to fresh blocks needs
 * @switch_fresh: point the map to the fresh blocks
 * @applied: the map has the blocks of the pages: end the promises of these
 *	blocks
 * @size: return the size of the file in the record, in bytes
 * @change: find the first change of the map at or after an index, as an extent
 *	of the new map; return false if there is none
 * @undo: the capture could not be attached: give back what it holds
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

/**
 * msyncfs_first_capture - find the first capture of a set
 * @set: captures, at least one
 *
 * Context: any.
 * Return: the capture.
 */
static inline struct msyncfs_capture *msyncfs_first_capture(struct list_head *set)
{
	return list_first_entry(set, struct msyncfs_capture, set);
}

/**
 * msyncfs_sbi_of - find the filesystem of a set
 * @set: captures, at least one
 *
 * Context: any.
 * Return: the filesystem.
 */
static inline struct msyncfs_sb_info *msyncfs_sbi_of(struct list_head *set)
{
	return MSYNCFS_SB(msyncfs_first_capture(set)->inode->i_sb);
}

/**
 * msyncfs_first_image - find the first image of a set
 * @set: captures
 *
 * Context: the caller owns the captures.
 * Return: the image, or NULL if no capture has one.
 */
static inline struct msyncfs_image *msyncfs_first_image(struct list_head *set)
{
	struct msyncfs_capture *cap;

	list_for_each_entry(cap, set, set)
		if (cap->nr)
			return list_first_entry(&cap->images,
						struct msyncfs_image, list);
	return NULL;
}

/**
 * msyncfs_overlaid - does an overlay change the map of a captured file?
 * @cap: capture
 *
 * If so, the map is shadowed.
 *
 * Context: caller holds i_commit_lock.
 * Return: true if so.
 */
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
