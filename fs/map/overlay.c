// SPDX-License-Identifier: GPL-2.0
/*
 * The overlay of an atomic file says what the next commit of the file changes
 * in the map of the file. The overlay is in memory only, so no record can
 * contain a part of these changes before this commit (R1). fs/vfs/atomic.c
 * decides when the file gets a hole. fs/place/spill.c decides when pages are
 * spilled.
 *
 * The overlay is a tree that maps ranges of indexes to values. The value 0
 * stands for a hole: the commit frees the blocks that the map has in this
 * range. Any other value stands for a run of pages on contiguous blocks. This
 * value is the distance from index to block, plus a constant. The distance is
 * the same for all pages of the run. The blocks of the run are claimed, and
 * their bits in the bitmap are clear. If the tree has no entry for an index,
 * the map says which block holds the page.
 *
 * If a page is spilled a second time before the commit, the new content
 * overwrites the block of the first spill. The overwrite is safe, because no
 * committed state refers to this block. A block may enter the overlay before
 * its page is written to the block, because the page stays in the page cache
 * until the write ends. If the write fails, the page becomes dirty again.
 */
#include <kunit/visibility.h>
#include <linux/maple_tree.h>
#include <linux/xarray.h>

#include "map.h"

/* The sum of this constant and the distance from index to block is positive. */
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
 * Return: true if the range has an entry. If the function returns false, it has
 * not set @ext.
 */
bool msyncfs_overlay_next(struct inode *inode, u64 index, u64 last,
			  struct msyncfs_extent *ext)
{
	MA_STATE(mas, &MSYNCFS_I(inode)->i_overlay, index, index);
	void *entry;

	if (index > last || mtree_empty(mas.tree))
		return false;
	rcu_read_lock();
	/*
	 * Do not use mas_find(). When a commit empties the tree between two
	 * steps of mas_find(), mas_next_slot() uses a NULL pointer. mas_walk()
	 * starts again and finds the tree empty.
	 */
	for (;;) {
		entry = mas_walk(&mas);
		if (entry || mas.last >= last)
			break;
		mas_set(&mas, mas.last + 1);
	}
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
 * msyncfs_overlay_uncommitted - tell whether the map or the size has changed
 * @inode: atomic file
 *
 * The function looks for changes since the last commit. Dirty pages that are
 * not in the overlay do not count.
 *
 * Context: any. The result is exact if the caller holds i_commit_lock and the
 * file is frozen. Otherwise the result is a hint.
 * Return: true if the overlay has an entry, or if the size differs from the
 * committed size.
 */
bool msyncfs_overlay_uncommitted(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	return !mtree_empty(&mi->i_overlay) ||
	       i_size_read(inode) != READ_ONCE(mi->i_disksize);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_overlay_uncommitted);

/*
 * Sets the entry of [@first, @last] to @entry. If @entry is NULL, the function
 * removes all entries from the range.
 */
static void msyncfs_overlay_store(struct inode *inode, u64 first, u64 last,
				  void *entry)
{
	MA_STATE(mas, &MSYNCFS_I(inode)->i_overlay, first, first);

	lockdep_assert_held(&MSYNCFS_I(inode)->i_commit_lock);

	/* Neighbouring entries of the same value become part of this entry. */
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

/*
 * Unclaims the blocks that the overlay has in a range. The caller ends the
 * reservations of the pages in the range.
 */
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
 * msyncfs_overlay_enter - enter a run of pages and their blocks in the overlay
 * @inode: atomic file
 * @index: first page
 * @blkno: block of the first page; the next pages get the next blocks. All
 *	these blocks are claimed
 * @len: number of pages
 *
 * The caller writes the pages to these blocks after this call. If the write
 * fails, the caller makes the pages dirty again.
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
EXPORT_SYMBOL_IF_KUNIT(msyncfs_overlay_enter);

/**
 * msyncfs_overlay_hole - make a range of an atomic file a hole
 * @inode: atomic file
 * @first: first page
 * @last: last page, inclusive, at most MSYNCFS_LAST_INDEX
 *
 * The function unclaims the blocks of spilled pages. The next commit frees the
 * blocks that the map has in the range.
 *
 * Context: caller holds i_commit_lock. Unless the range lies beyond the end of
 * the file, the caller also holds invalidate_lock exclusively and has dropped
 * the pages of the range. May sleep and read map nodes.
 */
void msyncfs_overlay_hole(struct inode *inode, u64 first, u64 last)
{
	struct msyncfs_extent ext = {};

	if (first > last)
		return;
	msyncfs_overlay_unclaim(inode, first, last);
	/*
	 * If the map cannot be read, store a hole. The next commit then returns
	 * the error.
	 */
	if (msyncfs_map_committed(inode, first, last - first + 1, &ext) ||
	    ext.blkno || ext.len < last - first + 1) {
		msyncfs_overlay_store(inode, first, last, xa_mk_value(0));
		return;
	}
	/*
	 * The map has a hole in the range, so the overlay needs no entry. An
	 * empty tree makes msyncfs_map_lookup() fast.
	 */
	if (!msyncfs_overlay_next(inode, first, last, &ext))
		return;
	msyncfs_overlay_store(inode, first, last, NULL);
	if (!msyncfs_overlay_next(inode, 0, MSYNCFS_LAST_INDEX, &ext))
		mtree_destroy(&MSYNCFS_I(inode)->i_overlay);
}

/**
 * msyncfs_overlay_clear - empty the overlay in a commit
 * @inode: atomic file; its map has all changes of the overlay now
 *
 * Context: caller holds i_commit_lock; may sleep.
 * Return: number of blocks that the overlay had. The operation of the caller
 * allocates these blocks, so the caller adds this number to op->claimed.
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
EXPORT_SYMBOL_IF_KUNIT(msyncfs_overlay_clear);

/**
 * msyncfs_overlay_discard - drop all changes that are not committed
 * @inode: inode; the caller has dropped the pages of the file from the page cache,
 *	or drops them afterwards
 *
 * The function unclaims the blocks of spilled pages. The caller ends the
 * reservations of the file.
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
