// SPDX-License-Identifier: GPL-2.0
/*
 * This file initialises and frees metadata blocks in an operation. It changes
 * the bitmap, the buffer and the transaction together. alloc.c chooses the
 * blocks, and fs/log/block.c reads and checks the buffers.
 */
#include <kunit/visibility.h>

#include "space.h"

/**
 * msyncfs_op_new - initialise a newly allocated metadata block
 * @op: open handle with a credit for the block
 * @blkno: block, allocated in @op
 * @magic: kind of block, MSYNCFS_MAGIC_*
 * @level: level in the header of the block
 * @owner: inode number of the owner
 *
 * If the block is already in use as metadata, the bitmap was wrong. In this
 * case the block stays allocated, so that the allocator does not choose it a
 * second time. After any other error the function frees the block.
 *
 * Context: inside @op; may sleep.
 * Return: the buffer, referenced and dirty in @op; or the error of
 * msyncfs_block_new().
 */
struct buffer_head *msyncfs_op_new(struct msyncfs_op *op, u64 blkno, u32 magic,
				   u32 level, u64 owner)
{
	struct buffer_head *bh;

	bh = msyncfs_block_new(op->sb, blkno, magic, level, owner);
	if (!IS_ERR(bh))
		msyncfs_op_dirty(op, bh);
	else if (PTR_ERR(bh) != -EFSCORRUPTED)
		msyncfs_free(op, blkno, 1);
	return bh;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_op_new);

/**
 * msyncfs_op_free - free a metadata block
 * @op: open handle with a credit for the bitmap block that describes the block
 * @bh: buffer of the block, from msyncfs_bread() or msyncfs_op_new() with the
 *	right owner; the caller keeps its reference
 *
 * The function takes a buffer and not a block number, because the owner of a
 * buffer has been checked. A crafted map may lead to a block of another owner,
 * and a block number does not show this error. The transaction of @op does not
 * write the content of the block. A checkpoint may still write an image from an
 * earlier record to the block. This write does no harm, because the block is
 * not reusable before the checkpoint has ended (B3).
 *
 * Context: inside @op; takes space->lock; may sleep.
 */
void msyncfs_op_free(struct msyncfs_op *op, struct buffer_head *bh)
{
	u64 blkno = bh->b_blocknr;

	msyncfs_block_release(bh);
	msyncfs_op_undirty(op, blkno);
	msyncfs_free(op, blkno, 1);
}

/**
 * msyncfs_op_free_at - read, check and free a metadata block
 * @op: open handle with a credit for the bitmap block that describes the block
 * @blkno: block that a map leads to
 * @magic: kind that the block must have, MSYNCFS_MAGIC_*
 * @owner: inode number of the owner that the block must have
 *
 * The function checks the block before it frees the block, because a crafted
 * map may lead to a block of another owner.
 *
 * Context: inside @op; may sleep and do I/O.
 * Return: 0, -EIO, -EUCLEAN (logged). After an error, the block is not freed.
 */
int msyncfs_op_free_at(struct msyncfs_op *op, u64 blkno, u32 magic, u64 owner)
{
	struct buffer_head *bh = msyncfs_bread(op->sb, blkno, magic, owner);
	int err;

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	err = msyncfs_load_bitmaps(op->sb, blkno, 1);
	if (!err)
		msyncfs_op_free(op, bh);
	brelse(bh);
	return err;
}

/**
 * msyncfs_op_free_data - free data blocks of a file
 * @op: open handle with a credit for each bitmap block involved
 * @start: first block
 * @len: number of blocks, all in the data area
 *
 * A data block has no header that names its owner, so the function cannot check
 * the owner. A damaged map may lead to a metadata block. If the function freed
 * this block, the block could get a second owner. So the function refuses
 * blocks that have a metadata buffer in memory. The check is cheap: if the page
 * cache of the device has none of the blocks, the check is a single lookup.
 *
 * Context: inside @op; may sleep and read bitmap blocks.
 * Return: 0, -EIO, -EUCLEAN (logged). After an error, no block is freed.
 */
int msyncfs_op_free_data(struct msyncfs_op *op, u64 start, u64 len)
{
	u64 meta = msyncfs_block_find(op->sb, start, len);
	int err;

	if (!meta) {
		err = msyncfs_load_bitmaps(op->sb, start, len);
		if (!err)
			msyncfs_free(op, start, len);
		return err;
	}
	msyncfs_err(op->sb, "block %llu: data of a file, but in use as metadata",
		    meta);
	return -EFSCORRUPTED;
}
