// SPDX-License-Identifier: GPL-2.0
/*
 * This file locks folios of the page cache for changes. It takes i_freeze
 * shared before it takes a folio lock. capture.c takes i_freeze exclusively.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "fs/disk/trace.h"
#include "pages.h"

/*
 * Takes i_freeze shared and the folio lock. A capture holds both. If the task
 * has to wait for one of them, a trace event reports the duration of the wait.
 */
static void msyncfs_folio_lock_thawed(struct inode *inode, struct folio *folio)
{
	struct rw_semaphore *freeze = &MSYNCFS_I(inode)->i_freeze;
	bool thawed = down_read_trylock(freeze);
	u64 start;

	if (thawed && folio_trylock(folio))
		return;
	start = ktime_get_ns();
	if (!thawed)
		down_read(freeze);
	folio_lock(folio);
	trace_msyncfs_freeze_wait(inode, ktime_get_ns() - start);
}

/**
 * msyncfs_folio_lock_stable - lock a folio that is not under writeback
 * @inode: file
 * @folio: folio of the page cache, with a reference of the caller
 *
 * If a page is written to a fresh block without a copy, a store must not change
 * the page during the write. So this function waits for the end of the write.
 * The function does not hold i_freeze while it waits. Otherwise, a capture that
 * needs i_freeze would have to wait for the write, too.
 *
 * On return the folio is locked and i_freeze is held shared. The folio may have
 * been truncated during the wait.
 *
 * Context: may sleep, also for the write of the folio.
 */
void msyncfs_folio_lock_stable(struct inode *inode, struct folio *folio)
{
	for (;;) {
		folio_wait_writeback(folio);
		msyncfs_folio_lock_thawed(inode, folio);
		if (!folio_test_writeback(folio))
			return;
		folio_unlock(folio);
		up_read(&MSYNCFS_I(inode)->i_freeze);
	}
}

/**
 * msyncfs_folio_begin - get and lock a folio of the page cache for a change
 * @inode: file
 * @index: page
 *
 * If the page lies over a hole or the file is atomic, the caller makes sure
 * that the page has a reservation. The returned folio may be not uptodate. The
 * caller fills the folio, marks it dirty and calls msyncfs_folio_end(). Before
 * the caller has called msyncfs_folio_end(), it does no I/O (P2), and accesses
 * user memory only with page faults disabled (P3).
 *
 * For mappings of executable files that nobody has open for writing, the kernel
 * may replace folios by a large one (CONFIG_READ_ONLY_THP_FOR_FS). Such a folio
 * is clean, and this function drops it, because all other code expects folios of
 * one page. The caller may write to the file, so no new large folio comes.
 *
 * Context: may sleep, also for the write of the folio; begins no commit.
 * Return: the folio with a reference, ERR_PTR(-ENOMEM), or ERR_PTR(-EIO) if a
 * large folio cannot be dropped. The folio has one page, is locked and not under
 * writeback, and i_freeze is held shared.
 */
struct folio *msyncfs_folio_begin(struct inode *inode, pgoff_t index)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;
	bool large;

	for (;;) {
		folio = __filemap_get_folio(mapping, index,
					    FGP_LOCK | FGP_CREAT | FGP_NOFS,
					    mapping_gfp_mask(mapping));
		if (IS_ERR(folio))
			return folio;
		folio_unlock(folio);
		msyncfs_folio_lock_stable(inode, folio);
		large = folio_test_large(folio);
		if (folio->mapping == mapping && !large)
			return folio;
		msyncfs_folio_end(inode, folio);
		if (large && WARN_ON_ONCE(invalidate_inode_pages2_range(mapping,
									index,
									index)))
			return ERR_PTR(-EIO);
	}
}

/**
 * msyncfs_folio_end - release a folio of msyncfs_folio_begin()
 * @inode: file
 * @folio: folio; already marked dirty if it was changed
 *
 * This function unlocks the folio, releases i_freeze and drops the reference.
 *
 * Context: the task that called msyncfs_folio_begin().
 */
void msyncfs_folio_end(struct inode *inode, struct folio *folio)
{
	folio_unlock(folio);
	up_read(&MSYNCFS_I(inode)->i_freeze);
	folio_put(folio);
}
