// SPDX-License-Identifier: GPL-2.0
/*
 * fsck checks the inode bitmap here: the bit of a block is set if the block is an inode.
 */
#include "fsck.h"

#include <stdlib.h>

/* Return the set of all inodes that stay. */
static struct bits *wanted_bits(struct fsck *fs)
{
	struct bits *want = bits_new(fs->geo.bitmap_blocks);
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
		u8 mask = 1U << i % 8, is = bm->bits[i / 8] & mask;

		missing += !is && want[i / 8] & mask;
		wrong += is && !(want[i / 8] & mask) && !bit_test(fs->gone, first + i);
	}
	if ((missing || wrong) &&
	    !problem(fs, true, "correct it",
		     "Inode bitmap of group %llu (block %llu): %llu inodes are not marked, %llu blocks are marked, but are no inodes",
		     group, le64_to_cpu(bm->h.blkno), missing, wrong))
		return;
	memcpy(bm->bits, want, BITS_BYTES);
}

/* Compare the inode bitmap with the inodes that fsck has found, and repair it. */
void fsck_inode_bitmap(struct fsck *fs)
{
	u64 start = fs->geo.inodes_start, group;
	static struct msyncfs_disk_bitmap bm, old;
	static const u8 none[BITS_BYTES];
	const u8 *want;
	struct bits *all;
	const char *why;

	if (!start)
		return;
	all = wanted_bits(fs);
	for (group = 0; group < fs->geo.bitmap_blocks; group++) {
		want = all->group[group] ?: none;
		why = blk_load(fs, start + group, MSYNCFS_MAGIC_INODES, group, &bm);
		if (why && !problem(fs, true, "make it anew",
				    "Inode bitmap of group %llu (block %llu): %s",
				    group, start + group, why))
			continue;
		old = bm;
		if (why) {
			msyncfs_init_block(&bm, MSYNCFS_MAGIC_INODES, 0,
					   start + group, group);
			memcpy(bm.bits, want, BITS_BYTES);
		} else if (memcmp(bm.bits, want, BITS_BYTES)) {
			check_bits(fs, group, want, &bm);
		}
		if (why || memcmp(&bm, &old, sizeof(bm)))
			blk_write(fs, start + group, &bm);
	}
	bits_free(all);
}
