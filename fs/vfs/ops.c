// SPDX-License-Identifier: GPL-2.0
/*
 * This file gives each inode the tables of operations for its type. The tables
 * are defined in the files that implement the operations.
 */
#include <linux/fs.h>
#include <linux/pagemap.h>

#include "vfs.h"

/**
 * msyncfs_set_ops - set the operations of an inode and of its mapping
 * @inode: inode; i_mode and i_bh are valid
 * @rdev: device number of a device node
 *
 * Context: no other task can use the inode yet.
 */
void msyncfs_set_ops(struct inode *inode, dev_t rdev)
{
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &msyncfs_file_inode_operations;
		inode->i_fop = &msyncfs_file_operations;
		inode->i_mapping->a_ops = &msyncfs_aops;
		/*
		 * A page must not change while it is written to a fresh block.
		 */
		mapping_set_stable_writes(inode->i_mapping);
		/*
		 * Before the kernel drops a page, the kernel must call
		 * msyncfs_release_folio() (B4).
		 */
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
