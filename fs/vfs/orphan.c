// SPDX-License-Identifier: GPL-2.0
/*
 * This file keeps the orphan list (B5). The list names the inodes without links
 * and the inodes with an unfinished truncation. An inode without links is
 * deleted after its last use. On disk the list is singly linked: it leads from
 * the root block through the inode blocks, newest first. A second list lies in
 * memory and has the inodes in the same order as on disk. This file changes
 * both lists together. reclaim.c processes the list at mount, inode.c deletes
 * inodes, and truncate.c truncates them.
 *
 * If a deletion or a truncation fails, the inode leaves the list in memory and
 * stays on the list on disk. The next mount tries again to delete or truncate
 * the inode. So the list on disk has every inode of the list in memory. Between
 * two of these inodes, the list on disk may have further inodes.
 */
#include <kunit/visibility.h>
#include <linux/fs.h>
#include <linux/slab.h>

#include "orphan.h"

static struct msyncfs_disk_inode *orphan_disk(struct buffer_head *bh)
{
	return (struct msyncfs_disk_inode *)bh->b_data;
}

/*
 * Returns the link to the next inode. @bh is an inode block or the root block.
 */
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
 * The caller must call msyncfs_orphans_exit() later, even after an error.
 *
 * Context: mount; may sleep and do I/O.
 * Return: 0; -ENOMEM; -EIO; -EUCLEAN (logged).
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
	xa_init(&orphans->left);
	bh = msyncfs_bread(sb, MSYNCFS_ROOT_BLKNO, MSYNCFS_MAGIC_ROOT, 0);
	if (IS_ERR(bh))
		return MSYNCFS_SB(sb)->options.norecovery ? 0 : PTR_ERR(bh);
	orphans->root_bh = bh;
	return 0;
}

/**
 * msyncfs_orphans_exit - drop the list in memory
 * @sb: filesystem that nobody uses any more, or whose mount has failed
 *
 * Does nothing if msyncfs_orphans_init() has not been called.
 *
 * Context: may sleep.
 */
void msyncfs_orphans_exit(struct super_block *sb)
{
	struct msyncfs_orphans *orphans = MSYNCFS_SB(sb)->orphans;

	if (!orphans)
		return;
	brelse(orphans->root_bh);
	xa_destroy(&orphans->left);
	MSYNCFS_SB(sb)->orphans = NULL;
	kfree(orphans);
}

/*
 * Removes @inode from the list on disk. An earlier eviction may have left the
 * inode on this list. If the inode were on the list twice, the list would have
 * a cycle.
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
 * @op: operation that drops the last link, or that begins a truncation
 * @inode: inode; nothing happens if it is on the list already
 *
 * Dirties the root block and the inode's block. If the list on disk has inodes
 * that the list in memory does not have, this function may dirty a third block.
 *
 * Context: inside @op; takes orphans->lock; may sleep and do I/O.
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
		if (xa_erase(&sbi->orphans->left, inode->i_ino))
			orphan_cut_old(op, sbi, inode);
		orphan_disk(mi->i_bh)->orphan_next = root->orphan_head;
		root->orphan_head = cpu_to_le64(inode->i_ino);
		list_add(&mi->i_orphan, &sbi->orphans->list);
	}
	mutex_unlock(&sbi->orphans->lock);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_orphan_add);

/*
 * Returns the block of the next newer inode on the list in memory. If @mi is
 * the newest inode on this list, returns the root block.
 */
static struct buffer_head *orphan_newer(struct msyncfs_sb_info *sbi,
					struct msyncfs_inode_info *mi)
{
	if (list_is_first(&mi->i_orphan, &sbi->orphans->list))
		return sbi->orphans->root_bh;
	return list_prev_entry(mi, i_orphan)->i_bh;
}

/*
 * Finds the block whose link leads to @inode. The search begins at the block of
 * the newer neighbour in memory. From this block, the search follows the list
 * on disk. Returns the buffer, referenced.
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
 * msyncfs_orphan_del - remove an inode from the orphan list
 * @op: operation that deletes the inode, gives it a name or ends its truncation
 * @inode: inode; nothing happens if it is not on the list
 *
 * After a truncation, the caller calls this function only if the inode has
 * links. An inode without links stays on the list until it is deleted. Dirties
 * two blocks: the inode's block and the preceding block on the list.
 *
 * Context: inside @op; takes orphans->lock; may sleep and do I/O.
 * Return: 0; -EIO or -EUCLEAN (logged) if the list on disk is damaged. After an
 * error the inode is still on the list.
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
			    "inode %llu: not found on the orphan list",
			    (u64)inode->i_ino);
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
EXPORT_SYMBOL_IF_KUNIT(msyncfs_orphan_del);

/**
 * msyncfs_orphan_leave - remove an inode only from the list in memory
 * @inode: inode; nothing happens if it is not on the list
 *
 * Every eviction calls this function. If an inode could not be deleted or
 * truncated, it is still on both lists. This function removes the inode from
 * the list in memory, because an evicted inode is freed. The inode stays on the
 * list on disk, and the next mount deletes or truncates it.
 *
 * Context: takes orphans->lock; may sleep; needs no operation.
 */
void msyncfs_orphan_leave(struct inode *inode)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	/*
	 * While an inode is being evicted, no other task can put it on the
	 * list. So this test needs no lock.
	 */
	if (!test_bit(MSYNCFS_I_ORPHAN, &mi->i_flags))
		return;
	mutex_lock(&sbi->orphans->lock);
	list_del_init(&mi->i_orphan);
	clear_bit(MSYNCFS_I_ORPHAN, &mi->i_flags);
	xa_store(&sbi->orphans->left, inode->i_ino, xa_mk_value(0),
		 GFP_NOFS | __GFP_NOFAIL);
	mutex_unlock(&sbi->orphans->lock);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_orphan_leave);

/**
 * msyncfs_unfinished - tell whether a truncation may have ended early
 * @inode: regular file
 *
 * The truncation may have run before the inode was last read into memory.
 *
 * Context: any.
 * Return: true if the inode has links and may have blocks beyond the end of the
 * file.
 */
bool msyncfs_unfinished(struct inode *inode)
{
	return inode->i_nlink &&
	       (test_bit(MSYNCFS_I_ORPHAN, &MSYNCFS_I(inode)->i_flags) ||
		xa_load(&MSYNCFS_SB(inode->i_sb)->orphans->left,
			inode->i_ino));
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_unfinished);
