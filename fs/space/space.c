// SPDX-License-Identifier: GPL-2.0
/*
 * This file makes the state of fs/space at a mount, and drops it at an unmount. The
 * mount reads all bitmap blocks once and counts the free blocks of each group.
 */
#include <linux/slab.h>

#include "alloc.h"

/* A mount starts the reads of this many bitmap blocks together. */
#define MSYNCFS_BITMAP_RA	64
/* 1/64 of all blocks are spare, but at most 256 blocks. */
#define MSYNCFS_SPARE_SHARE	64
#define MSYNCFS_SPARE_MAX	256

static unsigned int msyncfs_count_free(const struct buffer_head *bh)
{
	const u64 *bits =
		(void *)((struct msyncfs_disk_bitmap *)bh->b_data)->bits;
	unsigned int used = 0;
	unsigned int i;

	for (i = 0; i < MSYNCFS_GROUP_BLOCKS / 64; i++)
		used += hweight64(bits[i]);
	return MSYNCFS_GROUP_BLOCKS - used;
}

/* Reads and checks the bitmap block of a group, and counts the free blocks. */
static int msyncfs_count_group(struct super_block *sb, u64 nr)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	struct msyncfs_group *g = &space->groups[nr];
	struct buffer_head *bh;
	u64 i;

	if (nr % MSYNCFS_BITMAP_RA == 0)
		for (i = nr; i < min(nr + MSYNCFS_BITMAP_RA, space->nr_groups);
		     i++)
			sb_breadahead(sb, space->geo->bitmap_start + i);

	bh = msyncfs_bitmap_read(sb, nr);
	if (IS_ERR(bh))
		return MSYNCFS_SB(sb)->options.norecovery ? 0 : PTR_ERR(bh);
	g->free = msyncfs_count_free(bh);
	space->free += g->free;
	brelse(bh);
	return 0;
}

/**
 * msyncfs_space_init - read the bitmaps and count the free blocks
 * @sb: filesystem whose log has been replayed; nobody allocates yet
 *
 * Context: mount; may sleep and do I/O.
 * Return: 0, -ENOMEM, -EIO, -EUCLEAN. The caller must call msyncfs_space_exit()
 * later, even after an error.
 */
int msyncfs_space_init(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	struct msyncfs_space *space = kzalloc(sizeof(*space), GFP_KERNEL);
	struct blk_plug plug;
	int err = 0;
	u64 nr;

	if (!space)
		return -ENOMEM;
	sbi->space = space;
	space->sb = sb;
	space->geo = &sbi->geo;
	mutex_init(&space->lock);
	init_waitqueue_head(&space->wait);
	INIT_LIST_HEAD(&space->freed_list);
	INIT_LIST_HEAD(&space->discard_list);
	INIT_WORK(&space->discard_work, msyncfs_discard_work);
	space->spare = min_t(u64, space->geo->blocks / MSYNCFS_SPARE_SHARE,
			     MSYNCFS_SPARE_MAX);
	space->rotor = space->geo->root_ino;
	space->groups = kvcalloc(space->geo->bitmap_blocks,
				 sizeof(*space->groups), GFP_KERNEL);
	if (!space->groups)
		return -ENOMEM;
	space->nr_groups = space->geo->bitmap_blocks;

	blk_start_plug(&plug);
	for (nr = 0; nr < space->nr_groups && !err; nr++)
		err = msyncfs_count_group(sb, nr);
	blk_finish_plug(&plug);
	return err;
}

/**
 * msyncfs_space_exit - release the groups and the counters
 * @sb: filesystem that nobody uses any more, or whose mount has failed
 *
 * Context: unmount or failed mount; may sleep.
 */
void msyncfs_space_exit(struct super_block *sb)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	struct msyncfs_freed *f, *next;
	u64 nr;

	if (!space)
		return;
	list_splice(&space->discard_list, &space->freed_list);
	list_for_each_entry_safe(f, next, &space->freed_list, list)
		kfree(f);
	for (nr = 0; nr < space->nr_groups; nr++) {
		brelse(space->groups[nr].bh);
		kfree(space->groups[nr].busy);
	}
	kvfree(space->groups);
	MSYNCFS_SB(sb)->space = NULL;
	kfree(space);
}
