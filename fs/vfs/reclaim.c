// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim at mount: works the orphan list off, which a crash has left.
 */
#include <linux/fs.h>

#include "orphan.h"

/* Loads the inode @ino and puts it at the old end of the list in memory. */
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
		iput(inode);	/* not the last reference: the list has one */
		return -EFSCORRUPTED;
	}
	*next = le64_to_cpu(msyncfs_iblock(inode)->orphan_next);
	list_add_tail(&mi->i_orphan, &sbi->orphans->list);
	return 0;
}

/* The mount fails: lets go of the inodes without deleting them. */
static void orphan_unload(struct msyncfs_sb_info *sbi)
{
	struct msyncfs_inode_info *mi, *tmp;

	list_for_each_entry_safe(mi, tmp, &sbi->orphans->list, i_orphan) {
		struct inode *inode = &mi->vfs_inode;

		msyncfs_orphan_leave(inode);
		/* In memory only, so that eviction has no work to do. */
		if (!inode->i_nlink) {
			set_nlink(inode, 1);
			remove_inode_hash(inode);	/* not to be found */
		}
		iput(inode);
	}
}

/* Frees the blocks beyond the size, which a crash has interrupted. */
static int orphan_truncate(struct inode *inode)
{
	u64 first = DIV_ROUND_UP_ULL(i_size_read(inode), MSYNCFS_BLOCK_SIZE);
	struct msyncfs_op op;
	int err;

	err = msyncfs_truncate_blocks(inode, first);
	if (err)
		return err;
	/* It has done this itself if there was anything to free. */
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
 * All are loaded before the first is dealt with, because taking one off the list
 * needs its neighbour. An inode that cannot be dealt with is reported and stays on
 * the list.
 */
static int orphan_recover(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	unsigned int deleted = 0, truncated = 0;
	struct msyncfs_inode_info *mi;
	struct inode *inode;
	int err;

	err = orphan_load_all(sbi);
	if (err)
		return err;

	while (!list_empty(&sbi->orphans->list)) {
		mi = list_first_entry(&sbi->orphans->list, struct msyncfs_inode_info,
				      i_orphan);
		inode = &mi->vfs_inode;
		if (!inode->i_nlink) {
			deleted++;
		} else {
			truncated++;
			err = orphan_truncate(inode);
			if (err) {
				msyncfs_err(sb,
					    "inode %lu: cannot be truncated: %d",
					    inode->i_ino, err);
				msyncfs_orphan_leave(inode);
			}
		}
		iput(inode);	/* deletes it if it has no links */
	}
	if (deleted || truncated)
		msyncfs_info(sb, "orphans: %u deleted, %u truncated", deleted,
			     truncated);
	return 0;
}

/**
 * msyncfs_reclaim - delete and truncate what a crash has interrupted
 * @sb: filesystem being mounted or made writable, log replayed, operations
 *	possible; while it is being mounted SB_ACTIVE is not set, so that the
 *	last iput() evicts
 *
 * Deletes inodes without links and truncates the others to their size.
 *
 * Context: may sleep.
 * Return: 0; -EIO, -EUCLEAN: the list is damaged, which has been reported.
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
