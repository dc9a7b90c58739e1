// SPDX-License-Identifier: GPL-2.0
/*
 * This file makes captures: consistent snapshots of the dirty pages in ranges
 * of one or several files. fs/place chooses the blocks for the pages. fs/log
 * makes the pages durable.
 */

/**
 * DOC: the freeze
 *
 * Each task that makes a page dirty (page_mkwrite, write(2), zeroing at a
 * truncation) holds i_freeze shared. The task takes i_freeze before the folio
 * lock, and releases i_freeze after it has marked the page dirty. The capture
 * holds i_freeze exclusively. It goes through the dirty folios in page order:
 * it locks, write-protects, cleans and copies each folio. The caller of the
 * capture holds i_commit_lock, so no truncation runs at the same time.
 *
 * Once the capture has taken a page, a store to this page faults, and waits in
 * page_mkwrite for the thaw. While a store waits, its thread makes no later
 * store, and no other thread can see the waiting store. So the capture contains
 * no store that is ordered after a waiting store. If a page is dirty and the
 * capture has not taken the page yet, a store to the page does not wait, and
 * the capture contains the store. Hence the snapshot is consistent (G3). Only
 * tasks that write have to wait.
 *
 * page_mkwrite returns with the folio locked. The kernel then makes the PTE of
 * the folio writable, and unlocks the folio after that. The capture
 * write-protects the PTEs of a folio while it holds the folio lock, so the
 * capture cannot miss this PTE. The page is tagged dirty before i_freeze is
 * released, so the capture cannot miss the page.
 *
 * A capture of several files freezes all of them before it takes the first
 * page. It also freezes files without a dirty page, because ordered stores may
 * go to different files.
 *
 * Under the freeze there is no I/O, no map lookup and no allocation that
 * reclaims memory (P2). The capture allocates its memory before the freeze, for
 * as many pages as are dirty at that time.
 */
#include <kunit/visibility.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/rcupdate_wait.h>
#include <linux/rmap.h>
#include <linux/slab.h>

#include "fs/disk/trace.h"
#include "pages.h"

/**
 * struct msyncfs_file_pass - the part of a pass that captures one file
 * @cap: the capture that the pass fills
 * @ranges: ranges in which the pass looks for dirty pages, in ascending order
 * @nr_ranges: number of @ranges
 * @pool: unused images
 * @room: number of images in @pool when the pass begins to take pages
 * @uncommitted: an atomic file has a size or a map that differs from its
 *	committed state
 */
struct msyncfs_file_pass {
	struct msyncfs_capture		*cap;
	const struct msyncfs_range	*ranges;
	unsigned int			nr_ranges;
	struct list_head		pool;
	unsigned long			room;
	bool				uncommitted;
};

/**
 * struct msyncfs_pass - one pass under the freeze, over one file or several
 * @files: the files
 * @nr: number of @files
 * @copy_max: largest number of pages to copy; if more pages are dirty, none is
 *	copied
 * @limit: largest number of pages to take from each file
 * @bitmap: bitmap that clean_record_shared_mapping_range() fills, or NULL
 * @sbi: filesystem
 */
struct msyncfs_pass {
	struct msyncfs_file_pass	*files;
	unsigned int			nr;
	unsigned long			copy_max;
	unsigned long			limit;
	unsigned long			*bitmap;
	struct msyncfs_sb_info		*sbi;
};

/* This range is used for each atomic file, and contains all pages of a file. */
static const struct msyncfs_range msyncfs_all_pages = { .last = ULONG_MAX };

/* ---- captures ------------------------------------------------------------ */

/**
 * msyncfs_count_dirty - count the dirty pages of a range
 * @inode: file
 * @first: first page
 * @last: last page, inclusive; if it is before @first, the range is empty
 * @limit: number of pages at which the function stops counting
 *
 * Context: may sleep.
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

/*
 * Drops the references to the folios, so that memory reclaim can free the
 * folios. The images keep their copies.
 */
static void msyncfs_capture_release(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list) {
		if (!img->folio)
			continue;
		folio_put(img->folio);
		img->folio = NULL;
	}
}

/*
 * Is called when the transaction of the capture has ended. If the record of the
 * transaction has failed, this function makes the captured pages dirty again.
 */
static void msyncfs_capture_settled(struct msyncfs_member *member, int err)
{
	struct msyncfs_capture *cap = container_of(member,
						   struct msyncfs_capture,
						   member);

	if (err)
		msyncfs_capture_redirty(cap, err);
	msyncfs_capture_release(cap);
	WRITE_ONCE(cap->error, err);
	msyncfs_capture_put(cap);
}

/**
 * msyncfs_capture_alloc - make an empty capture
 * @inode: file
 * @gfp: flags of the allocation
 *
 * Context: as @gfp says.
 * Return: the capture, with one reference, or NULL.
 */
struct msyncfs_capture *msyncfs_capture_alloc(struct inode *inode, gfp_t gfp)
{
	struct msyncfs_capture *cap = kzalloc(sizeof(*cap), gfp);

	if (!cap)
		return NULL;
	cap->inode = inode;
	INIT_LIST_HEAD(&cap->set);
	INIT_LIST_HEAD(&cap->images);
	INIT_LIST_HEAD(&cap->resvs);
	cap->member.settled = msyncfs_capture_settled;
	refcount_set(&cap->ref, 1);
	return cap;
}

static void msyncfs_drop_images(struct list_head *images)
{
	struct msyncfs_image *img, *next;

	list_for_each_entry_safe(img, next, images, list) {
		list_del_init(&img->list);
		if (img->folio)
			folio_put(img->folio);
		msyncfs_image_put(img);
	}
}

/**
 * msyncfs_capture_put - drop a reference to a capture
 * @cap: capture
 *
 * Context: may sleep.
 */
void msyncfs_capture_put(struct msyncfs_capture *cap)
{
	if (!refcount_dec_and_test(&cap->ref))
		return;
	msyncfs_drop_images(&cap->images);
	/*
	 * A capture that was never attached may still have reservations. End
	 * these reservations.
	 */
	if (!list_empty(&cap->resvs))
		msyncfs_unreserve(cap->inode->i_sb,
				  msyncfs_resv_drop(&cap->resvs));
	kfree(cap);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_put);

/**
 * msyncfs_capture_redirty - make captured pages dirty again
 * @cap: capture that did not become durable
 * @err: the reason; 0 if nobody needs to know
 *
 * If a page was truncated after the capture, this function does not make it
 * dirty. The mapping remembers the error for every open file description. Pages
 * of an atomic file get a new reservation if there is space.
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
		 * End the writeback before taking the folio lock, because the
		 * holder of the folio lock may be waiting for the end of the
		 * writeback. PG_checked still keeps the page in the cache.
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
 * msyncfs_capture_copy - copy pages that were captured without copies
 * @cap: capture; pages without a copy are under writeback
 *
 * Context: may sleep to allocate memory.
 * Return: 0 or -ENOMEM; after an error, some pages may be copied.
 */
int msyncfs_capture_copy(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;
	int err;

	list_for_each_entry(img, &cap->images, list) {
		if (img->page)
			continue;
		err = msyncfs_image_add_page(img, GFP_NOFS);
		if (err)
			return err;
		memcpy_page(img->page, 0, folio_page(img->folio, 0), 0, PAGE_SIZE);
		img->writeback = false;
		folio_end_writeback(img->folio);
	}
	cap->copied = true;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_copy);

/* ---- taking pages -------------------------------------------------------- */

/*
 * If a test has switched off the freeze, this function lets stores to the page
 * go on while the capture takes other pages.
 */
static void msyncfs_break_thaw(struct msyncfs_image *img)
{
	if (!msyncfs_breaks(FREEZE))
		return;
	img->writeback = false;
	folio_end_writeback(img->folio);
}

/* Takes one locked folio if it is still dirty. */
static void msyncfs_take_folio(struct msyncfs_capture *cap,
			       struct folio *folio, struct msyncfs_image *img)
{
	if (folio->mapping != cap->inode->i_mapping)
		return;
	/*
	 * Find out whether a store through a mapping has changed the page. This
	 * check walks the mappings, and folio_clear_dirty_for_io() walks them a
	 * second time. So do not check any more pages of the capture after the
	 * first changed page.
	 */
	if (!cap->stored && folio_mapped(folio) && folio_mkclean(folio)) {
		cap->stored = true;
		folio_mark_dirty(folio);
	}
	if (!folio_clear_dirty_for_io(folio))
		return;
	folio_start_writeback(folio);
	if (folio_pos(folio) >= cap->size) {
		/*
		 * The page lies beyond the end of the file. A store that raced
		 * with a truncation has made the page dirty.
		 */
		folio_end_writeback(folio);
		return;
	}
	folio_get(folio);
	img->folio = folio;
	img->index = folio->index;
	list_move_tail(&img->list, &cap->images);
	cap->nr++;
	cap->end = min_t(loff_t, cap->size, folio_pos(folio) + PAGE_SIZE);
	img->writeback = true;
	folio_set_checked(folio);
	/* Bytes beyond the end of the file become durable as zeros (G1). */
	if (folio_pos(folio) + PAGE_SIZE > cap->size)
		folio_zero_segment(folio, offset_in_folio(folio, cap->size),
				   PAGE_SIZE);
	if (cap->copied) {
		memcpy_page(img->page, 0, folio_page(folio, 0), 0, PAGE_SIZE);
		msyncfs_break_thaw(img);
	}
}

/*
 * Dirty pages form a stretch if the gaps between them are not larger than
 * MSYNCFS_STRETCH_GAP. The capture write-protects a stretch in one step. This
 * step also walks the page tables of the clean pages in the stretch, but it
 * flushes the TLBs only once.
 */
#define MSYNCFS_STRETCH_GAP	16
#define MSYNCFS_STRETCH_MIN	8
#define MSYNCFS_STRETCH_MAX	16384

/*
 * Finds the stretch that begins with the first dirty page at or after *@first.
 * Sets *@first to the first page of the stretch, and *@nr to the number of
 * dirty pages in the stretch. Returns the last page of the stretch. If no page
 * up to @last is dirty, sets *@nr to 0.
 */
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
 * Write-protects and cleans the PTEs of a stretch. No PTE can become writable
 * again before the thaw, because page_mkwrite waits for the thaw. All pages
 * with a dirty PTE are tagged dirty already, so nobody reads the bitmap.
 */
static void msyncfs_protect(struct msyncfs_pass *pass,
			    struct msyncfs_capture *cap, pgoff_t first,
			    pgoff_t last)
{
#ifdef CONFIG_MAPPING_DIRTY_HELPERS
	struct address_space *mapping = cap->inode->i_mapping;
	pgoff_t nr = last - first + 1, start = 0, end = 0;

	if (!pass->bitmap || !mapping_mapped(mapping))
		return;
	wp_shared_mapping_range(mapping, first, nr);
	if (clean_record_shared_mapping_range(mapping, first, nr, first,
					      pass->bitmap, &start, &end))
		cap->stored = true;
#endif
}

/*
 * Makes sure that the pool has an image. Even under the freeze, a page can
 * become dirty: if the record of an earlier capture fails, the pages of that
 * capture become dirty again. The pool may have no image for such a page. Then
 * this function allocates an image without waiting. If the allocation fails,
 * the function marks the capture incomplete. Returns false if no more pages can
 * be taken.
 */
static bool msyncfs_pool_refill(struct msyncfs_file_pass *f,
				unsigned long limit)
{
	if (!list_empty(&f->pool))
		return true;
	if (f->cap->nr >= limit)
		return false;
	if (msyncfs_images_alloc(MSYNCFS_SB(f->cap->inode->i_sb), &f->pool, 1,
				 f->cap->copied, GFP_NOWAIT | __GFP_NOWARN))
		f->cap->incomplete = true;
	return !f->cap->incomplete;
}

/*
 * Takes the dirty pages of a stretch. Returns false if no more pages of the
 * file can be taken.
 */
static bool msyncfs_take_stretch(struct msyncfs_file_pass *f, pgoff_t first,
				 pgoff_t last, unsigned long limit)
{
	struct address_space *mapping = f->cap->inode->i_mapping;
	struct msyncfs_image *img;
	struct folio_batch fbatch;
	unsigned int i;
	bool more = true;

	folio_batch_init(&fbatch);
	while (more && filemap_get_folios_tag(mapping, &first, last,
					      PAGECACHE_TAG_DIRTY, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++) {
			struct folio *folio = fbatch.folios[i];

			more = msyncfs_pool_refill(f, limit);
			if (!more)
				break;
			img = list_first_entry(&f->pool, struct msyncfs_image,
					       list);
			folio_lock(folio);
			msyncfs_take_folio(f->cap, folio, img);
			folio_unlock(folio);
		}
		folio_batch_release(&fbatch);
	}
	return more;
}

/*
 * Takes the dirty pages of a range. Returns false if no more pages of the file
 * can be taken.
 */
static bool msyncfs_take_range(struct msyncfs_pass *pass,
			       struct msyncfs_file_pass *f, pgoff_t first,
			       pgoff_t last)
{
	unsigned int nr;
	pgoff_t end;

	do {
		end = msyncfs_stretch(f->cap->inode->i_mapping, &first, last,
				      &nr);
		if (!nr)
			return true;
		if (nr >= MSYNCFS_STRETCH_MIN)
			msyncfs_protect(pass, f->cap, first, end);
		if (!msyncfs_take_stretch(f, first, end, pass->limit))
			return false;
		first = end + 1;
	} while (end < last);
	return true;
}

/*
 * Takes the dirty pages of one file. Takes over the reservations, too, if the
 * capture is to contain all changes of an atomic file.
 */
static void msyncfs_take_file(struct msyncfs_pass *pass,
			      struct msyncfs_file_pass *f)
{
	struct msyncfs_capture *cap = f->cap;
	unsigned int i;

	cap->size = i_size_read(cap->inode);
	for (i = 0; i < f->nr_ranges; i++) {
		const struct msyncfs_range *r = &f->ranges[i];

		if (r->first <= r->last &&
		    !msyncfs_take_range(pass, f, r->first, r->last))
			break;
	}
	if (cap->whole) {
		f->uncommitted = msyncfs_overlay_uncommitted(cap->inode);
		msyncfs_resv_take(cap->inode, &cap->resvs);
	}
}

/* ---- the pass ------------------------------------------------------------ */

static void msyncfs_freeze_files(struct msyncfs_pass *pass)
{
	struct msyncfs_file_pass *f;

	if (msyncfs_breaks(FREEZE))
		return;
	for (f = pass->files; f < pass->files + pass->nr; f++)
		msyncfs_down_write_of(pass->nr > 1, pass->sbi,
				      &MSYNCFS_I(f->cap->inode)->i_freeze);
}

static void msyncfs_thaw_files(struct msyncfs_pass *pass)
{
	struct msyncfs_file_pass *f = pass->files + pass->nr;

	if (msyncfs_breaks(FREEZE))
		return;
	while (f-- > pass->files)
		up_write(&MSYNCFS_I(f->cap->inode)->i_freeze);
}

/* Makes one empty capture for each file. The ranges are sorted by file. */
static int msyncfs_pass_start(struct msyncfs_pass *pass,
			      const struct msyncfs_range *ranges,
			      unsigned int nr)
{
	const struct msyncfs_range *end = ranges + nr;
	struct msyncfs_file_pass *f = NULL;

	for (; ranges < end; ranges++) {
		lockdep_assert_held(&MSYNCFS_I(ranges->inode)->i_commit_lock);
		if (!f || f->cap->inode != ranges->inode) {
			f = &pass->files[pass->nr];
			f->cap = msyncfs_capture_alloc(ranges->inode, GFP_NOFS);
			if (!f->cap)
				return -ENOMEM;
			f->cap->whole = ranges->whole;
			f->ranges = ranges->whole ? &msyncfs_all_pages : ranges;
			INIT_LIST_HEAD(&f->pool);
			pass->nr++;
		}
		if (!f->cap->whole || !f->nr_ranges)
			f->nr_ranges++;
	}
	return 0;
}

/* Counts the dirty pages in the ranges of a file, up to @limit. */
static unsigned long msyncfs_pass_count(const struct msyncfs_file_pass *f,
					unsigned long limit)
{
	unsigned long nr = 0;
	unsigned int i;

	for (i = 0; i < f->nr_ranges && nr < limit; i++)
		nr += msyncfs_count_dirty(f->cap->inode, f->ranges[i].first,
					  f->ranges[i].last, limit - nr);
	return nr;
}

/* Allocates images for the pages of a file, with memory for the copies. */
static int msyncfs_pool_fill(struct msyncfs_file_pass *f)
{
	msyncfs_drop_images(&f->pool);
	return msyncfs_images_alloc(MSYNCFS_SB(f->cap->inode->i_sb), &f->pool,
				    f->room, f->cap->copied, GFP_NOFS);
}

/*
 * Allocates memory for as many pages as are dirty now. More pages may become
 * dirty before the freeze. In this case, msyncfs_pass_run() calls this function
 * a second time, with @again set to true. The function then allocates memory
 * for a few more pages than are dirty.
 */
static int msyncfs_pass_prepare(struct msyncfs_pass *pass, bool again)
{
	struct msyncfs_file_pass *f;
	unsigned long total = 0;
	int err;

	for (f = pass->files; f < pass->files + pass->nr; f++) {
		f->room = msyncfs_pass_count(f, pass->limit);
		total += f->room;
	}
	if (total >= MSYNCFS_STRETCH_MIN && !pass->bitmap) {
		pass->bitmap = bitmap_zalloc(MSYNCFS_STRETCH_MAX, GFP_NOFS);
		if (!pass->bitmap)
			return -ENOMEM;
	}
	for (f = pass->files; f < pass->files + pass->nr; f++) {
		f->cap->copied = total <= pass->copy_max;
		if (f->room && again)
			f->room = min(f->room + f->room / 8 + 4, pass->limit);
		err = msyncfs_pool_fill(f);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Returns whether there is an image for each dirty page. If the pages are to be
 * copied, their number must also be at most @copy_max. The caller has frozen
 * the files, so no store makes more pages dirty.
 */
static bool msyncfs_pass_enough(struct msyncfs_pass *pass)
{
	struct msyncfs_file_pass *f;
	unsigned long nr, total = 0;

	for (f = pass->files; f < pass->files + pass->nr; f++) {
		nr = msyncfs_pass_count(f, pass->limit);
		if (nr > f->room)
			return false;
		total += nr;
	}
	return !pass->files->cap->copied || total <= pass->copy_max;
}

/*
 * Ends the writeback of copied pages, because stores need not wait for the
 * write of a copy. The caller has thawed the files before this call, so that
 * the freeze is short.
 */
static void msyncfs_end_copied(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;

	if (msyncfs_breaks(FREEZE))
		return;
	list_for_each_entry(img, &cap->images, list) {
		img->writeback = false;
		folio_end_writeback(img->folio);
	}
}

/*
 * Takes the dirty pages of all files. The caller has frozen the files, and this
 * function thaws them.
 */
static void msyncfs_pass_take(struct msyncfs_pass *pass, u64 start)
{
	struct msyncfs_file_pass *f;

	for (f = pass->files; f < pass->files + pass->nr; f++)
		msyncfs_take_file(pass, f);
	msyncfs_thaw_files(pass);
	start = ktime_get_ns() - start;
	for (f = pass->files; f < pass->files + pass->nr; f++) {
		trace_msyncfs_capture(f->cap->inode, f->ranges[0].first,
				      f->ranges[f->nr_ranges - 1].last,
				      f->cap->nr, f->cap->copied, start);
		if (f->cap->copied)
			msyncfs_end_copied(f->cap);
	}
}

/*
 * Allocates memory for all dirty pages, freezes the files and takes the pages.
 */
static int msyncfs_pass_run(struct msyncfs_pass *pass)
{
	bool again = false;
	u64 start;
	int err;

	for (;;) {
		err = msyncfs_pass_prepare(pass, again);
		if (err)
			return err;
		msyncfs_freeze_files(pass);
		start = ktime_get_ns();
		if (msyncfs_pass_enough(pass))
			break;
		msyncfs_thaw_files(pass);
		again = true;
	}
	msyncfs_pass_take(pass, start);
	return 0;
}

/*
 * According to POSIX, msync marks the times of a file if msync causes a write
 * to the file. The first store to a page marks the times in page_mkwrite. Later
 * stores to the page do not fault, so this function marks the times for these
 * stores. The capture for a spill must mark the times, too: a later msync finds
 * the spilled pages clean, and would not mark the times.
 */
static void msyncfs_mark_times(struct msyncfs_capture *cap)
{
	if (cap->stored && !IS_NOCMTIME(cap->inode))
		generic_update_time(cap->inode, S_MTIME | S_CTIME);
}

/*
 * Marks the times of the files. Moves captures that have something to commit to
 * @set, and drops all other captures. If @err is not 0, drops all captures.
 */
static void msyncfs_pass_end(struct msyncfs_pass *pass, int err,
			     struct list_head *set)
{
	struct msyncfs_file_pass *f;

	for (f = pass->files; f < pass->files + pass->nr; f++) {
		msyncfs_drop_images(&f->pool);
		msyncfs_mark_times(f->cap);
		if (!err && (f->cap->nr || f->uncommitted))
			list_add_tail(&f->cap->set, set);
		else
			msyncfs_capture_put(f->cap);
	}
	bitmap_free(pass->bitmap);
}

/**
 * msyncfs_atomic_dirty - test whether an atomic file has anything to commit
 * @inode: atomic file
 *
 * Context: may sleep. The result is only a hint unless the caller holds
 * i_commit_lock, because captured pages are neither dirty nor in the overlay.
 * Return: true if the file has a dirty page or an uncommitted overlay.
 */
bool msyncfs_atomic_dirty(struct inode *inode)
{
	return msyncfs_overlay_uncommitted(inode) ||
	       msyncfs_count_dirty(inode, 0, ULONG_MAX, 1);
}

/*
 * Returns whether there is anything to commit: a dirty page in a range, or a
 * change of an atomic file.
 */
static bool msyncfs_any_dirty(const struct msyncfs_range *ranges,
			      unsigned int nr)
{
	for (; nr--; ranges++) {
		if (ranges->whole ? msyncfs_atomic_dirty(ranges->inode) :
		    msyncfs_count_dirty(ranges->inode, ranges->first,
					ranges->last, 1))
			return true;
	}
	return false;
}

/**
 * msyncfs_capture_ranges - capture the dirty pages of ranges at one moment
 * @ranges: sorted by inode, then by first page; ranges of one file do not
 *	overlap
 * @nr: number of ranges
 * @copy_max: largest number of pages to copy; if more pages are dirty, none is
 *	copied, and all captured pages stay under writeback until they are
 *	written
 * @limit: largest number of pages to take from each file, in page order
 * @set: list, empty at the call; gets one capture for each file that has
 *	captured pages, or that is atomic and has other changes to commit;
 *	struct msyncfs_capture.set is the link
 *
 * After success, the captured pages are clean. The caller attaches or redirties
 * the captures, and drops its references to the captures.
 *
 * Context: caller holds i_commit_lock of every inode, set_mutex if there are
 * several inodes, and no lock that P4 forbids.
 * Return: 0 or -ENOMEM; after an error, @set is empty.
 */
int msyncfs_capture_ranges(const struct msyncfs_range *ranges, unsigned int nr,
			   unsigned long copy_max, unsigned long limit,
			   struct list_head *set)
{
	struct msyncfs_file_pass one = {};
	struct msyncfs_pass pass = {
		.files = &one,
		.copy_max = copy_max,
		.limit = limit,
		.sbi = MSYNCFS_SB(ranges->inode->i_sb),
	};
	int err;

	if (!msyncfs_any_dirty(ranges, nr))
		return 0;
	if (ranges[nr - 1].inode != ranges->inode) {
		pass.files = kvcalloc(nr, sizeof(*pass.files), GFP_NOFS);
		if (!pass.files)
			return -ENOMEM;
	}
	err = msyncfs_pass_start(&pass, ranges, nr);
	if (!err)
		err = msyncfs_pass_run(&pass);
	msyncfs_pass_end(&pass, err, set);
	if (pass.files != &one)
		kvfree(pass.files);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_ranges);

/**
 * msyncfs_capture_pages - capture the dirty pages of one range
 * @inode: file
 * @first: first page
 * @last: last page, inclusive
 * @copy_max: as for msyncfs_capture_ranges()
 * @limit: as for msyncfs_capture_ranges()
 *
 * Context: caller holds i_commit_lock, and no lock that P4 forbids.
 * Return: the capture; NULL if no page is dirty; or ERR_PTR(-ENOMEM). The
 * caller attaches or redirties the capture, and then drops its reference.
 */
struct msyncfs_capture *msyncfs_capture_pages(struct inode *inode,
					      pgoff_t first, pgoff_t last,
					      unsigned long copy_max,
					      unsigned long limit)
{
	struct msyncfs_range range = {
		.inode = inode, .first = first, .last = last,
	};
	struct msyncfs_capture *cap;
	LIST_HEAD(set);
	int err;

	err = msyncfs_capture_ranges(&range, 1, copy_max, limit, &set);
	if (err)
		return ERR_PTR(err);
	cap = list_first_entry_or_null(&set, struct msyncfs_capture, set);
	if (cap)
		list_del_init(&cap->set);
	return cap;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_pages);
