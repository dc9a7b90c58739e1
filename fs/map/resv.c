// SPDX-License-Identifier: GPL-2.0
/*
 * Reservations: the promise, made when a page over a hole is dirtied, that
 * there will be a block for it, and map nodes to point at it, when it is
 * written. They are counted here per inode; sbi->reserved holds their sum. The
 * blocks themselves are chosen when the page is captured.
 *
 * Pages that share a map leaf share an entry. It holds one block per page, and
 * as many for nodes as the first page found missing. That stays enough: the map
 * only gains nodes while a page is reserved, since fs/map.c removes none that
 * lead to a leaf with an entry (i_map_sem is held from counting to entering).
 * An atomic file's commit may remove nodes, or write all on a page's way anew
 * (fs/shadow.c): so there they are all promised, be they missing or not.
 * The first leaf has two entries, because only the pages from 448 on need it:
 * the others have their pointers in the inode as long as it has no nodes.
 */
#include <kunit/visibility.h>
#include <linux/math64.h>
#include <linux/slab.h>

#include "map.h"

/**
 * struct msyncfs_resv - the reserved pages of a map leaf
 * @list: once taken from i_resv: in a capture, ascending
 * @key: the same: where it was
 * @nr: pages, one block each
 * @meta: blocks for map nodes, held until the last page is released
 * @pages: which of them
 */
struct msyncfs_resv {
	struct list_head list;
	unsigned long	key;
	unsigned int	nr;
	unsigned int	meta;
	DECLARE_BITMAP(pages, MSYNCFS_NODE_PTRS);
};

/**
 * msyncfs_resv_test - does a page hold a reservation
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
 * Enters a page whose leaf has an entry: one block is enough.
 * Return: 0, -ENOSPC, or -EAGAIN if the entry has gone meanwhile.
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
 * Stores the entry *@new, which promises @meta map nodes, unless the leaf has got
 * one meanwhile; enters the page in it. *@new is NULL once it is used.
 * Return: blocks used, or -ENOMEM.
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
 * Enters the first page of a leaf, with all the map nodes that it needs. The count
 * of nodes is true until the entry is stored, because i_map_sem is held.
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
 * msyncfs_resv_page - reserve what writing a page over a hole will need
 * @inode: regular file
 * @index: page, which has no block
 *
 * Does nothing for a page that is reserved already.
 *
 * Context: perhaps under the page's folio lock; takes i_map_sem shared, may read
 * map nodes, never waits for a commit (P4).
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

/* The first page of the leaf that the entry at @key is for. */
static pgoff_t msyncfs_resv_base(unsigned long key)
{
	return key ? (key - 1) * MSYNCFS_NODE_PTRS : 0;
}

/* The bits of the entry at @key that lie in [@first, @last]. */
static void msyncfs_resv_clip(unsigned long key, pgoff_t first, pgoff_t last,
			      unsigned int *from, unsigned int *to)
{
	pgoff_t base = msyncfs_resv_base(key);

	*from = first > base ? first - base : 0;
	*to = MSYNCFS_NODE_PTRS;
	if (last - base < MSYNCFS_NODE_PTRS)
		*to = last - base + 1;
}

/* Clears [@from, @to) of an entry; returns the blocks to give back. */
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
 * msyncfs_resv_end - the reservations of a range end
 * @inode: regular file
 * @first: first page
 * @last: last page, inclusive; ULONG_MAX for all that follow
 *
 * Context: takes a spinlock. Cheap when nothing is reserved.
 * Return: blocks whose promise the caller has to take back.
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
 * msyncfs_resv_release - end the reservations of pages that are dropped
 * @inode: regular file
 * @first: first page
 * @last: last page, inclusive; ULONG_MAX for all that follow
 *
 * Context: may sleep on alloc_lock. Cheap when nothing is reserved.
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
 * @first: where to begin
 * @last: last page to look at, inclusive
 *
 * For SEEK_DATA and FIEMAP, to which dirty pages without blocks are data.
 *
 * Context: any that may take a spinlock.
 * Return: its index; if there is none @last + 1, or U64_MAX if @last is
 * ULONG_MAX.
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

/* Pages reserved in [@from, @to). */
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
 * msyncfs_resv_count - count reserved pages
 * @inode: regular file
 * @first: page to begin with
 * @nr: how many matter
 *
 * Context: any that may take a spinlock.
 * Return: pages from @first on that are reserved, at most @nr.
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
 * msyncfs_resv_range - blocks that are promised to the pages of a range
 * @inode: regular file
 * @first: first page
 * @last: last page, inclusive
 *
 * Context: any that may take a spinlock.
 * Return: one for each reserved page, and once per leaf that has one those for
 * its map nodes: what msyncfs_op_begin_resv() is to be given for them.
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
 * msyncfs_resv_blocks - blocks that are promised to one page
 * @inode: regular file
 * @index: page
 *
 * Return: 1 and the blocks for map nodes of its leaf, or 0 if it is not
 * reserved.
 */
u64 msyncfs_resv_blocks(struct inode *inode, pgoff_t index)
{
	return msyncfs_resv_range(inode, index, index);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_blocks);

/**
 * msyncfs_resv_paths - promise all nodes on the way of each reserved page
 * @inode: regular file that becomes atomic
 *
 * Context: caller keeps everybody else from changing reservations; takes
 * i_map_sem shared.
 * Return: 0, -ENOSPC, -EFBIG. More may have been promised than needed then.
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
 * msyncfs_resv_nodes - map nodes that reservations have promised
 * @taken: from msyncfs_resv_take()
 *
 * Return: how many.
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
 * msyncfs_resv_take - a capture takes over all reservations of a file
 * @inode: atomic file
 * @taken: empty; gets them
 *
 * From here on they are for the pages as they were captured. A page that is
 * stored to again needs a reservation of its own: whoever makes it dirty looks
 * for one under the freeze.
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

/* Takes the reservations of @r in with those of its leaf; returns what is left. */
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
 * msyncfs_resv_return - the capture has come to nothing
 * @inode: atomic file
 * @taken: from msyncfs_resv_take(); empty afterwards
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
 * msyncfs_resv_drop - the captured pages have their blocks
 * @taken: from msyncfs_resv_take(); empty afterwards
 *
 * Return: blocks whose promise the caller has to take back.
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
EXPORT_SYMBOL_IF_KUNIT(msyncfs_resv_drop);

/*
 * The last entry up to @key of an ascending list; @hint: an entry up to @key, or
 * NULL. Returns NULL if there is none.
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
 * @taken: from msyncfs_resv_take()
 * @index: page; not below the one of the call before
 * @hint: NULL at first; where to go on
 *
 * As a rule it has. Not if a record that failed made it dirty again and there was
 * no space; then it has a block, and lacks no map node.
 *
 * Context: caller holds i_commit_lock; may sleep.
 * Return: 0, -ENOSPC, -ENOMEM.
 */
int msyncfs_resv_add(struct inode *inode, struct list_head *taken,
		     pgoff_t index, struct msyncfs_resv **hint)
{
	unsigned long key = msyncfs_resv_key(index);
	struct msyncfs_resv *r = msyncfs_resv_find(taken, key, *hint), *prev;
	int err;

	if (r && r->key == key && test_bit(index % MSYNCFS_NODE_PTRS, r->pages)) {
		*hint = r;
		return 0;
	}
	err = msyncfs_reserve(inode->i_sb, 1);
	if (err)
		return err;
	/* Not before: an entry without a page would promise its leaf's nodes. */
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
