// SPDX-License-Identifier: GPL-2.0
/*
 * This file fills the page cache. iomap reads home blocks. If the newest image
 * of a block is not home yet, this file fills the page from the image (B4). mm/
 * makes pages dirty and writes them.
 */
#include <linux/highmem.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

#include "vfs.h"

/*
 * Fills @folio from the newest image of its block. No image of the block can
 * appear after the lookup, because an image is a copy of a dirty page. This
 * page is not dirty, because it is locked and not uptodate. The image can
 * disappear after the lookup. Then the home block has the newest content.
 *
 * Returns 1 if the folio is filled, 0 if the caller must read the home block,
 * or an error.
 */
static int msyncfs_fill_from_image(struct inode *inode, struct folio *folio)
{
	struct msyncfs_image *img;
	struct msyncfs_extent ext;
	int err;

	err = msyncfs_map_lookup(inode, folio->index, 1, &ext);
	if (err)
		return err;
	if (!ext.blkno || ext.unwritten)
		return 0;
	img = msyncfs_image_get(MSYNCFS_SB(inode->i_sb), ext.blkno);
	if (!img)
		return 0;
	memcpy_page(folio_page(folio, 0), 0, img->page, 0, PAGE_SIZE);
	flush_dcache_folio(folio);
	msyncfs_image_put(img);
	return 1;
}

static int msyncfs_read_one(struct inode *inode, struct folio *folio)
{
	int ret = msyncfs_fill_from_image(inode, folio);

	if (!ret)
		return iomap_read_folio(folio, &msyncfs_iomap_ops);
	folio_end_read(folio, ret > 0);
	return ret < 0 ? ret : 0;
}

/*
 * Reports a page that cannot be read. The messages of iomap and of the block
 * layer do not name the file. With device mapper, these messages do not name
 * the block of this filesystem either.
 */
static void msyncfs_read_failed(struct inode *inode, struct folio *folio)
{
	struct msyncfs_extent ext;

	if (folio->mapping == inode->i_mapping &&
	    !msyncfs_map_lookup(inode, folio->index, 1, &ext))
		msyncfs_err(inode->i_sb, "inode %lu: page %lu: block %llu: cannot be read",
			    inode->i_ino, folio->index, ext.blkno);
}

/**
 * msyncfs_read_folio - address_space_operations.read_folio
 * @file: unused
 * @folio: locked folio; the end of the read unlocks it, also if the read fails
 *
 * Waits for the device, so that it can report a failed read. All callers wait
 * for the page anyway. If readahead could not read a page, the kernel calls
 * this function for the page.
 *
 * Context: may sleep and do I/O.
 * Return: 0 or a negative errno.
 */
static int msyncfs_read_folio(struct file *file, struct folio *folio)
{
	struct inode *inode = folio->mapping->host;
	int err = msyncfs_read_one(inode, folio);

	if (!err && !folio_wait_locked_killable(folio) &&
	    !folio_test_uptodate(folio))
		msyncfs_read_failed(inode, folio);
	return err;
}

/* Returns whether any page of @rac has an image that is not home yet. */
static bool msyncfs_readahead_images(struct readahead_control *rac)
{
	struct inode *inode = rac->mapping->host;
	u64 index = readahead_index(rac);
	u64 end = index + readahead_count(rac);
	struct msyncfs_extent ext;

	for (; index < end; index += ext.len) {
		if (msyncfs_map_lookup(inode, index, end - index, &ext))
			return true;	/* read_folio reports the error */
		if (ext.blkno && msyncfs_image_in(MSYNCFS_SB(inode->i_sb),
						  ext.blkno,
						  ext.blkno + ext.len - 1))
			return true;
	}
	return false;
}

/**
 * msyncfs_readahead - address_space_operations.readahead
 * @rac: pages to fill; a page that cannot be filled is not uptodate afterwards
 *
 * Context: may sleep and do I/O.
 */
static void msyncfs_readahead(struct readahead_control *rac)
{
	struct folio *folio;

	if (!msyncfs_readahead_images(rac)) {
		iomap_readahead(rac, &msyncfs_iomap_ops);
		return;
	}
	while ((folio = readahead_folio(rac)))
		msyncfs_read_one(rac->mapping->host, folio);
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
