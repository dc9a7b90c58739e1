// SPDX-License-Identifier: GPL-2.0
/*
 * This file reads and sets the attributes of an inode for the VFS, and the flags
 * of chattr(1). truncate.c changes the size of a file.
 */
#include <linux/blkdev.h>
#include <linux/fileattr.h>
#include <linux/fs.h>

#include "xattr.h"

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
	generic_fill_statx_attr(inode, stat);
	stat->attributes_mask |= STATX_ATTR_NODUMP;
	if (MSYNCFS_I(inode)->i_attrs & MSYNCFS_INODE_NODUMP)
		stat->attributes |= STATX_ATTR_NODUMP;
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
	if ((mask & STATX_WRITE_ATOMIC) && S_ISREG(inode->i_mode))
		msyncfs_fill_untorn(stat, PAGE_SIZE,
				    msyncfs_untorn_max(inode->i_sb));
	return 0;
}

/*
 * Changes the attributes that are not the size. If the inode has an access ACL, a
 * new mode changes the ACL in the same operation.
 */
static int setattr_in_op(struct mnt_idmap *idmap, struct inode *inode,
			 struct iattr *attr)
{
	struct msyncfs_xattr_change c = {};
	struct posix_acl *acl = NULL;
	struct msyncfs_op op;
	int err = 0;

	if (attr->ia_valid & ATTR_MODE)
		err = msyncfs_acl_chmod(inode, attr->ia_mode, &c, &acl);
	if (!err)
		err = msyncfs_op_begin(inode->i_sb, &op, 1 + c.credits,
				       c.blocks);
	if (err)
		goto out;
	err = msyncfs_xattr_apply(&op, &c);
	if (!err) {
		setattr_copy(idmap, inode, attr);
		/* An msync must not replace these times because of earlier stores. */
		if (attr->ia_valid & ATTR_MTIME_SET)
			clear_bit(MSYNCFS_I_STORED, &MSYNCFS_I(inode)->i_flags);
		msyncfs_op_add_inode(&op, inode, false);
	}
	msyncfs_op_end(&op);
out:
	if (attr->ia_valid & ATTR_MODE)
		msyncfs_acl_changed(inode, &c, acl, err);
	return err;
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
	int err;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	/* For ftruncate(2), because its descriptor may be older than the flag. */
	if (IS_IMMUTABLE(inode))
		return -EPERM;
	err = setattr_prepare(idmap, dentry, attr);
	if (err)
		return err;
	if ((attr->ia_valid & ATTR_SIZE) && S_ISREG(inode->i_mode)) {
		struct file *file = attr->ia_valid & ATTR_FILE ?
				    attr->ia_file : NULL;
		loff_t old = i_size_read(inode);

		if (msyncfs_batch_denies(inode, file))
			return -EBUSY;
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
	err = setattr_in_op(idmap, inode, attr);
	if (!err && (attr->ia_valid & ATTR_SIZE))
		err = msyncfs_atomic_unopened(inode);
	return err;
}

static_assert(MSYNCFS_INODE_SYNC == FS_SYNC_FL);
static_assert(MSYNCFS_INODE_IMMUTABLE == FS_IMMUTABLE_FL);
static_assert(MSYNCFS_INODE_APPEND == FS_APPEND_FL);
static_assert(MSYNCFS_INODE_NODUMP == FS_NODUMP_FL);
static_assert(MSYNCFS_INODE_NOATIME == FS_NOATIME_FL);
static_assert(MSYNCFS_INODE_DIRSYNC == FS_DIRSYNC_FL);

/**
 * msyncfs_fileattr_get - inode_operations.fileattr_get for files and directories
 * @dentry: dentry of the inode
 * @fa: filled in
 *
 * Context: any.
 * Return: 0.
 */
int msyncfs_fileattr_get(struct dentry *dentry, struct file_kattr *fa)
{
	fileattr_fill_flags(fa, MSYNCFS_I(d_inode(dentry))->i_attrs);
	return 0;
}

/* Commits an inode that has become immutable, so that a store causes a fault. */
static int attr_protect(struct inode *inode)
{
	inode_dio_wait(inode);
	return msyncfs_sync_inode(inode, 0, LLONG_MAX, false);
}

/**
 * msyncfs_fileattr_set - inode_operations.fileattr_set for files and directories
 * @idmap: idmap of the mount
 * @dentry: dentry of the inode
 * @fa: new flags; the VFS has checked the privileges
 *
 * A file that becomes immutable is committed first, and an atomic file with all
 * its changes.
 *
 * Context: caller holds i_rwsem exclusively; begins an operation; may wait for
 * commits.
 * Return: 0; -EOPNOTSUPP if the inode cannot have one of the flags; -EPERM if
 * the inode is and stays immutable; -EBUSY in a batch; or another negative errno.
 */
int msyncfs_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
			 struct file_kattr *fa)
{
	struct inode *inode = d_inode(dentry);
	u32 allowed = msyncfs_inode_flags(inode->i_mode) & ~MSYNCFS_INODE_ATOMIC;
	u32 old = MSYNCFS_I(inode)->i_attrs, new = fa->flags;
	struct msyncfs_op op;
	int err = 0;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	if (fileattr_has_fsx(fa) || (new & ~allowed))
		return -EOPNOTSUPP;
	if ((old & new & MSYNCFS_INODE_IMMUTABLE) && old != new)
		return -EPERM;
	if (S_ISREG(inode->i_mode) && msyncfs_batch_denies(inode, NULL))
		return -EBUSY;
	msyncfs_set_attrs(inode, new);
	if (S_ISREG(inode->i_mode) && (new & ~old & MSYNCFS_INODE_IMMUTABLE))
		err = attr_protect(inode);
	if (!err)
		err = msyncfs_op_begin(inode->i_sb, &op, 1, 0);
	if (err) {
		msyncfs_set_attrs(inode, old);
		/* A commit may have the new flags already. */
		mark_inode_dirty_sync(inode);
		return err;
	}
	inode_set_ctime_current(inode);
	msyncfs_op_add_inode(&op, inode, false);
	msyncfs_op_end(&op);
	return 0;
}
