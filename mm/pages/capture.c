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
 * lock, and releases i_freeze after it has marked the page dirty.
 *
 * The capture walks over the dirty folios in page order. It locks,
 * write-protects, cleans and copies each folio. The first walks run before the
 * freeze, so stores go on. A store to a page that a walk has taken faults, and
 * makes the page dirty again. For the last walk, the capture holds i_freeze
 * exclusively. This walk takes the pages that are dirty now. As a rule these
 * are few. If the capture has such a page already, the page is copied once
 * more. So after the last walk, no captured page differs from its copy. The
 * caller of the capture holds i_commit_lock, so no truncation runs meanwhile.
 *
 * Once the last walk has begun, a store to a clean page faults, and waits in
 * page_mkwrite for the thaw. While a store waits, its thread makes no later
 * store, and no other thread can see the waiting store. So the capture contains
 * no store that is ordered after a waiting store. If a page is dirty and the
 * last walk has not taken the page yet, a store to the page does not wait, and
 * the capture contains the store. Hence the snapshot is consistent (G3). Only
 * tasks that write have to wait.
 *
 * page_mkwrite returns with the folio locked. The kernel then makes the PTE of
 * the folio writable, and unlocks the folio after that. The capture
 * write-protects the PTEs of a folio while it holds the folio lock, so the
 * capture cannot miss this PTE. The page is tagged dirty before i_freeze is
 * released, so the last walk cannot miss the page.
 *
 * A capture of several files freezes all of them before the last walk over the
 * first file. It also freezes files without a dirty page, because ordered
 * stores may go to different files.
 *
 * Under the freeze there is no I/O, no map lookup and no allocation that
 * reclaims memory (P2). The capture allocates memory before the walks, for as
 * many pages as the last capture of the file had. If more pages are dirty, it
 * tries to allocate more memory without waiting. If there is none, or if there
 * are more pages than may be copied, the capture makes all pages dirty again,
 * counts the dirty pages, and starts anew.
 *
 * A page that is to be copied is clean and unlocked after a walk. A page that
 * goes to a fresh block without a copy is under writeback from its walk until it
 * is written, so that it does not change.
 */
#include <kunit/visibility.h>
#include <linux/backing-dev.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/rcupdate_wait.h>
#include <linux/rmap.h>
#include <linux/slab.h>

#include "fs/disk/trace.h"
#include "pages.h"

/**
 * struct msyncfs_file_pass - the part of a pass that captures one file
 * @inode: the file
 * @whole: capture all changes of an atomic file
 * @cap: the capture that the pass fills, or NULL
 * @ranges: ranges in which the pass looks for dirty pages, in ascending order
 * @nr_ranges: number of @ranges
 * @pool: images for the pages of the file, in the order of the pages; the first
 *	ones are used
 * @last: link of the last used image, or @pool
 * @at: place of the walk in @pool: link of the last image whose page the walk
 *	has passed, or @pool
 * @room: number of images for which the pass allocates memory
 * @stored: an earlier try has found a page that a store had changed
 * @uncommitted: an atomic file has a size or a map that differs from its
 *	committed state
 */
struct msyncfs_file_pass {
	struct inode			*inode;
	bool				whole;
	struct msyncfs_capture		*cap;
	const struct msyncfs_range	*ranges;
	unsigned int			nr_ranges;
	struct list_head		pool;
	struct list_head		*last;
	struct list_head		*at;
	unsigned long			room;
	bool				stored;
	bool				uncommitted;
};

/**
 * struct msyncfs_pass - one pass under the freeze, over one file or several
 * @files: the files
 * @nr: number of @files
 * @total: number of dirty pages, up to @limit for each file
 * @frozen: the files are frozen
 * @cleaned: number of pages that the walks have cleaned
 * @copy_max: largest number of pages to copy; if more pages are dirty, none is
 *	copied
 * @limit: largest number of pages to take from each file
 * @sbi: filesystem
 */
struct msyncfs_pass {
	struct msyncfs_file_pass	*files;
	unsigned int			nr;
	unsigned long			total;
	bool				frozen;
	unsigned long			cleaned;
	unsigned long			copy_max;
	unsigned long			limit;
	struct msyncfs_sb_info		*sbi;
};

/* Above this number of pages, the dirty pages are counted. */
#define MSYNCFS_GUESS_MAX	1024

/* This range is used for each atomic file, and contains all pages of a file. */
static const struct msyncfs_range msyncfs_all_pages = { .last = ULONG_MAX };

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

/* ---- taking pages -------------------------------------------------------- */

/*
 * Clears the tags of the clean folios in a batch. All folios are locked. The
 * kernel clears the tag of a folio when the writeback of the folio starts, but
 * copied pages have no writeback.
 */
static void msyncfs_clear_tags(struct address_space *mapping,
			       const struct folio_batch *fbatch)
{
	XA_STATE(xas, &mapping->i_pages, 0);
	unsigned int i;

	xas_lock_irq(&xas);
	for (i = 0; i < fbatch->nr; i++) {
		struct folio *folio = fbatch->folios[i];

		if (folio->mapping != mapping || folio_test_dirty(folio) ||
		    folio_test_writeback(folio))
			continue;
		xas_set(&xas, folio->index);
		xas_load(&xas);
		xas_clear_mark(&xas, PAGECACHE_TAG_DIRTY);
		xas_clear_mark(&xas, PAGECACHE_TAG_TOWRITE);
	}
	xas_unlock_irq(&xas);
}

/*
 * Clears the dirty flag of a locked folio, and write-protects and cleans its
 * PTEs unless they are @protected already. Returns false if the folio was not
 * dirty, or must stay dirty. The caller counts the cleaned folios.
 */
static bool msyncfs_clean(struct msyncfs_capture *cap, struct folio *folio,
			  bool protected, bool frozen)
{
	if (folio->mapping != cap->inode->i_mapping)
		return false;
	/* A store through a mapping has changed the page if a PTE is dirty. */
	if (!protected && folio_mkclean(folio)) {
		cap->stored = true;
		folio_mark_dirty(folio);
	}
	/*
	 * A device may change a pinned page before the page becomes dirty. So
	 * only the walk under the freeze takes a pinned page.
	 */
	if (!frozen) {
		/* Pairs with GUP-fast: it pins, then reads the PTE again. */
		smp_mb();
		if (folio_maybe_dma_pinned(folio))
			return false;
	}
	return folio_test_clear_dirty(folio);
}

/*
 * Counts folios as no longer dirty. folio_clear_dirty_for_io() would change
 * these counters for each folio.
 */
static void msyncfs_count_cleaned(struct folio **folios, unsigned int nr)
{
	long len;

	wb_stat_mod(msyncfs_wb(folios[0]->mapping), WB_RECLAIMABLE, -(long)nr);
	for (; nr; nr -= len, folios += len) {
		len = msyncfs_counted_alike(folios, nr);
		lruvec_stat_mod_folio(*folios, NR_FILE_DIRTY, -len);
		zone_stat_mod_folio(*folios, NR_ZONE_WRITE_PENDING, -len);
	}
}

/*
 * Takes one cleaned, locked folio. Returns false if the page lies beyond the end
 * of the file, and does not use the image then. Such a page may be dirty if a
 * store raced with a truncation. If the capture has the page already, @img is
 * the image of the page, and gets its new content.
 */
static bool msyncfs_take_folio(struct msyncfs_file_pass *f,
			       struct folio *folio, struct msyncfs_image *img)
{
	struct msyncfs_capture *cap = f->cap;

	if (folio_pos(folio) >= cap->size)
		return false;
	if (!img->folio) {
		folio_get(folio);
		img->folio = folio;
		img->index = folio->index;
		img->writeback = !cap->copied;
		cap->nr++;
		if (f->at == f->last)
			f->last = &img->list;
		else
			list_move(&img->list, f->at);
	}
	f->at = &img->list;
	folio_set_checked(folio);
	/* Bytes beyond the end of the file become durable as zeros (G1). */
	if (folio_pos(folio) + PAGE_SIZE > cap->size)
		folio_zero_segment(folio, offset_in_folio(folio, cap->size),
				   PAGE_SIZE);
	return true;
}

/*
 * Returns whether a walk before the freeze should unlock its folios, because the
 * scheduler wants to run another task. If it ran with these folios locked,
 * stores would wait until this task gets the CPU again.
 */
static bool msyncfs_cpu_wanted(const struct msyncfs_pass *pass)
{
	return !pass->frozen && need_resched();
}

/*
 * If the pages of a batch are consecutive, write-protects their PTEs in one walk
 * over each mapping, and cleans them in a second walk. This needs few flushes of
 * the TLBs. All folios of the batch are locked. So no PTE of these folios can
 * become writable again before the folio is unlocked, and after that
 * page_mkwrite waits for the thaw, or tags the page dirty once more. All pages
 * with a dirty PTE are tagged dirty already, so nobody reads the bitmap.
 *
 * If the batch had a gap, the step would also walk the PTEs of the pages in the
 * gap. These pages are not locked, so a PTE may be a migration entry. The
 * functions of the kernel take such an entry for a dirty PTE, and change it.
 *
 * The kernel ends both walks at the first mapping that can never store, so they
 * may miss other mappings. msyncfs_file_mmap() sets MSYNCFS_I_READERS before
 * such a mapping can be found, so test the bit after the walks.
 *
 * Returns false if the caller must write-protect each page.
 */
static bool msyncfs_protect(struct msyncfs_capture *cap,
			    const struct folio_batch *fbatch,
			    const struct msyncfs_pass *pass)
{
#ifdef CONFIG_MAPPING_DIRTY_HELPERS
	struct address_space *mapping = cap->inode->i_mapping;
	pgoff_t first = fbatch->folios[0]->index, start = 0, end = 0;
	DECLARE_BITMAP(dirty, FOLIO_BATCH_SIZE);
	unsigned int nr = fbatch->nr;

	if (fbatch->folios[nr - 1]->index - first + 1 != nr ||
	    msyncfs_cpu_wanted(pass))
		return false;
	if (!mapping_mapped(mapping))
		return true;
	bitmap_zero(dirty, FOLIO_BATCH_SIZE);
	wp_shared_mapping_range(mapping, first, nr);
	if (msyncfs_cpu_wanted(pass))
		return false;
	if (clean_record_shared_mapping_range(mapping, first, nr, first,
					      dirty, &start, &end))
		cap->stored = true;
	return !test_bit(MSYNCFS_I_READERS, &MSYNCFS_I(cap->inode)->i_flags);
#else
	return false;
#endif
}

/*
 * Returns the next unused image. If there are more dirty pages than expected,
 * this function allocates a few images without waiting. Returns ERR_PTR(-ENOMEM)
 * if there is no memory, and ERR_PTR(-EAGAIN) if @copy_max pages have been
 * copied.
 */
static struct msyncfs_image *msyncfs_pool_next(struct msyncfs_file_pass *f,
					       unsigned long copy_max)
{
	if (f->cap->copied && f->cap->nr >= copy_max)
		return ERR_PTR(-EAGAIN);
	if (list_is_last(f->last, &f->pool) &&
	    msyncfs_images_alloc(MSYNCFS_SB(f->inode->i_sb), &f->pool, 8,
				 f->cap->copied, GFP_NOWAIT | __GFP_NOWARN))
		return ERR_PTR(-ENOMEM);
	return list_entry(f->last->next, struct msyncfs_image, list);
}

/*
 * Returns the image that gets the content of a dirty page: the image that the
 * page has already, or an unused one. The walk visits the pages in ascending
 * order. Returns NULL if the walk must leave the page dirty, or an error of
 * msyncfs_pool_next().
 */
static struct msyncfs_image *msyncfs_image_of(struct msyncfs_file_pass *f,
					      struct folio *folio,
					      const struct msyncfs_pass *pass)
{
	struct msyncfs_image *img;

	for (; f->at != f->last; f->at = &img->list) {
		img = list_entry(f->at->next, struct msyncfs_image, list);
		if (img->index > folio->index)
			break;
		/* A page under writeback stays dirty, and is written again. */
		if (img->index == folio->index)
			return f->cap->copied ? img : NULL;
	}
	return msyncfs_pool_next(f, pass->copy_max);
}

/**
 * struct msyncfs_batch - folios that a walk takes together
 * @folios: the folios, in ascending order
 * @nr_cleaned: number of @cleaned
 * @nr_taken: number of @images
 * @cleaned: folios that were dirty
 * @images: images of the first ones of @cleaned; the other ones lie beyond the
 *	end of the file
 */
struct msyncfs_batch {
	struct folio_batch	folios;
	unsigned int		nr_cleaned;
	unsigned int		nr_taken;
	struct folio		*cleaned[FOLIO_BATCH_SIZE];
	struct msyncfs_image	*images[FOLIO_BATCH_SIZE];
};

/*
 * Takes the locked folios of a batch, up to the limit of the pass. If the walk
 * should stop to let another task run, sets *@next to the first folio that is
 * left. Returns 0, or the error of msyncfs_pool_next().
 */
static int msyncfs_take_locked(struct msyncfs_file_pass *f,
			       struct msyncfs_batch *b,
			       const struct msyncfs_pass *pass, pgoff_t *next)
{
	unsigned int i, nr = min_t(unsigned long, b->folios.nr,
				   pass->limit - f->cap->nr);
	bool protected = msyncfs_protect(f->cap, &b->folios, pass);
	struct msyncfs_image *img;

	for (i = 0; i < nr; i++) {
		struct folio *folio = b->folios.folios[i];

		if (!protected && msyncfs_cpu_wanted(pass)) {
			*next = folio->index;
			break;
		}
		img = msyncfs_image_of(f, folio, pass);
		if (IS_ERR(img))
			return PTR_ERR(img);
		if (!img ||
		    !msyncfs_clean(f->cap, folio, protected, pass->frozen))
			continue;
		b->cleaned[b->nr_cleaned++] = folio;
		if (msyncfs_take_folio(f, folio, img))
			b->images[b->nr_taken++] = img;
	}
	return 0;
}

/*
 * Takes the folios of a batch. A store may change an unlocked page during its
 * copy. Such a store makes the page dirty first, so that a later walk takes the
 * page once more. Under the freeze there is no such store. Returns as
 * msyncfs_take_locked().
 */
static int msyncfs_take_batch(struct msyncfs_file_pass *f,
			      struct msyncfs_batch *b,
			      struct msyncfs_pass *pass, pgoff_t *next)
{
	unsigned int i;
	int err;

	b->nr_cleaned = 0;
	b->nr_taken = 0;
	/* folio_lock() may give the CPU away even if the folio is not locked. */
	for (i = 0; i < b->folios.nr; i++)
		if (!folio_trylock(b->folios.folios[i]))
			folio_lock(b->folios.folios[i]);
	err = msyncfs_take_locked(f, b, pass, next);
	if (b->nr_cleaned)
		msyncfs_count_cleaned(b->cleaned, b->nr_cleaned);
	if (b->nr_taken && !f->cap->copied)
		msyncfs_start_writeback(b->cleaned, b->nr_taken);
	msyncfs_clear_tags(f->inode->i_mapping, &b->folios);
	for (i = 0; i < b->folios.nr; i++)
		folio_unlock(b->folios.folios[i]);
	for (i = 0; i < b->nr_taken && f->cap->copied; i++)
		copy_highpage(b->images[i]->page,
			      folio_page(b->cleaned[i], 0));
	pass->cleaned += b->nr_cleaned;
	return err;
}

/* Takes the dirty pages of a range. Returns as msyncfs_take_locked(). */
static int msyncfs_take_range(struct msyncfs_pass *pass,
			      struct msyncfs_file_pass *f, pgoff_t first,
			      pgoff_t last)
{
	struct msyncfs_batch b;
	int err = 0;

	folio_batch_init(&b.folios);
	while (!err && f->cap->nr < pass->limit &&
	       filemap_get_folios_tag(f->inode->i_mapping, &first, last,
				      PAGECACHE_TAG_DIRTY, &b.folios)) {
		if (!pass->frozen)
			cond_resched();
		err = msyncfs_take_batch(f, &b, pass, &first);
		folio_batch_release(&b.folios);
	}
	return err;
}

/*
 * Takes the dirty pages of one file. The file may grow before the freeze, so
 * only the walk under the freeze takes a page at the end of the file. Returns as
 * msyncfs_take_locked().
 */
static int msyncfs_take_file(struct msyncfs_pass *pass,
			     struct msyncfs_file_pass *f)
{
	struct msyncfs_capture *cap = f->cap;
	unsigned int i;
	pgoff_t end;
	int err = 0;

	cap->size = i_size_read(cap->inode);
	end = pass->frozen ? ULONG_MAX : cap->size >> PAGE_SHIFT;
	f->at = &f->pool;
	for (i = 0; i < f->nr_ranges && !err &&
	     mapping_tagged(cap->inode->i_mapping, PAGECACHE_TAG_DIRTY); i++) {
		const struct msyncfs_range *r = &f->ranges[i];
		pgoff_t last = min(r->last, end - 1);

		if (r->first <= last && r->first < end)
			err = msyncfs_take_range(pass, f, r->first, last);
	}
	return err;
}

/* Moves the used images to the capture. */
static void msyncfs_take_images(struct msyncfs_file_pass *f)
{
	list_cut_position(&f->cap->images, &f->pool, f->last);
	f->last = &f->pool;
}

/*
 * Notes the end of the captured pages. Takes over the reservations of a file,
 * if the capture is to contain all changes of an atomic file.
 */
static void msyncfs_take_rest(struct msyncfs_file_pass *f)
{
	struct msyncfs_capture *cap = f->cap;
	loff_t last;

	msyncfs_take_images(f);
	if (cap->nr) {
		last = list_last_entry(&cap->images, struct msyncfs_image,
				       list)->index;
		cap->end = min_t(loff_t, cap->size, (last + 1) << PAGE_SHIFT);
	}
	if (!f->whole)
		return;
	f->uncommitted = msyncfs_overlay_uncommitted(f->inode);
	msyncfs_resv_take(f->inode, &f->cap->resvs);
}

/* ---- the pass ------------------------------------------------------------ */

static void msyncfs_freeze_files(struct msyncfs_pass *pass)
{
	struct msyncfs_file_pass *f;

	pass->frozen = true;
	if (msyncfs_breaks(FREEZE))
		return;
	for (f = pass->files; f < pass->files + pass->nr; f++)
		msyncfs_down_write_of(pass->nr > 1, pass->sbi,
				      &MSYNCFS_I(f->inode)->i_freeze);
}

static void msyncfs_thaw_files(struct msyncfs_pass *pass)
{
	struct msyncfs_file_pass *f = pass->files + pass->nr;

	pass->frozen = false;
	if (msyncfs_breaks(FREEZE))
		return;
	while (f-- > pass->files)
		up_write(&MSYNCFS_I(f->inode)->i_freeze);
}

/* Notes the ranges of each file. The ranges are sorted by file. */
static void msyncfs_pass_start(struct msyncfs_pass *pass,
			       const struct msyncfs_range *ranges,
			       unsigned int nr)
{
	const struct msyncfs_range *end = ranges + nr;
	struct msyncfs_file_pass *f = NULL;

	for (; ranges < end; ranges++) {
		lockdep_assert_held(&MSYNCFS_I(ranges->inode)->i_commit_lock);
		if (!f || f->inode != ranges->inode) {
			f = &pass->files[pass->nr++];
			f->inode = ranges->inode;
			f->whole = ranges->whole;
			f->ranges = ranges->whole ? &msyncfs_all_pages : ranges;
			INIT_LIST_HEAD(&f->pool);
			f->last = &f->pool;
		}
		if (!f->whole || !f->nr_ranges)
			f->nr_ranges++;
	}
}

/* Counts the dirty pages in the ranges of a file, up to @limit. */
static unsigned long msyncfs_pass_count(const struct msyncfs_file_pass *f,
					unsigned long limit)
{
	unsigned long nr = 0;
	unsigned int i;

	for (i = 0; i < f->nr_ranges && nr < limit; i++)
		nr += msyncfs_count_dirty(f->inode, f->ranges[i].first,
					  f->ranges[i].last, limit - nr);
	return nr;
}

/*
 * Guesses the number of dirty pages in the ranges of a file. A program often
 * dirties as many pages as before its last msync. A guess saves a walk over the
 * dirty pages. If the guess is too low, the capture needs more memory while it
 * takes the pages. If the guess is too high, unused pages stay in memory with
 * the used ones. So the guess is the smaller of the last two numbers.
 */
static unsigned long msyncfs_pass_guess(const struct msyncfs_file_pass *f,
					unsigned long limit)
{
	const unsigned int *captured = MSYNCFS_I(f->inode)->i_captured;
	unsigned int last = min(captured[0], captured[1]);

	if (last > MSYNCFS_GUESS_MAX)
		return msyncfs_pass_count(f, limit);
	if (!msyncfs_pass_count(f, 1))
		return 0;
	return clamp_t(unsigned long, last, 1, limit);
}

/* Guesses or counts the dirty pages of all files. */
static void msyncfs_pass_measure(struct msyncfs_pass *pass, bool guess)
{
	struct msyncfs_file_pass *f;

	pass->total = 0;
	for (f = pass->files; f < pass->files + pass->nr; f++) {
		f->room = guess ? msyncfs_pass_guess(f, pass->limit) :
				  msyncfs_pass_count(f, pass->limit);
		pass->total += f->room;
	}
}

/*
 * Finds out how many pages are dirty in all files. The first try guesses,
 * unless the guess decides that the pages are not copied. Returns false if
 * there is nothing to commit: neither a dirty page nor another change of an
 * atomic file.
 */
static bool msyncfs_pass_dirty(struct msyncfs_pass *pass, unsigned int tries)
{
	struct msyncfs_file_pass *f;

	msyncfs_pass_measure(pass, !tries);
	if (!tries && pass->copy_max && pass->total > pass->copy_max)
		msyncfs_pass_measure(pass, false);
	if (pass->total)
		return true;
	for (f = pass->files; f < pass->files + pass->nr; f++)
		if (f->whole && msyncfs_overlay_uncommitted(f->inode))
			return true;
	return false;
}

/*
 * Makes the capture of a file, with memory for as many pages as are expected.
 * From the second try on, there is memory for a few pages more. The first try
 * fails rather than wait for the memory of other tasks.
 */
static int msyncfs_pass_alloc(struct msyncfs_pass *pass,
			      struct msyncfs_file_pass *f, unsigned int tries)
{
	f->cap = msyncfs_capture_alloc(f->inode, GFP_NOFS);
	if (!f->cap)
		return -ENOMEM;
	f->cap->whole = f->whole;
	f->cap->stored = f->stored;
	f->cap->copied = pass->total <= pass->copy_max;
	if (f->room && tries)
		f->room = min(f->room + (f->room / 8 + 4) * tries, pass->limit);
	return msyncfs_images_alloc(pass->sbi, &f->pool, f->room,
				    f->cap->copied, tries ? GFP_NOFS :
				    GFP_NOFS | __GFP_NORETRY | __GFP_NOWARN);
}

/* Drops the captures of a pass. Pages that were taken become dirty again. */
static void msyncfs_pass_drop(struct msyncfs_pass *pass)
{
	struct msyncfs_file_pass *f;

	for (f = pass->files; f < pass->files + pass->nr; f++) {
		if (f->cap)
			msyncfs_take_images(f);
		msyncfs_drop_images(&f->pool);
		if (!f->cap)
			continue;
		f->stored = f->cap->stored;
		msyncfs_capture_redirty(f->cap, 0);
		msyncfs_capture_put(f->cap);
		f->cap = NULL;
	}
}

/* Takes the dirty pages of all files. */
static int msyncfs_take_files(struct msyncfs_pass *pass)
{
	struct msyncfs_file_pass *f;
	int err = 0;

	for (f = pass->files; f < pass->files + pass->nr && !err; f++)
		err = msyncfs_take_file(pass, f);
	return err;
}

/* There are at most this many walks before the freeze. */
#define MSYNCFS_EARLY_WALKS	4
/* A walk that takes at most this many pages is the last one before the freeze. */
#define MSYNCFS_FREEZE_FEW	8

/*
 * Takes pages before the freeze, so that few are left for the freeze. If a task
 * waits for the CPU, this function lets it run before the last of these walks,
 * because its stores would have to wait for the thaw. A limit could keep the
 * walk under the freeze from taking a page that is dirty again. So there is no
 * early walk with a limit. Returns as msyncfs_take_locked().
 */
static int msyncfs_take_early(struct msyncfs_pass *pass)
{
	unsigned int walk;
	int err;

	if (pass->limit != ULONG_MAX || msyncfs_breaks(FREEZE))
		return 0;
	for (walk = 0; walk < MSYNCFS_EARLY_WALKS; walk++) {
		cond_resched();
		pass->cleaned = 0;
		err = msyncfs_take_files(pass);
		if (err || (pass->cleaned <= MSYNCFS_FREEZE_FEW &&
			    !need_resched()))
			return err;
	}
	return 0;
}

/*
 * Takes the dirty pages of all files at one moment. Returns as
 * msyncfs_take_locked().
 */
static int msyncfs_pass_take(struct msyncfs_pass *pass)
{
	struct msyncfs_file_pass *f;
	u64 start;
	int err;

	err = msyncfs_take_early(pass);
	if (err)
		return err;
	msyncfs_freeze_files(pass);
	start = ktime_get_ns();
	err = msyncfs_take_files(pass);
	for (f = pass->files; f < pass->files + pass->nr && !err; f++)
		msyncfs_take_rest(f);
	msyncfs_thaw_files(pass);
	start = ktime_get_ns() - start;
	for (f = pass->files; f < pass->files + pass->nr && !err; f++)
		trace_msyncfs_capture(f->inode, f->ranges[0].first,
				      f->ranges[f->nr_ranges - 1].last,
				      f->cap->nr, f->cap->copied, start);
	return err;
}

/* Allocates memory for all dirty pages, and takes the pages. */
static int msyncfs_pass_try(struct msyncfs_pass *pass, unsigned int tries)
{
	struct msyncfs_file_pass *f;
	int err = 0;

	/* Pages under writeback should not have to wait for space (B6). */
	if (pass->total > pass->copy_max)
		msyncfs_make_room(pass->sbi->sb, pass->total);
	for (f = pass->files; f < pass->files + pass->nr && !err; f++)
		err = msyncfs_pass_alloc(pass, f, tries);
	return err ?: msyncfs_pass_take(pass);
}

#define MSYNCFS_PASS_TRIES	8	/* then a pass gives up, for lack of memory */

static int msyncfs_pass_run(struct msyncfs_pass *pass)
{
	unsigned int tries;
	int err;

	for (tries = 0; tries < MSYNCFS_PASS_TRIES; tries++) {
		if (!msyncfs_pass_dirty(pass, tries))
			return 0;
		err = msyncfs_pass_try(pass, tries);
		if (!err)
			return 0;
		msyncfs_pass_drop(pass);
		/* The log may have the memory. An operation cannot wait for it. */
		if (err == -ENOMEM && !(current->flags & PF_MEMALLOC_NOFS))
			msyncfs_checkpoint(pass->sbi->sb);
	}
	return -ENOMEM;
}

/*
 * Counts copied pages as written. The kernel estimates the speed of the device
 * from this count, which the end of a writeback increases for other pages.
 */
static void msyncfs_account_copied(struct msyncfs_capture *cap)
{
	unsigned int nr;

	if (!cap->copied || !cap->nr)
		return;
	for (nr = cap->nr; nr; nr--)
		wb_writeout_inc(msyncfs_wb(cap->inode->i_mapping));
}

/*
 * According to POSIX, msync marks the times of a file if msync causes a write
 * to the file. The first store to a page marks the times in page_mkwrite. Later
 * stores to the page do not fault, so msync marks the times for these stores.
 *
 * fsync(2), sync(2), background writeback and spills must not change the times.
 * A program may have set the times with utimensat(2) after its stores. But the
 * next msync finds the pages clean. So the inode remembers that there were
 * stores.
 */
static void msyncfs_mark_times(const struct msyncfs_file_pass *f, bool mark)
{
	unsigned long *flags = &MSYNCFS_I(f->inode)->i_flags;
	bool stored = f->cap ? f->cap->stored : f->stored;

	if (!mark) {
		if (stored)
			set_bit(MSYNCFS_I_STORED, flags);
		return;
	}
	if (test_bit(MSYNCFS_I_STORED, flags))
		stored |= test_and_clear_bit(MSYNCFS_I_STORED, flags);
	if (stored && !IS_NOCMTIME(f->inode))
		msyncfs_update_mtime(f->inode);
}

/* Remembers the number of pages for the next guess. */
static void msyncfs_pass_remember(const struct msyncfs_file_pass *f)
{
	unsigned int *captured = MSYNCFS_I(f->inode)->i_captured;

	if (!f->cap->nr)
		return;
	captured[1] = captured[0];
	captured[0] = f->cap->nr;
}

/*
 * Marks the times of the files, if @mark is set. Moves captures that have
 * something to commit to @set, and drops all other captures.
 */
static void msyncfs_pass_end(struct msyncfs_pass *pass, struct list_head *set,
			     bool mark)
{
	struct msyncfs_file_pass *f;

	for (f = pass->files; f < pass->files + pass->nr; f++) {
		if (!list_empty(&f->pool))
			msyncfs_drop_images(&f->pool);
		msyncfs_mark_times(f, mark);
		if (!f->cap)
			continue;
		msyncfs_pass_remember(f);
		msyncfs_account_copied(f->cap);
		if (f->cap->nr || f->uncommitted)
			list_add_tail(&f->cap->set, set);
		else
			msyncfs_capture_put(f->cap);
	}
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
 * @mark: mark the times of the files if a store has changed them; only msync
 *	does this
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
			   struct list_head *set, bool mark)
{
	struct msyncfs_file_pass one = {};
	struct msyncfs_pass pass = {
		.files = &one,
		.copy_max = copy_max,
		.limit = limit,
		.sbi = MSYNCFS_SB(ranges->inode->i_sb),
	};
	int err;

	if (ranges[nr - 1].inode != ranges->inode) {
		pass.files = kvcalloc(nr, sizeof(*pass.files), GFP_NOFS);
		if (!pass.files)
			return -ENOMEM;
	}
	msyncfs_pass_start(&pass, ranges, nr);
	err = msyncfs_pass_run(&pass);
	msyncfs_pass_end(&pass, set, mark);
	if (pass.files != &one)
		kvfree(pass.files);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_ranges);
