// SPDX-License-Identifier: GPL-2.0
/*
 * This file makes and verifies the blocks of the two bitmaps. The first bitmap says
 * which blocks are in use, and the inode bitmap says which blocks are inodes. As
 * format.c, this file is shared with the tools.
 */
#include "format.h"

#ifdef __KERNEL__
#include <kunit/visibility.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>
#endif

static u64 bitmap_start(const struct msyncfs_geo *geo, u32 magic)
{
	return magic == MSYNCFS_MAGIC_INODES ? geo->inodes_start :
					       geo->bitmap_start;
}

/* Return the value of each byte of a bitmap that describes no block of data. */
static u8 bitmap_filler(u32 magic)
{
	return magic == MSYNCFS_MAGIC_INODES ? 0 : 0xff;
}

/**
 * msyncfs_init_bitmap() - make a bitmap block of an empty filesystem
 * @geo: geometry of the filesystem
 * @bm: filled in, except for its checksum
 * @magic: MSYNCFS_MAGIC_BITMAP or MSYNCFS_MAGIC_INODES
 * @group: number of the group
 *
 * The root directory is the only inode, and has no other block.
 *
 * Context: any.
 * Return: number of the block.
 */
u64 msyncfs_init_bitmap(const struct msyncfs_geo *geo,
			struct msyncfs_disk_bitmap *bm, u32 magic, u64 group)
{
	u64 first = group * MSYNCFS_GROUP_BLOCKS, b;
	u64 blkno = bitmap_start(geo, magic) + group;
	u8 filler = bitmap_filler(magic);
	unsigned int i;

	msyncfs_init_block(bm, magic, 0, blkno, group);
	/* Almost all groups of a large filesystem have only free blocks. */
	if (first > geo->root_ino &&
	    msyncfs_is_data(geo, first + MSYNCFS_GROUP_BLOCKS - 1))
		return blkno;
	for (i = 0; i < MSYNCFS_GROUP_BLOCKS; i++) {
		b = first + i;
		if (b == geo->root_ino ||
		    (filler && !msyncfs_is_data(geo, b)))
			bm->bits[i / 8] |= 1U << i % 8;
	}
	return blkno;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_init_bitmap);

/* Return true if bits @from to @to (exclusive) all have the value of @filler. */
static bool bits_are(const u8 *bits, u8 filler, u64 from, u64 to)
{
	while (from < to && from % 8) {
		if ((bits[from / 8] ^ filler) & 1U << from % 8)
			return false;
		from++;
	}
	while (from < to && to % 8) {
		to--;
		if ((bits[to / 8] ^ filler) & 1U << to % 8)
			return false;
	}
	return from >= to || !memchr_inv(bits + from / 8, filler, (to - from) / 8);
}

/**
 * msyncfs_verify_bitmap() - check the bits of a bitmap block
 * @geo: geometry of the filesystem
 * @bm: block whose header is good
 * @blkno: number of the block
 * @magic: MSYNCFS_MAGIC_BITMAP or MSYNCFS_MAGIC_INODES
 *
 * The allocator may take every block whose bit is clear, and the bit of an inode
 * makes the block an inode. So no bitmap may say this of a block outside the data
 * area. Such blocks are the superblocks, tail slots, root block, bitmaps, log
 * blocks, the block of the multi-mount protection and the blocks past the end of
 * the filesystem.
 *
 * Context: any.
 * Return: NULL, or a text that says what is wrong.
 */
const char *msyncfs_verify_bitmap(const struct msyncfs_geo *geo,
				  const struct msyncfs_disk_bitmap *bm, u64 blkno,
				  u32 magic)
{
	u64 group = le64_to_cpu(bm->h.owner);
	u64 first = group * MSYNCFS_GROUP_BLOCKS;
	u64 end = first + MSYNCFS_GROUP_BLOCKS;
	u64 start = bitmap_start(geo, magic);
	u8 filler = bitmap_filler(magic);
	u64 data = geo->root_ino;

	if (group >= geo->bitmap_blocks || !start || blkno != start + group)
		return "bitmap of another group";
	if (first < data &&
	    !bits_are(bm->bits, filler, 0, min(end, data) - first))
		return filler ? "bitmap marks the superblock, a bitmap or the log as free" :
				"bitmap marks the superblock, a bitmap or the log as an inode";
	if (end >= geo->blocks &&
	    !bits_are(bm->bits, filler, geo->blocks - 1 - first,
		      MSYNCFS_GROUP_BLOCKS))
		return filler ? "bitmap marks blocks past the end as free" :
				"bitmap marks blocks past the end as inodes";
	return NULL;
}
