// SPDX-License-Identifier: GPL-2.0
/*
 * address_space_operations, and background writeback: the same capture and
 * attach as for msync, without waiting for the record. B1: nothing here writes
 * to a block that committed state refers to.
 */
#include <linux/iomap.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

#include "msyncfs.h"

/* So many pages that are new on disk are worth fresh blocks and a flush. */
#define MSYNCFS_FRESH_MIN	64

/*
 * How many pages may be copied into the record: all that fit, unless this is
 * background writeback of data that is mostly new: writing that to its blocks
 * at once saves the second write.
 */
static unsigned long msyncfs_copy_max(struct inode *inode, pgoff_t first,
				      unsigned long nr, bool background)
{
	unsigned long max = MSYNCFS_SB(inode->i_sb)->record_images / 2;

	if (background && nr >= MSYNCFS_FRESH_MIN &&
	    msyncfs_resv_count(inode, first, nr) >= nr / 2)
		return 0;
	return max;
}

static int msyncfs_writepages(struct address_space *mapping,
			      struct writeback_control *wbc)
{
	struct inode *inode = mapping->host;
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	bool background = wbc->sync_mode == WB_SYNC_NONE;
	unsigned long limit, nr, copy_max;
	struct msyncfs_capture *cap;
	pgoff_t first, last;
	int err = 0;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	if (wbc->nr_to_write <= 0)
		return 0;
	first = wbc->range_cyclic ? 0 : wbc->range_start >> PAGE_SHIFT;
	last = wbc->range_cyclic ? ULONG_MAX : wbc->range_end >> PAGE_SHIFT;
	limit = background ? wbc->nr_to_write : ULONG_MAX;

	mutex_lock(&mi->i_commit_lock);
	nr = msyncfs_count_dirty(inode, first, last, limit);
	copy_max = msyncfs_copy_max(inode, first, nr, background);
	cap = msyncfs_capture(inode, first, last, copy_max, limit);
	if (!IS_ERR_OR_NULL(cap)) {
		err = msyncfs_attach(inode, cap, false);
		wbc->nr_to_write -= cap->nr;
		msyncfs_capture_put(cap);
	} else {
		err = PTR_ERR_OR_ZERO(cap);
	}
	mutex_unlock(&mi->i_commit_lock);
	return err;
}

/*
 * May the page leave the cache? Not between its capture and the moment at which
 * its newest content is found in a transaction or on its fresh block (B4).
 */
static bool msyncfs_release_folio(struct folio *folio, gfp_t gfp)
{
	return !folio_test_checked(folio);
}

const struct address_space_operations msyncfs_aops = {
	.read_folio		= msyncfs_read_folio,
	.readahead		= msyncfs_readahead,
	.writepages		= msyncfs_writepages,
	.dirty_folio		= filemap_dirty_folio,
	.release_folio		= msyncfs_release_folio,
	.migrate_folio		= filemap_migrate_folio,
	.is_partially_uptodate	= iomap_is_partially_uptodate,
	.error_remove_folio	= generic_error_remove_folio,
	.direct_IO		= noop_direct_IO,
};
