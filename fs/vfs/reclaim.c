// SPDX-License-Identifier: GPL-2.0
/*
 * At mount, this file processes the orphan list that the last mount has left.
 * orphan.c keeps the list, inode.c deletes inodes and truncate.c truncates
 * them.
 */
#include <linux/fs.h>

#include "orphan.h"

/*
 * Reads the inode @ino and appends it to the list in memory. Sets *@next to the
 * number of the next inode on the list on disk.
 */
static int orphan_load(struct super_block *sb, u64 ino, u64 *next)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	struct msyncfs_inode_info *mi;
	struct inode *inode;

	inode = msyncfs_iget(sb, ino);
	if (IS_ERR(inode)) {
		msyncfs_err(sb, "orphan list: inode %llu cannot be read", ino);
		return PTR_ERR(inode) == -ESTALE ? -EFSCORRUPTED :
						   PTR_ERR(inode);
	}
	mi = MSYNCFS_I(inode);
	if (inode->i_nlink && !S_ISREG(inode->i_mode)) {
		msyncfs_err(sb, "orphan list: inode %llu is in use", ino);
		iput(inode);
		return -EFSCORRUPTED;
	}
	if (test_and_set_bit(MSYNCFS_I_ORPHAN, &mi->i_flags)) {
		msyncfs_err(sb, "orphan list: inode %llu is on it twice", ino);
		iput(inode);	/* the list has another reference */
		return -EFSCORRUPTED;
	}
	*next = le64_to_cpu(msyncfs_iblock(inode)->orphan_next);
	list_add_tail(&mi->i_orphan, &sbi->orphans->list);
	return 0;
}

/* Drops all inodes without deleting them, because the mount fails. */
static void orphan_unload(struct msyncfs_sb_info *sbi)
{
	struct msyncfs_inode_info *mi, *tmp;

	list_for_each_entry_safe(mi, tmp, &sbi->orphans->list, i_orphan) {
		struct inode *inode = &mi->vfs_inode;

		msyncfs_orphan_leave(inode);
		/*
		 * Set a link in memory only, so that the eviction does not
		 * delete the inode.
		 */
		if (!inode->i_nlink) {
			set_nlink(inode, 1);
			remove_inode_hash(inode);	/* no lookup finds it */
		}
		iput(inode);
	}
}

/* Finishes a truncation. Frees the blocks beyond the end of the file. */
static int orphan_truncate(struct inode *inode)
{
	u64 first = DIV_ROUND_UP_ULL(i_size_read(inode), MSYNCFS_BLOCK_SIZE);
	struct msyncfs_op op;
	int err;

	err = msyncfs_truncate_blocks(inode, first);
	if (err)
		return err;
	/*
	 * msyncfs_truncate_blocks() removes the inode from the list in its last
	 * operation. Call msyncfs_orphan_del() nevertheless: an inode that is evicted
	 * while it is on the list waits for the next mount.
	 */
	err = msyncfs_op_begin(inode->i_sb, &op, 2, 0);
	if (err)
		return err;
	err = msyncfs_orphan_del(&op, inode);
	msyncfs_op_end(&op);
	return err;
}

static int orphan_load_all(struct msyncfs_sb_info *sbi)
{
	u64 ino = le64_to_cpu(msyncfs_orphan_root(sbi->orphans)->orphan_head);
	int err = 0;

	while (ino && !err)
		err = orphan_load(sbi->sb, ino, &ino);
	if (err)
		orphan_unload(sbi);
	return err;
}

/*
 * Reads all inodes of the list into memory and then processes each inode.
 * msyncfs_orphan_del() needs the neighbour of an inode in memory. If an inode
 * cannot be truncated, reports the inode and leaves it on the list on disk. If a
 * file handle has led a task to an inode without links, the inode stays on both
 * lists, and this task deletes it later.
 */
static int orphan_recover(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	unsigned int deleted = 0, truncated = 0;
	struct msyncfs_inode_info *mi, *next;
	struct inode *inode;
	int err;

	err = orphan_load_all(sbi);
	if (err)
		return err;

	/* The list has a reference to each inode, so @next stays. */
	list_for_each_entry_safe(mi, next, &sbi->orphans->list, i_orphan) {
		inode = &mi->vfs_inode;
		if (!inode->i_nlink) {
			deleted++;
		} else {
			truncated++;
			err = orphan_truncate(inode);
			if (err) {
				msyncfs_err(sb,
					    "inode %llu: cannot be truncated: %d",
					    (u64)inode->i_ino, err);
				msyncfs_orphan_leave(inode);
			}
		}
		iput(inode);	/* deletes an inode without links */
	}
	if (deleted || truncated)
		msyncfs_info(sb, "orphans: %u deleted, %u truncated", deleted,
			     truncated);
	return 0;
}

/**
 * msyncfs_reclaim - process the orphan list of the last mount
 * @sb: filesystem that is being mounted or made writable
 *
 * Deletes the inodes that have no links. For each other inode on the list,
 * frees the blocks beyond the end of the file. The caller has replayed the log
 * and started it, so operations are possible. During a mount SB_ACTIVE is not
 * set, so the last iput() evicts an inode at once.
 *
 * Context: may sleep and wait for commits.
 * Return: 0; -EIO, -EUCLEAN or -EFBIG (logged) if the list is damaged or an
 * inode on it cannot be read; -ENOMEM.
 */
int msyncfs_reclaim(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	int err;

	set_bit(MSYNCFS_SB_RECLAIMING, &sbi->state);
	err = orphan_recover(sb);
	clear_bit(MSYNCFS_SB_RECLAIMING, &sbi->state);
	if (!err)
		clear_bit(MSYNCFS_SB_ORPHANS_TODO, &sbi->state);
	return err;
}
