// SPDX-License-Identifier: GPL-2.0
/*
 * This file reads and sets the attributes of an inode for the VFS. truncate.c
 * changes the size of a file.
 */
#include <linux/blkdev.h>
#include <linux/fs.h>

#include "vfs.h"

/*
 * Adds to @blocks the blocks that the file will get at its next commit, in units
 * of 512 bytes. tar(1) takes a file without blocks for a hole. In an atomic
 * file, a dirty page that has a block has a reservation, too. So the function
 * returns the larger of the two numbers.
 */
static u64 msyncfs_stat_blocks(struct inode *inode, u64 blocks)
{
	unsigned int shift = MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT;
	u64 reserved = msyncfs_resv_count(inode, 0, U64_MAX) << shift;

	if (!msyncfs_is_atomic(inode))
		return blocks + reserved;
	blocks += (u64)READ_ONCE(MSYNCFS_I(inode)->i_spilled) << shift;
	return max(blocks, reserved);
}

/**
 * msyncfs_getattr - inode_operations.getattr for every type
 * @idmap: idmap of the mount
 * @path: path of the inode
 * @stat: filled in
 * @mask: STATX_* bits that the caller wants
 * @flags: AT_* bits
 *
 * Context: any.
 * Return: 0.
 */
int msyncfs_getattr(struct mnt_idmap *idmap, const struct path *path,
		    struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	unsigned int align;

	generic_fillattr(idmap, mask, inode, stat);
	if (S_ISREG(inode->i_mode))
		stat->blocks = msyncfs_stat_blocks(inode, stat->blocks);
	if (mask & STATX_BTIME) {
		stat->btime = MSYNCFS_I(inode)->i_btime;
		stat->result_mask |= STATX_BTIME;
	}
	if ((mask & STATX_DIOALIGN) && S_ISREG(inode->i_mode)) {
		align = bdev_logical_block_size(inode->i_sb->s_bdev);
		stat->dio_mem_align = bdev_dma_alignment(inode->i_sb->s_bdev) + 1;
		stat->dio_offset_align = align;
		stat->result_mask |= STATX_DIOALIGN;
	}
	return 0;
}

/**
 * msyncfs_setattr - inode_operations.setattr for every type
 * @idmap: idmap of the mount
 * @dentry: dentry of the inode
 * @attr: attributes to change
 *
 * Context: caller holds i_rwsem exclusively; begins operations; may wait for
 * commits.
 * Return: 0 or a negative errno.
 */
int msyncfs_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
		    struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct msyncfs_op op;
	int err;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	err = setattr_prepare(idmap, dentry, attr);
	if (err)
		return err;
	if ((attr->ia_valid & ATTR_SIZE) && S_ISREG(inode->i_mode)) {
		loff_t old = i_size_read(inode);

		err = msyncfs_setsize(inode, attr->ia_size);
		/*
		 * truncate(2) must change mtime and ctime, but the VFS does not
		 * request this change in @attr.
		 */
		if (i_size_read(inode) != old &&
		    !(attr->ia_valid & (ATTR_MTIME | ATTR_CTIME))) {
			inode_set_mtime_to_ts(inode,
					      inode_set_ctime_current(inode));
			mark_inode_dirty(inode);
		}
		if (err)
			return err;
	}
	err = msyncfs_op_begin(inode->i_sb, &op, 1, 0);
	if (err)
		return err;
	setattr_copy(idmap, inode, attr);
	/* An msync must not replace these times because of earlier stores. */
	if (attr->ia_valid & ATTR_MTIME_SET)
		clear_bit(MSYNCFS_I_STORED, &MSYNCFS_I(inode)->i_flags);
	msyncfs_op_add_inode(&op, inode, false);
	msyncfs_op_end(&op);
	if (attr->ia_valid & ATTR_SIZE)
		err = msyncfs_atomic_unopened(inode);
	return err;
}
