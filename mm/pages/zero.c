// SPDX-License-Identifier: GPL-2.0
/*
 * This file zeroes parts of pages in the page cache. The callers in fs/vfs make
 * the zeros durable.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "pages.h"

/*
 * Looks up the block of a page. If the page has a written block, reads the page
 * into the cache. Returns 1 if the page is in the cache and uptodate, 0 if
 * there is nothing to zero, or a negative errno.
 */
static int msyncfs_fetch_page(struct inode *inode, pgoff_t index,
			      struct msyncfs_extent *ext)
{
	struct folio *folio;
	int err;

	err = msyncfs_map_lookup(inode, index, 1, ext);
	if (err)
		return err;
	if (ext->blkno && !ext->unwritten) {
		folio = read_mapping_folio(inode->i_mapping, index, NULL);
		if (IS_ERR(folio))
			return PTR_ERR(folio);
	} else {
		folio = filemap_get_folio(inode->i_mapping, index);
		if (IS_ERR(folio))
			return 0;
	}
	err = folio_test_uptodate(folio);
	folio_put(folio);
	return err;
}

/*
 * Zeroes part of a folio. The caller has got the folio from
 * msyncfs_folio_begin().
 */
static int msyncfs_zero_folio(struct inode *inode, struct folio *folio,
			      const struct msyncfs_extent *ext,
			      size_t from, size_t to)
{
	bool clean;
	void *addr;
	int err;

	if (!ext->blkno || ext->unwritten) {
		/*
		 * The page has no written block, so a read of the page never
		 * returns old data from the device. Change nothing if the bytes
		 * in the cache are zeros already.
		 */
		addr = kmap_local_folio(folio, from);
		clean = !memchr_inv(addr, 0, to - from);
		kunmap_local(addr);
		if (clean)
			return 0;
	}
	if (!ext->blkno || msyncfs_is_atomic(inode)) {
		err = msyncfs_resv_page(inode, folio->index);
		if (err)
			return err;
	}
	folio_zero_segment(folio, from, to);
	folio_mark_dirty(folio);
	return 0;
}

/**
 * msyncfs_zero_partial - zero part of a page in the page cache
 * @inode: regular file
 * @from: first byte, below the end of the file or in its last page
 * @to: byte after the last byte; at most the end of the page that contains
 *	@from
 *
 * The page becomes dirty, unless it has no written block and these bytes are
 * zeros already.
 *
 * Context: caller holds i_rwsem, and neither i_freeze nor a folio lock. The
 * caller may have an open handle (struct msyncfs_op) and may hold
 * invalidate_lock. This function may read the page from the device.
 * Return: 0 or a negative errno.
 */
int msyncfs_zero_partial(struct inode *inode, loff_t from, loff_t to)
{
	pgoff_t index = from >> PAGE_SHIFT;
	struct msyncfs_extent ext;
	struct folio *folio;
	size_t off = offset_in_page(from), end = off + (to - from);
	int ret;

	if (from >= to)
		return 0;
	for (;;) {
		ret = msyncfs_fetch_page(inode, index, &ext);
		if (ret <= 0)
			return ret;
		folio = msyncfs_folio_begin(inode, index);
		if (IS_ERR(folio))
			return PTR_ERR(folio);
		if (folio_test_uptodate(folio))
			break;
		/*
		 * Memory reclaim has dropped the page after
		 * msyncfs_fetch_page().
		 */
		msyncfs_folio_end(inode, folio);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	ret = msyncfs_zero_folio(inode, folio, &ext, off, end);
	msyncfs_folio_end(inode, folio);
	return ret;
}

/**
 * msyncfs_zero_edges - zero the part of each edge that a range covers
 * @inode: regular file
 * @start: first byte
 * @end: byte after the last byte
 *
 * Context: as msyncfs_zero_partial().
 * Return: 0 or a negative errno.
 */
int msyncfs_zero_edges(struct inode *inode, loff_t start, loff_t end)
{
	loff_t size = i_size_read(inode);
	loff_t head = min_t(loff_t, end, round_up(start, PAGE_SIZE));
	loff_t tail = round_down(end, PAGE_SIZE);
	int err = 0;

	if (start < size)
		err = msyncfs_zero_partial(inode, start, head);
	if (!err && tail >= head && tail < size)
		err = msyncfs_zero_partial(inode, tail, end);
	return err;
}
