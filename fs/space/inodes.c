// SPDX-License-Identifier: GPL-2.0
/*
 * This file keeps the inode bitmap, which says which blocks are inodes. A number
 * from a file handle may name any block, and a block of data may look like an
 * inode. So the content of a block does not show that the block is an inode. The
 * bit in the inode bitmap shows it: the operation that allocates the block of an
 * inode sets the bit, and the operation that frees the block clears it (B8).
 *
 * A filesystem of an older version has no inode bitmap, and no file handles.
 */
#include <kunit/visibility.h>
#include <linux/math64.h>

#include "space.h"

static void *inodes_bits(struct buffer_head *bh)
{
	return ((struct msyncfs_disk_bitmap *)bh->b_data)->bits;
}

static u32 inodes_bit(u64 ino)
{
	u32 bit;

	div_u64_rem(ino, MSYNCFS_GROUP_BLOCKS, &bit);
	return bit;
}

/**
 * msyncfs_inodes_read - read the block of the inode bitmap that describes a block
 * @sb: filesystem
 * @ino: block in the data area
 *
 * Context: may sleep and do I/O.
 * Return: the buffer, referenced; NULL if the filesystem has no inode bitmap;
 * ERR_PTR(-EIO) or ERR_PTR(-EUCLEAN), both logged.
 */
struct buffer_head *msyncfs_inodes_read(struct super_block *sb, u64 ino)
{
	const struct msyncfs_geo *geo = &MSYNCFS_SB(sb)->geo;
	u64 group = div_u64(ino, MSYNCFS_GROUP_BLOCKS);

	if (!geo->inodes_start)
		return NULL;
	return msyncfs_bread(sb, geo->inodes_start + group,
			     MSYNCFS_MAGIC_INODES, group);
}

/**
 * msyncfs_inodes_mark - note in an operation whether a block is an inode
 * @op: open handle with a credit for @bh
 * @bh: from msyncfs_inodes_read() for @ino; the caller keeps its reference
 * @ino: block
 * @used: true if the block becomes an inode, false if it is freed
 *
 * Context: inside @op. Several tasks may change bits of the same block.
 */
void msyncfs_inodes_mark(struct msyncfs_op *op, struct buffer_head *bh, u64 ino,
			 bool used)
{
	if (!bh)
		return;
	msyncfs_op_dirty(op, bh);
	if (used)
		set_bit_le(inodes_bit(ino), inodes_bits(bh));
	else
		clear_bit_le(inodes_bit(ino), inodes_bits(bh));
}

/**
 * msyncfs_inodes_test - tell whether a block is an inode
 * @sb: filesystem
 * @ino: block in the data area
 *
 * Context: may sleep and do I/O. The caller keeps the block from becoming an inode
 * and from being freed; see msyncfs_iget_handle().
 * Return: 1 if the block is an inode; 0 if it is not, or if the filesystem has no
 * inode bitmap; -EIO or -EUCLEAN, both logged.
 */
int msyncfs_inodes_test(struct super_block *sb, u64 ino)
{
	struct buffer_head *bh = msyncfs_inodes_read(sb, ino);
	int used;

	if (IS_ERR_OR_NULL(bh))
		return PTR_ERR_OR_ZERO(bh);
	used = test_bit_le(inodes_bit(ino), inodes_bits(bh));
	brelse(bh);
	return used;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_inodes_test);
