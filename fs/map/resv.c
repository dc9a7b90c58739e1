// SPDX-License-Identifier: GPL-2.0
/*
 * Reservations. A page that becomes dirty over a hole gets a promise of a
 * block, and of the map nodes that will lead to the block. This file counts
 * these promises for each inode, and the counter space->reserved includes them
 * all. fs/place chooses the blocks when the page is captured.
 *
 * Pages that share a map leaf share an entry. An entry promises one block for
 * each page, and a block for each node that was missing for its first page.
 * That stays enough, because the map only gains nodes while a page is reserved:
 * change.c removes no node that leads to a leaf with an entry. i_map_sem is
 * held from the count of the nodes until the entry is stored.
 *
 * In an atomic file, a commit may remove nodes or write all nodes on the path
 * of a page anew (fs/place/shadow.c). So an entry of an atomic file promises
 * all nodes on the path, whether they are missing or not.
 *
 * The first leaf has two entries. While the map has no nodes, the inode holds
 * the pointers of pages 0 to 447. Only the pages from 448 on need the leaf.
 */
#include <kunit/visibility.h>
#include <linux/slab.h>

#include "node.h"

/**
 * struct msyncfs_resv - the reserved pages of a map leaf
 * @list: link in the list of a capture that has taken the entry, ascending by
 *	key
 * @key: key in i_resv, set when a capture takes the entry
 * @nr: number of reserved pages, one block each
 * @meta: number of blocks for map nodes, promised until the last page is
 *	released
 * @pages: one bit for each page of the leaf, set if the page is reserved
 */
struct msyncfs_resv {
	struct list_head list;
	unsigned long	key;
	unsigned int	nr;
	unsigned int	meta;
	DECLARE_BITMAP(pages, MSYNCFS_NODE_PTRS);
};

/**
 * msyncfs_resv_test - does a page have a reservation?
 * @inode: regular file
 * @index: page
 *
 * Context: any that may take a spinlock.
 * Return: true if it does.
 */
bool msyncfs_resv_test(struct inode *inode, pgoff_t index)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_resv *r;
	bool found;

	if (xa_empty(&mi->i_resv))
		return false;
	spin_lock(&mi->i_resv_lock);
	r = xa_load(&mi->i_resv, msyncfs_resv_key(index));
	found = r && test_bit(index % MSYNCFS_NODE_PTRS, r->pages);
	spin_unlock(&mi->i_resv_lock);
	return found;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_test);

/*
 * Reserves a page whose leaf has an entry. One block is enough.
 * Return: 0, -ENOSPC, or -EAGAIN if the entry does not exist any more.
 */
static int msyncfs_resv_join(struct inode *inode, pgoff_t index)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_resv *r;
	bool used = false;
	int err;

	err = msyncfs_reserve(inode->i_sb, 1);
	if (err)
		return err;
	spin_lock(&mi->i_resv_lock);
	r = xa_load(&mi->i_resv, msyncfs_resv_key(index));
	if (r && !__test_and_set_bit(index % MSYNCFS_NODE_PTRS, r->pages)) {
		r->nr++;
		used = true;
	}
	spin_unlock(&mi->i_resv_lock);
	if (!used)
		msyncfs_unreserve(inode->i_sb, 1);
	return r ? 0 : -EAGAIN;
}

/*
 * Stores the entry *@new with @meta promised map nodes, unless the leaf has an
 * entry by now. Then sets the bit of the page. *@new becomes NULL if it is
 * used.
 * Return: number of promised blocks that are used, or -ENOMEM.
 */
static int msyncfs_resv_store(struct msyncfs_inode_info *mi, pgoff_t index,
			      unsigned int meta, struct msyncfs_resv **new)
{
	XA_STATE(xas, &mi->i_resv, msyncfs_resv_key(index));
	struct msyncfs_resv *r;
	int used;

	do {
		used = 0;
		spin_lock(&mi->i_resv_lock);
		xas_lock(&xas);
		r = xas_load(&xas);
		if (!r) {
			xas_store(&xas, *new);
			if (!xas_error(&xas)) {
				r = *new;
				*new = NULL;
				r->meta = meta;
				used = meta;
			}
		}
		xas_unlock(&xas);
		if (r && !__test_and_set_bit(index % MSYNCFS_NODE_PTRS,
					     r->pages)) {
			r->nr++;
			used++;
		}
		spin_unlock(&mi->i_resv_lock);
	} while (xas_nomem(&xas, GFP_NOFS));

	return xas_error(&xas) ?: used;
}

/*
 * Reserves the first page of a leaf, with all the map nodes that it needs. The
 * number of nodes is right until the entry is stored, because the caller holds
 * i_map_sem.
 */
static int msyncfs_resv_open(struct inode *inode, pgoff_t index,
			     struct msyncfs_resv **new)
{
	unsigned int meta;
	int err, used;

	meta = msyncfs_is_atomic(inode) ?
	       msyncfs_map_path(inode, index, &err) :
	       msyncfs_map_missing_locked(inode, index, &err);
	if (err)
		return err;
	err = msyncfs_reserve(inode->i_sb, 1 + meta);
	if (err)
		return err;
	used = msyncfs_resv_store(MSYNCFS_I(inode), index, meta, new);
	if (used < 1 + (int)meta)
		msyncfs_unreserve(inode->i_sb, 1 + meta - max(used, 0));
	return min(used, 0);
}

/**
 * msyncfs_resv_page - reserve the blocks that writing a dirty page will need
 * @inode: regular file
 * @index: page over a hole; in an atomic file, any page
 *
 * Does nothing if the page has a reservation.
 *
 * Context: the caller may hold the page's folio lock; takes i_map_sem shared,
 * may read map nodes, never waits for a commit (P4).
 * Return: 0, -ENOSPC, -ENOMEM, -EIO, -EUCLEAN, -EFBIG.
 */
int msyncfs_resv_page(struct inode *inode, pgoff_t index)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_resv *new;
	int err;

	if (msyncfs_resv_test(inode, index))
		return 0;
	new = kzalloc(sizeof(*new), GFP_NOFS);
	if (!new)
		return -ENOMEM;
	down_read(&mi->i_map_sem);
	do {
		if (xa_load(&mi->i_resv, msyncfs_resv_key(index)))
			err = msyncfs_resv_join(inode, index);
		else
			err = msyncfs_resv_open(inode, index, &new);
	} while (err == -EAGAIN);
	up_read(&mi->i_map_sem);
	kfree(new);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_page);

/* Returns the page to which bit 0 of the entry at @key belongs. */
static pgoff_t msyncfs_resv_base(unsigned long key)
{
	return key ? (key - 1) * MSYNCFS_NODE_PTRS : 0;
}

/* Sets [*@from, *@to) to the bits of the entry at @key in [@first, @last]. */
static void msyncfs_resv_clip(unsigned long key, pgoff_t first, pgoff_t last,
			      unsigned int *from, unsigned int *to)
{
	pgoff_t base = msyncfs_resv_base(key);

	*from = first > base ? first - base : 0;
	*to = MSYNCFS_NODE_PTRS;
	if (last - base < MSYNCFS_NODE_PTRS)
		*to = last - base + 1;
}

/*
 * Clears bits [@from, @to) of an entry. Returns the number of blocks whose
 * promise ends.
 */
static u64 msyncfs_resv_clear(struct msyncfs_resv *r, unsigned int from,
			      unsigned int to)
{
	unsigned int bit, nr = 0;

	for (bit = find_next_bit(r->pages, to, from); bit < to;
	     bit = find_next_bit(r->pages, to, bit + 1)) {
		__clear_bit(bit, r->pages);
		nr++;
	}
	r->nr -= nr;
	return r->nr ? nr : nr + r->meta;
}

/**
 * msyncfs_resv_end - remove reservations whose promises the caller will end
 * @inode: regular file
 * @first: first page
 * @last: last page, inclusive; ULONG_MAX for all pages from @first on
 *
 * Context: takes a spinlock. Cheap when nothing is reserved.
 * Return: number of blocks whose promise the caller has to end.
 */
u64 msyncfs_resv_end(struct inode *inode, pgoff_t first, pgoff_t last)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_resv *r;
	unsigned int from, to;
	unsigned long key;
	u64 blocks = 0;

	if (xa_empty(&mi->i_resv))
		return 0;
	spin_lock(&mi->i_resv_lock);
	xa_for_each_range(&mi->i_resv, key, r, msyncfs_resv_key(first),
			  msyncfs_resv_key(last)) {
		msyncfs_resv_clip(key, first, last, &from, &to);
		blocks += msyncfs_resv_clear(r, from, to);
		if (!r->nr) {
			xa_erase(&mi->i_resv, key);
			kfree(r);
		}
	}
	spin_unlock(&mi->i_resv_lock);
	return blocks;
}

/**
 * msyncfs_resv_release - end the reservations of a range
 * @inode: regular file
 * @first: first page
 * @last: last page, inclusive; ULONG_MAX for all pages from @first on
 *
 * Context: takes space->lock; may sleep. Cheap when nothing is reserved.
 */
void msyncfs_resv_release(struct inode *inode, pgoff_t first, pgoff_t last)
{
	u64 blocks = msyncfs_resv_end(inode, first, last);

	if (blocks)
		msyncfs_unreserve(inode->i_sb, blocks);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_release);

/**
 * msyncfs_resv_next - find the next reserved page
 * @inode: regular file
 * @first: first page to look at
 * @last: last page to look at, inclusive
 *
 * SEEK_DATA and FIEMAP need it, because they report dirty pages without blocks
 * as data.
 *
 * Context: any that may take a spinlock.
 * Return: the index of the page. If there is none, @last + 1, or U64_MAX if
 * @last is ULONG_MAX.
 */
u64 msyncfs_resv_next(struct inode *inode, pgoff_t first, pgoff_t last)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 found = last == ULONG_MAX ? U64_MAX : (u64)last + 1;
	struct msyncfs_resv *r;
	unsigned int from, to;
	unsigned long key;

	if (xa_empty(&mi->i_resv))
		return found;
	spin_lock(&mi->i_resv_lock);
	xa_for_each_range(&mi->i_resv, key, r, msyncfs_resv_key(first),
			  msyncfs_resv_key(last)) {
		msyncfs_resv_clip(key, first, last, &from, &to);
		from = find_next_bit(r->pages, to, from);
		if (from < to) {
			found = (u64)msyncfs_resv_base(key) + from;
			break;
		}
	}
	spin_unlock(&mi->i_resv_lock);
	return found;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_next);

/* Counts the reserved pages among bits [@from, @to). */
static unsigned int msyncfs_resv_weight(const struct msyncfs_resv *r,
					unsigned int from, unsigned int to)
{
	unsigned int nr = 0;

	for (from = find_next_bit(r->pages, to, from); from < to;
	     from = find_next_bit(r->pages, to, from + 1))
		nr++;
	return nr;
}

/**
 * msyncfs_resv_count - count reserved pages up to a limit
 * @inode: regular file
 * @first: first page
 * @nr: number at which the count stops
 *
 * Context: any that may take a spinlock.
 * Return: number of reserved pages from @first on, at most @nr.
 */
u64 msyncfs_resv_count(struct inode *inode, pgoff_t first, u64 nr)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_resv *r;
	unsigned int from, to;
	unsigned long key;
	u64 found = 0;

	if (xa_empty(&mi->i_resv))
		return 0;
	spin_lock(&mi->i_resv_lock);
	xa_for_each_start(&mi->i_resv, key, r, msyncfs_resv_key(first)) {
		msyncfs_resv_clip(key, first, ULONG_MAX, &from, &to);
		found += msyncfs_resv_weight(r, from, to);
		if (found >= nr)
			break;
	}
	spin_unlock(&mi->i_resv_lock);
	return min(found, nr);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_count);

/**
 * msyncfs_resv_range - count the blocks that are promised to pages of a range
 * @inode: regular file
 * @first: first page
 * @last: last page, inclusive
 *
 * Context: any that may take a spinlock.
 * Return: number of blocks: one for each reserved page, and the blocks for map
 * nodes of each leaf that has such a page.
 */
u64 msyncfs_resv_range(struct inode *inode, pgoff_t first, pgoff_t last)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	unsigned int from, to, nr;
	struct msyncfs_resv *r;
	unsigned long key;
	u64 blocks = 0;

	if (xa_empty(&mi->i_resv))
		return 0;
	spin_lock(&mi->i_resv_lock);
	xa_for_each_range(&mi->i_resv, key, r, msyncfs_resv_key(first),
			  msyncfs_resv_key(last)) {
		msyncfs_resv_clip(key, first, last, &from, &to);
		nr = msyncfs_resv_weight(r, from, to);
		if (nr)
			blocks += nr + r->meta;
	}
	spin_unlock(&mi->i_resv_lock);
	return blocks;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_range);

/**
 * msyncfs_resv_blocks - count the blocks that are promised to one page
 * @inode: regular file
 * @index: page
 *
 * Context: any that may take a spinlock.
 * Return: 1 plus the number of blocks for map nodes of its leaf; 0 if the page
 * is not reserved.
 */
u64 msyncfs_resv_blocks(struct inode *inode, pgoff_t index)
{
	return msyncfs_resv_range(inode, index, index);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_blocks);

/**
 * msyncfs_resv_paths - promise all nodes on the path of each reserved page
 * @inode: regular file that becomes atomic
 *
 * Context: the caller keeps all other tasks from changing reservations of
 * @inode; takes i_map_sem shared; may sleep.
 * Return: 0, -ENOSPC, -EFBIG. After an error, entries may keep promises that
 * they do not need.
 */
int msyncfs_resv_paths(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_resv *r;
	unsigned int nodes;
	unsigned long key;
	int err = 0;
	u64 last;

	down_read(&mi->i_map_sem);
	xa_for_each(&mi->i_resv, key, r) {
		last = msyncfs_resv_base(key) +
		       find_last_bit(r->pages, MSYNCFS_NODE_PTRS);
		nodes = msyncfs_map_path(inode, last, &err);
		if (!err && nodes > r->meta)
			err = msyncfs_reserve(inode->i_sb, nodes - r->meta);
		if (err)
			break;
		r->meta = max(r->meta, nodes);
	}
	up_read(&mi->i_map_sem);
	return err;
}

/**
 * msyncfs_resv_nodes - count the map nodes that taken reservations promise
 * @taken: list from msyncfs_resv_take()
 *
 * Context: any in which the list does not change.
 * Return: number of blocks for map nodes.
 */
u64 msyncfs_resv_nodes(const struct list_head *taken)
{
	struct msyncfs_resv *r;
	u64 nodes = 0;

	list_for_each_entry(r, taken, list)
		nodes += r->meta;
	return nodes;
}

/**
 * msyncfs_resv_take - take over all reservations of a file for a capture
 * @inode: atomic file
 * @taken: empty list, gets the reservations
 *
 * The reservations now belong to the captured state of the pages. A page that
 * is stored to again needs another reservation. So a task that makes a page
 * dirty looks for its reservation while it holds i_freeze.
 *
 * Context: i_freeze held exclusively; takes a spinlock.
 */
void msyncfs_resv_take(struct inode *inode, struct list_head *taken)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_resv *r;
	unsigned long key;

	if (xa_empty(&mi->i_resv))
		return;
	spin_lock(&mi->i_resv_lock);
	xa_for_each(&mi->i_resv, key, r) {
		xa_erase(&mi->i_resv, key);
		r->key = key;
		list_add_tail(&r->list, taken);
	}
	spin_unlock(&mi->i_resv_lock);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_take);

/*
 * Merges the entry @r into @to, which is an entry of the same leaf. Returns the
 * number of blocks that both had promised.
 */
static u64 msyncfs_resv_merge(struct msyncfs_resv *to,
			      const struct msyncfs_resv *r)
{
	u64 blocks = (u64)to->nr + to->meta + r->nr + r->meta;

	bitmap_or(to->pages, to->pages, r->pages, MSYNCFS_NODE_PTRS);
	to->nr = bitmap_weight(to->pages, MSYNCFS_NODE_PTRS);
	to->meta = max(to->meta, r->meta);
	return blocks - to->nr - to->meta;
}

/**
 * msyncfs_resv_return - give a file the reservations of a failed capture back
 * @inode: atomic file
 * @taken: list from msyncfs_resv_take(); empty afterwards
 *
 * Context: caller still holds i_commit_lock; may sleep.
 */
void msyncfs_resv_return(struct inode *inode, struct list_head *taken)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_resv *r, *next, *to;
	u64 blocks = 0;

	list_for_each_entry_safe(r, next, taken, list) {
		XA_STATE(xas, &mi->i_resv, r->key);

		list_del(&r->list);
		do {
			spin_lock(&mi->i_resv_lock);
			xas_lock(&xas);
			to = xas_load(&xas);
			if (!to)
				xas_store(&xas, r);
			xas_unlock(&xas);
			if (to)
				blocks += msyncfs_resv_merge(to, r);
			spin_unlock(&mi->i_resv_lock);
		} while (xas_nomem(&xas, GFP_NOFS | __GFP_NOFAIL));
		if (to)
			kfree(r);
	}
	if (blocks)
		msyncfs_unreserve(inode->i_sb, blocks);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_return);

/**
 * msyncfs_resv_drop - end the reservations that a capture has taken over
 * @taken: list from msyncfs_resv_take(); empty afterwards
 *
 * The captured pages have their blocks, or the capture is given up.
 *
 * Context: any; the list belongs to the caller.
 * Return: number of blocks whose promise the caller has to end.
 */
u64 msyncfs_resv_drop(struct list_head *taken)
{
	struct msyncfs_resv *r, *next;
	u64 blocks = 0;

	list_for_each_entry_safe(r, next, taken, list) {
		list_del(&r->list);
		blocks += r->nr + r->meta;
		kfree(r);
	}
	return blocks;
}

/*
 * Returns the last entry of @taken whose key is at most @key, or NULL. The
 * search begins at @hint, which is NULL or an entry whose key is at most @key.
 */
static struct msyncfs_resv *msyncfs_resv_find(struct list_head *taken,
					      unsigned long key,
					      struct msyncfs_resv *hint)
{
	struct msyncfs_resv *r = hint ?:
		list_entry(taken, struct msyncfs_resv, list);

	list_for_each_entry_continue(r, taken, list) {
		if (r->key > key)
			break;
		hint = r;
	}
	return hint;
}

/**
 * msyncfs_resv_add - make sure that a captured page has a reservation
 * @inode: atomic file
 * @taken: list from msyncfs_resv_take()
 * @index: page; not below the page of the previous call
 * @hint: position in the list; *@hint is NULL before the first call
 *
 * A captured page normally has a reservation. It has none if its record failed
 * and there was no space to reserve a block again. Such a page has a block in
 * the map, so it lacks no map node.
 *
 * Context: caller holds i_commit_lock; takes space->lock; may sleep.
 * Return: 0, -ENOSPC, -ENOMEM.
 */
int msyncfs_resv_add(struct inode *inode, struct list_head *taken,
		     pgoff_t index, struct msyncfs_resv **hint)
{
	unsigned long key = msyncfs_resv_key(index);
	struct msyncfs_resv *r = msyncfs_resv_find(taken, key, *hint), *prev;
	int err;

	if (r && r->key == key &&
	    test_bit(index % MSYNCFS_NODE_PTRS, r->pages)) {
		*hint = r;
		return 0;
	}
	err = msyncfs_reserve(inode->i_sb, 1);
	if (err)
		return err;
	/*
	 * The entry is added after the block is reserved. In i_resv, an entry
	 * without pages would let later pages of the leaf rely on map nodes
	 * that nobody has promised.
	 */
	if (!r || r->key != key) {
		prev = r;
		r = kzalloc(sizeof(*r), GFP_NOFS);
		if (!r) {
			msyncfs_unreserve(inode->i_sb, 1);
			return -ENOMEM;
		}
		r->key = key;
		list_add(&r->list, prev ? &prev->list : taken);
	}
	*hint = r;
	__set_bit(index % MSYNCFS_NODE_PTRS, r->pages);
	r->nr++;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_add);
