// SPDX-License-Identifier: GPL-2.0
/*
 * The overlay of an atomic file: what the next commit of the file changes of
 * its map. The overlay is in memory only, so none of it can get into a record
 * before that commit (R1). fs/vfs/atomic.c decides when the file gets a hole,
 * and fs/place/spill.c decides when pages are spilled.
 *
 * The overlay is a tree from ranges of indexes to values. The value 0 is a
 * hole: the commit frees the blocks that the map has there. Any other value
 * stands for a run of pages on contiguous blocks. It is the distance from index
 * to block, which is the same for all pages of the run. These blocks are
 * claimed, so no bitmap names them. Where the tree has no entry, the map is
 * valid.
 *
 * A page that is spilled again goes to the same block, because no committed
 * state refers to that block. A block may enter the overlay before it is
 * written, as long as its page is dirty. The page cache has the content then,
 * even if the write fails.
 */
#include <kunit/visibility.h>
#include <linux/maple_tree.h>
#include <linux/xarray.h>

#include "map.h"

/* A constant that makes the distance from index to block positive. */
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
 * @index: first index to look at
 * @last: last index to look at, inclusive, at most MSYNCFS_LAST_INDEX
 * @ext: set to the part of the entry that lies in the range. This part is a
 *	hole, or a run of pages on contiguous blocks. The next entry may
 *	continue the hole or the run
 *
 * Context: any; takes the RCU read lock.
 * Return: false if the range has no entry; @ext is not set then.
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
 * Dirty pages do not count.
 *
 * Context: exact under i_commit_lock and the freeze; otherwise a hint.
 * Return: true if the overlay has an entry or the size is not committed.
 */
bool msyncfs_overlay_uncommitted(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	return !mtree_empty(&mi->i_overlay) ||
	       i_size_read(inode) != READ_ONCE(mi->i_disksize);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_overlay_uncommitted);

/* Sets the entry of [@first, @last]. NULL removes entries from the range. */
static void msyncfs_overlay_store(struct inode *inode, u64 first, u64 last,
				  void *entry)
{
	MA_STATE(mas, &MSYNCFS_I(inode)->i_overlay, first, first);

	lockdep_assert_held(&MSYNCFS_I(inode)->i_commit_lock);

	/* Neighbours with the same value become part of the entry. */
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

/* Unclaims the blocks in a range. The caller ends the reservations. */
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
 * msyncfs_overlay_enter - enter the blocks of pages that will be written to
 * them
 * @inode: atomic file
 * @index: first page
 * @blkno: block of that page; the blocks of the other pages follow it; all are
 *	claimed
 * @len: number of pages
 *
 * If the pages cannot be written, the caller makes them dirty again.
 *
 * Context: caller holds i_commit_lock; may sleep.
 */
void msyncfs_overlay_enter(struct inode *inode, u64 index, u64 blkno, u64 len)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	msyncfs_overlay_store(inode, index, index + len - 1,
			      msyncfs_overlay_entry(index, blkno));
	WRITE_ONCE(mi->i_spilled, mi->i_spilled + len);
}

/**
 * msyncfs_overlay_hole - make a range of an atomic file a hole
 * @inode: atomic file
 * @first: first page
 * @last: last page, inclusive, at most MSYNCFS_LAST_INDEX
 *
 * The blocks of spilled pages are given back here. The next commit frees the
 * blocks that the map has in the range.
 *
 * Context: caller holds i_commit_lock. The caller also holds invalidate_lock
 * exclusively and has dropped the pages, unless the range lies beyond the end
 * of the file. May sleep and read map nodes.
 */
void msyncfs_overlay_hole(struct inode *inode, u64 first, u64 last)
{
	struct msyncfs_extent ext = {};

	if (first > last)
		return;
	msyncfs_overlay_unclaim(inode, first, last);
	/* If the map cannot be read, the commit returns the error. */
	if (msyncfs_map_committed(inode, first, last - first + 1, &ext) ||
	    ext.blkno || ext.len < last - first + 1) {
		msyncfs_overlay_store(inode, first, last, xa_mk_value(0));
		return;
	}
	/*
	 * The map has a hole there, so no entry is needed. An empty tree makes
	 * msyncfs_map_lookup() fast.
	 */
	if (!msyncfs_overlay_next(inode, first, last, &ext))
		return;
	msyncfs_overlay_store(inode, first, last, NULL);
	if (!msyncfs_overlay_next(inode, 0, MSYNCFS_LAST_INDEX, &ext))
		mtree_destroy(&MSYNCFS_I(inode)->i_overlay);
}

/**
 * msyncfs_overlay_clear - empty the overlay in a commit
 * @inode: atomic file whose map has all changes of the overlay now
 *
 * Context: caller holds i_commit_lock; may sleep.
 * Return: number of claimed blocks that the overlay had. They are allocated
 * now, and the caller ends their claim.
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
 * msyncfs_overlay_discard - drop all changes that are not committed
 * @inode: inode whose pages have been dropped
 *
 * The blocks of spilled pages are given back. The caller ends the reservations.
 *
 * Context: caller holds i_commit_lock, or has the inode to itself; takes
 * space->lock; may sleep.
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
