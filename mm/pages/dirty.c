// SPDX-License-Identifier: GPL-2.0
/*
 * Changing a folio of the page cache: the lock and the freeze around it.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "fs/disk/trace.h"
#include "pages.h"

/* Joins the freeze; who has to wait shows up in the trace. */
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

/*
 * Locks @folio under the freeze, when it is not under writeback: pages that are
 * written to fresh blocks are not copied, so a store waits for that one write,
 * and it waits outside the freeze.
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
 * msyncfs_folio_begin - get a folio of the page cache to modify it
 * @inode: file
 * @index: page
 *
 * The caller makes sure that a page over a hole, and any page of an atomic file,
 * has a reservation, fills it (it
 * need not be uptodate), marks it dirty and calls
 * msyncfs_folio_end(). In between it must not touch user memory other than with
 * page faults off (P3), and do no I/O (P2).
 *
 * Context: may sleep, never for a commit.
 * Return: the folio, locked, referenced and not under writeback, with i_freeze
 * held shared; ERR_PTR(-ENOMEM).
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
 * msyncfs_folio_end - give back what msyncfs_folio_begin() returned
 * @inode: file
 * @folio: folio, marked dirty by now if it was modified
 */
void msyncfs_folio_end(struct inode *inode, struct folio *folio)
{
	folio_unlock(folio);
	up_read(&MSYNCFS_I(inode)->i_freeze);
	folio_put(folio);
}
