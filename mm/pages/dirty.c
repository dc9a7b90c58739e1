// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of a folio in the page cache: its lock, and the freeze around the
 * lock. capture.c holds the freeze exclusively.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "fs/disk/trace.h"
#include "pages.h"

/*
 * Takes the freeze shared. If the task has to wait, the trace shows how long.
 */
static void msyncfs_freeze_shared(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 start;

	if (down_read_trylock(&mi->i_freeze))
		return;
	start = ktime_get_ns();
	down_read(&mi->i_freeze);
	trace_msyncfs_freeze_wait(inode, ktime_get_ns() - start);
}

/**
 * msyncfs_folio_lock_stable - lock a folio that is not under writeback
 * @inode: file
 * @folio: folio of the page cache, with a reference of the caller
 *
 * A page that is being written to a fresh block is not copied. So a store to it
 * must wait for this one write. The store waits outside the freeze. Otherwise,
 * a capture would have to wait for the write, too.
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
		msyncfs_freeze_shared(inode);
		folio_lock(folio);
		if (!folio_test_writeback(folio))
			return;
		folio_unlock(folio);
		up_read(&MSYNCFS_I(inode)->i_freeze);
	}
}

/**
 * msyncfs_folio_begin - get a folio of the page cache to change it
 * @inode: file
 * @index: page
 *
 * The caller makes sure that the page has a reservation if it lies over a hole
 * or if the file is atomic. Then the caller fills the folio, which need not be
 * uptodate, marks it dirty and calls msyncfs_folio_end(). Before
 * msyncfs_folio_end(), the caller may touch user memory only with page faults
 * off (P3), and does no I/O (P2).
 *
 * Context: may sleep, also for the write of the folio; begins no commit.
 * Return: the folio, locked, with a reference and not under writeback, with
 * i_freeze held shared; or ERR_PTR(-ENOMEM).
 */
struct folio *msyncfs_folio_begin(struct inode *inode, pgoff_t index)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;

	for (;;) {
		folio = __filemap_get_folio(mapping, index,
					    FGP_LOCK | FGP_CREAT | FGP_NOFS,
					    mapping_gfp_mask(mapping));
		if (IS_ERR(folio))
			return folio;
		folio_unlock(folio);
		msyncfs_folio_lock_stable(inode, folio);
		if (folio->mapping == mapping)
			return folio;
		msyncfs_folio_end(inode, folio);
	}
}

/**
 * msyncfs_folio_end - release a folio of msyncfs_folio_begin()
 * @inode: file
 * @folio: folio; already marked dirty if it was changed
 *
 * This function unlocks the folio, releases i_freeze and drops the reference.
 *
 * Context: any in which msyncfs_folio_begin() was called.
 */
void msyncfs_folio_end(struct inode *inode, struct folio *folio)
{
	folio_unlock(folio);
	up_read(&MSYNCFS_I(inode)->i_freeze);
	folio_put(folio);
}
