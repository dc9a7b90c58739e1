// SPDX-License-Identifier: GPL-2.0
/*
 * Metadata blocks that operations make and free.
 */
#include <kunit/visibility.h>

#include "space.h"

/**
 * msyncfs_op_new - initialise a newly allocated metadata block
 * @op: open handle
 * @blkno: block
 * @magic: MSYNCFS_MAGIC_*
 * @level: for the header
 * @owner: inode number
 *
 * If the block turns out to be in use, it stays allocated: the bitmap was wrong,
 * and must not offer it again. After any other error it is free again.
 *
 * Return: as msyncfs_block_new(); the buffer is dirty in @op.
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
 * @op: open handle with a credit for its bitmap block
 * @bh: its buffer, which its owner has from msyncfs_bread() or msyncfs_op_new()
 *
 * It takes the buffer, not a number: a number from a map made by an enemy may be
 * that of a block which somebody else is using. The reference stays the caller's.
 * For the rest see msyncfs_op_forget().
 */
void msyncfs_op_free(struct msyncfs_op *op, struct buffer_head *bh)
{
	u64 blkno = bh->b_blocknr;

	msyncfs_block_release(bh);
	msyncfs_op_undirty(op, blkno);
	msyncfs_free(op, blkno, 1);
}

/**
 * msyncfs_op_free_at - free a metadata block that a map leads to
 * @op: open handle with a credit for its bitmap block
 * @blkno: block
 * @magic: MSYNCFS_MAGIC_*, what it must be
 * @owner: whose it must be
 *
 * It is read first: a map made by an enemy may lead to a block that somebody else
 * is using.
 *
 * Context: may sleep and do I/O.
 * Return: 0; -EIO, -EUCLEAN (logged): nothing has been freed.
 */
int msyncfs_op_free_at(struct msyncfs_op *op, u64 blkno, u32 magic, u64 owner)
{
	struct buffer_head *bh = msyncfs_bread(op->sb, blkno, magic, owner);

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	msyncfs_op_free(op, bh);
	brelse(bh);
	return 0;
}

/**
 * msyncfs_op_free_data - free blocks of a file that has become shorter
 * @op: open handle with a credit for each bitmap block involved
 * @start: first block
 * @len: blocks, all in the data area
 *
 * Data does not say whose it is. But a block that memory knows as metadata is no
 * data, whatever the map says. If it were freed, it would get a second owner.
 * When none of the blocks is in the device's page cache, the check is one lookup.
 *
 * Context: may sleep, does no I/O.
 * Return: 0; -EUCLEAN (logged): nothing has been freed.
 */
int msyncfs_op_free_data(struct msyncfs_op *op, u64 start, u64 len)
{
	u64 meta = msyncfs_block_find(op->sb, start, len);

	if (!meta) {
		msyncfs_free(op, start, len);
		return 0;
	}
	msyncfs_err(op->sb, "block %llu: data of a file, but in use as metadata",
		    meta);
	return -EFSCORRUPTED;
}
