// SPDX-License-Identifier: GPL-2.0
/*
 * This file keeps reservations. A page that becomes dirty over a hole gets a
 * promise. The promise is one block for the data of the page, and one block for
 * each map node that is missing on the path to the page. This file counts these
 * promises for each inode. The counter space->reserved includes the promises of
 * all inodes. fs/place chooses the blocks after the page is captured.
 *
 * Pages that share a map leaf share an entry of i_resv. An entry promises one
 * block for each reserved page. The entry also promises one block for each node
 * that was missing on the path when the entry was made. Later no more nodes can
 * be missing, because change.c removes no node on the path to a leaf that has
 * an entry. The task that makes an entry holds i_map_sem while it counts the
 * missing nodes and stores the entry. Otherwise another task could remove a
 * node between these two steps.
 *
 * In an atomic file, a commit may remove nodes, or write all nodes on the path
 * of a page to fresh blocks (fs/place/shadow.c). So an entry of an atomic file
 * promises a block for every node on the path, even if the node exists.
 *
 * The first leaf of the map can have two entries: one for pages 0 to 447, and
 * one for pages 448 to 503. As long as the map has no nodes, the pointers of
 * pages 0 to 447 are in the inode's own block. So pages 448 to 503 need the
 * leaf, but pages 0 to 447 do not.
 */
#include <kunit/visibility.h>
#include <linux/slab.h>

#include "node.h"

/**
 * struct msyncfs_resv - the reserved pages of a map leaf
 * @list: link in the list of the capture that has taken the entry; this list is
 *	sorted by @key
 * @key: key in i_resv, set when a capture takes the entry
 * @nr: number of reserved pages; each page has a promise of one block
 * @meta: number of blocks that are promised for map nodes. This promise ends
 *	when no page of the entry is reserved any more
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
 * msyncfs_resv_test - tell whether a page has a reservation
 * @inode: regular file
 * @index: page
 *
 * Context: any that may take a spinlock.
 * Return: true if the page has a reservation.
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
 * Reserves a page whose leaf has an entry. The function promises only the block
 * of the page, because the entry already promises the blocks for map nodes.
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
 * Reserves a page. The caller has promised one block for the page and @meta
 * blocks for map nodes. If the leaf has no entry, the function stores *@new as
 * the entry, with @meta, and sets *@new to NULL. If another task has stored an
 * entry for the leaf, the function uses that entry.
 * Return: number of blocks that the entry has taken from the caller's promise,
 * or -ENOMEM.
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
 * Reserves the first page of a leaf and all the map nodes that the page needs.
 * The caller holds i_map_sem, so the number of nodes cannot change before the
 * entry is stored.
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
 * msyncfs_resv_page - reserve the blocks that a dirty page will need
 * @inode: regular file
 * @index: page over a hole; in an atomic file, any page
 *
 * The function does nothing if the page already has a reservation.
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
	if (xa_load(&mi->i_resv, msyncfs_resv_key(index))) {
		err = msyncfs_resv_join(inode, index);
		if (err != -EAGAIN)
			return err;
	}
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

/*
 * Finds the bits of the pages [@first, @last] in the entry at @key. Sets
 * [*@from, *@to) to the range of these bits.
 */
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
 * promise the caller must end.
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
 * msyncfs_resv_end - remove the reservations of a range
 * @inode: regular file
 * @first: first page
 * @last: last page, inclusive; ULONG_MAX for all pages from @first on
 *
 * The function does not change space->reserved. The caller ends the promises
 * of the removed reservations.
 *
 * Context: takes a spinlock. The function is cheap if the file has no
 * reservation.
 * Return: number of blocks whose promise the caller must end.
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
 * msyncfs_resv_release - remove the reservations of a range and their promises
 * @inode: regular file
 * @first: first page
 * @last: last page, inclusive; ULONG_MAX for all pages from @first on
 *
 * Context: takes space->lock; may sleep. The function is cheap if the file has
 * no reservation.
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
 * SEEK_DATA and FIEMAP use this function, because they report dirty pages
 * without blocks as data.
 *
 * Context: any that may take a spinlock.
 * Return: the index of the page. If the range has no reserved page, the result
 * is @last + 1, or U64_MAX if @last is ULONG_MAX.
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

	if (!from && to == MSYNCFS_NODE_PTRS)
		return r->nr;
	for (from = find_next_bit(r->pages, to, from); from < to;
	     from = find_next_bit(r->pages, to, from + 1))
		nr++;
	return nr;
}

/**
 * msyncfs_resv_count - count reserved pages up to a limit
 * @inode: regular file
 * @first: first page
 * @nr: highest number to count to
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
 * msyncfs_resv_range - count the blocks that are promised for a range of pages
 * @inode: regular file
 * @first: first page
 * @last: last page, inclusive
 *
 * Context: any that may take a spinlock.
 * Return: number of reserved pages in the range, plus the number of blocks that
 * the entries of these pages promise for map nodes.
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
 * msyncfs_resv_blocks - count the blocks that are promised for one page
 * @inode: regular file
 * @index: page
 *
 * Context: any that may take a spinlock.
 * Return: 0 if the page is not reserved; otherwise 1 plus the number of blocks
 * for map nodes that the entry of the page promises.
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
 * Return: 0, -ENOSPC, -EFBIG. After an error, entries may have promises for map
 * nodes that they do not need.
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
 * msyncfs_resv_nodes - count the blocks that a capture has for map nodes
 * @taken: list from msyncfs_resv_take()
 *
 * Context: any in which the list does not change.
 * Return: number of blocks that the reservations in the list promise for map
 * nodes.
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
 * @taken: empty list; the function adds the reservations to it
 *
 * After this call, the reservations belong to the captured content of the
 * pages. If a task later stores to a captured page, the page needs a new
 * reservation. So a task that makes a page dirty must hold i_freeze shared
 * while it checks that the page has a reservation. Otherwise the task could
 * rely on a reservation that a capture takes over.
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
 * Merges the entry @r into the entry @to, which has the same key. Returns the
 * number of promised blocks that the merged entry does not need.
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
 * msyncfs_resv_return - give the reservations of a failed capture to the file
 * @inode: atomic file
 * @taken: list from msyncfs_resv_take(); empty after this call
 *
 * The file may have got new reservations since the capture. If the file has a
 * new entry for a leaf, the function merges the entry of the capture into the
 * new entry.
 *
 * Context: caller has held i_commit_lock since the capture; may sleep.
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
 * msyncfs_resv_drop - remove the reservations that a capture has taken over
 * @taken: list from msyncfs_resv_take(); empty after this call
 *
 * A caller uses this function when the captured pages have got their blocks, or
 * when the caller frees the capture.
 *
 * Context: any; the list belongs to the caller.
 * Return: number of blocks whose promise the caller must end.
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
 * A captured page normally has a reservation. There is one exception: the
 * record of an earlier capture failed, and the page could not get a new
 * reservation for lack of space. In this case the map has a block for the page,
 * so no map node is missing on the path to the page.
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
	 * Reserve the block before the entry is added to the list. Otherwise
	 * an error would leave an entry without pages in the list, and
	 * msyncfs_resv_return() would move this entry to i_resv. Pages that
	 * join such an entry would rely on map nodes that nobody has promised.
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
