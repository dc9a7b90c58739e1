// SPDX-License-Identifier: GPL-2.0
/*
 * The orphan list (B5): inodes that are to be deleted, or cut to their size,
 * when whoever uses them is done. On disk it is singly linked, from the root
 * block through the inode blocks, newest first; in memory a list holds
 * the same inodes in the same order. This file keeps the two in step and works
 * the list off at mount; deleting and truncating is inode.c's.
 *
 * An inode whose deletion failed leaves memory and stays on disk for the next
 * mount. So between two neighbours in memory there may be more on disk, but
 * never the other way round.
 */
#include <linux/fs.h>
#include <linux/slab.h>

#include "orphan.h"

static struct msyncfs_disk_inode *orphan_disk(struct buffer_head *bh)
{
	return (struct msyncfs_disk_inode *)bh->b_data;
}

static __le64 *orphan_link(struct msyncfs_orphans *orphans,
			   struct buffer_head *bh)
{
	if (bh == orphans->root_bh)
		return &msyncfs_orphan_root(orphans)->orphan_head;
	return &orphan_disk(bh)->orphan_next;
}

/**
 * msyncfs_orphans_init - read the head of the orphan list
 * @sb: filesystem; the log has been replayed
 *
 * Context: mount; may sleep and do I/O.
 * Return: 0, -ENOMEM, -EIO, -EUCLEAN; msyncfs_orphans_exit() must follow in each
 * case.
 */
int msyncfs_orphans_init(struct super_block *sb)
{
	struct msyncfs_orphans *orphans = kzalloc(sizeof(*orphans), GFP_KERNEL);
	struct buffer_head *bh;

	if (!orphans)
		return -ENOMEM;
	MSYNCFS_SB(sb)->orphans = orphans;
	mutex_init(&orphans->lock);
	INIT_LIST_HEAD(&orphans->list);
	bh = msyncfs_bread(sb, MSYNCFS_ROOT_BLKNO, MSYNCFS_MAGIC_ROOT, 0);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	orphans->root_bh = bh;
	return 0;
}

/**
 * msyncfs_orphans_exit - drop the list in memory
 * @sb: filesystem that nobody uses any more, or whose mount has failed
 */
void msyncfs_orphans_exit(struct super_block *sb)
{
	struct msyncfs_orphans *orphans = MSYNCFS_SB(sb)->orphans;

	if (!orphans)
		return;
	brelse(orphans->root_bh);
	MSYNCFS_SB(sb)->orphans = NULL;
	kfree(orphans);
}

/*
 * Takes out what an earlier life of @inode has left on the list on disk: an
 * entry of its own would make a cycle of it.
 */
static void orphan_cut_old(struct msyncfs_op *op, struct msyncfs_sb_info *sbi,
			   struct inode *inode)
{
	struct buffer_head *bh = sbi->orphans->root_bh;
	u64 left = sbi->geo.blocks;
	u64 next;

	get_bh(bh);
	while ((next = le64_to_cpu(*orphan_link(sbi->orphans, bh))) && left--) {
		if (next == inode->i_ino) {
			msyncfs_op_dirty(op, bh);
			*orphan_link(sbi->orphans, bh) =
				orphan_disk(MSYNCFS_I(inode)->i_bh)->orphan_next;
			break;
		}
		brelse(bh);
		bh = msyncfs_bread(sbi->sb, next, MSYNCFS_MAGIC_INODE, next);
		if (IS_ERR(bh)) {
			msyncfs_abort(sbi->sb, "the orphan list is damaged",
				      PTR_ERR(bh));
			return;
		}
	}
	brelse(bh);
}

/**
 * msyncfs_orphan_add - put an inode on the orphan list
 * @op: operation that drops the last link, or begins to truncate
 * @inode: inode; nothing happens if it is on the list already
 *
 * Dirties two blocks: the root block and the inode's; after a failed deletion
 * or truncation perhaps a third.
 *
 * Context: inside @op; takes orphans->lock; may sleep.
 */
void msyncfs_orphan_add(struct msyncfs_op *op, struct inode *inode)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_disk_root *root = msyncfs_orphan_root(sbi->orphans);

	if (msyncfs_breaks(ORPHAN))
		return;
	mutex_lock(&sbi->orphans->lock);
	if (!test_and_set_bit(MSYNCFS_I_ORPHAN, &mi->i_flags)) {
		msyncfs_op_dirty(op, mi->i_bh);
		msyncfs_op_dirty(op, sbi->orphans->root_bh);
		if (sbi->orphans->left)
			orphan_cut_old(op, sbi, inode);
		orphan_disk(mi->i_bh)->orphan_next = root->orphan_head;
		root->orphan_head = cpu_to_le64(inode->i_ino);
		list_add(&mi->i_orphan, &sbi->orphans->list);
	}
	mutex_unlock(&sbi->orphans->lock);
}

/* The block that leads to the next newer orphan in memory, or the root block. */
static struct buffer_head *orphan_newer(struct msyncfs_sb_info *sbi,
					struct msyncfs_inode_info *mi)
{
	if (list_is_first(&mi->i_orphan, &sbi->orphans->list))
		return sbi->orphans->root_bh;
	return list_prev_entry(mi, i_orphan)->i_bh;
}

/*
 * Finds the block whose link leads to @inode: that of its neighbour in memory
 * or, behind it, one of an inode that was left on disk. Returns it referenced.
 */
static struct buffer_head *orphan_before(struct msyncfs_sb_info *sbi,
					 struct inode *inode)
{
	struct buffer_head *bh = orphan_newer(sbi, MSYNCFS_I(inode));
	u64 left = sbi->geo.blocks;
	u64 next;

	get_bh(bh);
	while ((next = le64_to_cpu(*orphan_link(sbi->orphans, bh))) != inode->i_ino) {
		brelse(bh);
		if (!next || !left--)
			return ERR_PTR(-EFSCORRUPTED);
		bh = msyncfs_bread(sbi->sb, next, MSYNCFS_MAGIC_INODE, next);
		if (IS_ERR(bh))
			return bh;
	}
	return bh;
}

/**
 * msyncfs_orphan_del - take an inode off the orphan list
 * @op: operation that deletes the inode, names it or has finished to truncate
 * @inode: inode; nothing happens if it is not on the list
 *
 * Whoever has finished to truncate an inode calls this only if it still has
 * links: one without stays on the list until it is deleted. Dirties two
 * blocks: the inode's and the one before it on the list.
 *
 * Context: inside @op; takes orphans->lock; may sleep.
 * Return: 0; -EIO, -EUCLEAN: it is still on the list, which is damaged on disk
 */
int msyncfs_orphan_del(struct msyncfs_op *op, struct inode *inode)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct buffer_head *bh;
	int err = 0;

	mutex_lock(&sbi->orphans->lock);
	if (!test_bit(MSYNCFS_I_ORPHAN, &mi->i_flags))
		goto unlock;
	bh = orphan_before(sbi, inode);
	if (IS_ERR(bh)) {
		err = PTR_ERR(bh);
		msyncfs_err(inode->i_sb,
			    "inode %lu: not found on the orphan list",
			    inode->i_ino);
		goto unlock;
	}
	msyncfs_op_dirty(op, bh);
	msyncfs_op_dirty(op, mi->i_bh);
	*orphan_link(sbi->orphans, bh) = orphan_disk(mi->i_bh)->orphan_next;
	orphan_disk(mi->i_bh)->orphan_next = 0;
	list_del_init(&mi->i_orphan);
	clear_bit(MSYNCFS_I_ORPHAN, &mi->i_flags);
	brelse(bh);
unlock:
	mutex_unlock(&sbi->orphans->lock);
	return err;
}

/**
 * msyncfs_orphan_leave - the inode leaves memory and stays on the list on disk
 * @inode: inode; nothing happens if it is not on the list
 *
 * The end of every eviction, for those that could not be deleted: sbi->orphans
 * must not hold an inode that is gone. The next mount tries again.
 *
 * Context: takes orphans->lock; may sleep; no operation needed.
 */
void msyncfs_orphan_leave(struct inode *inode)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	/* Nobody else can put an inode on the list that is being evicted. */
	if (!test_bit(MSYNCFS_I_ORPHAN, &mi->i_flags))
		return;
	mutex_lock(&sbi->orphans->lock);
	list_del_init(&mi->i_orphan);
	clear_bit(MSYNCFS_I_ORPHAN, &mi->i_flags);
	sbi->orphans->left = true;
	mutex_unlock(&sbi->orphans->lock);
}

/**
 * msyncfs_unfinished - may a truncation have ended early
 * @inode: regular file
 *
 * Context: any.
 * Return: true if there may be blocks beyond the end, of this life of the inode
 * or one before.
 */
bool msyncfs_unfinished(struct inode *inode)
{
	return inode->i_nlink &&
	       (test_bit(MSYNCFS_I_ORPHAN, &MSYNCFS_I(inode)->i_flags) ||
		READ_ONCE(MSYNCFS_SB(inode->i_sb)->orphans->left));
}
