// SPDX-License-Identifier: GPL-2.0
/*
 * The overlay of an atomic file: how its next commit is going to change its
 * map. It lives in memory alone, so that nothing of it can get into a record
 * before that commit (R1). When the map changes, and when pages are spilled,
 * is fs/atomic.c's business.
 *
 * It is a tree from ranges of indexes to values. The value 0 is a hole: what
 * the map has there is to be freed. Any other says on which blocks pages are, by
 * the distance from index to block, which is one for all of a run: these blocks
 * are claimed in the allocator and in no bitmap, the pages are spilled. What is
 * not in the tree is as the map says.
 *
 * A page that is spilled again goes to the same block: nothing committed refers
 * to it. A block may also be entered before it is written, as long as its page
 * is dirty: then the page cache has the content, whatever becomes of the write.
 */
#include <kunit/visibility.h>
#include <linux/maple_tree.h>
#include <linux/xarray.h>

#include "map.h"

/* Added to the distance from index to block, so that it is positive. */
#define MSYNCFS_OVERLAY_BIAS	(1ULL << 57)

static void *msyncfs_overlay_entry(u64 index, u64 blkno)
{
	return xa_mk_value(MSYNCFS_OVERLAY_BIAS + blkno - index);
}

static u64 msyncfs_overlay_blkno(void *entry, u64 index)
{
	u64 value = xa_to_value(entry);

	return value ? value - MSYNCFS_OVERLAY_BIAS + index : 0;
}

/**
 * msyncfs_overlay_next - find the next entry of the overlay
 * @inode: inode
 * @index: where to begin
 * @last: last index to look at, inclusive, at most MSYNCFS_LAST_INDEX
 * @ext: what is found, cut to the range: a hole, or pages on blocks that follow
 *	each other; the next may continue it
 *
 * Context: any.
 * Return: false if there is nothing in the range.
 */
bool msyncfs_overlay_next(struct inode *inode, u64 index, u64 last,
			  struct msyncfs_extent *ext)
{
	MA_STATE(mas, &MSYNCFS_I(inode)->i_overlay, index, index);
	void *entry;

	if (index > last || mtree_empty(mas.tree))
		return false;
	rcu_read_lock();
	entry = mas_find(&mas, last);
	if (!entry) {
		rcu_read_unlock();
		return false;
	}
	ext->index = max_t(u64, index, mas.index);
	ext->len = min_t(u64, last, mas.last) - ext->index + 1;
	ext->blkno = msyncfs_overlay_blkno(entry, ext->index);
	ext->unwritten = false;
	rcu_read_unlock();
	return true;
}

/**
 * msyncfs_overlay_uncommitted - would a commit change the map or the size?
 * @inode: atomic file
 *
 * Context: exact under i_commit_lock and the freeze; else a hint.
 * Return: true if so, also without any dirty page.
 */
bool msyncfs_overlay_uncommitted(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	return !mtree_empty(&mi->i_overlay) ||
	       i_size_read(inode) != READ_ONCE(mi->i_disksize);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_overlay_uncommitted);

/* What is said of [@first, @last] from now on; NULL: nothing. */
static void msyncfs_overlay_store(struct inode *inode, u64 first, u64 last,
				  void *entry)
{
	MA_STATE(mas, &MSYNCFS_I(inode)->i_overlay, first, first);

	lockdep_assert_held(&MSYNCFS_I(inode)->i_commit_lock);

	/* What continues a run, or a hole, is part of it. */
	rcu_read_lock();
	if (entry && first) {
		mas_set(&mas, first - 1);
		if (mas_walk(&mas) == entry)
			first = mas.index;
	}
	if (entry && last < MSYNCFS_LAST_INDEX) {
		mas_set(&mas, last + 1);
		if (mas_walk(&mas) == entry)
			last = mas.last;
	}
	rcu_read_unlock();
	WARN_ON_ONCE(mtree_store_range(mas.tree, first, last, entry,
				       GFP_NOFS | __GFP_NOFAIL));
}

/* Gives the blocks of spilled pages back; their reservations are others' to end. */
static void msyncfs_overlay_unclaim(struct inode *inode, u64 first, u64 last)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_extent over;

	while (msyncfs_overlay_next(inode, first, last, &over)) {
		if (over.blkno) {
			msyncfs_unclaim(inode->i_sb, over.blkno, over.len);
			msyncfs_unhold(inode->i_sb, over.len, true);
			WRITE_ONCE(mi->i_spilled, mi->i_spilled - over.len);
		}
		first = over.index + over.len;
	}
}

/**
 * msyncfs_overlay_enter - pages that are to be spilled have got their blocks
 * @inode: atomic file
 * @index: first page
 * @blkno: its block, claimed; those of the next pages follow it
 * @len: pages
 *
 * The caller makes the pages dirty again if they cannot be written.
 *
 * Context: caller holds i_commit_lock.
 */
void msyncfs_overlay_enter(struct inode *inode, u64 index, u64 blkno, u64 len)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	msyncfs_overlay_store(inode, index, index + len - 1,
			      msyncfs_overlay_entry(index, blkno));
	WRITE_ONCE(mi->i_spilled, mi->i_spilled + len);
}

/**
 * msyncfs_overlay_hole - a range of an atomic file is a hole from now on
 * @inode: atomic file
 * @first: first page
 * @last: last page, inclusive, at most MSYNCFS_LAST_INDEX
 *
 * Blocks of spilled pages are given back. What the map has there is freed by
 * the next commit.
 *
 * Context: caller holds i_commit_lock, and invalidate_lock exclusively with the
 * pages dropped, or the range lies beyond the end.
 */
void msyncfs_overlay_hole(struct inode *inode, u64 first, u64 last)
{
	struct msyncfs_extent ext = {};

	if (first > last)
		return;
	msyncfs_overlay_unclaim(inode, first, last);
	/* A map that cannot be read is for the commit to complain about. */
	if (msyncfs_map_committed(inode, first, last - first + 1, &ext) ||
	    ext.blkno || ext.len < last - first + 1) {
		msyncfs_overlay_store(inode, first, last, xa_mk_value(0));
		return;
	}
	/* A hole it is already. An empty tree costs nobody anything. */
	if (!msyncfs_overlay_next(inode, first, last, &ext))
		return;
	msyncfs_overlay_store(inode, first, last, NULL);
	if (!msyncfs_overlay_next(inode, 0, MSYNCFS_LAST_INDEX, &ext))
		mtree_destroy(&MSYNCFS_I(inode)->i_overlay);
}

/**
 * msyncfs_overlay_clear - the map says all that the overlay said
 * @inode: atomic file
 *
 * Context: caller holds i_commit_lock.
 * Return: claimed blocks that were in it.
 */
u64 msyncfs_overlay_clear(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 nr = mi->i_spilled;

	lockdep_assert_held(&mi->i_commit_lock);

	mtree_destroy(&mi->i_overlay);
	WRITE_ONCE(mi->i_spilled, 0);
	clear_bit(MSYNCFS_I_SPILLED, &mi->i_flags);
	return nr;
}

/**
 * msyncfs_overlay_discard - what has not been committed will not be
 * @inode: inode; its pages have been dropped
 *
 * Reservations are the caller's to end.
 *
 * Context: caller holds i_commit_lock, or has the inode to itself; may sleep on
 * alloc_lock.
 */
void msyncfs_overlay_discard(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	if (mtree_empty(&mi->i_overlay))
		return;
	msyncfs_overlay_unclaim(inode, 0, MSYNCFS_LAST_INDEX);
	mtree_destroy(&mi->i_overlay);
	clear_bit(MSYNCFS_I_SPILLED, &mi->i_flags);
}
