/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header is private to fs/place. Its structures describe a set of captures
 * while the pages of the set get their blocks.
 *
 * A set has one capture for each file of a call. All captures of a set are
 * taken under one freeze.
 */
#ifndef MSYNCFS_PLAN_H
#define MSYNCFS_PLAN_H

#include <linux/bitmap.h>
#include <linux/slab.h>

#include "place.h"

/**
 * struct msyncfs_plan - how many blocks an operation allocates and adds
 * @blocks: number of blocks that the operation allocates for pages and map
 *	nodes; the allocator has not chosen these blocks yet
 * @credits: upper bound of the number of blocks that the operation adds to the
 *	record, not counting bitmap blocks
 * @groups: one bit for each group; the bit is set if the bitmap block of the
 *	group is known to change; NULL if no bit is set
 * @unbuilt: some shadows are not built yet, so every bitmap block may change
 * @leaf: msyncfs_resv_key() of the leaf that was counted last; U64_MAX if no
 *	leaf was counted yet
 */
struct msyncfs_plan {
	u64		blocks;
	unsigned int	credits;
	unsigned long	*groups;
	bool		unbuilt;
	u64		leaf;
};

/**
 * msyncfs_plan_credits - count the blocks that go into the record
 * @sb: filesystem
 * @plan: plan
 *
 * Context: any.
 * Return: upper bound of the number of blocks, including bitmap blocks.
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
 * struct msyncfs_placing - data of fs/place for one capture
 * @ops: functions for the kind of the file, ordinary or atomic
 * @changes: true if the map of the file must change for this capture
 * @shadow: the new map of the file (see shadow.c), or NULL if the map is not
 *	shadowed
 */
struct msyncfs_placing {
	const struct msyncfs_place_ops *ops;
	bool			changes;
	struct msyncfs_shadow	*shadow;
};

/**
 * struct msyncfs_fresh - numbers of fresh blocks that are held for a set
 * @promised: number of held blocks that the reservations of the pages have
 *	promised
 * @extra: number of held blocks that no reservation has promised; a page that
 *	already has a block needs a second block until the old block is recycled
 */
struct msyncfs_fresh {
	u64	promised;
	u64	extra;
};

/**
 * struct msyncfs_run - a run of images in a capture
 * @img: first image
 * @next: the image after the run; NULL before the first run
 * @index: index of the page of @img
 * @home: home block of @img, or 0 if @img has none
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
 * This enum says which images form a run. The pages of a run are always
 * consecutive.
 */
enum msyncfs_run_of {
	MSYNCFS_RUN_PAGES,	/* any images */
	MSYNCFS_RUN_BLOCKS,	/* images on consecutive home blocks */
	MSYNCFS_RUN_HOMELESS,	/* images without a home block */
	MSYNCFS_RUN_CONVERT,	/* as RUN_BLOCKS, but only images to convert */
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
 * msyncfs_run_next - find the next run of images in a capture
 * @cap: capture
 * @of: which images form a run
 * @run: in: the previous run, or all zeros before the first call; out: the next
 *	run
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

/**
 * struct msyncfs_place_ops - steps in which ordinary and atomic files differ
 * @plan_overlaid: give copied pages their blocks, and add the pages to the
 *	plan; called if an overlay changes the map of the file
 * @count_fresh: count the blocks that must be held for the pages
 * @claim_fresh: give each page a fresh block
 * @unclaim_fresh: give the fresh blocks back
 * @plan_fresh: plan the operation that points the map to the fresh blocks
 * @switch_fresh: point the map to the fresh blocks
 * @applied: end the promises for the blocks that the pages have got; called
 *	when the map points to these blocks
 * @size: return the file size that goes into the record, in bytes
 * @change: find the first change of the map at or after an index, as an extent
 *	of the new map; return false if there is no such change
 * @undo: give back the reservations of a capture; called if the capture could
 *	not be attached
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
 * Return: the image, or NULL if no capture has an image.
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
 * msyncfs_overlaid - test whether an overlay changes the map of a file
 * @cap: capture
 *
 * A commit builds a shadow of such a map, and does not change the map in place.
 *
 * Context: caller holds i_commit_lock.
 * Return: true if an overlay changes the map.
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
int msyncfs_plan_load(struct super_block *sb, const struct msyncfs_plan *plan);

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
