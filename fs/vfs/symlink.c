// SPDX-License-Identifier: GPL-2.0
/*
 * This file handles the targets of symbolic links. The target of a symbolic link
 * lies in the inode's block. If it is longer than MSYNCFS_SYMLINK_INLINE, its
 * rest lies in a metadata block of its own.
 */
#include <linux/fs.h>
#include <linux/slab.h>

#include "vfs.h"

/**
 * msyncfs_target_blocks - count the blocks that msyncfs_set_target() allocates
 * @target: target of a symbolic link, or NULL for another inode
 *
 * Context: any.
 * Return: the number of blocks, for msyncfs_op_begin().
 */
unsigned int msyncfs_target_blocks(const char *target)
{
	return target && strlen(target) > MSYNCFS_SYMLINK_INLINE;
}

/*
 * Writes the rest of a target to a new block. Until this function has set the
 * size, the inode has the beginning of the target as its target.
 */
static int set_rest(struct msyncfs_op *op, struct inode *inode,
		    const char *rest, size_t len)
{
	struct msyncfs_disk_inode *di = msyncfs_iblock(inode);
	struct buffer_head *bh;
	u64 blkno, nr;
	int err;

	err = msyncfs_alloc(op, inode->i_ino + 1, 1, &blkno, &nr);
	if (err)
		return err;
	bh = msyncfs_op_new(op, blkno, MSYNCFS_MAGIC_REST, 0, inode->i_ino);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	memcpy(((struct msyncfs_disk_rest *)bh->b_data)->target, rest, len);
	brelse(bh);
	di->rest = cpu_to_le64(blkno);
	di->blocks = cpu_to_le64(1);
	inode_set_bytes(inode, MSYNCFS_BLOCK_SIZE);
	return 0;
}

/**
 * msyncfs_set_target - set the target of a new symbolic link
 * @op: operation that may allocate msyncfs_target_blocks() blocks
 * @inode: new symbolic link, part of the transaction of @op
 * @target: target, at most MSYNCFS_SYMLINK_MAX bytes
 *
 * Afterwards the caller calls msyncfs_op_add_inode().
 *
 * Context: inside @op; may sleep; the caller has the inode to itself.
 * Return: 0; -ENOSPC; -ENOMEM; -EIO; -EUCLEAN (logged). After an error @inode is
 * a valid symbolic link with another target.
 */
int msyncfs_set_target(struct msyncfs_op *op, struct inode *inode,
		       const char *target)
{
	size_t len = strlen(target);
	size_t first = min(len, MSYNCFS_SYMLINK_INLINE);
	int err = 0;

	memcpy(msyncfs_iblock(inode)->symlink, target, first);
	i_size_write(inode, first);
	if (len > first)
		err = set_rest(op, inode, target + first, len - first);
	if (!err)
		i_size_write(inode, len);
	MSYNCFS_I(inode)->i_disksize = i_size_read(inode);
	return err;
}

/**
 * msyncfs_read_rest - read the rest of the target of a symbolic link
 * @inode: symbolic link
 *
 * Context: may sleep and do I/O.
 * Return: the buffer, referenced; NULL if the target has no rest; ERR_PTR(-EIO)
 * or ERR_PTR(-EUCLEAN), both logged.
 */
struct buffer_head *msyncfs_read_rest(struct inode *inode)
{
	u64 blkno = le64_to_cpu(msyncfs_iblock(inode)->rest);

	if (!blkno)
		return NULL;
	return msyncfs_bread(inode->i_sb, blkno, MSYNCFS_MAGIC_REST,
			     inode->i_ino);
}

static const char *damaged_link(struct inode *inode)
{
	msyncfs_err(inode->i_sb, "inode %llu: damaged symbolic link",
		    (u64)inode->i_ino);
	return ERR_PTR(-EFSCORRUPTED);
}

/* Returns a copy of a target that has a rest. The VFS frees the copy. */
static const char *join_target(struct inode *inode, struct buffer_head *bh,
			       struct delayed_call *done)
{
	const struct msyncfs_disk_rest *rest = (void *)bh->b_data;
	const size_t first = MSYNCFS_SYMLINK_INLINE;
	size_t size = i_size_read(inode);
	char *target;

	if (size <= first ||
	    strnlen(rest->target, sizeof(rest->target)) != size - first)
		return damaged_link(inode);
	target = kmalloc(size + 1, GFP_KERNEL);
	if (!target)
		return ERR_PTR(-ENOMEM);
	memcpy(target, msyncfs_iblock(inode)->symlink, first);
	memcpy(target + first, rest->target, size - first + 1);
	set_delayed_call(done, kfree_link, target);
	return target;
}

/*
 * The inode's block stays in memory only as long as the inode does. A path walk
 * under RCU has no reference to the inode. So this function returns -ECHILD
 * during such a walk, and the VFS calls it again with a reference.
 */
static const char *msyncfs_get_link(struct dentry *dentry, struct inode *inode,
				    struct delayed_call *done)
{
	struct msyncfs_disk_inode *di;
	struct buffer_head *bh;
	const char *target;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	di = msyncfs_iblock(inode);
	if (strnlen(di->symlink, sizeof(di->symlink)) !=
	    min_t(u64, i_size_read(inode), MSYNCFS_SYMLINK_INLINE))
		return damaged_link(inode);
	bh = msyncfs_read_rest(inode);
	if (!bh)
		return di->symlink;
	if (IS_ERR(bh))
		return ERR_CAST(bh);
	target = join_target(inode, bh, done);
	brelse(bh);
	return target;
}

const struct inode_operations msyncfs_symlink_inode_operations = {
	.get_link	= msyncfs_get_link,
	.getattr	= msyncfs_getattr,
	.setattr	= msyncfs_setattr,
	.listxattr	= msyncfs_listxattr,
};
