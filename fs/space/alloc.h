/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to fs/space: the bitmaps and the counters of a mount.
 */
#ifndef MSYNCFS_ALLOC_H
#define MSYNCFS_ALLOC_H

#include "space.h"

struct msyncfs_group;

/**
 * struct msyncfs_space - free blocks and promises of a mount
 * @geo: where the data area and the bitmaps lie
 * @lock: guards the bitmaps and all that follows
 * @wait: tasks that wait for blocks which other operations hold
 * @groups: state of each bitmap block
 * @nr_groups: entries of @groups
 * @free: blocks that can be allocated now
 * @freed: blocks freed, but not reusable yet (B3)
 * @reserved: blocks promised to dirty pages and operations
 * @held: the part of @free that running operations hold
 * @claimed: blocks taken from @free that are still counted in @reserved
 * @spare: blocks of @free that are kept back for map nodes of atomic files
 * @freed_list: extents that make up @freed, oldest transaction first
 * @rotor: block at which a search without a goal starts
 */
struct msyncfs_space {
	const struct msyncfs_geo *geo;
	struct mutex		lock;		/* all that follows */
	wait_queue_head_t	wait;
	struct msyncfs_group	*groups;
	u64			nr_groups;
	u64			free;
	u64			freed;
	u64			reserved;
	u64			held;
	u64			claimed;
	u64			spare;
	struct list_head	freed_list;
	u64			rotor;
};

static inline struct msyncfs_space *MSYNCFS_SPACE(struct super_block *sb)
{
	return MSYNCFS_SB(sb)->space;
}

/* Blocks that could be promised: free, or free once freed blocks are reusable. */
static inline u64 msyncfs_space_room(const struct msyncfs_space *space)
{
	return space->free + space->freed + space->claimed;
}

/* In alloc.c */
void msyncfs_subtract(u64 *counter, u64 nr);
void msyncfs_space_retired(struct super_block *sb, u64 tid);

#endif /* MSYNCFS_ALLOC_H */
