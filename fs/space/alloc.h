/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header is private to fs/space. It declares the bitmaps and the counters
 * of a mount.
 */
#ifndef MSYNCFS_ALLOC_H
#define MSYNCFS_ALLOC_H

#include "space.h"

/**
 * struct msyncfs_group - the state of a group in memory
 * @bh: the bitmap block of the group, pinned; NULL if nobody needs it now
 * @busy: one bit for each block, set if the block is busy. The bit of a busy
 *	block is clear in the bitmap, but the block is not available. @busy is
 *	NULL if no block of the group is busy
 * @nr_busy: number of busy blocks
 * @free: number of available blocks. The bit of an available block is clear in
 *	the bitmap and in @busy
 * @freed: blocks that the newest of the transactions in space->freed_list has
 *	freed in the group; NULL if no such transaction has freed any
 */
struct msyncfs_group {
	struct buffer_head	*bh;
	unsigned long		*busy;
	unsigned int		nr_busy;
	unsigned int		free;
	struct msyncfs_freed	*freed;
};

/**
 * struct msyncfs_freed - blocks of one group that one transaction has freed
 * @list: link in space->freed_list
 * @group: group
 * @tid: number of the transaction
 * @nr: number of blocks
 * @bits: one bit for each block of the group, set if @tid has freed the block
 *
 * The record of the transaction has the bitmap block of the group. So these
 * structures take about as much memory as the images of bitmap blocks in the
 * records that are not retired, however scattered the freed blocks are.
 */
struct msyncfs_freed {
	struct list_head	list;
	struct msyncfs_group	*group;
	u64			tid;
	unsigned int		nr;
	DECLARE_BITMAP(bits, MSYNCFS_GROUP_BLOCKS);
};

static_assert(sizeof(struct msyncfs_freed) <= MSYNCFS_BLOCK_SIZE);

/**
 * struct msyncfs_space - free blocks and promises of a mount
 * @sb: filesystem
 * @geo: says where the data area and the bitmaps lie
 * @lock: guards the bitmaps and all members below it
 * @wait: tasks that wait for free blocks
 * @groups: state of each group
 * @nr_groups: number of entries of @groups
 * @loaded: the group whose bitmap block was read last, or NULL
 * @free: number of blocks that are available now
 * @freed: number of blocks that are freed and not reusable yet (B3)
 * @reserved: number of blocks that are promised to dirty pages and operations
 * @held: number of blocks that operations hold; @free still counts them
 * @claimed: number of blocks that @free does not count any more, but that
 *	@reserved still counts
 * @spare: number of blocks that are kept back for map nodes of atomic files
 * @freed_list: all blocks that @freed counts, for each transaction and group,
 *	in the order of the transactions
 * @discard_list: blocks to discard before they become available; they are not in
 *	@freed_list any more, and @freed still counts them
 * @discard_work: discards the blocks of @discard_list
 * @rotor: block at which a search without a goal begins
 */
struct msyncfs_space {
	struct super_block	*sb;
	const struct msyncfs_geo *geo;
	struct mutex		lock;		/* all members below */
	wait_queue_head_t	wait;
	struct msyncfs_group	*groups;
	u64			nr_groups;
	struct msyncfs_group	*loaded;
	u64			free;
	u64			freed;
	u64			reserved;
	u64			held;
	u64			claimed;
	u64			spare;
	struct list_head	freed_list;
	struct list_head	discard_list;
	struct work_struct	discard_work;
	u64			rotor;
};

/**
 * MSYNCFS_SPACE - get the bitmaps and the counters of a mount
 * @sb: filesystem
 *
 * Context: any.
 * Return: the structure; NULL before msyncfs_space_init() and after
 * msyncfs_space_exit().
 */
static inline struct msyncfs_space *MSYNCFS_SPACE(struct super_block *sb)
{
	return MSYNCFS_SB(sb)->space;
}

/**
 * msyncfs_space_room - count the blocks that may be promised in total
 * @space: bitmaps and counters of the mount
 *
 * Freed blocks count because a commit and a checkpoint make them reusable.
 * Claimed blocks count because @reserved still contains their promises.
 *
 * Context: caller holds space->lock.
 * Return: number of blocks, including the promised ones.
 */
static inline u64 msyncfs_space_room(const struct msyncfs_space *space)
{
	return space->free + space->freed + space->claimed;
}

/* In alloc.c */
struct buffer_head *msyncfs_bitmap_read(struct super_block *sb, u64 nr);
void msyncfs_discard_work(struct work_struct *work);
void msyncfs_subtract(u64 *counter, u64 nr);
void msyncfs_space_retired(struct super_block *sb, u64 tid);
bool msyncfs_space_freed(struct super_block *sb, u64 blkno, u64 tid);
int msyncfs_withhold(struct super_block *sb, u64 first, u64 end, u64 least,
		     u64 most, u64 granule, u64 *start, u64 *len);
void msyncfs_give_back(struct super_block *sb, u64 start, u64 len);

/* In promise.c */
void msyncfs_claim_done(struct super_block *sb, u64 claimed, u64 fulfilled);

/* In trim.c */
void msyncfs_discard_freed(struct super_block *sb, u64 start,
			   const unsigned long *bits);

#endif /* MSYNCFS_ALLOC_H */
