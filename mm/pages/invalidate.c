// SPDX-License-Identifier: GPL-2.0
/*
 * This file drops cached pages for MS_INVALIDATE, so that the next access reads
 * the pages from the device. mm/msync.c calls this file after the pages have
 * become durable and are home.
 */
#include <kunit/visibility.h>
#include <linux/fs.h>
#include <linux/interval_tree_generic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>

#include "fs/disk/trace.h"
#include "pages.h"

/*
 * These functions walk mapping->i_mmap, the tree that contains all mappings of
 * a file. The kernel has equal functions in mm/interval_tree.c, but does not
 * export them.
 */
static inline unsigned long msyncfs_vma_first(struct vm_area_struct *vma)
{
	return vma->vm_pgoff;
}

static inline unsigned long msyncfs_vma_last(struct vm_area_struct *vma)
{
	return vma->vm_pgoff + vma_pages(vma) - 1;
}

INTERVAL_TREE_DEFINE(struct vm_area_struct, shared.rb, unsigned long,
		     shared.rb_subtree_last, msyncfs_vma_first,
		     msyncfs_vma_last, static __maybe_unused, msyncfs_vma)

/*
 * Finds the first run of pages that are locked (mlock), at or after *@first and
 * up to @last. Sets *@first to the first page of the run, and *@end to the last
 * page of the run. Returns false if no page in the range is locked. This
 * function tests the VM_LOCKED flag of mappings, because the mlocked flag of a
 * page is only a hint.
 */
static bool msyncfs_next_locked(struct address_space *mapping, pgoff_t *first,
				pgoff_t last, pgoff_t *end)
{
	struct vm_area_struct *vma;
	bool found = false;

	i_mmap_lock_read(mapping);
	for (vma = msyncfs_vma_iter_first(&mapping->i_mmap, *first, last); vma;
	     vma = msyncfs_vma_iter_next(vma, *first, last)) {
		if (!(READ_ONCE(vma->vm_flags) & VM_LOCKED))
			continue;
		/*
		 * The tree returns the mappings in the order of their first
		 * pages, so no page before the new *@first is locked.
		 */
		*first = max(*first, msyncfs_vma_first(vma));
		*end = min(last, msyncfs_vma_last(vma));
		found = true;
		break;
	}
	i_mmap_unlock_read(mapping);
	return found;
}

/*
 * Returns the first page at or after @first that must stay because it is
 * pinned. DMA may still change such a page. Returns @last + 1 if no page up to
 * @last is pinned.
 */
static pgoff_t msyncfs_next_pinned(struct address_space *mapping, pgoff_t first,
				   pgoff_t last)
{
	pgoff_t index = first, found = last + 1;
	struct folio_batch fbatch;
	unsigned int i;

	folio_batch_init(&fbatch);
	while (found > last &&
	       filemap_get_folios(mapping, &index, last, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++) {
			struct folio *folio = fbatch.folios[i];

			if (folio_maybe_dma_pinned(folio)) {
				found = max(folio->index, first);
				break;
			}
		}
		folio_batch_release(&fbatch);
		cond_resched();
	}
	return found;
}

/* Returns whether any page of the range is in the cache. */
static bool msyncfs_any_cached(struct address_space *mapping, pgoff_t first,
			       pgoff_t last)
{
	return filemap_range_has_page(mapping, (loff_t)first << PAGE_SHIFT,
				      ((loff_t)(last + 1) << PAGE_SHIFT) - 1);
}

/*
 * Drops the pages of a range. No page of the range is locked (mlock), and the
 * caller has unmapped all pages of the range. Returns 0, or -EBUSY if a page
 * has to stay because it is pinned.
 */
static int msyncfs_drop(struct address_space *mapping, pgoff_t first,
			pgoff_t last)
{
	int err = 0;
	pgoff_t end;

	for (; first <= last; first = end + 1) {
		end = msyncfs_next_pinned(mapping, first, last);
		/*
		 * Ignore -EBUSY of invalidate_inode_pages2_range(). This error
		 * means that a page is dirty. A store has changed the page
		 * after the page became durable, so the page must stay.
		 */
		if (end > first)
			invalidate_inode_pages2_range(mapping, first, end - 1);
		if (end <= last)
			err = -EBUSY;
		cond_resched();
	}
	return err;
}

/*
 * Unmaps the pages from @first up to the first locked page (mlock). Returns the
 * first locked page, and sets *@end to the last page of the run of locked
 * pages. Returns @last + 1 if no page up to @last is locked.
 *
 * A task can pin a mapped page at any time. Once the page is unmapped, the task
 * must fault the page in before it can pin the page. If the task pins the page
 * for DMA that writes to the page, this fault calls page_mkwrite. page_mkwrite
 * waits for invalidate_lock, which msyncfs_invalidate() holds.
 *
 * A task may lock pages after this function has looked for locked pages. So the
 * function looks a second time, after the unmapping. The second look finds all
 * pages that were locked and faulted in before the unmapping.
 */
static pgoff_t msyncfs_unmap_unlocked(struct address_space *mapping,
				      pgoff_t first, pgoff_t last, pgoff_t *end)
{
	pgoff_t locked = first, since = first, since_end;

	if (!msyncfs_next_locked(mapping, &locked, last, end))
		locked = last + 1;
	if (locked == first)
		return locked;
	unmap_mapping_pages(mapping, first, locked - first, false);
	if (msyncfs_next_locked(mapping, &since, locked - 1, &since_end)) {
		*end = since_end;
		return since;
	}
	return locked;
}

/**
 * msyncfs_invalidate - drop the cached pages of a range
 * @inode: file; the range is durable and home
 * @first: first page
 * @last: last page, inclusive; below the end of the largest possible file
 *
 * Pages that are locked (mlock) or pinned stay in the cache, with their
 * content. Pages also stay in the cache if a store has changed them after the
 * range became durable, so no store is lost.
 *
 * Context: may sleep; caller holds neither i_commit_lock nor a lock that P4
 * forbids.
 * Return: 0, or -EBUSY if a page had to stay because it is locked or pinned.
 */
int msyncfs_invalidate(struct inode *inode, pgoff_t first, pgoff_t last)
{
	struct address_space *mapping = inode->i_mapping;
	pgoff_t locked, locked_end, index = first;
	int err = 0;

	/*
	 * No capture is under way while this task holds i_commit_lock, so every
	 * clean page can be released.
	 */
	mutex_lock(&MSYNCFS_I(inode)->i_commit_lock);
	filemap_invalidate_lock(mapping);
	while (index <= last) {
		locked = msyncfs_unmap_unlocked(mapping, index, last,
						&locked_end);
		if (index < locked && msyncfs_drop(mapping, index, locked - 1))
			err = -EBUSY;
		if (locked > last)
			break;
		if (msyncfs_any_cached(mapping, locked, locked_end))
			err = -EBUSY;
		index = locked_end + 1;
	}
	filemap_invalidate_unlock(mapping);
	mutex_unlock(&MSYNCFS_I(inode)->i_commit_lock);
	trace_msyncfs_invalidate(inode, first, last, err);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_invalidate);
