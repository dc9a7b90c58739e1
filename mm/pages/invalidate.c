// SPDX-License-Identifier: GPL-2.0
/*
 * This file drops cached pages, so that the next access reads the pages from the
 * device. For MS_INVALIDATE, mm/msync.c calls this file after the pages have
 * become durable and are home. For the rollback of an atomic file, fs/vfs calls
 * this file after the file has its committed map and size again.
 *
 * A task that has a reference to a page may store to the page without a PTE, for
 * example through /proc/pid/mem, for ptrace(2), or by DMA. Before such a task
 * gets the reference, it needs a writable PTE, and page_mkwrite waits for
 * invalidate_lock. So while a caller holds invalidate_lock and has unmapped the
 * pages, no task gets a new reference for stores. A page that still has a
 * reference keeps its place in the cache. Otherwise the store would be lost.
 */
#include <kunit/visibility.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/interval_tree_generic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/workqueue.h>

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
 * Returns whether a task may have a reference to a page for stores. References
 * of other tasks look the same, and pass after a moment. If @dirty is false, a
 * dirty page does not count. The caller holds i_commit_lock, holds
 * invalidate_lock exclusively, has unmapped the page, and has one reference.
 */
static bool msyncfs_referenced(struct address_space *mapping,
			       struct folio *folio, bool dirty)
{
	bool referenced = false;

	folio_lock(folio);
	if (folio->mapping == mapping && (dirty || !folio_test_dirty(folio))) {
		/* A task may have loaded from the page since the unmapping. */
		if (folio_mapped(folio))
			unmap_mapping_pages(mapping, folio->index,
					    folio_nr_pages(folio), false);
		referenced = folio_ref_count(folio) > folio_nr_pages(folio) + 1;
	}
	folio_unlock(folio);
	return referenced;
}

/*
 * Returns the first page at or after @first that has a reference, see
 * msyncfs_referenced(). Returns @last + 1 if no page up to @last has one.
 */
static pgoff_t msyncfs_next_referenced(struct address_space *mapping,
				       pgoff_t first, pgoff_t last, bool dirty)
{
	pgoff_t index = first, found = last + 1;
	struct folio_batch fbatch;
	unsigned int i;

	folio_batch_init(&fbatch);
	while (found > last &&
	       filemap_get_folios(mapping, &index, last, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++) {
			struct folio *folio = fbatch.folios[i];

			if (msyncfs_referenced(mapping, folio, dirty)) {
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
 * caller has unmapped all pages of the range. Returns 0, or -EAGAIN if a page
 * has to stay because it has a reference.
 */
static int msyncfs_drop(struct address_space *mapping, pgoff_t first,
			pgoff_t last)
{
	int err = 0;
	pgoff_t end;

	for (; first <= last; first = end + 1) {
		end = msyncfs_next_referenced(mapping, first, last, false);
		/*
		 * Ignore -EBUSY of invalidate_inode_pages2_range(). This error
		 * means that a page is dirty. A store has changed the page
		 * after the page became durable, so the page must stay.
		 */
		if (end > first)
			invalidate_inode_pages2_range(mapping, first, end - 1);
		if (end <= last)
			err = -EAGAIN;
		cond_resched();
	}
	return err;
}

/*
 * Unmaps the pages from @first up to the first locked page (mlock). Returns the
 * first locked page, and sets *@end to the last page of the run of locked
 * pages. Returns @last + 1 if no page up to @last is locked.
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

/*
 * Drops the pages of a range once. Returns 0; -EAGAIN if a page had to stay
 * because it has a reference; or -EBUSY if a page had to stay because it is
 * locked.
 */
static int msyncfs_invalidate_once(struct inode *inode, pgoff_t first,
				   pgoff_t last)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct address_space *mapping = inode->i_mapping;
	pgoff_t locked, locked_end, index = first;
	bool again = false;
	int err = 0;

	/*
	 * No capture is under way while this task holds i_commit_lock. After the
	 * commit, no capture has references to pages. If the commit fails, the
	 * pages are dirty again, and stay.
	 */
	mutex_lock(&mi->i_commit_lock);
	msyncfs_commit(inode->i_sb, mi->i_data_tid);
	filemap_invalidate_lock(mapping);
	while (index <= last) {
		locked = msyncfs_unmap_unlocked(mapping, index, last,
						&locked_end);
		if (index < locked && msyncfs_drop(mapping, index, locked - 1))
			again = true;
		if (locked > last)
			break;
		if (msyncfs_any_cached(mapping, locked, locked_end))
			err = -EBUSY;
		index = locked_end + 1;
	}
	filemap_invalidate_unlock(mapping);
	mutex_unlock(&mi->i_commit_lock);
	return again ? -EAGAIN : err;
}

/*
 * The kernel keeps pages for a CPU in batches before it moves them between LRU
 * lists. The batches have references. This function empties the batches of the
 * CPU on which it runs.
 */
static long msyncfs_drain(void *unused)
{
	struct folio_batch fbatch;

	folio_batch_init(&fbatch);
	__folio_batch_release(&fbatch);
	return 0;
}

/* MS_INVALIDATE waits this many times for references that pass. */
#define MSYNCFS_INVALIDATE_WAITS	10

/**
 * msyncfs_invalidate - drop the cached pages of a range
 * @inode: file; the range is durable and home
 * @first: first page
 * @last: last page, inclusive; below the end of the largest possible file
 *
 * Pages that are locked (mlock), or to which a task has a reference, stay in the
 * cache, with their content. Pages also stay in the cache if a store has changed
 * them after the range became durable, so no store is lost.
 *
 * Context: may sleep; may wait for a commit; caller holds neither i_commit_lock
 * nor a lock that P4 forbids.
 * Return: 0, or -EBUSY if a page had to stay because it is locked or has a
 * reference.
 */
int msyncfs_invalidate(struct inode *inode, pgoff_t first, pgoff_t last)
{
	unsigned int waits = 0;
	int err, cpu;

	msyncfs_drain(NULL);
	for (;;) {
		err = msyncfs_invalidate_once(inode, first, last);
		if (err != -EAGAIN || waits++ == MSYNCFS_INVALIDATE_WAITS)
			break;
		for_each_online_cpu(cpu)
			work_on_cpu_safe(cpu, msyncfs_drain, NULL);
		/* Let other tasks store to their pages, or read from them. */
		fsleep(1000);
	}
	if (err == -EAGAIN)
		err = -EBUSY;
	trace_msyncfs_invalidate(inode, first, last, err);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_invalidate);

/*
 * Reads a page again that may be dirty. The folio keeps its place in the cache,
 * so later stores to the folio reach the file.
 */
static void msyncfs_refill(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = filemap_lock_folio(mapping, index);

	if (IS_ERR(folio))
		return;
	if (folio_mapped(folio))
		unmap_mapping_pages(mapping, index, 1, false);
	if (folio_clear_dirty_for_io(folio)) {
		/*
		 * Only the start of a writeback clears the tag in the page
		 * cache. It needs an inode that has been dirty.
		 */
		folio_start_writeback(folio);
		folio_end_writeback(folio);
	}
	msyncfs_folio_set_home(folio, 0);
	folio_clear_uptodate(folio);
	folio_unlock(folio);
	folio_put(folio);
	/* After an error, the next access reads the page. */
	folio = read_mapping_folio(mapping, index, NULL);
	if (!IS_ERR(folio))
		folio_put(folio);
}

/**
 * msyncfs_wait_fills - wait until no page is being read
 * @inode: file
 *
 * A read that began before this call may still fill a page from a block. After
 * this call, the block can be given to another file.
 *
 * Context: caller holds i_rwsem and invalidate_lock exclusively, so no new read
 * begins; sleeps for the device.
 */
void msyncfs_wait_fills(struct inode *inode)
{
	struct folio_batch fbatch;
	pgoff_t index = 0;
	unsigned int i;

	folio_batch_init(&fbatch);
	while (filemap_get_folios(inode->i_mapping, &index, ULONG_MAX, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++)
			folio_wait_locked(fbatch.folios[i]);
		folio_batch_release(&fbatch);
		cond_resched();
	}
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_wait_fills);

/**
 * msyncfs_discard_pages - drop all cached pages of a file, also dirty ones
 * @inode: file; its map and its size are those that the pages must have
 * @keep: pages to which a task has a reference stay in the cache, and are read
 *	again; so a store of this task that comes after this call is not lost
 *
 * Context: caller holds i_rwsem, i_commit_lock and invalidate_lock exclusively;
 * may sleep and do I/O.
 */
void msyncfs_discard_pages(struct inode *inode, bool keep)
{
	struct address_space *mapping = inode->i_mapping;
	pgoff_t end = DIV_ROUND_UP_ULL(i_size_read(inode), PAGE_SIZE);
	pgoff_t index = 0, used;

	/* Pages of private mappings stay, because they belong to processes. */
	unmap_mapping_range(mapping, 0, 0, 0);
	msyncfs_drain(NULL);
	while (keep && index < end) {
		used = msyncfs_next_referenced(mapping, index, end - 1, true);
		if (used == end)
			break;
		if (used > index)
			truncate_inode_pages_range(mapping,
						   (loff_t)index << PAGE_SHIFT,
						   ((loff_t)used << PAGE_SHIFT) - 1);
		msyncfs_refill(mapping, used);
		index = used + 1;
	}
	truncate_inode_pages(mapping, (loff_t)index << PAGE_SHIFT);
}
