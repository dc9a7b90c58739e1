// SPDX-License-Identifier: GPL-2.0
/*
 * fsck checks the inode bitmap here: the bit of a block is set if the block is an inode.
 */
#include "fsck.h"

#include <stdlib.h>

/* Return a bitmap of all inodes that stay. */
static u8 *wanted_bits(struct fsck *fs)
{
	u8 *want = fsck_alloc(fs->geo.bitmap_blocks * (MSYNCFS_GROUP_BLOCKS / 8));
	u64 *inos = umap_keys(&fs->inodes);
	size_t i;

	for (i = 0; i < fs->inodes.nr; i++) {
		struct inode_info *info = inode_find(fs, inos[i]);

		if (!info->bad && !info->gone)
			bit_set(want, info->ino);
	}
	free(inos);
	return want;
}

/* Make the bits of a group in @bm right. The bit of an inode that goes is no problem. */
static void check_bits(struct fsck *fs, u64 group, const u8 *want,
		       struct msyncfs_disk_bitmap *bm)
{
	u64 first = group * MSYNCFS_GROUP_BLOCKS, missing = 0, wrong = 0, i;

	for (i = 0; i < MSYNCFS_GROUP_BLOCKS; i++) {
		bool is = bit_test(bm->bits, i);

		missing += !is && bit_test(want, first + i);
		wrong += is && !bit_test(want, first + i) &&
			 !bit_test(fs->gone, first + i);
	}
	if ((missing || wrong) &&
	    !problem(fs, true, "correct it",
		     "Inode bitmap of group %llu (block %llu): %llu inodes are not marked, %llu blocks are marked, but are no inodes",
		     group, le64_to_cpu(bm->h.blkno), missing, wrong))
		return;
	for (i = 0; i < MSYNCFS_GROUP_BLOCKS; i++)
		if (bit_test(want, first + i))
			bit_set(bm->bits, i);
		else
			bit_clear(bm->bits, i);
}

/* Compare the inode bitmap with the inodes that fsck has found, and repair it. */
void fsck_inode_bitmap(struct fsck *fs)
{
	u64 start = fs->geo.inodes_start, group;
	static struct msyncfs_disk_bitmap bm, old;
	const char *why;
	u8 *want;

	if (!start)
		return;
	want = wanted_bits(fs);
	for (group = 0; group < fs->geo.bitmap_blocks; group++) {
		why = blk_load(fs, start + group, MSYNCFS_MAGIC_INODES, group, &bm);
		if (why && !problem(fs, true, "make it anew",
				    "Inode bitmap of group %llu (block %llu): %s",
				    group, start + group, why))
			continue;
		if (why) {
			msyncfs_init_block(&bm, MSYNCFS_MAGIC_INODES, 0,
					   start + group, group);
			memcpy(bm.bits, want + group * sizeof(bm.bits),
			       sizeof(bm.bits));
		}
		old = bm;
		if (!why)
			check_bits(fs, group, want, &bm);
		if (why || memcmp(&bm, &old, sizeof(bm)))
			blk_write(fs, start + group, &bm);
	}
	free(want);
}
