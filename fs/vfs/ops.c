// SPDX-License-Identifier: GPL-2.0
/*
 * Which inode gets which table of operations.
 */
#include <linux/fs.h>
#include <linux/pagemap.h>

#include "vfs.h"

/**
 * msyncfs_set_ops - set the operations of an inode, and its mapping
 * @inode: inode; its mode and its block are there
 * @rdev: device number, for a device node
 *
 * Context: the caller has the inode to itself.
 */
void msyncfs_set_ops(struct inode *inode, dev_t rdev)
{
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &msyncfs_file_inode_operations;
		inode->i_fop = &msyncfs_file_operations;
		inode->i_mapping->a_ops = &msyncfs_aops;
		/* Pages on their way to fresh blocks must not change. */
		mapping_set_stable_writes(inode->i_mapping);
		mapping_set_release_always(inode->i_mapping);
		break;
	case S_IFDIR:
		inode->i_op = &msyncfs_dir_inode_operations;
		inode->i_fop = &msyncfs_dir_operations;
		break;
	case S_IFLNK:
		inode->i_op = &msyncfs_symlink_inode_operations;
		break;
	default:
		inode->i_op = &msyncfs_special_inode_operations;
		init_special_inode(inode, inode->i_mode, rdev);
	}
}
