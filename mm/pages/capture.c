// SPDX-License-Identifier: GPL-2.0
/*
 * The capture: takes a consistent cut of the dirty pages of ranges, of one file
 * or several. Which blocks they go to and when they are durable is decided
 * elsewhere.
 */

/**
 * DOC: the freeze
 *
 * Everybody who makes a page dirty (page_mkwrite, write(2), zeroing at a
 * truncation) holds i_freeze shared from before the folio lock until the page
 * is marked dirty. The capture holds it exclusively and, in page order, takes
 * each dirty folio's lock, write-protects it, clears its dirty flag and copies
 * it. Truncation is kept away by i_commit_lock.
 *
 * A store to a page that was passed faults and waits in page_mkwrite for the
 * thaw; so no store that its thread, or one that saw it, makes later gets in. A
 * store to a page not passed yet goes on and is captured. Hence the cut is
 * consistent (G3) without stopping anybody who does not write.
 *
 * page_mkwrite returns with the folio locked and its PTE not yet writable: the
 * capture, which needs the folio lock, waits until it is. The page is tagged
 * dirty before i_freeze is released, so it cannot be missed.
 *
 * Several files are all frozen before the first page is taken, also those that
 * have no dirty page yet: an order of stores may go across them.
 *
 * Under the freeze there is no I/O, no map lookup and no reclaiming allocation
 * (P2): everything is allocated before, for as many pages as are dirty then.
 */
#include <kunit/visibility.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/rcupdate_wait.h>
#include <linux/rmap.h>
#include <linux/slab.h>
#include <linux/writeback.h>

#include "fs/fs.h"
#include "fs/disk/trace.h"

/**
 * msyncfs_count_dirty - count the dirty pages of a range
 * @inode: file
 * @first: first page
 * @last: last page, inclusive; before @first: none at all
 * @limit: stop counting here
 *
 * Context: may sleep between two stretches of pages.
 * Return: number of pages tagged dirty, at most @limit.
 */
unsigned long msyncfs_count_dirty(struct inode *inode, pgoff_t first,
				  pgoff_t last, unsigned long limit)
{
	XA_STATE(xas, &inode->i_mapping->i_pages, first);
	unsigned long nr = 0;
	void *entry;

	if (first > last)
		return 0;
	rcu_read_lock();
	xas_for_each_marked(&xas, entry, last, PAGECACHE_TAG_DIRTY) {
		if (++nr >= limit)
			break;
		if (!(nr % XA_CHECK_SCHED)) {
			xas_pause(&xas);
			cond_resched_rcu();
		}
	}
	rcu_read_unlock();
	return nr;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_count_dirty);

/**
 * msyncfs_capture_alloc - make an empty capture
 * @inode: file
 * @gfp: how to allocate
 *
 * Return: the capture, with one reference, or NULL.
 */
struct msyncfs_capture *msyncfs_capture_alloc(struct inode *inode, gfp_t gfp)
{
	struct msyncfs_capture *cap = kzalloc(sizeof(*cap), gfp);

	if (!cap)
		return NULL;
	cap->inode = inode;
	INIT_LIST_HEAD(&cap->set);
	INIT_LIST_HEAD(&cap->pool);
	INIT_LIST_HEAD(&cap->images);
	INIT_LIST_HEAD(&cap->list);
	INIT_LIST_HEAD(&cap->resv);
	refcount_set(&cap->ref, 1);
	return cap;
}

static void msyncfs_drop_images(struct list_head *images)
{
	struct msyncfs_image *img, *next;

	list_for_each_entry_safe(img, next, images, list) {
		list_del_init(&img->list);
		msyncfs_image_put(img);
	}
}

/**
 * msyncfs_capture_put - drop a reference of a capture
 * @cap: capture
 */
void msyncfs_capture_put(struct msyncfs_capture *cap)
{
	if (!refcount_dec_and_test(&cap->ref))
		return;
	msyncfs_drop_images(&cap->images);
	/* Of a capture that nothing was in. */
	if (!list_empty(&cap->resv))
		msyncfs_unreserve(cap->inode->i_sb,
				  msyncfs_resv_drop(&cap->resv));
	kfree(cap);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_put);

/**
 * msyncfs_capture_release - the pages are durable, or dirty again
 * @cap: capture
 *
 * Gives the folios back to reclaim; the copies live on as long as needed.
 */
void msyncfs_capture_release(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list) {
		if (!img->folio)
			continue;
		folio_put(img->folio);
		img->folio = NULL;
	}
}

/**
 * msyncfs_capture_publish - the pages can be read elsewhere
 * @cap: capture: its images are in the transaction, or its fresh blocks in the map
 *
 * Until then msyncfs_release_folio() keeps the pages in the cache (B4).
 */
void msyncfs_capture_publish(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list)
		folio_clear_checked(img->folio);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_publish);

/**
 * msyncfs_capture_redirty - the pages did not become durable
 * @cap: capture
 * @err: why; 0 if nobody needs to know
 *
 * They are dirty again, but for those truncated meanwhile, and the mapping
 * remembers the error for every open file description. Pages of an atomic file
 * get a reservation again if there is space.
 *
 * Context: takes folio locks.
 */
void msyncfs_capture_redirty(struct msyncfs_capture *cap, int err)
{
	struct msyncfs_image *img;
	struct folio *folio;

	list_for_each_entry(img, &cap->images, list) {
		folio = img->folio;
		if (!folio)
			continue;
		/*
		 * Before the lock: who holds that may be waiting for this. The
		 * page does not leave the cache (PG_checked).
		 */
		if (img->writeback) {
			img->writeback = false;
			folio_end_writeback(folio);
		}
		folio_lock(folio);
		folio_clear_checked(folio);
		if (folio->mapping) {
			if (msyncfs_is_atomic(folio->mapping->host))
				msyncfs_resv_page(folio->mapping->host,
						  folio->index);
			folio_mark_dirty(folio);
			if (err)
				mapping_set_error(folio->mapping, err);
		}
		folio_unlock(folio);
	}
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_redirty);

/**
 * msyncfs_capture_copy - copy pages that were captured without
 * @cap: capture whose pages are under writeback
 *
 * Context: may sleep to allocate.
 * Return: 0 or -ENOMEM.
 */
int msyncfs_capture_copy(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list) {
		if (img->page)
			continue;
		img->page = alloc_page(GFP_NOFS);
		if (!img->page)
			return -ENOMEM;
		memcpy_page(img->page, 0, folio_page(img->folio, 0), 0, PAGE_SIZE);
		img->writeback = false;
		folio_end_writeback(img->folio);
	}
	cap->copied = true;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_copy);

/* Images for @nr pages, with pages for the copies if @copied. */
static int msyncfs_prealloc(struct list_head *pool, unsigned long nr,
			    bool copied)
{
	struct msyncfs_image *img;

	while (nr--) {
		img = msyncfs_image_alloc(GFP_NOFS, copied);
		if (!img)
			return -ENOMEM;
		list_add_tail(&img->list, pool);
		cond_resched();
	}
	return 0;
}

/* With the freeze broken, stores to a page go on before others are captured. */
static void msyncfs_break_thaw(struct msyncfs_image *img)
{
	if (!msyncfs_breaks(FREEZE))
		return;
	img->writeback = false;
	folio_end_writeback(img->folio);
}

/* Takes one folio, which is locked; false if there is nothing to take. */
static bool msyncfs_capture_folio(struct msyncfs_capture *cap,
				  struct folio *folio,
				  struct address_space *mapping,
				  struct msyncfs_image *img)
{
	if (folio->mapping != mapping)
		return false;
	/* Walks the mappings twice, but only until one store is known of. */
	if (!cap->stored && folio_mapped(folio) && folio_mkclean(folio)) {
		cap->stored = true;
		folio_mark_dirty(folio);
	}
	if (!folio_clear_dirty_for_io(folio))
		return false;
	folio_start_writeback(folio);
	if (folio_pos(folio) >= cap->size) {
		/* A store that raced with a truncation: beyond the end. */
		folio_end_writeback(folio);
		return false;
	}
	folio_get(folio);
	img->folio = folio;
	img->index = folio->index;
	list_move_tail(&img->list, &cap->images);
	cap->nr++;
	cap->end = min_t(loff_t, cap->size, folio_pos(folio) + PAGE_SIZE);
	img->writeback = true;
	folio_set_checked(folio);
	/* What lies beyond the end of the file becomes durable as zeros (G1). */
	if (folio_pos(folio) + PAGE_SIZE > cap->size)
		folio_zero_segment(folio, offset_in_folio(folio, cap->size),
				   PAGE_SIZE);
	if (cap->copied) {
		memcpy_page(img->page, 0, folio_page(folio, 0), 0, PAGE_SIZE);
		msyncfs_break_thaw(img);
	}
	return true;
}

/*
 * Dirty pages that lie this close together are write-protected in one go: that
 * walks the page tables of the gaps too, but flushes the TLBs once.
 */
#define MSYNCFS_STRETCH_GAP	16
#define MSYNCFS_STRETCH_MIN	8
#define MSYNCFS_STRETCH_MAX	16384

/* Where the stretch of dirty pages from *@first on ends; sets *@first. */
static pgoff_t msyncfs_stretch(struct address_space *mapping, pgoff_t *first,
			       pgoff_t last, unsigned int *nr)
{
	XA_STATE(xas, &mapping->i_pages, *first);
	pgoff_t end = last;
	void *entry;

	*nr = 0;
	rcu_read_lock();
	xas_for_each_marked(&xas, entry, last, PAGECACHE_TAG_DIRTY) {
		if (!*nr)
			*first = xas.xa_index;
		else if (xas.xa_index - end > MSYNCFS_STRETCH_GAP ||
			 xas.xa_index - *first >= MSYNCFS_STRETCH_MAX)
			break;
		end = xas.xa_index;
		++*nr;
	}
	rcu_read_unlock();
	return end;
}

/*
 * Write-protects and cleans the PTEs of a stretch. Nobody can make one writable
 * again meanwhile: page_mkwrite waits for the thaw. All pages of the stretch
 * with a dirty PTE are dirty already, so what the bitmap records is known.
 */
static void msyncfs_protect(struct msyncfs_capture *cap,
			    struct address_space *mapping, pgoff_t first,
			    pgoff_t last, unsigned long *bitmap)
{
#ifdef CONFIG_MAPPING_DIRTY_HELPERS
	pgoff_t nr = last - first + 1, start = 0, end = 0;

	if (!mapping_mapped(mapping))
		return;
	wp_shared_mapping_range(mapping, first, nr);
	if (clean_record_shared_mapping_range(mapping, first, nr, first,
					      bitmap, &start, &end))
		cap->stored = true;
#endif
}

/*
 * Pages that nobody stored to can get dirty under the freeze all the same: those
 * of an earlier record that fails just now. What is more than was counted is
 * taken if there is memory at hand; else the capture is known to lack something.
 */
static bool msyncfs_pool_refill(struct msyncfs_capture *cap,
				unsigned long limit)
{
	struct msyncfs_image *img;

	if (!list_empty(&cap->pool))
		return true;
	if (cap->nr >= limit)
		return false;
	img = msyncfs_image_alloc(GFP_NOWAIT | __GFP_NOWARN, cap->copied);
	if (!img) {
		cap->incomplete = true;
		return false;
	}
	list_add(&img->list, &cap->pool);
	return true;
}

/* Takes the dirty pages of a stretch; false when there is no going on. */
static bool msyncfs_capture_stretch(struct msyncfs_capture *cap,
				    struct address_space *mapping,
				    pgoff_t first, pgoff_t last,
				    unsigned long limit)
{
	struct msyncfs_image *img;
	struct folio_batch fbatch;
	unsigned int i;

	folio_batch_init(&fbatch);
	while (filemap_get_folios_tag(mapping, &first, last,
				      PAGECACHE_TAG_DIRTY, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++) {
			struct folio *folio = fbatch.folios[i];

			if (!msyncfs_pool_refill(cap, limit))
				break;
			img = list_first_entry(&cap->pool,
					       struct msyncfs_image, list);
			folio_lock(folio);
			msyncfs_capture_folio(cap, folio, mapping, img);
			folio_unlock(folio);
		}
		folio_batch_release(&fbatch);
		if (!msyncfs_pool_refill(cap, limit))
			return false;
	}
	return true;
}

/* Copied pages have nothing to wait for; after the thaw, to keep that short. */
static void msyncfs_capture_end_copied(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;

	if (msyncfs_breaks(FREEZE))
		return;
	list_for_each_entry(img, &cap->images, list) {
		img->writeback = false;
		folio_end_writeback(img->folio);
	}
}

/* The pass under the freeze, over one range; false: no going on. */
static bool msyncfs_capture_range(struct msyncfs_capture *cap, pgoff_t first,
				  pgoff_t last, unsigned long limit,
				  unsigned long *bitmap)
{
	struct address_space *mapping = cap->inode->i_mapping;
	unsigned int nr;
	pgoff_t end;

	do {
		end = msyncfs_stretch(mapping, &first, last, &nr);
		if (!nr)
			return true;
		if (nr >= MSYNCFS_STRETCH_MIN)
			msyncfs_protect(cap, mapping, first, end, bitmap);
		if (!msyncfs_capture_stretch(cap, mapping, first, end, limit))
			return false;
		first = end + 1;
	} while (end < last);
	return true;
}

/* The pass over one file. */
static void msyncfs_capture_file(struct msyncfs_capture *cap,
				 unsigned long limit, unsigned long *bitmap)
{
	unsigned int i;

	cap->size = i_size_read(cap->inode);
	if (cap->whole) {
		cap->pending = msyncfs_overlay_pending(cap->inode);
		msyncfs_capture_range(cap, 0, ULONG_MAX, limit, bitmap);
		msyncfs_resv_take(cap->inode, &cap->resv);
		return;
	}
	for (i = 0; i < cap->nr_ranges; i++) {
		const struct msyncfs_range *r = &cap->ranges[i];

		if (r->first <= r->last &&
		    !msyncfs_capture_range(cap, r->first, r->last, limit,
					   bitmap))
			return;
	}
}

/* Dirty pages in the ranges of a file, at most @limit. */
static unsigned long msyncfs_capture_count(const struct msyncfs_capture *cap,
					   unsigned long limit)
{
	unsigned long nr = 0;
	unsigned int i;

	if (cap->whole)
		return msyncfs_count_dirty(cap->inode, 0, ULONG_MAX, limit);
	for (i = 0; i < cap->nr_ranges && nr < limit; i++)
		nr += msyncfs_count_dirty(cap->inode, cap->ranges[i].first,
					  cap->ranges[i].last, limit - nr);
	return nr;
}

static void msyncfs_set_freeze(struct list_head *set)
{
	struct msyncfs_capture *cap;

	if (msyncfs_breaks(FREEZE))
		return;
	list_for_each_entry(cap, set, set)
		msyncfs_set_down_write(set, MSYNCFS_SB(cap->inode->i_sb),
				       &MSYNCFS_I(cap->inode)->i_freeze);
}

static void msyncfs_set_thaw(struct list_head *set)
{
	struct msyncfs_capture *cap;

	if (msyncfs_breaks(FREEZE))
		return;
	list_for_each_entry_reverse(cap, set, set)
		up_write(&MSYNCFS_I(cap->inode)->i_freeze);
}

/* One capture, still empty, for each file; the ranges are sorted by file. */
static int msyncfs_set_alloc(const struct msyncfs_range *ranges,
			     unsigned int nr, struct list_head *set)
{
	const struct msyncfs_range *end = ranges + nr;
	struct msyncfs_capture *cap = NULL;

	for (; ranges < end; ranges++) {
		lockdep_assert_held(&MSYNCFS_I(ranges->inode)->i_commit_lock);
		if (!cap || cap->inode != ranges->inode) {
			cap = msyncfs_capture_alloc(ranges->inode, GFP_NOFS);
			if (!cap)
				return -ENOMEM;
			cap->ranges = ranges;
			cap->whole = ranges->whole;
			list_add_tail(&cap->set, set);
		}
		cap->nr_ranges++;
	}
	return 0;
}

/* Memory for as many pages as are dirty now, and for some more of those files. */
static int msyncfs_set_prepare(struct list_head *set, unsigned long copy_max,
			       unsigned long limit)
{
	struct msyncfs_capture *cap;
	unsigned long total = 0;
	int err;

	list_for_each_entry(cap, set, set) {
		cap->room = msyncfs_capture_count(cap, limit);
		total += cap->room;
	}
	list_for_each_entry(cap, set, set) {
		cap->copied = total <= copy_max;
		if (cap->room)
			cap->room = min(cap->room + cap->room / 8 + 4, limit);
		msyncfs_drop_images(&cap->pool);
		err = msyncfs_prealloc(&cap->pool, cap->room, cap->copied);
		if (err)
			return err;
	}
	return 0;
}

/* Under the freeze: is what has been prepared still enough? */
static bool msyncfs_set_enough(struct list_head *set, unsigned long copy_max,
			       unsigned long limit)
{
	struct msyncfs_capture *cap;
	unsigned long nr, total = 0;
	bool copied = true;

	list_for_each_entry(cap, set, set) {
		nr = msyncfs_capture_count(cap, limit);
		if (nr > cap->room)
			return false;
		copied = cap->copied;
		total += nr;
	}
	return !copied || total <= copy_max;
}

/* What capturing needed, and files of which nothing was taken. */
static void msyncfs_set_trim(struct list_head *set, bool all)
{
	struct msyncfs_capture *cap, *next;

	list_for_each_entry_safe(cap, next, set, set) {
		msyncfs_drop_images(&cap->pool);
		cap->ranges = NULL;
		if (all || !(cap->nr || cap->pending)) {
			list_del_init(&cap->set);
			msyncfs_capture_put(cap);
		}
	}
}

/*
 * POSIX: a write that msync causes marks the times. The first store to a page
 * has done so, later ones did not fault.
 */
static void msyncfs_capture_times(struct msyncfs_capture *cap)
{
	if (cap->stored && !IS_NOCMTIME(cap->inode))
		generic_update_time(cap->inode, S_MTIME | S_CTIME);
}

static void msyncfs_set_capture(struct list_head *set, unsigned long limit,
				unsigned long *bitmap, u64 start)
{
	struct msyncfs_capture *cap;

	list_for_each_entry(cap, set, set)
		msyncfs_capture_file(cap, limit, bitmap);
	msyncfs_set_thaw(set);
	start = ktime_get_ns() - start;
	list_for_each_entry(cap, set, set) {
		trace_msyncfs_capture(cap->inode, cap->ranges[0].first,
				      cap->ranges[cap->nr_ranges - 1].last,
				      cap->nr, cap->copied, start);
		if (cap->copied)
			msyncfs_capture_end_copied(cap);
		msyncfs_capture_times(cap);
	}
}

/* Is any page dirty, or is there anything else to commit of an atomic file? */
static bool msyncfs_any_dirty(const struct msyncfs_range *ranges,
			      unsigned int nr)
{
	for (; nr--; ranges++) {
		if (ranges->whole &&
		    (msyncfs_overlay_pending(ranges->inode) ||
		     msyncfs_count_dirty(ranges->inode, 0, ULONG_MAX, 1)))
			return true;
		if (msyncfs_count_dirty(ranges->inode, ranges->first,
					ranges->last, 1))
			return true;
	}
	return false;
}

/**
 * msyncfs_capture_set - clean and copy the dirty pages of ranges, as of one
 *	moment
 * @ranges: sorted by inode, then by first page; of one file, they do not overlap
 * @nr: how many
 * @copy_max: more pages than that are not copied but put under writeback, for
 *	their own blocks to be written
 * @limit: take no more pages of a file than that, from its first range on
 * @set: empty; gets a capture, linked by its member set, for each file of which
 *	pages were taken, or that is to be captured as a whole and has something
 *	else to commit
 *
 * The captures are the caller's to attach or redirty, and put.
 *
 * Context: caller holds i_commit_lock of every inode, and set_mutex if there are
 * several; and none of what P4 forbids.
 * Return: 0 or -ENOMEM; @set is empty then.
 */
int msyncfs_capture_set(const struct msyncfs_range *ranges, unsigned int nr,
			unsigned long copy_max, unsigned long limit,
			struct list_head *set)
{
	unsigned long *bitmap = NULL;
	u64 start;
	int err;

	if (!msyncfs_any_dirty(ranges, nr))
		return 0;
	bitmap = bitmap_zalloc(MSYNCFS_STRETCH_MAX, GFP_NOFS);
	err = bitmap ? msyncfs_set_alloc(ranges, nr, set) : -ENOMEM;
	while (!err) {
		err = msyncfs_set_prepare(set, copy_max, limit);
		if (err)
			break;
		msyncfs_set_freeze(set);
		start = ktime_get_ns();
		if (msyncfs_set_enough(set, copy_max, limit)) {
			msyncfs_set_capture(set, limit, bitmap, start);
			break;
		}
		msyncfs_set_thaw(set);
	}
	msyncfs_set_trim(set, err);
	bitmap_free(bitmap);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_set);

/**
 * msyncfs_capture - the same for one range of one file
 * @inode: file
 * @first: first page
 * @last: last page, inclusive
 * @copy_max: as there
 * @limit: as there
 *
 * Context: caller holds i_commit_lock, and none of what P4 forbids.
 * Return: the capture, for the caller to attach or redirty, and put; NULL if
 * nothing is dirty; ERR_PTR(-ENOMEM).
 */
struct msyncfs_capture *msyncfs_capture(struct inode *inode, pgoff_t first,
					pgoff_t last, unsigned long copy_max,
					unsigned long limit)
{
	struct msyncfs_range range = {
		.inode = inode, .first = first, .last = last,
	};
	struct msyncfs_capture *cap;
	LIST_HEAD(set);
	int err;

	err = msyncfs_capture_set(&range, 1, copy_max, limit, &set);
	if (err)
		return ERR_PTR(err);
	cap = list_first_entry_or_null(&set, struct msyncfs_capture, set);
	if (cap)
		list_del_init(&cap->set);
	return cap;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture);
