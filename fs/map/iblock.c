// SPDX-License-Identifier: GPL-2.0
/*
 * This file reads and writes the content of an inode's own block, and makes the
 * block part of a transaction.
 *
 * Other files write four parts of the block. First, change.c and
 * fs/place/shadow.c write the root pointers of the map, the depth of the map
 * and the count of blocks. Second, fs/vfs/orphan.c writes the link of the
 * orphan list. Third, fs/vfs writes a device number, or the target of a symbolic
 * link and the block of its rest, once, when it makes the inode. Fourth,
 * fs/vfs/xattr.c writes the extended attributes. For all other members of the
 * block, the inode in memory has the valid values. msyncfs_op_add_inode() copies
 * these values to the block.
 */
#include <kunit/visibility.h>
#include <linux/fs.h>

#include "map.h"

/**
 * msyncfs_set_attrs - set the flags of an inode in memory
 * @inode: inode
 * @attrs: MSYNCFS_INODE_* flags except MSYNCFS_INODE_ATOMIC
 *
 * The VFS enforces the flags, except in write(2), in page faults and in the
 * ioctls of msyncfs.
 *
 * Context: caller holds i_rwsem exclusively, or has the inode to itself.
 */
void msyncfs_set_attrs(struct inode *inode, u32 attrs)
{
	unsigned int flags = 0;

	if (attrs & MSYNCFS_INODE_SYNC)
		flags |= S_SYNC;
	if (attrs & MSYNCFS_INODE_IMMUTABLE)
		flags |= S_IMMUTABLE;
	if (attrs & MSYNCFS_INODE_APPEND)
		flags |= S_APPEND;
	if (attrs & MSYNCFS_INODE_NOATIME)
		flags |= S_NOATIME;
	if (attrs & MSYNCFS_INODE_DIRSYNC)
		flags |= S_DIRSYNC;
	WRITE_ONCE(MSYNCFS_I(inode)->i_attrs, attrs);
	inode_set_flags(inode, flags, S_SYNC | S_IMMUTABLE | S_APPEND |
			S_NOATIME | S_DIRSYNC);
}

/**
 * msyncfs_iblock_decode - fill in an inode from its own block
 * @inode: inode whose block msyncfs_bread() has checked
 *
 * Context: the caller has the inode to itself.
 */
void msyncfs_iblock_decode(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	const struct msyncfs_disk_inode *di = msyncfs_iblock(inode);

	inode->i_mode = le32_to_cpu(di->mode);
	i_uid_write(inode, le32_to_cpu(di->uid));
	i_gid_write(inode, le32_to_cpu(di->gid));
	set_nlink(inode, le32_to_cpu(di->nlink));
	inode->i_generation = le32_to_cpu(di->generation);
	inode_set_atime(inode, le64_to_cpu(di->atime),
			le32_to_cpu(di->atime_ns));
	inode_set_mtime(inode, le64_to_cpu(di->mtime),
			le32_to_cpu(di->mtime_ns));
	inode_set_ctime(inode, le64_to_cpu(di->ctime),
			le32_to_cpu(di->ctime_ns));
	mi->i_btime.tv_sec = le64_to_cpu(di->btime);
	mi->i_btime.tv_nsec = le32_to_cpu(di->btime_ns);

	i_size_write(inode, le64_to_cpu(di->size));
	mi->i_disksize = le64_to_cpu(di->size);
	inode_set_bytes(inode, le64_to_cpu(di->blocks) << MSYNCFS_BLOCK_SHIFT);
	mi->i_map_depth = le32_to_cpu(di->map_depth);
	mi->i_parent = le64_to_cpu(di->parent);
	mi->i_entries = le64_to_cpu(di->entries);
	mi->i_dir_depth = le32_to_cpu(di->dir_depth);
	if (le32_to_cpu(di->flags) & MSYNCFS_INODE_ATOMIC)
		set_bit(MSYNCFS_I_ATOMIC, &mi->i_flags);
	msyncfs_set_attrs(inode, le32_to_cpu(di->flags) & ~MSYNCFS_INODE_ATOMIC);
}

/*
 * Copies the inode in memory to the inode's own block. The caller holds i_lock.
 */
static void msyncfs_iblock_encode(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_disk_inode *di = msyncfs_iblock(inode);

	di->mode = cpu_to_le32(inode->i_mode);
	di->uid = cpu_to_le32(i_uid_read(inode));
	di->gid = cpu_to_le32(i_gid_read(inode));
	di->nlink = cpu_to_le32(inode->i_nlink);
	di->size = cpu_to_le64(S_ISREG(inode->i_mode) ? mi->i_disksize :
			       i_size_read(inode));
	di->atime = cpu_to_le64(inode_get_atime_sec(inode));
	di->atime_ns = cpu_to_le32(inode_get_atime_nsec(inode));
	di->mtime = cpu_to_le64(inode_get_mtime_sec(inode));
	di->mtime_ns = cpu_to_le32(inode_get_mtime_nsec(inode));
	di->ctime = cpu_to_le64(inode_get_ctime_sec(inode));
	di->ctime_ns = cpu_to_le32(inode_get_ctime_nsec(inode));
	di->btime = cpu_to_le64(mi->i_btime.tv_sec);
	di->btime_ns = cpu_to_le32(mi->i_btime.tv_nsec);
	di->generation = cpu_to_le32(inode->i_generation);
	di->parent = cpu_to_le64(mi->i_parent);
	di->entries = cpu_to_le64(mi->i_entries);
	di->dir_depth = cpu_to_le32(mi->i_dir_depth);
	di->flags = cpu_to_le32(READ_ONCE(mi->i_attrs) |
				(test_bit(MSYNCFS_I_ATOMIC, &mi->i_flags) ?
				 MSYNCFS_INODE_ATOMIC : 0));
}

/**
 * msyncfs_op_add_inode - make the state of an inode part of the transaction
 * @op: open handle with a credit for the inode's block
 * @inode: inode
 * @data: true if fdatasync() must make the change durable
 *
 * Context: inside @op; takes i_lock; may sleep. If two tasks call this function
 * for the same inode, the block gets the state that the later call reads.
 */
void msyncfs_op_add_inode(struct msyncfs_op *op, struct inode *inode,
			  bool data)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	msyncfs_op_dirty(op, mi->i_bh);

	spin_lock(&inode->i_lock);
	clear_bit(MSYNCFS_I_DIRTY, &mi->i_flags);
	/*
	 * The barrier makes sure that the bit is clear before the state is
	 * read. A task that changes the state after this read sets the bit
	 * again (msyncfs_dirty_inode() in mm/sync.c). So a later sync writes
	 * the change.
	 */
	smp_mb__after_atomic();
	msyncfs_iblock_encode(inode);
	spin_unlock(&inode->i_lock);

	WRITE_ONCE(mi->i_tid, op->tid);
	if (data)
		WRITE_ONCE(mi->i_data_tid, op->tid);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_op_add_inode);
