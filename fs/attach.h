/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fs/attach.c and fs/atomic.c share: planning an operation that makes
 * captured pages part of a transaction.
 */
#ifndef MSYNCFS_FS_ATTACH_H
#define MSYNCFS_FS_ATTACH_H

#include "fs.h"

/*
 * Pages that are stored to after holes have been planned may keep leaves of the
 * map that were to go; so many credits for these save another plan.
 */
#define MSYNCFS_PLAN_SLACK	64U

/**
 * struct msyncfs_plan - what captures need of the map, the allocator, the record
 * @blocks: blocks to allocate, for pages without one and for map nodes
 * @credits: blocks that go into the record at most
 * @bitmaps: bitmap blocks of what an overlay changes, at most
 * @slack: credits that are good to have besides
 * @leaf: last range of a leaf node looked at; its path is counted once
 */
struct msyncfs_plan {
	u64		blocks;
	unsigned int	credits;
	u64		bitmaps;
	unsigned int	slack;
	u64		leaf;
};

static inline bool msyncfs_cap_end(struct msyncfs_capture *cap,
				   struct msyncfs_image *img)
{
	return list_entry_is_head(img, &cap->images, list);
}

/* In fs/attach.c */
int msyncfs_plan_run(struct inode *inode, u64 index, u64 len,
		     struct msyncfs_plan *plan);
int msyncfs_attach_begin(struct list_head *set, struct msyncfs_op *op,
			 const struct msyncfs_plan *plan);
void msyncfs_attach_end(struct list_head *set, struct msyncfs_op *op,
			const struct msyncfs_plan *plan);
void msyncfs_plan_bitmaps(struct super_block *sb, struct msyncfs_plan *plan,
			  u64 blocks);
int msyncfs_plan_set(struct list_head *set, struct msyncfs_plan *plan);
u64 msyncfs_goal(struct inode *inode, u64 index);
void msyncfs_release_resv(struct msyncfs_capture *cap);
void msyncfs_attach_inode(struct msyncfs_op *op, struct msyncfs_capture *cap,
			  bool attrs);

/* In fs/fresh.c */
int msyncfs_fresh_write(struct list_head *set);
int msyncfs_fresh_switch(struct msyncfs_op *op, struct inode *inode, u64 index,
			 u64 len, u64 home);
int msyncfs_attach_fresh(struct list_head *set, bool attrs);

/* In fs/atomic.c */
int msyncfs_atomic_plan(struct msyncfs_capture *cap, struct msyncfs_plan *plan);
int msyncfs_atomic_apply(struct msyncfs_op *op, struct msyncfs_capture *cap);
int msyncfs_atomic_attach(struct list_head *set, bool attrs);

#endif /* MSYNCFS_FS_ATTACH_H */
