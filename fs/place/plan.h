/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fs/attach.c, fs/fresh.c, fs/shadow.c and fs/atomic.c share: planning an
 * operation that makes captured pages part of a transaction.
 */
#ifndef MSYNCFS_FS_ATTACH_H
#define MSYNCFS_FS_ATTACH_H

#include "fs/fs.h"

/**
 * struct msyncfs_plan - what captures need of the map, the allocator, the record
 * @blocks: blocks that the operation allocates, for pages without one and for
 *	map nodes; where they will lie is not known
 * @credits: blocks that go into the record at most, besides bitmap blocks
 * @groups: a bit for each group: its bitmap block changes; NULL: none is known to
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

/* The first image of a set, if there is one. */
static inline struct msyncfs_image *msyncfs_set_first(struct list_head *set)
{
	struct msyncfs_capture *cap;

	list_for_each_entry(cap, set, set)
		if (cap->nr)
			return list_first_entry(&cap->images,
						struct msyncfs_image, list);
	return NULL;
}

static inline bool msyncfs_cap_end(struct msyncfs_capture *cap,
				   struct msyncfs_image *img)
{
	return list_entry_is_head(img, &cap->images, list);
}

/* In fs/plan.c */
int msyncfs_plan_touch(struct super_block *sb, struct msyncfs_plan *plan,
		       u64 start, u64 len);
unsigned int msyncfs_plan_credits(struct super_block *sb,
				  const struct msyncfs_plan *plan);
void msyncfs_plan_free(struct msyncfs_plan *plan);

/* In fs/attach.c */
int msyncfs_plan_run(struct inode *inode, u64 index, u64 len,
		     struct msyncfs_plan *plan);
u64 msyncfs_goal(struct inode *inode, u64 index);
u64 msyncfs_release_resv(struct msyncfs_capture *cap);
bool msyncfs_overlaid(struct msyncfs_capture *cap);
void msyncfs_attach_inode(struct msyncfs_op *op, struct msyncfs_capture *cap,
			  bool attrs);

int msyncfs_plan_copied(struct msyncfs_capture *cap, struct msyncfs_plan *plan);
int msyncfs_attach_copied(struct list_head *set,
			  const struct msyncfs_plan *plan, bool attrs);
void msyncfs_redirty_one(struct msyncfs_capture *cap, int err);

/* In split.c */
int msyncfs_attach_split_set(struct list_head *set, bool attrs);

/* In fs/fresh.c */
int msyncfs_fresh_write(struct list_head *set);
int msyncfs_attach_fresh(struct list_head *set, bool attrs);

/* In fs/shadow.c */
int msyncfs_shadow_alloc(struct msyncfs_capture *cap);
int msyncfs_shadow_build(struct msyncfs_capture *cap,
			 struct msyncfs_plan *plan);
void msyncfs_shadow_apply(struct msyncfs_op *op, struct msyncfs_capture *cap);
void msyncfs_shadow_free(struct msyncfs_capture *cap);

/* In fs/atomic.c */
int msyncfs_atomic_homes(struct msyncfs_capture *cap);
void msyncfs_atomic_applied(struct msyncfs_op *op, struct msyncfs_capture *cap);

#endif /* MSYNCFS_FS_ATTACH_H */
