// SPDX-License-Identifier: GPL-2.0
/*
 * Filling the page cache. iomap reads what lies at home; a block whose newest
 * image is only in the log, or on its way there, is filled from it (B4).
 */
#include <linux/highmem.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>

#include "msyncfs.h"

/*
 * Fills @folio from the newest image of its block. The image cannot appear
 * after this looked: it would be of this very page, which is locked and not
 * uptodate, hence not dirty. It can vanish: then the home block is newest.
 *
 * Returns 1 if it did, 0 if the home block is to be read, or an error.
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

/**
 * msyncfs_read_folio - address_space_operations: fill one page
 * @file: unused
 * @folio: locked; unlocked when it is filled, or has failed
 *
 * Return: 0 or a negative errno.
 */
int msyncfs_read_folio(struct file *file, struct folio *folio)
{
	int ret = msyncfs_fill_from_image(folio->mapping->host, folio);

	if (!ret)
		return iomap_read_folio(folio, &msyncfs_iomap_ops);
	folio_end_read(folio, ret > 0);
	return ret < 0 ? ret : 0;
}

/* Is the newest image of any page that @rac covers not home? */
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
 * msyncfs_readahead - address_space_operations: fill some pages, maybe
 * @rac: which
 */
void msyncfs_readahead(struct readahead_control *rac)
{
	struct folio *folio;

	if (!msyncfs_readahead_images(rac)) {
		iomap_readahead(rac, &msyncfs_iomap_ops);
		return;
	}
	while ((folio = readahead_folio(rac)))
		msyncfs_read_folio(NULL, folio);
}
